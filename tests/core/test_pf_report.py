"""What a plan, its results and the facts after it come to."""

from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from builders import PF, PF2, make_netdev, make_pf, make_rule, make_vf, make_wish
from sriov_bootstrap.core.actions import SetLinkUp, SetNumVfs
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.pf_report import report_pf
from sriov_bootstrap.core.plan import Plan
from sriov_bootstrap.core.reasons import Reason, Verdict
from sriov_bootstrap.core.report import Outcome, PfReport, PfState, Result, VfReport
from sriov_bootstrap.core.vf_settings import Settings

UP, WRITE = SetLinkUp(PF, "ens1f0"), SetNumVfs(PF, 0, 4)
REMOVE = SetNumVfs(PF, 6, 0)
CHANGED = Result(WRITE, Outcome.CHANGED)
FAILED = Result(WRITE, Outcome.FAILED, errno=5, message="no", hint="do")
EMPTY, FOUR = make_pf(), make_pf(num_vfs=4)
TODO = Plan(make_wish(pf=EMPTY), (WRITE, UP))
DONE = Plan(make_wish(pf=FOUR))
CARRIED = Plan(make_wish(pf=EMPTY), carrier=PF2)
REFUSED = Verdict(Reason.EXCEEDS_MAX, "too many", "fewer")
PROBING = make_pf(vfs=tuple(make_vf(index=index, driver="") for index in range(4)))
MANY = make_pf(vfs=tuple(make_vf(index=index, driver="") for index in range(6)))
BOTH_DOWN = (make_netdev(is_up=False), make_netdev(name="d1", is_up=False))
UNLISTED = make_pf(num_vfs=4, altnames_known=False, netdevs=BOTH_DOWN)
NONE_YET = make_pf(altnames_known=False, netdevs=BOTH_DOWN)
ONE_UP = replace(UNLISTED, netdevs=(make_netdev(), make_netdev(name="d1", is_up=False)))
STAYS_DOWN = (
    PfState.DEGRADED,
    Reason.WRITE_FAILED,
    f"{PF}: its ports stay down: the kernel lists no netdevs, and one may be a representor",
    "a driver may hold the kernel's lock for network devices: journalctl -k; it is tried again within ten minutes",
)
STALE = "find out what else writes sriov_numvfs, and let only one program do it"
SHORT_HINT = "check the eswitch mode, the NIC's firmware settings and the driver's messages: journalctl -k"
DRIVER_HINT = "load or update the VF driver; journalctl -k shows its messages"


NO_VECTORS = "ENOSPC (No space left on device): the device or the CPU is out of MSI-X vectors"


@dataclass
class Row:
    """One line of the table; `expected` is (state, reason, message, hint)."""

    id: str
    plan: Plan
    pf: PfFacts | None
    expected: tuple[PfState, Reason | None, str, str]
    results: tuple[Result, ...] = ()
    is_incomplete: bool = False


OK = (PfState.OK, None, "", "")
ROWS = [
    Row("nothing to do", DONE, FOUR, OK),
    Row("done", DONE, FOUR, OK, (CHANGED,)),
    Row("which netdevs are ports is unknown, and all are down", Plan(make_wish(pf=UNLISTED)), UNLISTED, STAYS_DOWN),
    Row("the same after the VFs were made", Plan(make_wish(pf=UNLISTED), (WRITE,)), UNLISTED, STAYS_DOWN, (CHANGED,)),
    Row("which netdevs are ports is unknown, and one is up", Plan(make_wish(pf=ONE_UP)), ONE_UP, OK),
    Row(
        "no port has to be up",
        Plan(make_wish(pf=UNLISTED, pf_up=False)),
        UNLISTED,
        OK,
    ),
    Row(
        "a write that failed comes before that",
        Plan(make_wish(pf=NONE_YET), (WRITE,)),
        NONE_YET,
        (PfState.DEGRADED, Reason.WRITE_FAILED, "no", "do"),
        (FAILED,),
    ),
    Row(
        "and so does what is still to be done",
        Plan(make_wish(pf=NONE_YET), (WRITE,)),
        NONE_YET,
        (PfState.PENDING, None, "to do: set sriov_numvfs from 0 to 4", ""),
    ),
    Row(
        "not carried out",
        TODO,
        EMPTY,
        (PfState.PENDING, None, "to do: set sriov_numvfs from 0 to 4, then bring ens1f0 up", ""),
    ),
    Row(
        "carried by another, not carried out", CARRIED, EMPTY, (PfState.PENDING, None, f"to do: the steps of {PF2}", "")
    ),
    Row(
        "optional and absent",
        Plan(make_wish(required=False)),
        None,
        (PfState.OPTIONAL, None, 'no PF matches rule "tenant-a", which is not required', ""),
    ),
    Row(
        "optional, and another rule was first",
        Plan(DesiredPf(make_rule(required=False), lost=(PF, "first"))),
        None,
        (PfState.OPTIONAL, None, f'{PF}: rule "first" takes it before rule "tenant-a", which is not required', ""),
    ),
    Row(
        "refused by the plan",
        Plan(make_wish(pf=EMPTY), verdict=REFUSED),
        EMPTY,
        (PfState.DEGRADED, Reason.EXCEEDS_MAX, "too many", "fewer"),
        (FAILED,),
    ),
    Row("failed", TODO, EMPTY, (PfState.DEGRADED, Reason.WRITE_FAILED, "no", "do"), (FAILED,)),
    Row("failed for its carrier", CARRIED, EMPTY, (PfState.DEGRADED, Reason.WRITE_FAILED, "no", "do"), (FAILED,)),
    Row("failed, and done by somebody else", DONE, FOUR, OK, (FAILED,)),
    Row("stale, then done", DONE, FOUR, OK, (Result(WRITE, Outcome.STALE), CHANGED)),
    Row(
        "stale to the end",
        TODO,
        EMPTY,
        (
            PfState.DEGRADED,
            Reason.WRITE_FAILED,
            f"{PF}: cannot set sriov_numvfs from 0 to 4: something else keeps changing it",
            STALE,
        ),
        (Result(WRITE, Outcome.STALE),),
    ),
    Row(
        "stuck",
        DONE,
        FOUR,
        (PfState.DEGRADED, Reason.STUCK, "no answer", "wait"),
        (Result(WRITE, Outcome.STUCK, message="no answer", hint="wait"),),
    ),
    Row(
        "refused at the last moment",
        TODO,
        EMPTY,
        (PfState.DEGRADED, Reason.IN_USE, "held", "wait"),
        (Result(WRITE, Outcome.REFUSED, message="held", hint="wait"),),
    ),
    Row(
        "accepted, and there are none",
        TODO,
        EMPTY,
        (
            PfState.DEGRADED,
            Reason.FEWER_VFS,
            f"{PF}: asked for 4 VFs but got 0, and the kernel reported no error",
            SHORT_HINT,
        ),
        (CHANGED,),
    ),
    Row(
        "VFs that stay on the way to another number",
        Plan(make_wish(pf=MANY, num_vfs=4), actions=(REMOVE,)),
        MANY,
        (
            PfState.DEGRADED,
            Reason.FEWER_VFS,
            f"{PF}: 6 VFs stay instead of 4: the kernel accepted 0 and reported no error",
            "its driver may have found them when it was loaded, and keeps them until the next boot: journalctl -k",
        ),
        (Result(REMOVE, Outcome.CHANGED, made=6),),
    ),
    Row(
        "VFs without their driver",
        DONE,
        PROBING,
        (
            PfState.DEGRADED,
            Reason.VFS_INCOMPLETE,
            f"{PF}: 4 of 4 VFs still without a netdev: 0000:3b:02.0, 0000:3b:02.1, 0000:3b:02.2, 0000:3b:02.3",
            DRIVER_HINT,
        ),
        is_incomplete=True,
    ),
    Row(
        "VFs of what is no NIC without their driver",
        DONE,
        replace(PROBING, is_nic=False),
        (
            PfState.DEGRADED,
            Reason.VFS_INCOMPLETE,
            f"{PF}: 4 of 4 VFs still without a driver: 0000:3b:02.0, 0000:3b:02.1, 0000:3b:02.2, 0000:3b:02.3",
            DRIVER_HINT,
        ),
        is_incomplete=True,
    ),
    Row(
        "many VFs without their driver",
        Plan(make_wish(pf=MANY, num_vfs=6)),
        MANY,
        (
            PfState.DEGRADED,
            Reason.VFS_INCOMPLETE,
            f"{PF}: 6 of 6 VFs still without a netdev: {', '.join(f'0000:3b:02.{i}' for i in range(4))} and 2 more",
            DRIVER_HINT,
        ),
        is_incomplete=True,
    ),
    Row("VFs without a driver by somebody's will", DONE, PROBING, OK),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_the_state_of_a_pf(row: Row) -> None:
    report = report_pf(row.plan, row.pf, row.results, is_incomplete=row.is_incomplete)
    assert (report.state, report.reason, report.message, report.hint) == row.expected


def test_a_report_shows_rule_and_facts() -> None:
    pf = make_pf(num_vfs=1, numa_node=1, holder="bond0")
    plan = Plan(make_wish(pf=pf, num_vfs="max", physical_network="physnet2"), verdict=REFUSED)
    assert report_pf(plan, pf, (), is_incomplete=False) == PfReport(
        rule="tenant-a",
        requested="max",
        state=PfState.DEGRADED,
        pci_address=PF,
        netdev="ens1f0",
        driver="igb",
        vendor_id="8086",
        device_id="10c9",
        numa_node=1,
        physical_network="physnet2",
        desired=7,
        num_vfs=1,
        max_vfs=7,
        reason=Reason.EXCEEDS_MAX,
        message="too many",
        hint="fewer",
        vfs=(VfReport(0, "0000:3b:02.0", "igbvf", user="held by bond0"),),
    )


def test_a_rule_without_a_pf_keeps_its_line() -> None:
    report = report_pf(Plan(make_wish(num_vfs="max"), verdict=REFUSED), None, (), is_incomplete=False)
    assert (report.pci_address, report.desired, report.num_vfs, report.vfs_in_use) == ("", 0, 0, 0)


def test_the_carrier_that_is_waited_for_is_that_of_the_port_that_the_rule_names() -> None:
    """Both ports of a ConnectX-3 are of one function."""
    pf = make_pf(num_vfs=4, netdevs=(make_netdev(), make_netdev(name="ens1f1", ifindex=3)))
    plan = Plan(make_wish(pf=pf, match=Match(netdev="ens1f1")), settings=Settings(awaits_carrier=True))
    line = report_pf(plan, pf, (), is_incomplete=False)
    assert (line.netdev, line.message) == ("ens1f1", f"{PF}: rates of its VFs are set once ens1f1 has a carrier")
