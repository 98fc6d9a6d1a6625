"""doctor on hosts with nova and neutron: what render writes is clean, and each mistake has its code."""

import itertools
import json

import pytest

from builders import PF, PF2
from fakes_host import HostTree
from fakes_openstack import DEBIAN_HEADS, RDO_COMMANDS, add_debian, add_kolla, add_rdo, add_unit
from sriov_bootstrap.cli import main

RULES = f"""\
[[pf]]
name = "tenant-a"
match = {{ pci_address = "{PF}" }}
num_vfs = 4
physical_network = "physnet2"
exclude_vfs = [0]

[[pf]]
name = "tenant-b"
match = {{ netdev = "ens1f1" }}
num_vfs = 2
physical_network = "physnet1"

[[pf]]
name = "spare"
match = {{ pci_address = "0000:5e:00.0" }}
num_vfs = 1
required = false

[openstack]
mechanism_drivers = ["openvswitch"]
network_vlan_ranges = ["physnet1:1:99"]
flat_networks = ["physnet1"]
"""
AREAS = ("4", "5", "6")  # nova-compute, neutron and its files, the scheduler
TARGETS = ("nova-compute", "sriov-agent", "nova-scheduler", "neutron-server")
INI = "etc/neutron/plugins/ml2/sriov_agent.ini"
ML2 = "etc/neutron/plugins/ml2/ml2_conf.ini"
OURS = "etc/neutron/neutron-sriov-nic-agent.conf.d/sriov-bootstrap.conf"
GOOD = "physnet2:ens1f0,physnet1:ens1f1"


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    tree.add_card(num_vfs=4)
    tree.configure(RULES)
    return tree


def codes(tree: HostTree, capsys: pytest.CaptureFixture[str], *codes_wanted: str) -> list[dict[str, str]]:
    """Those findings; of all of ours without `codes_wanted`."""
    capsys.readouterr()
    main(["doctor", "--json"], root=str(tree.root))
    answer = json.loads(capsys.readouterr().out)
    return [
        one for one in answer["findings"] if (one["code"] in codes_wanted if codes_wanted else one["code"][4] in AREAS)
    ]


def render(tree: HostTree, *targets: str) -> None:
    for target in targets:
        assert main(["render", target, "--write"], root=str(tree.root)) == 0


RELEASES = ["newton", "ocata", "queens", "train", "victoria", "zed", "epoxy", "hibiscus"]


@pytest.mark.parametrize(("distribution", "release"), list(itertools.product(["debian", "ubuntu", "rdo"], RELEASES)))
def test_a_rendered_host_is_clean(
    tree: HostTree, capsys: pytest.CaptureFixture[str], distribution: str, release: str
) -> None:
    if distribution == "rdo":
        add_rdo(tree, *RDO_COMMANDS)
    else:
        add_debian(tree, *(name for name in DEBIAN_HEADS if name != "neutron-api"))
    if distribution == "ubuntu" or release == "newton":
        for path in tree.root.rglob("neutron-rpc-server*"):
            path.unlink()
        command = "/usr/bin/neutron-server --config-file=/etc/neutron/neutron.conf"
        add_unit(tree, "neutron-server", f"{command} --config-file=/{ML2}")
    tree.write(ML2, "[ml2]\ntype_drivers = flat,vlan\n")
    tree.write("etc/neutron/plugin.ini", "[ml2]\ntype_drivers = flat,vlan\n")
    tree.configure(f'{RULES}release = "{release}"\ndistribution = "{distribution}"\n')
    render(tree, *TARGETS)
    assert codes(tree, capsys) == []
    capsys.readouterr()
    main(["doctor", "--json"], root=str(tree.root))
    unseen = json.loads(capsys.readouterr().out)["unseen"]
    assert not [text for text in unseen if "neutron" in text or "nova" in text]


def test_a_rendered_host_with_containers_is_clean(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    conf, ini = "/etc/neutron/neutron.conf", f"/{INI}"
    agent = f"neutron-sriov-nic-agent --config-file {conf} --config-file {ini}"
    add_kolla(tree, nova_compute="nova-compute", neutron_sriov_agent=agent)
    tree.write("etc/kolla/neutron-sriov-agent/neutron.conf", "[DEFAULT]\n")
    for target, path in {
        "sriov-agent": "neutron-sriov-agent/sriov_agent.ini",
        "nova-compute": "nova-compute/nova.conf",
    }.items():
        capsys.readouterr()
        assert main(["render", target], root=str(tree.root)) == 0
        tree.write(f"etc/kolla/{path}", capsys.readouterr().out)
    assert codes(tree, capsys) == []
    tree.write(
        "etc/kolla/neutron-sriov-agent/sriov_agent.ini", "[sriov_nic]\nphysical_device_mappings = phynet2:ens1f0\n"
    )
    (finding, *_) = codes(tree, capsys)
    assert finding["place"] == "/etc/kolla/neutron-sriov-agent/sriov_agent.ini:2"
    assert "merge it into /etc/kolla/config/neutron/sriov_agent.ini on the deployment host" in finding["remedy"]


def test_without_openstack_there_is_no_finding(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    render(tree, "sriov-agent", "nova-compute")
    assert codes(tree, capsys) == []


def agent_host(tree: HostTree, ini: str, *, release: str = "epoxy") -> None:
    """A host of Debian with nova and the agent, and this in the agent's own file."""
    add_debian(tree, "nova-compute", "neutron-sriov-agent")
    tree.configure(f'{RULES}release = "{release}"\n')
    render(tree, "nova-compute")
    tree.write(INI, ini)


def agent_ini(mappings: str = GOOD, *, more: str = "") -> str:
    return f"[sriov_nic]\nphysical_device_mappings = {mappings}\nexclude_devices = ens1f0:0000:3b:02.0\n{more}"


CASES: dict[str, tuple[str, str, int, str, str]] = {
    # ini, release, line, code, words
    "good": (agent_ini(), "epoxy", 0, "", ""),
    "misspelt network": (
        agent_ini("phynet2:ens1f0,physnet1:ens1f1"),
        "epoxy",
        2,
        "SB-E501",
        'is "physnet2" in the config and nova-compute',
    ),
    "lost network": (agent_ini("physnet2:ens1f0"), "epoxy", 0, "SB-E502", '"physnet1" is missing from the agent'),
    "others' network": (agent_ini(f"{GOOD},dpdk:ens1f1"), "epoxy", 2, "SB-W503", "the physical network in entry 3 of"),
    "no colon": (agent_ini("physnet2=ens1f0"), "epoxy", 2, "SB-E511", "entry 1 is not NETWORK:NETDEV"),
    "excluded netdev": (
        "[sriov_nic]\nphysical_device_mappings = " + GOOD + "\nexclude_devices = ens9:0000:3b:02.0\n",
        "epoxy",
        3,
        "SB-E511",
        "the netdev of entry 1 is not in physical_device_mappings",
    ),
    "bandwidth": (
        agent_ini(more="resource_provider_bandwidths = ens1f0:1,eth9:1:1,ens1f1:1:1,ens1f1\n"),
        "epoxy",
        4,
        "SB-E511",
        "entry 1 is not NETDEV:EGRESS:INGRESS",
    ),
    "repeated": (
        "[sriov_nic]\nphysical_device_mappings = physnet1:ens1f1\n" + agent_ini("physnet2:ens1f0"),
        "epoxy",
        2,
        "SB-E512",
        "replaces this one: physnet1:ens1f1 is lost",
    ),
    "renamed": (
        agent_ini("physnet2:ens1f0,physnet1:ens1f1,physnet1:ens1f0np0"),
        "epoxy",
        2,
        "SB-W513",
        f"did you mean ens1f0 ({PF})? Names change with upgrades",
    ),
    "misspelt netdev": (
        agent_ini(f"{GOOD},physnet1:ens1g1"),
        "epoxy",
        2,
        "SB-W513",
        f"did you mean ens1f1 ({PF2})?",
    ),
    "wrong PF": (agent_ini("physnet2:ens1f1,physnet1:ens1f1"), "epoxy", 2, "SB-E514", "it lacks physnet2:ens1f0"),
    "misspelt option": (agent_ini(more="exclude_device = x\n"), "epoxy", 4, "SB-W515", "was exclude_devices meant?"),
    "capital letters": (agent_ini(more="Exclude_Devices = x\n"), "epoxy", 4, "SB-W515", "was exclude_devices meant?"),
    "unknown option": (agent_ini(more="colour = red\n"), "epoxy", 4, "SB-W515", "it is ignored"),
    "later option": (
        agent_ini(more="resource_provider_bandwidths = a\n"),
        "queens",
        4,
        "SB-W515",
        "before nova 19",
    ),
    "excluded elsewhere": (
        "[sriov_nic]\nphysical_device_mappings = " + GOOD + "\nexclude_devices = ens1f1:0000:3b:02.1\n",
        "epoxy",
        3,
        "SB-W517",
        "0000:3b:02.1 is a VF of ens1f0",
    ),
    "excluded by nobody else": (
        "[sriov_nic]\nphysical_device_mappings = " + GOOD + "\nexclude_devices = ens1f0:0000:3b:02.0;0000:3b:02.1\n",
        "epoxy",
        3,
        "SB-W517",
        'not by exclude_vfs of rule "tenant-a"',
    ),
    "excluded nothing": (
        "[sriov_nic]\nphysical_device_mappings = " + GOOD + "\nexclude_devices = ens1f0:0000:3b:07.0\n",
        "epoxy",
        3,
        "SB-W517",
        "is not one of its VFs",
    ),
    "excluded garbage": (
        "[sriov_nic]\nphysical_device_mappings = " + GOOD + "\nexclude_devices = ens1f0:3b:02.0\n",
        "epoxy",
        3,
        "SB-W517",
        "is not a VF's address",
    ),
    "excluded in capitals": (
        "[sriov_nic]\nphysical_device_mappings = " + GOOD + "\nexclude_devices = ens1f0:0000:3B:02.0\n",
        "epoxy",
        3,
        "SB-W517",
        "the agent compares it with 0000:3b:02.0",
    ),
    "firewall": (
        agent_ini(more="[securitygroup]\nfirewall_driver = iptables_hybrid\n"),
        "epoxy",
        5,
        "SB-W518",
        "iptables_hybrid",
    ),
    "firewall that nobody reads": (
        agent_ini(more="[securitygroup]\nfirewall_driver = iptables_hybrid\n"),
        "hibiscus",
        0,
        "",
        "",
    ),
    "leftover": (
        agent_ini(more="[ml2_sriov]\nsupported_pci_vendor_devs = 8086:10ca\n"),
        "epoxy",
        5,
        "SB-W521",
        "since neutron 10",
    ),
    "broken": (agent_ini(more="[agent\npolling_interval = 2\n"), "epoxy", 4, "SB-E531", "a section must end with ]"),
    "small letters": ("[default]\ndebug = true\n" + agent_ini(), "epoxy", 2, "SB-E533", "is not [DEFAULT]"),
    "wrong section": (
        f"[sriov-nic]\nphysical_device_mappings = {GOOD}\n",
        "epoxy",
        2,
        "SB-E534",
        "the section is misspelt",
    ),
    "other section": (f"[agent]\nphysical_device_mappings = {GOOD}\n", "epoxy", 2, "SB-E534", "only in [sriov_nic]"),
    "variable": ("[sriov_nic]\nphysical_device_mappings = $mine\n", "epoxy", 0, "", ""),
}


RESTART = "systemctl restart neutron-sriov-agent"
RENDER = f"sriov-bootstrap render sriov-agent --write && {RESTART}"
# Where it is not `option = ...` of that line, and not to have it rendered without that line.
EVIDENCE = {
    "misspelt network": f"/{INI}:2: physical_device_mappings, entry 1: phynet2",
    "lost network": 'physical_network = "physnet1"',
    "others' network": "physical_device_mappings, entry 3",
    "repeated": f"physical_device_mappings = ...; /{INI}:4: physical_device_mappings = ...",
    "renamed": "physical_device_mappings, entry 3: physnet1:ens1f0np0",
    "misspelt netdev": "physical_device_mappings, entry 3: physnet1:ens1g1",
    "wrong PF": "physical_device_mappings, entry 1: physnet2:ens1f1",
    "later option": "resource_provider_bandwidths = a",
    "excluded elsewhere": "exclude_devices, entry 1: ens1f1:0000:3b:02.1",
    "excluded by nobody else": "exclude_devices, entry 1: ens1f0:0000:3b:02.1",
    "excluded nothing": "exclude_devices, entry 1: ens1f0:0000:3b:07.0",
    "excluded garbage": "exclude_devices, entry 1: ens1f0:3b:02.0",
    "excluded in capitals": "exclude_devices, entry 1: ens1f0:0000:3B:02.0",
    "firewall": "firewall_driver = iptables_hybrid",
    "broken": "",
}
REMEDIES = {
    "misspelt network": f'write "physnet2" everywhere: remove line /{INI}:2, then: {RENDER}',
    "lost network": f"remove line /{INI}:2, then: {RENDER}",
    "others' network": 'add "physical_network": "NETWORK" to the device_spec of its VFs in [pci], '
    "or remove the name where it is used, then: systemctl restart nova-compute",
    "repeated": f"remove line /{INI}:2 and line /{INI}:4, then: {RENDER}",
    "misspelt option": f"write exclude_devices in /{INI}:4, then: {RESTART}",
    "capital letters": f"write exclude_devices in /{INI}:4, then: {RESTART}",
    "unknown option": f"remove the line in /{INI}:4, then: {RESTART}",
    "later option": f"remove the line in /{INI}:4, then: {RESTART}",
    "leftover": f"remove the section from /{INI}",
    "broken": f"correct line 4, then: {RESTART}.service",
    "small letters": f"write [DEFAULT] in /{INI}, then: {RESTART}.service",
    "wrong section": f"move it to [sriov_nic], then: {RESTART}.service",
    "other section": f"move it to [sriov_nic], then: {RESTART}.service",
}


def hidden(text: str, line: int) -> str:
    """An option whose value is not shown."""
    return f"{text.split(chr(10))[line - 1].partition('=')[0].strip()} = ..."


@pytest.mark.parametrize("name", CASES)
def test_what_the_agent_reads(tree: HostTree, capsys: pytest.CaptureFixture[str], name: str) -> None:
    ini, release, line, code, words = CASES[name]
    agent_host(tree, ini, release=release)
    found = codes(tree, capsys)
    if not code:
        assert found == []
        return
    (finding, *_) = [one for one in found if one["code"] == code]
    assert words in finding["problem"]
    assert finding["evidence"] == EVIDENCE.get(name, hidden(ini, line))
    assert finding["remedy"] == REMEDIES.get(name, f"remove line {finding['place']}, then: {RENDER}")
    if line:
        assert finding["place"] == f"/{INI}:{line}"


def test_the_file_that_the_unit_does_not_name(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    agent_host(tree, agent_ini())
    command = "/usr/bin/neutron-sriov-nic-agent --config-file=/etc/neutron/neutron.conf"
    add_unit(tree, "neutron-sriov-agent", command)
    (finding,) = codes(tree, capsys)
    assert (finding["code"], finding["place"]) == ("SB-E522", f"/{INI}:2")
    assert f"ExecStart={command} --config-file=/{INI}" in finding["remedy"]
    tree.write(OURS, agent_ini("physnet2:ens1f0,physnet1:ens1f1"))
    (finding,) = codes(tree, capsys)
    assert finding["remedy"] == f"merge the two into /{OURS}, and remove /{INI}"


def test_a_command_that_names_what_is_not_there(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    agent_host(tree, agent_ini())
    (tree.root / INI).unlink()
    add_unit(tree, "nova-scheduler", "/usr/bin/nova-scheduler --config-dir /etc/nova/none", folder="etc/systemd/system")
    render(tree, "sriov-agent")
    found = codes(tree, capsys, "SB-E532")
    assert [(one["place"], one["evidence"]) for one in found] == [
        ("nova-scheduler.service", "/etc/nova/none"),
        ("neutron-sriov-agent.service", f"--config-file=/{INI}"),
    ]


def test_files_that_may_not_be_read_accuse_nobody(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    agent_host(tree, "")
    tree.write(INI, b"x" * (9 << 20))
    assert codes(tree, capsys) == []
    main(["doctor"], root=str(tree.root))
    assert f"not seen: /{INI}: larger than 8 MiB: not read\n" in capsys.readouterr().out


SERVER_CASES = {
    "good": ("[ml2]\nmechanism_drivers = openvswitch,sriovnicswitch\n", "", 0, ""),
    "no option": ("[ml2]\n", "SB-E520", 0, "lacks sriovnicswitch"),
    "other drivers": ("[ml2]\nmechanism_drivers = ovn\n", "SB-E520", 2, "lacks sriovnicswitch"),
    "variable": ("[ml2]\nmechanism_drivers = $all\n", "", 0, ""),
    "closed lists": (
        ("[ml2]\nmechanism_drivers = sriovnicswitch\n[ml2_type_vlan]\nnetwork_vlan_ranges = physnet1:1:9,:\n"
        "[ml2_type_flat]\nflat_networks = dpdk\n"), "SB-E504", 0, '"physnet2" is in neither',
    ),
    "open lists": (
        "[ml2]\nmechanism_drivers = sriovnicswitch\n[ml2_type_flat]\nflat_networks = *\n", "", 0, "",
    ),
    "misspelt": (
        "[ml2]\nmechanism_drivers = sriovnicswitch\n[ml2_type_vlan]\nnetwork_vlan_ranges = physnet1,phynet2:1:9\n",
        "SB-E501", 4, '"phynet2" is "physnet2" in the config',
    ),
    "wrong section": (
        "[ml2]\nmechanism_drivers=sriovnicswitch\n[ovs]\nnetwork_vlan_ranges=a\n[ml2_vlan]\nnetwork_vlan_ranges=b\n",
        "SB-E534", 6, "only in [ml2_type_vlan]",
    ),
}  # fmt: skip


RESTARTED = "then: systemctl restart neutron-rpc-server"
DRIVER_ADDED = f"add sriovnicswitch to mechanism_drivers in [ml2] of {{}}, {RESTARTED} neutron-api"
SERVER_EVIDENCE = {
    "no option": "",
    "closed lists": 'physical_network = "physnet2"',
    "misspelt": f"/{ML2}:4: network_vlan_ranges, entry 2: phynet2",
}
SERVER_REMEDIES = {
    "no option": DRIVER_ADDED.format("ml2_conf.ini"),
    "other drivers": DRIVER_ADDED.format(f"/{ML2}:2"),
    "closed lists": "add physnet2:FIRST:LAST to network_vlan_ranges in [ml2_type_vlan], "
    f"or remove the name where it is used, {RESTARTED} neutron-api",
    "misspelt": f'write "physnet2" everywhere: remove line /{ML2}:4, then: '
    "sriov-bootstrap render neutron-server --write && systemctl restart neutron-rpc-server neutron-api",
    "wrong section": f"move it to [ml2_type_vlan], {RESTARTED}.service",
}


@pytest.mark.parametrize("name", SERVER_CASES)
def test_what_the_server_reads(tree: HostTree, capsys: pytest.CaptureFixture[str], name: str) -> None:
    text, code, line, words = SERVER_CASES[name]
    add_debian(tree, "neutron-rpc-server")
    tree.write(ML2, text)
    found = codes(tree, capsys)
    if not code:
        assert found == []
        return
    (finding, *_) = [one for one in found if one["code"] == code]
    assert words in finding["problem"]
    assert finding["evidence"] == SERVER_EVIDENCE.get(name, hidden(text, line))
    assert finding["remedy"] == SERVER_REMEDIES[name]
    assert not line or finding["place"] == f"/{ML2}:{line}"


FILTERS = "enabled_filters = ComputeFilter,PciPassthroughFilter"
SCHEDULER_CASES = {
    "good": (f"[filter_scheduler]\n{FILTERS}\n", "epoxy", "", 0, ""),
    "defaults": ("[filter_scheduler]\n", "epoxy", "SB-E602", 0, "is not enabled"),
    "without": ("[filter_scheduler]\nenabled_filters = ComputeFilter\n", "epoxy", "SB-E602", 2, "is not enabled"),
    "capital letter": (
        "[filter_scheduler]\nenabled_filters = PciPassThroughFilter\n", "epoxy", "SB-E602", 2, "is a misspelt Pci",
    ),
    "removed": (f"[filter_scheduler]\n{FILTERS},RetryFilter\n", "epoxy", "SB-E601", 2, "RetryFilter since nova 22"),
    "still there": (f"[filter_scheduler]\n{FILTERS},RetryFilter\n", "train", "", 0, ""),
    "of one's own": (
        f"[filter_scheduler]\n{FILTERS},RetryFilter\navailable_filters = mine.RetryFilter\n", "epoxy", "", 0, "",
    ),
    "variable": ("[filter_scheduler]\nenabled_filters = $mine\n", "epoxy", "", 0, ""),
    "old name": ("[DEFAULT]\nscheduler_default_filters = PciPassthroughFilter\n", "victoria", "", 0, ""),
    "old name today": (
        "[DEFAULT]\nscheduler_default_filters = RamFilter,PciPassthroughFilter\n", "epoxy", "SB-E603", 2,
        "enabled_filters; and it no longer has RamFilter",
    ),
    "new name once": (f"[filter_scheduler]\n{FILTERS}\n", "newton", "SB-E603", 2, ", but [DEFAULT] scheduler_default"),
    "small letters": (f"[default]\ndebug = 1\n[filter_scheduler]\n{FILTERS}\n", "epoxy", "SB-E533", 2, "ignores"),
    "wrong section": (f"[scheduler]\n{FILTERS}\n", "epoxy", "SB-E534", 2, "only in [filter_scheduler]"),
}  # fmt: skip


RENDERED = "sriov-bootstrap render nova-scheduler --write && systemctl restart nova-scheduler"
SCHEDULER_REMEDIES = {
    "defaults": RENDERED,
    "new name once": "remove line /etc/nova/nova.conf:2, then: "
    + RENDERED.replace("systemctl", "systemctl daemon-reload && systemctl"),  # the file is an option of the unit
    "small letters": "write [DEFAULT] in /etc/nova/nova.conf, then: systemctl restart nova-scheduler.service",
    "wrong section": "move it to [filter_scheduler], then: systemctl restart nova-scheduler.service",
}


@pytest.mark.parametrize("name", SCHEDULER_CASES)
def test_what_the_scheduler_reads(tree: HostTree, capsys: pytest.CaptureFixture[str], name: str) -> None:
    text, release, code, line, words = SCHEDULER_CASES[name]
    add_debian(tree, "nova-scheduler")
    tree.configure(f'{RULES}release = "{release}"\n')
    tree.write("etc/nova/nova.conf", text)
    found = codes(tree, capsys)
    if not code:
        assert found == []
        return
    (finding, *_) = [one for one in found if one["code"] == code]
    assert words in finding["problem"]
    assert finding["evidence"] == (hidden(text, line) if line else "option not set: the defaults do not include it")
    assert finding["remedy"] == SCHEDULER_REMEDIES.get(name, f"remove line {finding['place']}, then: {RENDERED}")
    assert not line or finding["place"] == f"/etc/nova/nova.conf:{line}"


def test_a_controller_without_rules_needs_no_filter(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    add_debian(tree, "nova-scheduler", "neutron-rpc-server")
    tree.configure("")
    assert codes(tree, capsys) == []


def test_a_broken_file_of_two_services_is_said_once(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    add_debian(tree, "nova-compute", "nova-scheduler")
    tree.write("etc/nova/nova.conf", b"debug = true\n[DEFAULT]\n\xff\xfe\n")
    (finding,) = codes(tree, capsys, "SB-E531")
    assert finding["place"] == "/etc/nova/nova.conf:1"
    assert (
        "so nova-compute.service and nova-scheduler.service cannot start: an option before the first"
        in finding["problem"]
    )
    assert finding["problem"].endswith("; also line 3, 3")
    assert finding["remedy"] == "correct line 1, then: systemctl restart nova-compute.service nova-scheduler.service"
