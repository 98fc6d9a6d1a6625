"""Facts and wish -> steps, for PFs that are set through sriov_numvfs."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace

from builders import PF, PF2, RuleValues, make_netdev, make_pf, make_rule, make_vf, make_wish
from sriov_bootstrap.core import vf_users
from sriov_bootstrap.core.actions import (
    Action,
    BindVfs,
    ReloadDriver,
    SetAutoprobe,
    SetLinkUp,
    SetNumVfs,
    SetPfLink,
    SetVfAttributes,
    WriteFile,
    stage_of,
)
from sriov_bootstrap.core.config import Match, Switch, VfBinding, WhenInUse
from sriov_bootstrap.core.contest import Contest
from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.driver_wishes import VfDriver
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.placing import Placement
from sriov_bootstrap.core.plan import Plan, plan_pf
from sriov_bootstrap.core.reasons import Reason, Verdict
from sriov_bootstrap.core.surroundings import Jam, Short, Surroundings
from sriov_bootstrap.core.vf_attributes import PfLink, VfAttributes, VfTable, fingerprint
from sriov_bootstrap.core.vf_settings import AttributeMemory, Seen
from sriov_bootstrap.core.vf_users import Use, UseKind

DOWN = (make_netdev(is_up=False),)
REP = make_netdev(name="rep0", is_up=False, is_representor=True)
VM = "qemu-system-x86 pid 4711"
JAM = Jam(4711, PF2, "set sriov_numvfs from 7 to 0", 1000.0)
JAM_HINT = "end the VM or process that holds one of its VFs; the kernel log may name the cause: journalctl -k"
BLOCKED = Verdict(
    Reason.BLOCKED,
    f"{PF2}: set sriov_numvfs from 7 to 0 has not returned (process 4711 is waiting in the kernel)",
    JAM_HINT,
)
OWN_JAM = Jam(4711, PF, "set sriov_numvfs from 7 to 0", 1000.0)
STUCK = Verdict(
    Reason.STUCK,
    f"{PF}: set sriov_numvfs from 7 to 0 has not returned (process 4711 is waiting in the kernel)",
    JAM_HINT,
)
UNDER_WAY = Jam(4711, PF, "set sriov_numvfs from 7 to 0", 1000.0, is_overdue=False)
WAITS = Verdict(
    Reason.BLOCKED,
    f"{PF}: set sriov_numvfs from 7 to 0 is in progress (process 4711 is waiting in the kernel)",
    JAM_HINT,
)
IN_USE = Verdict(
    Reason.IN_USE,
    f"{PF}: 7 VFs stay instead of 4: VF 0 0000:3b:02.0 is held by {VM}",
    "this is applied automatically once they are released",
)
FEWER = Verdict(
    Reason.FEWER_VFS,
    f"{PF}: asked for 4 VFs but got 2, and the kernel reported no error",
    "check the eswitch mode, the NIC's firmware settings and the driver's messages: journalctl -k",
)
TWO = frozenset({100, 101})


OFF, OFF_BY_US = make_pf(autoprobe=False), Surroundings(autoprobe_off_by_us=frozenset({PF}))
PROBE = SetAutoprobe(PF, enabled=True)


@dataclass
class Row:
    """One line of the table: what is there and wanted -> what is to be done."""

    id: str
    wish: DesiredPf
    actions: tuple[Action, ...] = ()
    verdict: Verdict | None = None
    around: Surroundings = field(default_factory=Surroundings)


CONTESTED = Verdict(
    Reason.CONTESTED,
    f"{PF}: something else sets 1 VF where 4 are asked for, 2 times so far",
    "it is written again after 10 s, and less and less often; "
    "sriov-bootstrap doctor names what else sets VFs if a file does: let only one of them do it",
)
UP_FIRST = SetLinkUp(PF, "ens1f0", precedes_count=True)
ROWS = [
    Row("equal does nothing", make_wish(pf=make_pf(num_vfs=4))),
    Row("zero wanted, zero there", make_wish(pf=make_pf(netdevs=DOWN), num_vfs=0)),
    Row("0 to N writes N", make_wish(pf=make_pf()), (SetNumVfs(PF, 0, 4),)),
    Row("N to 0 writes 0", make_wish(pf=make_pf(num_vfs=7), num_vfs=0), (SetNumVfs(PF, 7, 0),)),
    Row("N to M goes through 0", make_wish(pf=make_pf(num_vfs=7)), (SetNumVfs(PF, 7, 0), SetNumVfs(PF, 0, 4))),
    Row("more goes through 0 too", make_wish(pf=make_pf(num_vfs=2)), (SetNumVfs(PF, 2, 0), SetNumVfs(PF, 0, 4))),
    Row("max", make_wish(pf=make_pf(), num_vfs="max"), (SetNumVfs(PF, 0, 7),)),
    Row("percentage", make_wish(pf=make_pf(), num_vfs="50%"), (SetNumVfs(PF, 0, 3),)),
    Row("in use is kept", make_wish(pf=make_pf(num_vfs=7, holder=VM)), verdict=IN_USE),
    Row(
        "each port that is down comes up",
        make_wish(pf=make_pf(netdevs=(*DOWN, make_netdev(name="d1", is_up=False), make_netdev(name="up"), REP))),
        (UP_FIRST, SetLinkUp(PF, "d1", precedes_count=True), SetNumVfs(PF, 0, 4)),
    ),
    Row(
        "while the kernel does not list the netdevs, one of several may be a representor",
        make_wish(pf=make_pf(altnames_known=False, netdevs=(*DOWN, make_netdev(name="d1", is_up=False)))),
        (SetNumVfs(PF, 0, 4),),
    ),
    Row(
        "while the kernel does not list the netdevs, ports that are up need nothing",
        make_wish(pf=make_pf(altnames_known=False, netdevs=(make_netdev(), make_netdev(name="d1")))),
        (SetNumVfs(PF, 0, 4),),
    ),
    Row(
        "while the kernel does not list the netdevs, an only one is a port",
        make_wish(pf=make_pf(altnames_known=False, netdevs=DOWN)),
        (UP_FIRST, SetNumVfs(PF, 0, 4)),
    ),
    Row(
        "a rule by the other netdev of a PF that is taken",
        DesiredPf(make_rule(), lost=(PF, "first")),
        verdict=Verdict(
            Reason.ABSENT,
            f'{PF}: rule "first" comes before rule "tenant-a" (pci_address {PF}), which matches it as well',
            "a PF has one number of VFs, whichever of its netdevs a rule names: keep one of the two rules",
        ),
    ),
    Row(
        "no card has that serial number",
        DesiredPf(make_rule(match=Match(serial_number="3c-fd-fe-ff-ff-aa-bb-00"))),
        verdict=Verdict(
            Reason.ABSENT,
            'no PF matches rule "tenant-a" (serial_number 3c-fd-fe-ff-ff-aa-bb-00)',
            "compare with lspci -vv, Device Serial Number: only root can read it, and Linux before 7.3 has no file",
        ),
    ),
    Row("the same, and it is optional", DesiredPf(make_rule(required=False), lost=(PF, "first"))),
    Row(
        "a driver of what is no NIC is in the way of the number",
        make_wish(pf=make_pf(vfs=(make_vf(use=Use(UseKind.NO_NIC, "nvme"), driver="nvme"),), is_nic=False)),
        verdict=Verdict(
            Reason.IN_USE,
            f"{PF}: 1 VF stays instead of 4: VF 0 0000:3b:02.0 is in use: "
            "driver nvme is bound to it, and what uses it through that cannot be seen",
            "unbind the driver of those that are free, /sys/bus/pci/devices/VF/driver/unbind: "
            "this is applied automatically once they are released",
        ),
    ),
    Row("in use and equal is fine", make_wish(pf=make_pf(num_vfs=4, holder=VM))),
    Row(
        "in use is replaced where the rule says so",
        make_wish(pf=make_pf(num_vfs=7, holder=VM), when_in_use=WhenInUse.REPLACE),
        (SetNumVfs(PF, 7, 0, allow_in_use=True), SetNumVfs(PF, 0, 4, allow_in_use=True)),
    ),
    Row(
        "in use is replaced by force",
        make_wish(pf=make_pf(num_vfs=7, holder=VM)),
        (SetNumVfs(PF, 7, 0, allow_in_use=True), SetNumVfs(PF, 0, 4, allow_in_use=True)),
        around=Surroundings(force=True),
    ),
    Row(
        "more than the device offers",
        make_wish(pf=make_pf(), num_vfs=32),
        verdict=Verdict(
            Reason.EXCEEDS_MAX,
            f"{PF}: cannot create 32 VFs: the device offers 7",
            'lower num_vfs in rule "tenant-a" to 7 or "max"',
        ),
    ),
    Row(
        "without a driver no count is judged",
        make_wish(pf=make_pf(driver="", total_vfs=8), num_vfs=32),
        verdict=Verdict(
            Reason.DRIVER_MISSING,
            f"{PF}: no driver is bound, so it cannot have VFs",
            f"load its driver: modprobe $(cat /sys/bus/pci/devices/{PF}/modalias)",
        ),
    ),
    Row(
        "absent",
        make_wish(),
        verdict=Verdict(
            Reason.ABSENT,
            f'no PF matches rule "tenant-a" (pci_address {PF})',
            "check that the NIC is seated and its name has not changed: sriov-bootstrap init lists this host's PFs",
        ),
    ),
    Row("absent and optional", make_wish(required=False)),
    Row("zero wanted gives probing back", make_wish(pf=OFF, num_vfs=0), (PROBE,), around=OFF_BY_US),
    Row("zero wanted with probing off", make_wish(pf=OFF, num_vfs=0, vf_driver=VfDriver.NONE), around=OFF_BY_US),
    Row("pf up first", make_wish(pf=make_pf(netdevs=DOWN)), (UP_FIRST, SetNumVfs(PF, 0, 4))),
    Row("pf up later", make_wish(pf=make_pf(num_vfs=4, netdevs=DOWN)), (SetLinkUp(PF, "ens1f0"),)),
    Row("pf up not wanted", make_wish(pf=make_pf(netdevs=DOWN), pf_up=False), (SetNumVfs(PF, 0, 4),)),
    Row("no netdev to bring up", make_wish(pf=make_pf(netdevs=())), (SetNumVfs(PF, 0, 4),)),
    Row(
        "autoprobe off",
        make_wish(pf=make_pf(), vf_driver=VfDriver.NONE),
        (SetAutoprobe(PF, enabled=False), SetNumVfs(PF, 0, 4)),
    ),
    Row("autoprobe is off", make_wish(pf=make_pf(autoprobe=False), vf_driver=VfDriver.NONE), (SetNumVfs(PF, 0, 4),)),
    Row("autoprobe off by somebody else stays off", make_wish(pf=make_pf(autoprobe=False)), (SetNumVfs(PF, 0, 4),)),
    Row(
        "autoprobe off by us is taken back",
        make_wish(pf=make_pf(autoprobe=False)),
        (SetAutoprobe(PF, enabled=True), SetNumVfs(PF, 0, 4)),
        around=Surroundings(autoprobe_off_by_us=frozenset({PF})),
    ),
    Row(
        "what is short is not asked again",
        make_wish(pf=make_pf(num_vfs=2)),
        verdict=FEWER,
        around=Surroundings(short={PF: Short(4, TWO, is_proven=True)}),
    ),
    Row(
        "what is short is asked again by force",
        make_wish(pf=make_pf(num_vfs=2)),
        (SetNumVfs(PF, 2, 0, allow_in_use=True), SetNumVfs(PF, 0, 4, allow_in_use=True)),
        around=Surroundings(short={PF: Short(4, TWO, is_proven=True)}, force=True),
    ),
    Row(
        "what is short is asked for another number",
        make_wish(pf=make_pf(num_vfs=2), num_vfs=3),
        (SetNumVfs(PF, 2, 0), SetNumVfs(PF, 0, 3)),
        around=Surroundings(short={PF: Short(4, TWO, is_proven=True)}),
    ),
    Row(
        "other VFs than the short ones",
        make_wish(pf=make_pf(num_vfs=2)),
        (SetNumVfs(PF, 2, 0), SetNumVfs(PF, 0, 4)),
        around=Surroundings(short={PF: Short(4, frozenset({1, 2}), is_proven=True)}),
    ),
    Row(
        "what no look has proven to be short is asked again",
        make_wish(pf=make_pf(num_vfs=2)),
        (SetNumVfs(PF, 2, 0), SetNumVfs(PF, 0, 4)),
        around=Surroundings(short={PF: Short(4, TWO)}),
    ),
    Row(
        "contested, in the pause",
        make_wish(pf=make_pf(num_vfs=1, netdevs=DOWN)),
        (SetLinkUp(PF, "ens1f0"),),
        verdict=CONTESTED,
        around=Surroundings(contests={PF: Contest(4, 1, 2, 60.0)}, now=59.9),
    ),
    Row(
        "contested, after the pause",
        make_wish(pf=make_pf(num_vfs=1)),
        (SetNumVfs(PF, 1, 0), SetNumVfs(PF, 0, 4)),
        around=Surroundings(contests={PF: Contest(4, 1, 2, 60.0)}, now=60.0),
    ),
    Row(
        "contested at another number",
        make_wish(pf=make_pf(num_vfs=1)),
        (SetNumVfs(PF, 1, 0), SetNumVfs(PF, 0, 4)),
        around=Surroundings(contests={PF: Contest(3, 1, 2, 60.0)}),
    ),
    Row(
        "contested, and as desired",
        make_wish(pf=make_pf(num_vfs=4)),
        around=Surroundings(contests={PF: Contest(4, 1, 2, 60.0)}),
    ),
    Row("a jam elsewhere blocks", make_wish(pf=make_pf()), verdict=BLOCKED, around=Surroundings(jam=JAM)),
    Row("a jam elsewhere and nothing to do", make_wish(pf=make_pf(num_vfs=4)), around=Surroundings(jam=JAM)),
    Row(
        "a jam elsewhere does not hide who uses the VFs",
        make_wish(pf=make_pf(num_vfs=7, holder=VM, netdevs=DOWN)),
        verdict=IN_USE,
        around=Surroundings(jam=JAM),
    ),
    Row("stuck", make_wish(pf=make_pf(num_vfs=7)), verdict=STUCK, around=Surroundings(jam=OWN_JAM)),
    Row(
        "stuck, though the count looks right",
        make_wish(pf=make_pf(num_vfs=4)),
        verdict=STUCK,
        around=Surroundings(jam=OWN_JAM),
    ),
    Row(
        "stuck, though somebody uses a VF",
        make_wish(pf=make_pf(num_vfs=7, holder=VM)),
        verdict=STUCK,
        around=Surroundings(jam=OWN_JAM),
    ),
    Row("a write under way", make_wish(pf=make_pf()), verdict=WAITS, around=Surroundings(jam=UNDER_WAY)),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_steps(row: Row) -> None:
    assert plan_pf(row.wish, row.around) == Plan(row.wish, row.actions, row.verdict)
    assert list(row.actions) == sorted(row.actions, key=stage_of)


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (SetLinkUp(PF, "ens1f0"), "bring ens1f0 up"),
        (SetAutoprobe(PF, enabled=True), "set sriov_drivers_autoprobe to 1"),
        (SetAutoprobe(PF, enabled=False), "set sriov_drivers_autoprobe to 0"),
        (SetNumVfs(PF, 0, 4), "set sriov_numvfs from 0 to 4"),
        (WriteFile(PF, "/etc/modprobe.d/x.conf", "text"), "write /etc/modprobe.d/x.conf"),
        (ReloadDriver(PF, "igb", (PF, PF2), 7), f"reload the driver igb ({PF}, {PF2})"),
    ],
)
def test_an_action_says_what_it_does(action: Action, text: str) -> None:
    assert str(action) == text


@pytest.mark.parametrize(
    ("actions", "changes"),
    [
        ((), False),
        ((SetLinkUp(PF, "ens1f0"), WriteFile(PF, "/x", "")), False),
        ((SetLinkUp(PF, "ens1f0"), SetNumVfs(PF, 0, 4)), True),
        ((ReloadDriver(PF, "igb", (PF,), 7),), True),
    ],
)
def test_vfs_change_by_a_count_or_a_reload(actions: tuple[Action, ...], *, changes: bool) -> None:
    assert Plan(make_wish(), actions).changes_vfs is changes


@pytest.mark.parametrize("kind", UseKind)
def test_a_vf_in_use_stays_whatever_the_words_for_its_use_are(kind: UseKind, monkeypatch: pytest.MonkeyPatch) -> None:
    vfs = tuple(make_vf(index=index, use=None if index else Use(kind, "x", "v0")) for index in range(7))
    wish = make_wish(pf=make_pf(vfs=vfs))
    before = plan_pf(wish, Surroundings())
    for words in ("", "held by nobody", "free"):
        monkeypatch.setattr(vf_users, "USES", dict.fromkeys(UseKind, words))
        after = plan_pf(wish, Surroundings())
        assert (after.actions, after.verdict and after.verdict.reason) == ((), Reason.IN_USE)
    assert (before.actions, before.verdict and before.verdict.reason) == ((), Reason.IN_USE)


@pytest.mark.parametrize(
    ("match", "names"),
    [
        (Match(netdev="enp4s0d1"), ["enp4s0d1"]),
        (Match(mac="3c:fd:fe:aa:bb:01"), ["enp4s0d1"]),
        (Match(altname="second"), ["enp4s0d1"]),
        (Match(pci_address=PF), ["enp4s0", "enp4s0d1"]),
    ],
)
def test_a_rule_by_one_of_two_ports_brings_that_port_up(match: Match, names: list[str]) -> None:
    second = make_netdev(name="enp4s0d1", ifindex=3, mac="3c:fd:fe:aa:bb:01", altnames=("second",), is_up=False)
    pf = make_pf(num_vfs=4, netdevs=(make_netdev(name="enp4s0", is_up=False), second))
    plan = plan_pf(make_wish(pf=pf, match=match), Surroundings())
    assert plan.actions == tuple(SetLinkUp(PF, name) for name in names)


TABLES = (VfTable(vfs="all", vlan=100),)
MAC_TABLES = (VfTable(vfs="all", mac="02:00:00:00:00:01"),)
PLAIN = Surroundings(names_follow_probes=True)


@pytest.mark.parametrize(
    ("rule", "around", "keeps_drivers", "is_bound"),
    [
        ({"vf": TABLES}, Surroundings(), True, False),
        ({"vf": MAC_TABLES}, Surroundings(), False, True),
        ({"vf": MAC_TABLES}, PLAIN, True, False),
        ({"vf": MAC_TABLES, "vf_binding": VfBinding.AUTO}, Surroundings(), True, True),
        ({"vf": MAC_TABLES, "vf_driver": "none"}, Surroundings(), True, False),
        ({"vf": MAC_TABLES, "vf_driver": "vfio-pci"}, Surroundings(), True, True),
    ],
    ids=["kernel", "kernel, MAC", "names follow probes", "late", "none", "vfio-pci"],
)
def test_new_vfs_get_their_attributes_between_count_and_driver(
    rule: RuleValues, around: Surroundings, *, keeps_drivers: bool, is_bound: bool
) -> None:
    steps = plan_pf(make_wish(pf=make_pf(), **rule), around).actions
    steps = tuple(step for step in steps if not isinstance(step, SetAutoprobe))
    given = SetVfAttributes(PF, "ens1f0", rule["vf"], 4, keeps_drivers=keeps_drivers)
    assert steps[:2] == (SetNumVfs(PF, 0, 4), given)
    assert [type(step) for step in steps[2:]] == ([BindVfs] if is_bound else [])


@pytest.mark.parametrize("pf", [make_pf(num_vfs=4), make_pf(netdevs=())], ids=["to none", "without a netdev"])
def test_where_no_vf_or_no_netdev_will_be_nothing_is_set(pf: PfFacts) -> None:
    wish = make_wish(pf=pf, vf=TABLES, num_vfs=4 if pf.num_vfs == 0 else 0)
    assert not [step for step in plan_pf(wish, Surroundings()).actions if isinstance(step, SetVfAttributes)]


def quiet(pf: PfFacts, wrong: VfAttributes, **values: Any) -> tuple[PfFacts, Surroundings]:  # noqa: ANN401
    """The PF with VFs that are all wrong, and have been so for long."""
    seen = {vf.incarnation: Seen(fingerprint(wrong, vf.driver), 0.0) for vf in pf.vfs}
    linked = replace(pf, link=PfLink(2, mtu=1500, vfs={vf.index: wrong for vf in pf.vfs}, has_carrier=True))
    return linked, Surroundings(attributes={PF: AttributeMemory(seen=seen)}, now=100.0, **values)


WRONG = VfAttributes(mac="00:00:00:00:00:00", vlan=7)


@pytest.mark.parametrize(
    ("tables", "values", "is_rebound"),
    [
        (TABLES, {}, False),
        (MAC_TABLES, {}, True),
        (MAC_TABLES, {"names_follow_probes": True}, False),
    ],
)
def test_existing_vfs_leave_their_driver_only_where_they_get_it_back(
    tables: tuple[VfTable, ...], values: dict[str, Any], *, is_rebound: bool
) -> None:
    pf, around = quiet(make_pf(num_vfs=4), WRONG, **values)
    plan = plan_pf(make_wish(pf=pf, vf=tables), around)
    (given, *then) = plan.actions
    assert isinstance(given, SetVfAttributes)
    assert ([*given.vfs], given.keeps_drivers) == ([0, 1, 2, 3], not is_rebound)
    back = BindVfs(PF, "kernel", tuple(vf.pci_address for vf in pf.vfs), returns=True)
    assert (then, plan.takes_drivers, plan.moves_vfs) == ([back] if is_rebound else [], is_rebound, False)


def test_probing_that_others_have_switched_off_costs_no_vf_its_driver() -> None:
    pf, around = quiet(make_pf(num_vfs=4, autoprobe=False), WRONG)
    (given,) = plan_pf(make_wish(pf=pf, vf=MAC_TABLES), around).actions
    assert isinstance(given, SetVfAttributes)
    assert given.keeps_drivers


def test_a_plan_has_one_binding_which_never_waits_for_another() -> None:
    """Both would want the same lock. VFs that would have to leave their driver wait for the next pass."""
    vfs = tuple(make_vf(index=index, driver="" if index < 2 else "igbvf") for index in range(4))
    pf, around = quiet(make_pf(vfs=vfs), WRONG, placements={PF: Placement(is_unfinished=True)})
    given, bind = plan_pf(make_wish(pf=pf, vf=MAC_TABLES), around).actions
    assert isinstance(given, SetVfAttributes)
    assert ([*given.vfs], given.keeps_drivers) == ([0, 1], True)
    assert bind == BindVfs(PF, "kernel", tuple(vf.pci_address for vf in vfs[:2]))


@pytest.mark.parametrize(
    ("values", "action"),
    [
        ({"mtu": 1500, "promisc": Switch.OFF}, None),
        ({"mtu": 9000}, SetPfLink(PF, "ens1f0", 9000)),
        ({"promisc": Switch.ON}, SetPfLink(PF, "ens1f0", promisc=True)),
        ({}, None),
    ],
)
def test_the_netdev_of_a_pf_gets_what_the_rule_says(values: RuleValues, action: SetPfLink | None) -> None:
    pf, around = quiet(make_pf(num_vfs=4), WRONG)
    assert plan_pf(make_wish(pf=pf, **values), around).actions == ((action,) if action else ())
