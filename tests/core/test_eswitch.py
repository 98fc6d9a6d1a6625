"""The switch of a NIC: facts and wish -> steps and refusals. What passes make of it is in tests/passes."""

import errno
import os

import pytest

from builders import PF, make_netdev, make_pf, make_rule, make_vf, make_wish
from sriov_bootstrap.core.actions import deadline_seconds
from sriov_bootstrap.core.eswitch import lack_verdict, lacks, masters_of, plan_switch, question_of
from sriov_bootstrap.core.eswitch_config import DevlinkParam, EncapMode, Eswitch, EswitchMode, InlineMode, ParamMode
from sriov_bootstrap.core.eswitch_refusals import REFUSALS, SwitchRefusal, explain, find_refusal
from sriov_bootstrap.core.facts import DevlinkQuestion, EswitchFacts, Representor
from sriov_bootstrap.core.surroundings import Surroundings
from sriov_bootstrap.core.switch_actions import SetDevlinkParams, SetEswitchMode, SetUpEswitch

SWITCHDEV, LEGACY = Eswitch(EswitchMode.SWITCHDEV), Eswitch(EswitchMode.LEGACY)
UPLINK = Representor("ens1f0", 2, has_tc_offload=False)
ACTUAL = EswitchFacts("switchdev", "none", "basic", "0a", UPLINK, {0: Representor("r0", 3, has_tc_offload=True)})


def test_only_what_a_rule_says_is_asked_for() -> None:
    lag = Eswitch(EswitchMode.SWITCHDEV, vf_lag=True)
    assert question_of(PF, make_rule(eswitch=lag)) == DevlinkQuestion(PF, tc_offload=True, lag=True)
    assert question_of(PF, make_rule(eswitch=SWITCHDEV)) == DevlinkQuestion(PF, tc_offload=True)
    assert question_of(PF, make_rule(eswitch=LEGACY)) == DevlinkQuestion(PF)
    wish = Eswitch(EswitchMode.LEGACY, hw_tc_offload=False)
    assert question_of(PF, make_rule(eswitch=wish, devlink_params={"b": 1})) == DevlinkQuestion(
        PF, ("b",), tc_offload=True
    )


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (SWITCHDEV, False),
        (Eswitch(EswitchMode.SWITCHDEV, InlineMode.NONE, EncapMode.BASIC), False),
        (Eswitch(EswitchMode.SWITCHDEV, InlineMode.LINK), True),
        (Eswitch(EswitchMode.SWITCHDEV, encap_mode=EncapMode.NONE), True),
        (Eswitch(EswitchMode.SWITCHDEV, hw_tc_offload=True), True),
        (Eswitch(EswitchMode.SWITCHDEV, hw_tc_offload=False), True),
    ],
)
def test_what_a_wish_lacks(wish: Eswitch, *, expected: bool) -> None:
    assert lacks(wish, ACTUAL) is expected


def test_legacy_without_more_sets_nothing_up() -> None:
    pf = make_pf(driver="mlx5_core", eswitch=EswitchFacts("switchdev"))
    found = plan_switch(make_wish(pf=pf, eswitch=LEGACY), pf, 4, Surroundings())
    assert found.mode == (SetEswitchMode(PF, "switchdev", EswitchMode.LEGACY, 4, may_precede_count=True),)
    assert found.after == ()


def test_what_a_switch_without_an_answer_says() -> None:
    pf = make_pf(eswitch_problem="it is asleep")
    found = plan_switch(make_wish(pf=pf, eswitch=LEGACY), pf, 4, Surroundings())
    assert found.verdict
    assert found.verdict.message == f"{PF}: it is asleep"
    assert lack_verdict(pf, make_rule(eswitch=LEGACY)) is None


def test_a_switch_without_an_answer_gives_no_vf_a_driver_before_its_bond() -> None:
    pf = make_pf(driver="mlx5_core", eswitch_problem="it is asleep")
    wish = Eswitch(EswitchMode.SWITCHDEV, vf_lag=True)
    assert plan_switch(make_wish(pf=pf, eswitch=wish), pf, 4, Surroundings()).holds_drivers
    assert not plan_switch(make_wish(pf=pf, eswitch=SWITCHDEV), pf, 4, Surroundings()).holds_drivers


def test_a_lost_mode_is_said_where_nothing_can_be_done_now() -> None:
    pf = make_pf(eswitch=EswitchFacts("legacy"))
    found = lack_verdict(pf, make_rule(eswitch=SWITCHDEV))
    assert found
    assert found.message == f"{PF}: the eswitch mode is legacy instead of switchdev"


def test_masters_are_named_by_what_is_known() -> None:
    pf = make_pf(netdevs=(make_netdev(uppers=("bond0", "vlan7")),))
    actual = EswitchFacts(uplink=Representor("ens1f0", has_master=True), representors={1: Representor("r1")})
    assert masters_of(pf, actual) == "ens1f0 is part of bond0, vlan7"
    assert masters_of(pf, EswitchFacts(representors={1: Representor("r1")})) == ""


def test_a_vf_without_a_representor_is_missed_by_its_number() -> None:
    pf = make_pf(vfs=(make_vf(index=0), make_vf(index=1)), eswitch=ACTUAL)
    found = lack_verdict(pf, make_rule(eswitch=SWITCHDEV))
    assert found
    assert found.message == f"{PF}: 1 of 2 representors missing: VF 1"
    assert lack_verdict(pf, make_rule(devlink_params={"x": 1})) is None


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (SetUpEswitch(PF, SWITCHDEV, 2), "wait for 2 representors"),
        (SetUpEswitch(PF, Eswitch(EswitchMode.LEGACY, hw_tc_offload=False), 2), "set hw-tc-offload off"),
        (SetEswitchMode(PF, "legacy", EswitchMode.SWITCHDEV), "set the eswitch mode from legacy to switchdev"),
        (SetEswitchMode(PF, "legacy", EswitchMode.LEGACY), "make sure that the eswitch mode is still legacy"),
        (
            SetDevlinkParams(
                PF, {"a": DevlinkParam(value=False, cmode=ParamMode.DRIVERINIT), "b": DevlinkParam("smfs")}
            ),
            "set a to false (driverinit: from the next devlink dev reload, or boot), b to smfs",
        ),
    ],
)
def test_actions_say_what_they_do(action: SetUpEswitch | SetEswitchMode | SetDevlinkParams, text: str) -> None:
    assert str(action) == text
    assert deadline_seconds(action) >= 30.0


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: row.words or f"{row.errno} {row.drivers}")
def test_each_row_of_the_table_is_found_and_explained(row: SwitchRefusal) -> None:
    words = row.words or os.strerror(row.errno)
    drivers = row.drivers or ("igb",)
    number = row.errno or errno.EINVAL
    found = find_refusal(words, number, drivers[0])
    assert found.cause == row.cause
    message, hint = explain("cannot", words, number, drivers[0])
    assert (found.cause in message, hint) == (True, found.remedy)


@pytest.mark.parametrize("driver", ["mlx5_core", "ice", "bnxt_en", "netdevsim"])
@pytest.mark.parametrize(
    "number",
    [
        errno.EPERM, errno.ENOENT, errno.EIO, errno.EAGAIN, errno.ENOMEM, errno.EBUSY, errno.ENODEV, errno.EINVAL,
        errno.ENOSPC, errno.EOPNOTSUPP, errno.ETIMEDOUT, errno.ERANGE,
    ],
)  # fmt: skip
def test_each_errno_has_a_cause_and_a_remedy_for_each_driver(driver: str, number: int) -> None:
    message, hint = explain("cannot", os.strerror(number), number, driver)
    assert message.startswith(f"cannot: {'EOPNOTSUPP' if number == errno.EOPNOTSUPP else errno.errorcode[number]}: ")
    assert hint
    assert ("no known reason" in message) == (number == errno.ERANGE)
