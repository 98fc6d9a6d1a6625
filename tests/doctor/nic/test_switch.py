"""The switch of a NIC, and Open vSwitch."""

import pytest
from msgspec.structs import replace

from builders import PF, make_config, make_pf, make_rule, make_vf
from sriov_bootstrap.core.desired import resolve
from sriov_bootstrap.core.eswitch_config import Eswitch, EswitchMode, SteeringMode
from sriov_bootstrap.core.facts import EswitchFacts, PfFacts, Representor
from sriov_bootstrap.core.vf_users import Use, UseKind
from sriov_bootstrap.doctor.nic.checks import check_nics
from sriov_bootstrap.doctor.nic.survey import NicSurvey
from sriov_bootstrap.doctor.nic.switch import wants_switchdev
from sriov_bootstrap.render.host import Host

SWITCHDEV, LEGACY = Eswitch(EswitchMode.SWITCHDEV), Eswitch(EswitchMode.LEGACY)
READY = EswitchFacts(
    "switchdev",
    switch_id="0a",
    uplink=Representor("ens1f0", has_tc_offload=True),
    representors={0: Representor("r0", has_tc_offload=True), 1: Representor("r1", has_tc_offload=True)},
)


def pf_with(eswitch: EswitchFacts | None, *, driver: str = "mlx5_core", use: Use | None = None) -> PfFacts:
    netdevs = ("v1",) if driver == "mlx5_core" else ()
    vfs = (make_vf(index=0, driver="mlx5_core"), make_vf(index=1, driver=driver, netdevs=netdevs, use=use))
    return make_pf(driver="mlx5_core", vfs=vfs, eswitch=eswitch)


def found(
    pf: PfFacts | None, wish: Eswitch | None = SWITCHDEV, *, ovs: str | None = None, lost: tuple[str, ...] = ()
) -> list[tuple[str, str, str]]:
    pfs = (pf,) if pf else ()
    config = make_config(make_rule(num_vfs=2, eswitch=wish, required=False))
    host = Host(config, resolve(config, pfs), pfs)
    findings = [
        one for one in check_nics(host, NicSurvey(ovs_offload=ovs, ovs_lost=lost)) if f"SB-E{one.code[4:]}" > "SB-E231"
    ]
    assert all(one.evidence and one.remedy for one in findings)
    return [(one.code, one.place, one.problem) for one in findings]


@pytest.mark.parametrize(
    ("pf", "wish"),
    [
        (pf_with(READY), SWITCHDEV),
        (pf_with(EswitchFacts("legacy")), LEGACY),
        (pf_with(EswitchFacts()), LEGACY),
        (pf_with(None), SWITCHDEV),
        (pf_with(EswitchFacts("legacy")), None),
        (None, SWITCHDEV),
    ],
)
def test_nothing_is_wrong(pf: PfFacts | None, wish: Eswitch | None) -> None:
    assert found(pf, wish) == []


@pytest.mark.parametrize(
    ("eswitch", "problem"),
    [
        (EswitchFacts("legacy"), "the eswitch mode is legacy"),
        (EswitchFacts(), "mlx5_core has no eswitch mode that can be set"),
        (None, "the eswitch mode is unknown"),
    ],
)
def test_a_mode_that_is_not_there(eswitch: EswitchFacts | None, problem: str) -> None:
    pf = replace(pf_with(eswitch), eswitch_problem="" if eswitch else "it is asleep")
    assert found(pf) == [("SB-E232", PF, f'{problem}, and rule "tenant-a" asks for switchdev')]


@pytest.mark.parametrize("switch_id", ["0a", ""])
def test_a_representor_that_is_missing(switch_id: str) -> None:
    pf = pf_with(replace(READY, switch_id=switch_id, representors={0: Representor("r0", has_tc_offload=True)}))
    assert found(pf) == [("SB-E233", PF, "1 VF has no representor on the host: os-vif cannot plug them")]


@pytest.mark.parametrize(("name", "is_found"), [("pf0vf1", True), ("c1pf0vf1", True), ("1", True), ("pf1vf1", False)])
def test_a_representor_that_names_another_pf(name: str, *, is_found: bool) -> None:
    """os-vif compares with the PCI function, which is 0 here."""
    both = READY.representors | {1: Representor("r1", has_tc_offload=True, port_name=name)}
    problem = "os-vif takes 1 representor for those of another PF: RepresentorNotFound"
    expected = [] if is_found else [("SB-E238", PF, problem)]
    assert found(pf_with(replace(READY, representors=both))) == expected


def test_offload_that_is_off() -> None:
    pf = pf_with(replace(READY, uplink=Representor("ens1f0", has_tc_offload=False)))
    assert found(pf) == [("SB-W234", PF, "hw-tc-offload is off: flows of 1 netdev are switched in software")]


@pytest.mark.parametrize("driver", ["vfio-pci", ""])
def test_a_free_vf_without_a_netdev(driver: str) -> None:
    problem = "1 free VF has no netdev on the host: nova does not offer such a VF to ports that ask for switchdev"
    assert [one for one in found(pf_with(READY, driver=driver)) if one[0] == "SB-W235"] == [("SB-W235", PF, problem)]
    used = pf_with(READY, driver="vfio-pci", use=Use(UseKind.HELD, "qemu"))
    assert found(used) == []


def test_another_steering() -> None:
    wish = replace(SWITCHDEV, flow_steering_mode=SteeringMode.SMFS)
    problem = 'flow_steering_mode is dmfs, and rule "tenant-a" asks for smfs'
    actual = replace(READY, params={"flow_steering_mode": {"runtime": "dmfs"}})
    assert found(pf_with(actual), wish) == [("SB-W236", PF, problem)]
    assert found(pf_with(replace(READY, params={"flow_steering_mode": {"runtime": "smfs"}})), wish) == []


@pytest.mark.parametrize(("ovs", "is_said"), [(None, False), ("true", False), ("false", True), ("", True)])
def test_open_vswitch_without_offload(ovs: str | None, *, is_said: bool) -> None:
    expected = [("SB-W237", "host", "Open vSwitch offloads no flows")] if is_said else []
    assert found(pf_with(READY), ovs=ovs) == expected
    assert found(pf_with(EswitchFacts("legacy")), LEGACY, ovs=ovs) == []


@pytest.mark.parametrize(
    ("state", "driver", "problem"),
    [
        ("active", "mlx5_core", ""),
        ("disabled", "", "the bond of this PF is not offloaded, and its VFs get their driver only then"),
        (
            "disabled",
            "mlx5_core",
            "the bond of this PF is not offloaded, and 2 VFs have a driver already, which keeps it so",
        ),
        ("", "", "cannot tell whether the bond of this PF is offloaded: debugfs does not say"),
    ],
)
def test_a_bond_that_is_not_offloaded(state: str, driver: str, problem: str) -> None:
    """VFs without a netdev are as they should be meanwhile; one without a representor is the first thing to tell."""
    vfs = tuple(make_vf(index=index, driver=driver, netdevs=("v",) if driver else ()) for index in (0, 1))
    pf = make_pf(driver="mlx5_core", vfs=vfs, eswitch=replace(READY, lag=state))
    wish = replace(SWITCHDEV, vf_lag=True)
    assert found(pf, wish) == ([("SB-W240", PF, problem)] if problem else [])
    missing = replace(pf, eswitch=replace(READY, lag=state, representors={}))
    assert {code for code, *_ in found(missing, wish)} == {"SB-E233"}


def test_vfs_that_wait_for_a_bond_lack_no_driver() -> None:
    pf = make_pf(driver="mlx5_core", vfs=(make_vf(driver="", netdevs=()),), eswitch=replace(READY, lag="disabled"))
    codes = {}
    for vf_lag in (True, False):
        config = make_config(make_rule(num_vfs=1, eswitch=replace(SWITCHDEV, vf_lag=vf_lag)))
        host = Host(config, resolve(config, (pf,)), (pf,))
        codes[vf_lag] = {one.code for one in check_nics(host, NicSurvey())}
    assert ("SB-W220" in codes[True], "SB-W220" in codes[False]) == (False, True)


def test_ports_of_open_vswitch_that_have_lost_their_netdev() -> None:
    problem = "Open vSwitch has 2 ports whose netdev is not on this host"
    assert found(pf_with(READY), lost=("eth3", "eth4")) == [("SB-W239", "host", problem)]
    assert found(pf_with(EswitchFacts("legacy")), LEGACY, lost=("eth3",)) == []


def test_who_wants_switchdev() -> None:
    config = make_config(make_rule(eswitch=SWITCHDEV))
    assert not wants_switchdev(Host(config, resolve(config, ()), ()))
    assert wants_switchdev(Host(config, resolve(config, (pf_with(READY),)), (pf_with(READY),)))
