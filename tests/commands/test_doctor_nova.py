"""doctor on hosts with nova-compute: what render writes is clean, and each mistake has its code."""

import itertools
import json
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from builders import PF, PF2, PF3, make_config, make_pf, make_rule
from fakes_host import HostTree
from fakes_openstack import add_kolla, add_unit
from fuzzing import fuzzed, spoilt
from sriov_bootstrap.cli import main
from sriov_bootstrap.core.config import Config, OpenStack
from sriov_bootstrap.core.desired import resolve
from sriov_bootstrap.core.facts import EswitchFacts
from sriov_bootstrap.core.nova_version import NovaVersion
from sriov_bootstrap.core.state import State
from sriov_bootstrap.doctor.nova.checks import check_nova
from sriov_bootstrap.doctor.openstack.survey import OpenStackSurvey, Service, VfChange
from sriov_bootstrap.formats.ini import parse_ini
from sriov_bootstrap.render.host import Host

NOVA = "/etc/nova/nova.conf"
COMMAND = f"/usr/bin/nova-compute --config-file={NOVA}"
RULES = f"""\
[[pf]]
name = "tenant-a"
match = {{ pci_address = "{PF}" }}
num_vfs = 3
physical_network = "physnet2"
A
[[pf]]
name = "tenant-b"
match = {{ netdev = "ens1f1" }}
num_vfs = 2
B
[openstack]
"""
IDS = '"vendor_id": "8086", "product_id": "10ca"'
GOOD_A = f'{{"address": "{PF}", {IDS}, "physical_network": "physnet2"}}'
GOOD_B = f'{{"address": "{PF2}", {IDS}, "physical_network": "physnet1"}}'
NET_B = 'physical_network = "physnet1"'


def vf_of(pf: str, index: int) -> str:
    """The VFs of the two ports of a card alternate."""
    return f"{pf[:-4]}10.{index * 2 + int(pf[-1])}"


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    add_compute_host(tree)
    return tree


def add_compute_host(tree: HostTree) -> None:
    """Three VFs of PF, none yet of PF2, and a PF without a rule."""
    tree.write("etc/os-release", "ID=ubuntu\n")
    tree.add_card(num_vfs=0)
    tree.add_pf(PF3, netdev="ens7")
    tree.add_layout(PF3)
    for index in range(3):
        tree.link(f"{tree.device(PF)}/virtfn{index}", tree.add_function(vf_of(PF, index), driver="igbvf"))
        tree.add_netdev(vf_of(PF, index), f"ens1f0v{index}")
    add_unit(tree, "nova-compute", COMMAND)
    tree.write(NOVA[1:], "[DEFAULT]\n")
    tree.configure(rules())


def rules(a: str = "", b: str = NET_B, **openstack: str) -> str:
    table = "".join(f"{key} = {value}\n" for key, value in openstack.items())
    return RULES.replace("\nA\n", f"\n{a}\n").replace("\nB\n", f"\n{b}\n") + table


def found_in(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    """The findings about nova-compute."""
    capsys.readouterr()
    assert main(["doctor", "--json"], root=str(tree.root)) in {0, 3}
    return [one for one in json.loads(capsys.readouterr().out)["findings"] if one["code"][4] == "4"]


STYLES = ("pf_address", "devname", "vf_address", "vendor_product")
RELEASES = ("newton", "queens", "train", "yoga", "zed", "epoxy", "")


@pytest.mark.parametrize(("style", "release"), list(itertools.product(STYLES, RELEASES)))
def test_a_rendered_host_is_clean(tree: HostTree, capsys: pytest.CaptureFixture[str], style: str, release: str) -> None:
    a, b = ("exclude_vfs = [1]", NET_B) if style != "vendor_product" else ("", 'physical_network = "physnet2"')
    if style == "vendor_product":
        tree.remove(PF3)
    tree.configure(rules(a, b, spec_style=f'"{style}"', release=f'"{release}"'))
    assert main(["render", "nova-compute", "--write"], root=str(tree.root)) == 0
    found = found_in(tree, capsys)
    assert found == []


@pytest.mark.parametrize(
    ("style", "release"), list(itertools.product(["pf_address", "vf_address"], ["zed", "epoxy", ""]))
)
def test_a_rendered_host_that_reports_in_placement_is_clean(
    tree: HostTree, capsys: pytest.CaptureFixture[str], style: str, release: str
) -> None:
    b = 'alias = "vf"\nresource_class = "CUSTOM_VF"\ntraits = ["CUSTOM_FAST", "HW_NIC_SRIOV"]'
    table = {"spec_style": f'"{style}"', "release": f'"{release}"', "report_in_placement": "true"}
    tree.configure(rules("trusted = true", b, **table))
    assert main(["render", "nova-compute", "--write"], root=str(tree.root)) == 0
    assert found_in(tree, capsys) == []


def test_a_rendered_host_whose_nic_is_missing_is_clean(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.configure(rules(spec_style='"vf_address"'))
    assert main(["render", "nova-compute", "--write"], root=str(tree.root)) == 0
    for index in range(3):
        tree.remove(vf_of(PF, index))
    tree.remove(PF)
    assert found_in(tree, capsys) == []


def test_a_rendered_container_is_clean(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    for path in tree.root.rglob("nova-compute.service"):
        path.unlink()
    add_kolla(tree, nova_compute="nova-compute")
    capsys.readouterr()
    assert main(["render", "nova-compute"], root=str(tree.root)) == 0
    tree.write("etc/kolla/nova-compute/nova.conf", capsys.readouterr().out)
    assert found_in(tree, capsys) == []


def test_without_nova_compute_there_is_no_finding(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    for path in tree.root.rglob("nova-compute.service"):
        path.unlink()
    tree.write(NOVA[1:], "[pci]\ndevice_spec = {}\n")
    assert found_in(tree, capsys) == []


class Case(Struct, frozen=True):
    """nova.conf from its second line on, and what is found: code and line -> words."""

    conf: str
    expected: dict[tuple[str, int | str], str]
    config: str = rules()


def pci(*specs: str, option: str = "device_spec") -> str:
    """Below [pci], from line 2 on."""
    return "\n".join(f"{option} = {spec}" for spec in specs) + "\n"


BOTH = "\n" + pci(GOOD_A, GOOD_B)
ONE_VF = '{{"address": "0000:3b:{}", "physical_network": "physnet2"}}'
CASES = {
    "good": Case(pci(GOOD_A, GOOD_B), {}),
    "a list": Case(pci(f"[{GOOD_A}, {GOOD_B}]"), {}),
    "an empty list": Case(pci("[]", GOOD_A, GOOD_B), {}),
    "nothing at all": Case(
        "", {("SB-E411", PF): "never gives out 3 VFs (0000:3b:10.0 to 0000:3b:10.4)", ("SB-E411", PF2): "2 VFs"}
    ),
    "missing quote": Case(
        pci(GOOD_A.replace('"physnet2"', '"physnet2'), GOOD_B),
        {("SB-E401", 2): "Unterminated string starting at; a quote is missing: nova-compute does not start"},
    ),
    "single quotes": Case(pci(f"{{'address': '{PF}'}}"), {("SB-E401", 2): "JSON needs double quotes"}),
    "stray comma": Case(pci(GOOD_A.replace("}", ",}")), {("SB-E401", 2): "invalid JSON at column"}),
    "cut": Case(
        f'device_spec = {{"address": "{PF}",\n"physical_network": "physnet2"}}\n',
        {("SB-E401", 2): "line 3 continues it without indentation"},
    ),
    "continued": Case(f'device_spec = {{"address": "{PF}",\n  {IDS},\n  "physical_network": "physnet2"}}{BOTH}', {}),
    "wrong in the second line": Case(
        f'device_spec = {{"address": "{PF}",\n  10ca}}\n', {("SB-E401", 3): "at column 1:"}
    ),
    "numbers": Case(pci('{"vendor_id": 8086}'), {("SB-E401", 2): "vendor_id must be a string of hexadecimal digits"}),
    "half a glob": Case(pci('{"address": "0000:3b:1*.0"}'), {("SB-E401", 2): '"*" must stand for a whole field'}),
    "one_time_use": Case(
        pci(GOOD_A.replace("}", ', "one_time_use": "yes"}'), GOOD_B), {("SB-E401", 2): "needs report_in_placement"}
    ),
    "trusted true": Case(
        pci(GOOD_A.replace("}", ', "trusted": true}'), GOOD_B),
        {("SB-E402", 2): "trusted must be a string, but is true"},
    ),
    "trusted yes": Case(
        pci(GOOD_A.replace("}", ', "trusted": "yes"}'), GOOD_B),
        {("SB-E402", 2): 'trusted must be "true", but is "yes"'},
    ),
    "a network that is a number": Case(
        pci(GOOD_A.replace('"physnet2"', "2"), GOOD_B),
        {("SB-E402", 2): "physical_network must be a string, but is 2", ("SB-E406", 2): 'as VFs of "2"'},
    ),
    "empty": Case(pci("{}", GOOD_A, GOOD_B), {("SB-E403", 2): "it matches every PCI device on this host: nova may"}),
    "near miss": Case(
        pci('{"devnam": "ens1f0", "physical_network": "physnet2"}', GOOD_A, GOOD_B),
        {("SB-E403", 2): '"devnam" is not a key of a spec: was devname meant?'},
    ),
    "unknown key": Case(
        pci(GOOD_A.replace("}", ', "colour": "red"}'), GOOD_B),
        {("SB-W404", 2): '"colour" is not a key of a spec: nova treats'},
    ),
    "vendor": Case(
        pci(GOOD_A.replace("vendor_id", "vendor"), GOOD_B),
        {("SB-W404", 2): '"vendor" is not a key of a spec: was vendor_id'},
    ),
    "later key": Case(
        pci(GOOD_A.replace("}", ', "live_migratable": "yes"}'), GOOD_B),
        {("SB-W404", 2): "live_migratable exists since 2025.1 epoxy"},
        rules(release='"zed"'),
    ),
    "key of an address": Case(
        pci(
            f'{{"address": {{"bus": "3b", "slot": "10", "func": "[024]"}}, {IDS}, "physical_network": "physnet2"}}',
            GOOD_B,
        ),
        {
            ("SB-W404", 2): '"func" is not a key of a spec: was function meant?',
            ("SB-E406", 2): 'tenant-b" (0000:3b:00.1) has "physnet1"',
        },
    ),
    "the PF too": Case(
        pci(GOOD_A, f'{{"address": "{PF2}", "physical_network": "physnet1"}}'),
        {("SB-W405", 3): '("product_id": "10ca" restricts it to VFs)'},
    ),
    "the PF too, by name": Case(
        pci(GOOD_A, '{"devname": "ens1f1", "physical_network": "physnet1"}'),
        {("SB-W405", 3): "matches PF 0000:3b:00.1 itself"},
    ),
    "another network": Case(
        pci(GOOD_A, GOOD_B.replace("physnet1", "dpdk")),
        {("SB-E406", 3): 'nova gives out 2 VFs (0000:3b:10.1 to 0000:3b:10.3) as VFs of "dpdk"'},
    ),
    "of another rule": Case(
        pci(GOOD_A, '{"address": "0000:3b:10.1", "physical_network": "physnet2"}', GOOD_B),
        {("SB-E406", 3): 'nova gives out VF 0 (0000:3b:10.1) as VFs of "physnet2"'},
    ),
    "null": Case(pci(GOOD_A, GOOD_B, GOOD_A), {}),
    "no network": Case(
        pci(GOOD_A.replace('"physnet2"', "null"), GOOD_B, GOOD_A),
        {("SB-E406", 2): "without a physical_network, but rule"},
    ),
    "a glob over both ports": Case(
        pci('{"address": "0000:3b:10.*", "physical_network": "physnet2"}', GOOD_B),
        {("SB-E406", 2): 'nova gives out 2 VFs (0000:3b:10.1 to 0000:3b:10.3) as VFs of "physnet2"'},
    ),
    "excluded": Case(
        pci(GOOD_A, GOOD_B),
        {("SB-E407", 2): "in exclude_vfs, but nova gives VF 1 (0000:3b:10.2)"},
        rules("exclude_vfs = [1]"),
    ),
    "not for VMs": Case(
        pci(GOOD_A, GOOD_B), {("SB-E408", 3): 'rule "tenant-b" (0000:3b:00.1) has neither'}, rules(b="")
    ),
    "the chip": Case(
        pci(f'{{{IDS}, "physical_network": "physnet2"}}'),
        {("SB-W409", 2): "matches those of 0000:5e:00.0, which have no rule"},
        rules(b='physical_network = "physnet2"'),
    ),
    "a PF that is not ours": Case(pci(GOOD_A, GOOD_B, f'{{"address": "{PF3}", "physical_network": "x"}}'), {}),
    "moved": Case(
        pci(GOOD_A, GOOD_B, '{"devname": "ens7np0", "physical_network": "x"}'),
        {("SB-W410", 4): "did you mean ens7 (0000:5e:00.0)? Names change with upgrades"},
    ),
    "misspelt": Case(
        pci(GOOD_A, GOOD_B, '{"devname": "ens1g1"}'),
        {("SB-W410", 4): 'no PF or VF has the netdev "ens1g1": did you mean ens1f1 (0000:3b:00.1)?'},
    ),
    "nobody's": Case(
        pci(GOOD_A, GOOD_B, '{"devname": "bond0"}'), {("SB-W410", 4): 'no PF or VF has the netdev "bond0"'}
    ),
    "wrong chip": Case(
        pci(GOOD_A.replace("10ca", "1520"), GOOD_A, GOOD_B), {("SB-W410", 2): "it matches no PF and no VF on this host"}
    ),
    "something else": Case(pci(GOOD_A, GOOD_B, '{"vendor_id": "10de", "product_id": "25b6"}'), {}),
    "remote_managed": Case(
        pci(GOOD_B, f'{{{IDS}, "address": {{"bus": "3b"}}, "physical_network": "physnet2", "remote_managed": "true"}}'),
        {},
    ),
    "a value from elsewhere": Case(pci("$my_spec", GOOD_B) + "alias = $my_alias\n", {}, rules(b=NET_B)),
    "a network that is a list": Case(
        pci(f'{{"address": "{PF2}", {IDS}, "physical_network": ["physnet1"]}}', GOOD_A, GOOD_B),
        {("SB-E402", 2): 'is ["physnet1"]', ("SB-E406", 2): "tenant-b"},
    ),
    "half": Case(
        pci('{"address": "0000:3b:10.0", "physical_network": "physnet2"}', GOOD_B),
        {("SB-E411", PF): "nova never gives out 2 VFs (0000:3b:10.2 to 0000:3b:10.4)"},
    ),
    "all but one": Case(
        pci('{"address": {"bus": "3b", "slot": "10", "function": "[02]"}, "physical_network": "physnet2"}', GOOD_B),
        {("SB-E411", PF): "nova never gives out VF 2 (0000:3b:10.4) of rule"},
    ),
    "old beside new": Case(
        pci(GOOD_A, GOOD_B) + pci(GOOD_A, option="passthrough_whitelist"),
        {("SB-W412", 4): f"which still counts: nova adds it to the device_spec at {NOVA}:2"},
    ),
    "old beside new, and first": Case(
        pci(GOOD_A, GOOD_B) + pci('{"address": "0000:3b:10.0"}', option="passthrough_whitelist"),
        {
            ("SB-W412", 4): "which still counts",
            ("SB-E406", 4): (
                f'{NOVA}:2 has "physnet2" and does not count: in one file, nova puts each passthrough_whitelist '
                "before the first device_spec, and the first spec that matches wins"
            ),
        },
    ),
    "the oldest, above the new": Case(
        f'[DEFAULT]\npci_passthrough_whitelist = {{{IDS}, "address": "{PF}"}}\n[pci]\n' + pci(GOOD_A, GOOD_B),
        {
            ("SB-W412", 3): "which still counts",
            ("SB-E406", 3): "nova puts each pci_passthrough_whitelist before the first device_spec",
        },
    ),
    "one after the other": Case(
        pci(f'{{{IDS}, "address": "{PF}"}}', GOOD_A, GOOD_B),
        {("SB-E406", 2): f'; {NOVA}:3 has "physnet2" and does not count: {NOVA}:2 comes before it'},
    ),
    "one after the other, of different VFs": Case(
        pci(
            '{"address": "0000:3b:10.0", "physical_network": "x"}', ONE_VF.format("10.2"), ONE_VF.format("10.4"), GOOD_B
        ),
        {("SB-E406", 2): 'as VFs of "x", but rule "tenant-a" (0000:3b:00.0) has "physnet2"'},
    ),
    "not live-migratable": Case(
        pci(GOOD_A.replace("}", ', "live_migratable": "no"}'), GOOD_B),
        {("SB-W419", 2): 'live_migratable: "no" counts as set'},
    ),
    "not live-migratable, as a boolean": Case(
        pci(GOOD_A.replace("}", ', "live_migratable": false}'), GOOD_B),
        {("SB-W419", 2): "live_migratable: false counts"},
    ),
    "not live-migratable, for a chip": Case(
        pci(GOOD_A, GOOD_B, '{"vendor_id": "10de", "product_id": "25b6", "live_migratable": "0"}'),
        {("SB-W419", 4): 'live_migratable: "0" counts as set'},
    ),
    "live-migratable": Case(
        pci(GOOD_A.replace("}", ', "live_migratable": "yes"}'), GOOD_B),
        {
            (
                "SB-W421",
                2,
            ): "nova ignores live_migratable for VFs with a physical_network, but nova-compute does not start"
        },
    ),
    "live-migratable for flavors": Case(
        pci(GOOD_A, GOOD_B, '{"vendor_id": "10de", "product_id": "25b6", "live_migratable": "yes"}'), {}
    ),
    "option of the documentation": Case(
        pci(GOOD_A, GOOD_B) + 'dev_spec = {"address": "0000:3b:00.0"}\n',
        {
            (
                "SB-E413",
                4,
            ): "nova-compute ignores dev_spec, which only nova's documentation has: the option is device_spec"
        },
    ),
    "not live-migratable, before that was a key": Case(
        pci(GOOD_A.replace("}", ', "live_migratable": "no"}'), GOOD_B),
        {("SB-W404", 2): "live_migratable exists since"},
        rules(release='"zed"'),
    ),
    "two devnames": Case(
        pci(
            '{"devname": "ens1f0", "physical_network": "physnet2", "devname": "ens1f1", "physical_network": "physnet1"}'
        ),
        {
            ("SB-E420", 2): (
                'devname ("ens1f0") and physical_network ("physnet2") come twice in one object: nova takes the last'
            ),
            ("SB-W405", 2): "matches PF 0000:3b:00.1 itself",
        },
    ),
    "two addresses": Case(
        pci(f'{{"address": "{PF}", "address": "{PF2}", {IDS}, "physical_network": "physnet1"}}', GOOD_A),
        {("SB-E420", 2): f'address ("{PF}") comes twice'},
    ),
    "two buses of an address": Case(
        pci(GOOD_A, GOOD_B, f'[{{"address": {{"bus": "5e", "bus": "5f"}}, {IDS}, "trusted": "true"}}]'),
        {("SB-E420", 4): 'address.bus ("5e") comes twice'},
    ),
    "three networks": Case(
        pci(GOOD_A.replace("}", ', "physical_network": "x", "physical_network": "physnet2"}'), GOOD_B),
        {("SB-E420", 2): 'physical_network ("physnet2") comes twice'},
    ),
    "the same twice": Case(pci(GOOD_A.replace("}", ', "physical_network": "physnet2"}'), GOOD_B), {}),
    "two names of an alias": Case(
        pci(GOOD_A, GOOD_B) + f'alias = {{"name": "a", {IDS}, "name": "vf"}}\n',
        {("SB-E420", 4): 'name ("a") comes twice in one alias'},
        rules(b=NET_B),
    ),
    "old alone": Case(pci(GOOD_A, GOOD_B, option="passthrough_whitelist"), {}),
    "oldest beside old": Case(
        pci(GOOD_A, option="passthrough_whitelist") + f"[DEFAULT]\npci_passthrough_whitelist = {GOOD_B}\n",
        {("SB-W412", 4): "an old pci_passthrough_whitelist"},
        rules(release='"train"'),
    ),
    "too new": Case(
        pci(GOOD_A, option="passthrough_whitelist") + pci(GOOD_B),
        {("SB-E413", 3): "nova-compute ignores device_spec: it is read since zed"},
        rules(release='"train"'),
    ),
    "wrong section": Case(
        pci(GOOD_A, GOOD_B) + f"[libvirt]\npassthrough_whitelist = {GOOD_A}\nalias = x\n",
        {("SB-E413", 5): "reads passthrough_whitelist only in [pci] and ignores it in [libvirt]"},
    ),
    "wrong name": Case(
        pci(GOOD_A, GOOD_B) + f"device-spec = {GOOD_A}\ncolour = red\n",
        {("SB-E413", 4): "does not know device-spec in [pci] and ignores it: was device_spec meant?"},
    ),
    "alias in DEFAULT": Case(
        pci(GOOD_A, GOOD_B) + '[DEFAULT]\nalias = {"name": "x"}\n', {("SB-E413", 5): "reads alias only in [pci]"}
    ),
    "small letters": Case(
        pci(GOOD_A, GOOD_B) + f"[default]\ndebug = true\npci_passthrough_whitelist = {GOOD_A}\n",
        {("SB-E414", 5): "[default] is not [DEFAULT]"},
    ),
    "placement and devname": Case(
        pci(GOOD_A, f'{{"devname": "ens1f1", {IDS}, "physical_network": "physnet1"}}') + "report_in_placement = yes\n",
        {("SB-E415", 3): "does not start with report_in_placement and devname ens1f1"},
    ),
    "placement, PF and VFs": Case(
        pci(GOOD_A, f'{{"address": "{PF2}"}}') + "report_in_placement = true\n",
        {
            ("SB-W405", 3): "itself",
            ("SB-E415", 3): "and PF 0000:3b:00.1 and its VFs together",
            ("SB-W418", "nova-compute.service"): 'has alias = "vf"',
        },
        rules(b='alias = "vf"'),
    ),
    "placement, two classes": Case(
        pci(GOOD_A, '{"address": "0000:3b:10.1", "resource_class": "a"}', '{"address": "0000:3b:10.3"}')
        + 'report_in_placement = true\nalias = {"name": "vf", "resource_class": "a"}\n',
        {("SB-E415", 4): "two resource classes on PF 0000:3b:00.1: those of 0000:3b:10.1 and 0000:3b:10.3"},
        rules(b='alias = "vf"'),
    ),
    "placement, two sets of traits": Case(
        pci(
            GOOD_A,
            '{"address": "0000:3b:10.1", "traits": "a,b"}',
            '{"address": "0000:3b:10.3", "traits": "CUSTOM_B,A", "live_migratable": "yes"}',
        )
        + 'report_in_placement = true\nalias = {"name": "vf", "resource_class": "a"}\n',
        {("SB-E415", 4): "two sets of traits on PF 0000:3b:00.1"},
        rules(b='alias = "vf"'),
    ),
    "placement, one_time_use": Case(
        pci(GOOD_A, f'{{"address": "{PF2}", {IDS}, "one_time_use": "no"}}')
        + 'report_in_placement = true\nalias = {"name": "vf", "resource_class": "a"}\n',
        {("SB-E415", 3): "one_time_use on a VF (0000:3b:10.1)"},
        rules(b='alias = "vf"'),
    ),
    "placement of nobody": Case(pci(GOOD_A, GOOD_B) + "report_in_placement = true\n", {}),
    "no placement yet": Case(
        pci(GOOD_A, GOOD_B, option="passthrough_whitelist") + "report_in_placement = true\n",
        {("SB-E413", 4): "nova-compute ignores report_in_placement"},
        rules(release='"yoga"'),
    ),
    "alias without JSON": Case(pci(GOOD_A, GOOD_B) + "alias = x\n", {("SB-E417", 4): "nova-compute does not start"}),
    "alias before": Case(
        pci(GOOD_A, GOOD_B) + "alias = x\n", {("SB-E417", 4): "flavors with any alias fail"}, rules(release='"zed"')
    ),
    "alias of other devices": Case(
        pci(GOOD_A, f'{{"address": "{PF2}", {IDS}}}')
        + 'alias = {"name": "vf", "product_id": "1520", "vendor_id": "8086"}\n',
        {("SB-W418", 4): 'alias "vf" does not match the VFs of rule "tenant-b" (0000:3b:00.1), which are 8086:10ca'},
        rules(b='alias = "vf"'),
    ),
    "alias of the PF": Case(
        pci(GOOD_A, f'{{"address": "{PF2}", {IDS}}}') + f'alias = {{"name": "vf", {IDS}, "device_type": "type-PF"}}\n',
        {("SB-W418", 4): "does not match the VFs"},
        rules(b='alias = "vf"'),
    ),
    "alias that fits": Case(
        pci(GOOD_A, f'{{"address": "{PF2}", {IDS}}}') + f'alias = {{"name": " vf", {IDS}}}\n',
        {},
        rules(b='alias = "vf"'),
    ),
    "old alias": Case(
        f"[DEFAULT]\npci_passthrough_whitelist = [{GOOD_A}, {GOOD_B}]\npci_alias = x\n",
        {("SB-E417", 4): "invalid JSON at line 1, column 1"},
        rules(release='"newton"'),
    ),
    "a network for flavors": Case(
        pci(GOOD_A, GOOD_B) + 'alias = {"name": "vf", "resource_class": "a"}\n',
        {("SB-E406", 3): 'rule "tenant-b" (0000:3b:00.1) has no physical_network'},
        rules(b='alias = "vf"'),
    ),
}


RESTART = "systemctl restart nova-compute"
RENDER = "sriov-bootstrap render nova-compute --write"
RENDERED = f"remove line {{1}}, then: {RENDER} && {{2}}{RESTART}"
CORRECTED = f"correct {{0}}, or {RENDERED}"
# What to do at that place, or with the whole option.
REMEDIES = {
    **dict.fromkeys(("SB-E401", "SB-E403", "SB-W405", "SB-W409", "SB-W410"), CORRECTED),
    **dict.fromkeys(("SB-E406", "SB-E407", "SB-E408", "SB-E413", "SB-E415", "SB-E417", "SB-W418"), RENDERED),
    "SB-E411": f"{RENDER} && {RESTART}",
    "SB-E414": f"write [DEFAULT] in {NOVA}, or move the lines to the right section, then: {RESTART}",
    "SB-W419": f"remove live_migratable from {{0}} (without it VFs are not live-migratable either), then: {RESTART}",
    "SB-W421": f"remove live_migratable from {{0}} (with it these VFs are not live-migratable either), then: {RESTART}",
}
BY_HAND = {
    "trusted true": 'write "trusted": "true" at {0}',
    "trusted yes": 'write "trusted": "true" at {0}',
    "a network that is a number": 'write "physical_network": "2" at {0}',
    "a network that is a list": 'write one string after "physical_network" at {0}',
    "unknown key": 'correct "colour" at {0}, or remove it',
    "vendor": 'correct "vendor" at {0}, or remove it',
    "later key": 'correct "live_migratable" at {0}, or remove it',
    "not live-migratable, before that was a key": 'correct "live_migratable" at {0}, or remove it',
    "key of an address": 'correct "address.func" at {0}, or remove it',
    "two devnames": "make an object for each devname at {0}: [{{...}}, {{...}}]",
    "two addresses": "make an object for each address at {0}: [{{...}}, {{...}}]",
    "two buses of an address": "keep one of each at {0}",
    "three networks": "keep one of each at {0}",
    "two names of an alias": "keep one of each at {0}, or make two aliases of it",
    "old beside new": "remove {0}; move what is still needed to device_spec",
    "old beside new, and first": "remove {0}; move what is still needed to device_spec",
    "the oldest, above the new": "remove {0}; move what is still needed to device_spec",
    "oldest beside old": "remove {0}; move what is still needed to passthrough_whitelist",
}
OPTION = {"wrong in the second line": f"{NOVA}:2"}
RELOAD = {"old alias": "systemctl daemon-reload && "}  # nova 14 gets the file by an option of its unit
# Where it is not the whole option.
CUT = "cal_" if sys.version_info >= (3, 13) else "al_"  # json points to the comma, and before to what follows it
EVIDENCE = {
    "missing quote": 'device_spec: ...a", "physical_network": "physnet2}...',
    "single quotes": f"device_spec: ...{{'address': '{PF}...",
    "stray comma": f'device_spec: ...{CUT}network": "physnet2",}}...',
    "cut": f'device_spec: ...ddress": "{PF}",...',
    "wrong in the second line": f'device_spec = {{"address": "{PF}", ...',
    "option of the documentation": "dev_spec = ...",
    "wrong name": "device-spec = ...",
    "small letters": "debug = ...",
}


@pytest.mark.parametrize("name", CASES)
def test_what_nova_compute_is_told(tree: HostTree, capsys: pytest.CaptureFixture[str], name: str) -> None:
    case = CASES[name]
    tree.configure(case.config)
    tree.write(NOVA[1:], f"[pci]\n{case.conf}")
    found = found_in(tree, capsys)
    places = {
        (code, f"{NOVA}:{at}" if isinstance(at, int) else at): words for (code, at), words in case.expected.items()
    }
    assert sorted((one["code"], one["place"]) for one in found) == sorted(places)
    lines = f"[pci]\n{case.conf}".split("\n")
    for one in found:
        assert places[one["code"], one["place"]] in one["problem"]
        path, _, number = one["place"].rpartition(":")
        if path != NOVA:  # of a PF or the service
            continue
        line = lines[int(number) - 1]
        assert one["evidence"] == EVIDENCE.get(name, line if len(line) <= 100 else f"{line[:100]}...")
        remedy = REMEDIES.get(one["code"]) or f"{BY_HAND[name]}, then: {RESTART}"
        assert one["remedy"] == remedy.format(one["place"], OPTION.get(name, one["place"]), RELOAD.get(name, ""))


@pytest.mark.parametrize(
    ("specs", "evidence"),
    [
        ([], "no device_spec at all"),
        ([ONE_VF.format("10.0"), "[]"], f"{NOVA}:2: device_spec = {ONE_VF.format('10.0')}; {NOVA}:3: device_spec = []"),
    ],
)
def test_vfs_that_nova_never_gives_out_are_to_be_rendered(
    tree: HostTree, capsys: pytest.CaptureFixture[str], specs: list[str], evidence: str
) -> None:
    tree.write(NOVA[1:], "[pci]\n" + pci(*specs))
    (found, *_) = found_in(tree, capsys)
    assert (found["code"], found["place"], found["evidence"]) == ("SB-E411", PF, evidence)
    assert found["remedy"] == f"{RENDER} && {RESTART}"


@pytest.mark.parametrize(
    ("alias", "release", "words"),
    [
        ("[1]", "", "must be a JSON object"),
        ("9" * 5000, "", "JSON that cannot be read"),
        ("{}", "", "must have a name"),
        ('{"name": 5}', "", "name of an alias must be a string, but is 5"),
        ('{"name": "a", "vendor": "8086"}', "", '"vendor" is not a key of an alias'),
        ('{"name": "a", "traits": "x"}', "zed", "traits is a key of an alias since 2023.1 antelope"),
        ('{"name": "a", "vendor_id": "808"}', "", "must be four hexadecimal digits"),
        (
            '{"name": "a", "device_type": "VF"}',
            "",
            'device_type "VF" of an alias is not one of type-PCI, type-PF, type-VF',
        ),
    ],
)
def test_an_alias_that_nova_refuses(
    tree: HostTree, capsys: pytest.CaptureFixture[str], alias: str, release: str, words: str
) -> None:
    tree.configure(rules(release=f'"{release}"'))
    tree.write(NOVA[1:], f"[pci]\n{pci(GOOD_A, GOOD_B)}alias = {alias}\n")
    (finding,) = found_in(tree, capsys)
    assert (finding["code"], finding["place"]) == ("SB-E417", f"{NOVA}:4")
    assert words in finding["problem"]


RUNNING = Service("nova-compute", "nova-compute.service", is_installed=True, is_active=True, started_at=10.0)
LATE = OpenStackSurvey(RUNNING, changes=(VfChange(PF, 100.0),), now=1100.0)
ANY_RELEASE = ""


@pytest.mark.parametrize(
    ("release", "survey", "number"),
    [
        ("epoxy", LATE, 1),
        ("flamingo", LATE, 0),
        ("2026.1", LATE, 0),
        ("hibiscus", LATE, 1),
        (ANY_RELEASE, LATE, 1),
        (ANY_RELEASE, replace(LATE, nova=NovaVersion("33.0.2", "dpkg")), 0),
        ("epoxy", replace(LATE, nova=NovaVersion("33.0.2", "dpkg")), 0),
        ("flamingo", replace(LATE, nova=NovaVersion("34.0.0", "dpkg")), 1),
        ("epoxy", replace(LATE, compute=replace(RUNNING, started_at=200.0)), 0),
        ("epoxy", replace(LATE, compute=replace(RUNNING, started_at=None)), 0),
        ("epoxy", replace(LATE, compute=replace(RUNNING, is_active=False)), 0),
        ("epoxy", replace(LATE, now=101.0), 0),
        ("epoxy", OpenStackSurvey(RUNNING), 0),
    ],
)
def test_nova_compute_that_started_before_the_vfs(release: str, survey: OpenStackSurvey, number: int) -> None:
    findings = list(check_nova(Host(Config(openstack=OpenStack(release=release))), survey, print))
    assert [one.code for one in findings] == ["SB-W416"] * number


@pytest.mark.parametrize(
    ("mode", "version", "is_said"),
    [("switchdev", "34.0.0", True), ("switchdev", "31.0.0", False), ("legacy", "34.0.0", False), ("", "34.0.0", False)],
)
def test_a_restart_with_switchdev_is_for_when_vfs_are_free(mode: str, version: str, is_said: bool) -> None:  # noqa: FBT001 - a row
    pfs = (make_pf(eswitch=EswitchFacts(mode=mode)),)
    config = make_config(make_rule(physical_network="physnet1"))
    survey = replace(LATE, nova=NovaVersion(version, "dpkg"))
    findings = check_nova(Host(config, resolve(config, pfs), pfs), survey, print)
    (late,) = [finding for finding in findings if finding.code == "SB-W416"]
    assert ("are free" in late.remedy) is is_said


@pytest.mark.parametrize(
    ("seen_since", "spec", "version", "number"),
    [
        (50.0, GOOD_A, "33.0.2", 1),
        (50.0, GOOD_A, "34.0.0", 1),  # for the VFs alone
        (5.0, GOOD_A, "33.0.2", 0),
        (None, GOOD_A, "33.0.2", 0),
        (50.0, GOOD_B, "33.0.2", 0),
        (50.0, f'{{"devname": "ens1f0", {IDS}}}', "33.0.2", 0),
    ],
)
def test_a_nova_that_finds_new_vfs_does_not_find_those_of_a_pf_that_came_later(
    seen_since: float | None, spec: str, version: str, number: int
) -> None:
    compute = replace(RUNNING, files=(parse_ini(NOVA, f"[pci]\ndevice_spec = {spec}\n"),))
    survey = replace(LATE, compute=compute, nova=NovaVersion(version, "dpkg"), booted_at=1_700_000_000.0)
    pfs = (make_pf(),)
    config = make_config(make_rule(physical_network="physnet2"))
    state = State(present_since={} if seen_since is None else {PF: seen_since})
    findings = check_nova(Host(config, resolve(config, pfs), pfs, state=state), survey, print)
    late = [finding for finding in findings if finding.code == "SB-W416"]
    assert len(late) == number
    if late and version.startswith("33"):
        assert "may not have been there" in late[0].problem
        assert late[0].evidence.endswith(f"; {PF} seen since 2023-11-14 22:14:10 UTC")


GOOD_CONF = f'[pci]\n{pci(GOOD_A, GOOD_B)}alias = {{"name": "vf", {IDS}}}\nreport_in_placement = true\n'.encode()


@fuzzed(slow=4, text=spoilt(GOOD_CONF) | st.binary(max_size=200), release=st.sampled_from(["", "newton", "yoga"]))
def test_no_text_is_too_much(text: bytes, release: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree = HostTree(Path(folder))
        add_compute_host(tree)
        tree.configure(rules(release=f'"{release}"'))
        tree.write(NOVA[1:], text)
        assert main(["doctor", "--json"], root=folder) in {0, 3}


def test_a_remedy_is_what_to_type(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    trusted = GOOD_A.replace("}", ', "trusted": "yes"}')
    tree.write(NOVA[1:], "[pci]\n" + pci(trusted, GOOD_B.replace("vendor_id", "vendor"), "{"))
    restart = "systemctl restart nova-compute"
    again = f"sriov-bootstrap render nova-compute --write && {restart}"
    assert {one["code"]: one["remedy"] for one in found_in(tree, capsys)} == {
        "SB-E401": f"correct {NOVA}:4, or remove line {NOVA}:4, then: {again}",
        "SB-E402": f'write "trusted": "true" at {NOVA}:2, then: {restart}',
        "SB-W404": f'correct "vendor" at {NOVA}:3, or remove it, then: {restart}',
    }
    drop_in = "etc/nova/nova.conf.d/sriov-bootstrap.conf"
    tree.write(NOVA[1:], "")
    tree.write(drop_in, "[pci]\n" + pci(GOOD_A, GOOD_B, "{}"))
    (finding,) = found_in(tree, capsys)
    assert finding["place"] == f"/{drop_in}:4"
    assert finding["remedy"] == again


@pytest.mark.parametrize(
    ("early", "late"), [("nova.conf", "nova.conf.d/a.conf"), ("nova.conf.d/a.conf", "nova.conf.d/b.conf")]
)
def test_of_two_files_the_one_that_is_read_first_counts(
    tree: HostTree, capsys: pytest.CaptureFixture[str], early: str, late: str
) -> None:
    """Whatever the names of the option: the current one in the earlier file comes before an old one in the later."""
    add_unit(tree, "nova-compute", "/usr/bin/nova-compute")
    tree.write(f"etc/nova/{early}", '[pci]\ndevice_spec = {"address": "0000:3b:10.0"}\n')
    tree.write(f"etc/nova/{late}", f"[pci]\npassthrough_whitelist = {GOOD_A}\ndevice_spec = {GOOD_B}\n")
    (finding,) = [finding for finding in found_in(tree, capsys) if finding["code"] == "SB-E406"]
    assert finding["place"] == f"/etc/nova/{early}:2"
    why = f'/etc/nova/{late}:2 has "physnet2" and does not count: /etc/nova/{early} is read before /etc/nova/{late}'
    assert why in finding["problem"]
