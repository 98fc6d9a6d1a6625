"""What a pass looks at for a rule without a PF, and what it says of it."""

import pytest
from msgspec.structs import replace

from builders import PF, PF2, make_config, make_netdev, make_rule, vf_address
from builders_pci import sriov
from fakes import FakeMachine, FakePf
from sriov_bootstrap.core.config import Match, PfRule
from sriov_bootstrap.core.facts import Link, Links, RawNetdev, RawPf
from sriov_bootstrap.core.obstacles import Platform
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import PfReport
from sriov_bootstrap.passes.presence import find_devices
from sriov_bootstrap.passes.read import Loaded
from sriov_bootstrap.passes.reconcile import Mode, run_pass

OTHER = "0000:5e:00.0"
LOOKS = ("functions", "functions with serial numbers")


def a_function(address: str = OTHER, *, physfn: str = "", netdev: str = "ens7", **attributes: str) -> RawPf:
    """A NIC without sriov_totalvfs."""
    texts = {"class": "0x020000", "vendor": "0x1234", "device": "0x5678", "physfn": physfn} | attributes
    return RawPf(address, texts, "acme", (RawNetdev(netdev, "3c:fd:fe:aa:bb:07", "0x1003", "7"),))


def machine_with(*functions: RawPf, num_vfs: int = 0) -> FakeMachine:
    machine = FakeMachine(FakePf())
    machine.make_vfs(PF, num_vfs)
    machine.functions = functions
    return machine


def line_of(machine: FakeMachine, rule: PfRule, mode: Mode = Mode.APPLY) -> PfReport:
    (line,) = run_pass(machine, Loaded(make_config(rule)), mode=mode).pfs
    return line


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(make_rule(num_vfs=0), id="it has its PF"),
        pytest.param(make_rule(match=Match(pci_address=OTHER), required=False), id="it needs none"),
    ],
)
def test_a_pass_looks_no_further_than_it_must(rule: PfRule) -> None:
    machine = machine_with(a_function())
    line_of(machine, rule)
    assert not {*LOOKS} & {*machine.reads}


def test_a_second_rule_for_one_pf_is_not_looked_for() -> None:
    machine = machine_with()
    config = make_config(make_rule(num_vfs=0), make_rule(name="b"))
    _, line = run_pass(machine, Loaded(config), mode=Mode.APPLY).pfs
    assert "comes before" in line.message
    assert not {*LOOKS} & {*machine.reads}


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    "match",
    [
        Match(pci_address=OTHER),
        Match(netdev="ens7"),
        Match(netdev="ens*"),
        Match(mac="3c:fd:fe:aa:bb:07"),
        Match(driver="acme"),
        Match(vendor_id="1234", device_id="5678"),
    ],
)
def test_what_is_here_without_sr_iov_is_named(match: Match, mode: Mode) -> None:
    machine = machine_with(a_function())
    machine.pfs[PF].facts = replace(machine.pfs[PF].facts, netdevs=(make_netdev(name="eth0"),))
    machine.config_spaces[OTHER] = sriov(0)
    line = line_of(machine, make_rule(match=match), mode)
    assert line.reason is Reason.ABSENT
    assert line.message == f'{OTHER} (ens7): SR-IOV is disabled in its firmware (matched by rule "tenant-a": {match})'
    assert line.hint.startswith("enable SR-IOV for it")
    assert line.is_final is line.is_settled is bool(match.pci_address)


def test_config_space_is_read_of_what_a_rule_means_alone() -> None:
    machine = machine_with(a_function(), a_function("0000:5e:00.1", netdev="ens8"))
    line_of(machine, make_rule(match=Match(netdev="ens8")))
    assert [one for one in machine.reads if one.startswith("config")] == ["config space 0000:5e:00.1"]


def test_a_kernel_that_has_made_files_has_sr_iov_whatever_a_config_says() -> None:
    machine = machine_with(a_function())
    machine.platform = Platform(has_iov=False)
    rule = make_rule(match=Match(pci_address=OTHER))
    assert "without SR-IOV" not in line_of(machine, rule).message
    machine = FakeMachine()
    machine.functions, machine.platform = (a_function(),), Platform(has_iov=False)
    assert "this kernel was built without SR-IOV" in line_of(machine, rule).message
    machine.functions = (a_function(), a_function("0000:5e:00.1", sriov_totalvfs="0"))
    assert "without SR-IOV" not in line_of(machine, make_rule(match=Match(netdev="ens7"))).message


def test_a_name_that_has_changed_is_asked_about() -> None:
    line = line_of(machine_with(), make_rule(match=Match(netdev="ens1f0np0")))
    assert line.message == 'no PF matches rule "tenant-a" (netdev ens1f0np0)'
    assert line.hint.startswith(f"did you mean ens1f0 ({PF})? Names change with upgrades")


def test_a_netdev_of_no_pci_function() -> None:
    machine = machine_with()
    machine.strays["bond0"] = ("", ("ens1f0",))
    line = line_of(machine, make_rule(match=Match(netdev="bond0")))
    assert line.hint.endswith(f'it is built on ens1f0: match = {{ pci_address = "{PF}" }}')


@pytest.mark.parametrize(
    ("platform", "words"),
    [(Platform(), "check that the NIC is seated"), (Platform(is_guest=True), "this VM was given")],
)
def test_what_is_not_here_at_all(platform: Platform, words: str) -> None:
    machine = machine_with()
    machine.platform = platform
    line = line_of(machine, make_rule(match=Match(pci_address=OTHER)))
    assert words in line.hint


@pytest.mark.parametrize(
    ("match", "count"),
    [
        (Match(driver="acme"), 1),  # one is like the others
        (Match(pci_address=vf_address(PF, 2)), 1),
        (Match(pci_address="0000:3b:02.*"), 4),
        (Match(netdev="v3"), 2),
    ],
)
def test_of_many_vfs_few_are_read(match: Match, count: int) -> None:
    vfs = tuple(a_function(vf_address(PF, index), netdev=f"v{index + 1}") for index in range(4))
    machine = machine_with(*vfs, num_vfs=4)
    config = make_config(make_rule(match=match))
    pfs = tuple(
        replace(pf.facts, vfs=tuple(replace(vf, netdevs=(f"v{vf.index + 1}",)) for vf in pf.facts.vfs))
        for pf in machine.pfs.values()
    )
    found = find_devices(machine, config.pf, pfs)
    assert len(found.functions) == count
    assert {function.physfn for function in found.functions} == {PF}
    assert len(find_devices(machine, config.pf, pfs, is_thorough=True).functions) == (
        1 if match.pci_address == vf_address(PF, 2) else 4
    )


def test_serial_numbers_and_links_are_read_where_a_rule_goes_by_them() -> None:
    machine = machine_with(a_function(serial_number="3c-fd"))
    match = Match(serial_number="3c-fd")
    (function,) = find_devices(machine, [make_rule(match=match)], ()).functions
    assert machine.reads == ["functions with serial numbers", f"config space {OTHER}"]
    assert function.facts.serial_number == "3c-fd"
    find_devices(machine, [make_rule(match=Match(altname="a"))], ())
    assert "links" in machine.reads


def test_which_of_several_netdevs_are_ports_is_read() -> None:
    function = a_function()
    machine = machine_with(replace(function, netdevs=(*function.netdevs, RawNetdev("rep0", ifindex="9"))))
    machine.links = Links({"rep0": Link("rep0", ifindex=9, port_name="pf0sf1")})
    (found,) = find_devices(machine, [make_rule(match=Match(pci_address=OTHER))], ()).functions
    assert "links" in machine.reads
    assert [dev.name for dev in found.facts.ports] == ["ens7"]


def test_a_vf_of_a_rule_is_told_its_pf() -> None:
    machine = machine_with(a_function(OTHER, physfn=PF2))
    line = line_of(machine, make_rule(match=Match(pci_address=OTHER)))
    assert line.hint == f'match its PF: match = {{ pci_address = "{PF2}" }}'


def test_a_rule_for_no_vfs_is_not_told_to_enable_them() -> None:
    line = line_of(machine_with(a_function()), make_rule(match=Match(pci_address=OTHER), num_vfs=0))
    assert line.hint == "the rule asks for no VFs, and there can be none: remove it, or set required = false"
