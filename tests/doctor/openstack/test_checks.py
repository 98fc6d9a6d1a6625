"""What the checks say of values; tests/commands/test_doctor_openstack.py has them on whole hosts."""

import pytest
from hypothesis import strategies as st
from msgspec.structs import replace

from builders import make_config, make_netdev, make_pf, make_rule
from fuzzing import fuzzed, spoilt
from sriov_bootstrap.core.config import Match, OpenStack, PfRule
from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.eswitch_config import Eswitch, EswitchMode
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.similar_names import distance, nearest
from sriov_bootstrap.doctor.diagnose import check_openstack
from sriov_bootstrap.doctor.neutron.lists import (
    Bandwidths,
    Exclusion,
    Exclusions,
    items,
    parse_bandwidths,
    parse_exclusions,
    parse_mappings,
)
from sriov_bootstrap.doctor.neutron.networks import spec_networks
from sriov_bootstrap.doctor.openstack.survey import OpenStackSurvey, Service, VfChange
from sriov_bootstrap.formats.ini import Entry, parse_ini
from sriov_bootstrap.render.host import Host

RULE = make_rule(physical_network="physnet2", exclude_vfs=(1,))
PF = make_pf(num_vfs=4, netdevs=(make_netdev(altnames=("port-a",)),))
HOST = Host(make_config(RULE), wishes=(DesiredPf(RULE, PF),), pfs=(PF,))


def service(name: str, text: str) -> Service:
    return Service(name, f"{name}.service", is_installed=True, argv=(name,), files=(parse_ini("/f", text),))


def agent(text: str) -> OpenStackSurvey:
    return OpenStackSurvey(agent=service("sriov-agent", text))


def found(survey: OpenStackSurvey) -> list[str]:
    return [f"{one.code} {one.problem}" for one in check_openstack(HOST, survey, print)]


def test_an_altname_is_none_to_the_agent() -> None:
    (first, second) = found(agent("[sriov_nic]\nphysical_device_mappings = physnet2:port-a\n"))
    assert first.startswith("SB-W513")
    assert first.endswith("it is an altname of ens1f0 (0000:3b:00.0), and the agent does not accept altnames")
    assert second.startswith("SB-E514")


@pytest.mark.parametrize(
    ("units", "restarted"),
    [
        pytest.param({}, "neutron-sriov-nic-agent", id="nobody was asked"),
        pytest.param({"neutron-sriov-agent.service": {"LoadState": "not-found"}}, "neutron-sriov-nic-agent", id="none"),
        pytest.param({"neutron-sriov-agent.service": {"LoadState": "loaded"}}, "neutron-sriov-agent", id="Debian's"),
    ],
)
def test_a_remedy_restarts_the_unit_that_is_there(units: dict[str, dict[str, str]], restarted: str) -> None:
    """The distribution is not known here, and would not tell whose packages are installed."""
    survey = agent("[sriov_nic]\nphysical_device_mappings = physnet2:port-a\n")
    first = next(iter(check_openstack(replace(HOST, units=units), survey, print)))
    assert first.remedy.endswith(f"systemctl restart {restarted}")


def test_the_agent_finds_no_vfs_of_a_virtio_pf() -> None:
    rule = make_rule(physical_network="physnet2")
    pf = make_pf(netdevs=(make_netdev(device="virtio1", driver="virtio_net"),))
    host = replace(HOST, wishes=(DesiredPf(rule, pf),), pfs=(pf,))
    survey = agent("[sriov_nic]\nphysical_device_mappings = physnet2:ens1f0\n")
    (found,) = check_openstack(host, survey, print)
    said = "finds no VFs: it looks for them in virtio1, to which netdev ens1f0 belongs"
    assert (found.code, found.problem) == ("SB-W513", f'the agent is configured with "ens1f0" for physnet2, but {said}')
    assert found.remedy.startswith("remove ens1f0 from physical_device_mappings in /f:2")


def test_a_virtio_pf_is_not_missed_in_the_agents_list() -> None:
    rule = make_rule(physical_network="physnet2")
    pf = make_pf(netdevs=(make_netdev(device="virtio1", driver="virtio_net"),))
    other = make_pf(pci_address="0000:3b:00.1", netdevs=(make_netdev(name="ens1f1"),))
    host = replace(HOST, wishes=(DesiredPf(rule, pf),), pfs=(pf, other))
    survey = agent("[sriov_nic]\nphysical_device_mappings = physnet2:ens1f1\n")
    assert not list(check_openstack(host, survey, print))


@pytest.mark.parametrize(
    ("match", "mapped", "said"),
    [
        (Match(netdev="enp4s0d1"), "physnet2:enp4s0d1", ""),
        (Match(netdev="enp4s0d1"), "physnet2:enp4s0", "it lacks physnet2:enp4s0d1"),
        (Match(pci_address="0000:3b:00.0"), "other:enp4s0,physnet2:enp4s0d1", ""),
        (Match(pci_address="0000:3b:00.0"), "physnet2:ens9", "it lacks physnet2:enp4s0 or enp4s0d1"),
    ],
    ids=str,
)
def test_a_pf_with_two_ports(match: Match, mapped: str, said: str) -> None:
    rule = make_rule(physical_network="physnet2", match=match)
    pf = make_pf(netdevs=(make_netdev(name="enp4s0"), make_netdev(name="enp4s0d1", ifindex=3)))
    host = replace(HOST, wishes=(DesiredPf(rule, pf),), pfs=(pf,))
    survey = agent(f"[sriov_nic]\nphysical_device_mappings = {mapped}\n")
    problems = [one.problem for one in check_openstack(host, survey, print) if one.code == "SB-E514"]
    start = 'rule "tenant-a" (0000:3b:00.0) is on physnet2, but not for the agent: '
    assert problems == ([start + said] if said else [])


def test_a_pf_that_is_in_another_network() -> None:
    text = "[sriov_nic]\nphysical_device_mappings = physnet2:ens9,other:ens1f0\n"
    said = "is on physnet2, but not for the agent: it maps ens1f0 to another one"
    assert f'SB-E514 rule "tenant-a" (0000:3b:00.0) {said}' in found(agent(text))


def test_where_a_variable_decides_nothing_is_refused() -> None:
    text = "[sriov_nic]\nphysical_device_mappings = $m\nexclude_devices = ens1f0:0000:3b:02.1\n"
    assert found(agent(text)) == []
    replaced = "[sriov_nic]\nphysical_device_mappings = physnet2:ens1f0\nphysical_device_mappings = $m\n"
    assert found(agent(replaced)) == []
    specs = '[pci]\ndevice_spec = {"address": "0000:5e:02.*", "physical_network": "physnet2"}\ndevice_spec = $more\n'
    both = replace(agent("[sriov_nic]\nphysical_device_mappings = physnet2:ens1f0,other:ens1f0\n"))
    assert "SB-W503" not in " ".join(found(replace(both, compute=service("nova-compute", specs))))
    firewall = "[sriov_nic]\nphysical_device_mappings = physnet2:ens1f0\n[securitygroup]\nfirewall_driver = $none\n"
    assert found(agent(firewall)) == []


def test_a_network_that_is_missing_is_rendered_where_a_rule_has_it_and_else_added_by_hand() -> None:
    """What a rule asks for, `render` writes; of what only nova or the agent knows it has nothing."""
    specs = '[pci]\ndevice_spec = {"address": "0000:5e:02.*", "physical_network": "dpdk"}\n'
    compute = service("nova-compute", specs)
    survey = replace(agent("[sriov_nic]\nphysical_device_mappings = other:ens9\n"), compute=compute)
    missing = [one for one in check_openstack(HOST, survey, print) if one.code in {"SB-E502", "SB-W503"}]
    render = "sriov-bootstrap render"
    by_hand = "or remove the name where it is used, then: systemctl restart"
    missing_for_agent = "is missing from the agent's physical_device_mappings, but known to"
    missing_for_nova = "is in no device_spec of nova-compute, but known to"
    rule, of_rule = 'rule "tenant-a" (0000:3b:00.0)', 'physical_network = "physnet2"'
    assert missing == [
        Finding(
            "SB-E502",
            rule,
            f'physical network "physnet2" {missing_for_agent} the config',
            evidence=of_rule,
            remedy=f"remove line /f:2, then: {render} sriov-agent --write && systemctl restart neutron-sriov-nic-agent",
        ),
        Finding(
            "SB-W503",
            rule,
            f'physical network "physnet2" {missing_for_nova} the config',
            evidence=of_rule,
            remedy=f"{render} nova-compute --write && systemctl restart nova-compute",
        ),
        Finding(
            "SB-E502",
            "/f:2",
            f'physical network "dpdk" {missing_for_agent} nova-compute',
            evidence='device_spec = {"address": "0000:5e:02.*", "physical_network": "dpdk"}',
            remedy=f"add dpdk:NETDEV to physical_device_mappings in [sriov_nic], {by_hand} neutron-sriov-nic-agent",
        ),
        Finding(
            "SB-W503",
            "/f:2",
            f"the physical network in entry 1 of physical_device_mappings {missing_for_nova} the SR-IOV agent",
            evidence="physical_device_mappings, entry 1",
            remedy=f'add "physical_network": "NETWORK" to the device_spec of its VFs in [pci], {by_hand} nova-compute',
        ),
    ]


def test_a_list_of_the_agent_that_is_empty_would_override_what_is_rendered() -> None:
    compute = service("nova-compute", '[pci]\ndevice_spec = {"physical_network": "physnet2"}\n')
    survey = replace(agent("[sriov_nic]\nphysical_device_mappings =\n"), compute=compute)
    (missing,) = [one for one in check_openstack(HOST, survey, print) if one.code == "SB-E502"]
    rendered = "sriov-bootstrap render sriov-agent --write && systemctl restart neutron-sriov-nic-agent"
    assert missing.remedy == f"remove line /f:2, then: {rendered}"


def test_a_network_that_the_server_lacks_counts_where_a_rule_or_the_agent_has_it() -> None:
    """nova's device_spec may be for other devices."""
    survey = OpenStackSurvey(
        compute=service("nova-compute", '[pci]\ndevice_spec = {"physical_network": "of-nova"}\n'),
        agent=service("sriov-agent", "[sriov_nic]\nphysical_device_mappings = physnet2:ens1f0,other:ens9\n"),
        server=service("neutron-server", "[ml2_type_flat]\nflat_networks = flat\n"),
    )
    lacks = "is in neither the server's network_vlan_ranges nor its flat_networks"
    by_hand = "to network_vlan_ranges in [ml2_type_vlan], or remove the name where it is used, then: systemctl restart"
    assert [one for one in check_openstack(HOST, survey, print) if one.code == "SB-E504"] == [
        Finding(
            "SB-E504",
            'rule "tenant-a" (0000:3b:00.0)',
            f'physical network "physnet2" {lacks}',
            evidence='physical_network = "physnet2"',
            remedy=f"add physnet2:FIRST:LAST {by_hand} neutron-server",
        ),
        Finding(
            "SB-E504",
            "/f:2",
            f"the physical network in entry 2 of physical_device_mappings {lacks}",
            evidence="physical_device_mappings, entry 2",
            remedy=f"add NETWORK:FIRST:LAST {by_hand} neutron-server",
        ),
    ]


@pytest.mark.parametrize(("release", "is_known"), [("yoga", False), ("zed", True)])
def test_a_network_counts_where_the_release_reads_its_spec(release: str, *, is_known: bool) -> None:
    host = replace(HOST, config=make_config(RULE, openstack=OpenStack(release=release)))
    specs = '[pci]\ndevice_spec = {"address": "0000:5e:02.*", "physical_network": "dpdk"}\n'
    survey = replace(
        agent("[sriov_nic]\nphysical_device_mappings = physnet2:ens1f0\n"), compute=service("nova-compute", specs)
    )
    missing = [one.problem for one in check_openstack(host, survey, print) if one.code == "SB-E502"]
    assert bool(missing) is is_known


def test_exclusions_of_a_netdev_without_a_rule_are_not_ours() -> None:
    pf = make_pf(pci_address="0000:5e:00.0", netdevs=(make_netdev(name="ens7"),))
    host = replace(HOST, pfs=(PF, pf))
    text = "[sriov_nic]\nphysical_device_mappings = physnet2:ens1f0,x:ens7\nexclude_devices = ens7:0000:5e:02.1\n"
    assert list(check_openstack(host, agent(text), print)) == []


@pytest.mark.parametrize(
    ("started_at", "is_active", "is_said"),
    [
        (100.0, True, True),
        (300.0, True, False),
        (None, True, False),
        (100.0, False, False),
        (100.0, None, False),
    ],
)
def test_an_agent_that_started_before_the_vfs_changed(
    started_at: float | None, *, is_active: bool | None, is_said: bool
) -> None:
    mapped = service("sriov-agent", "[sriov_nic]\nphysical_device_mappings = physnet2:ens1f0\n")
    started = replace(mapped, started_at=started_at, is_active=is_active)
    survey = OpenStackSurvey(agent=started, changes=(VfChange(PF.pci_address, 200.0),), now=600.0)
    said = f"SB-E519 it started 100 s before the VFs of {PF.pci_address} changed, and does not know the new ones"
    assert found(survey) == ([said] if is_said else [])
    assert found(replace(survey, now=599.0)) == []


def late_agent(*changes: VfChange) -> list[Finding]:
    mapped = service("sriov-agent", "[sriov_nic]\nphysical_device_mappings = physnet2:ens1f0\n")
    started = replace(mapped, started_at=100.0, is_active=True)
    survey = OpenStackSurvey(agent=started, changes=changes, now=9000.0, booted_at=1_800_000_000.0)
    return list(check_openstack(HOST, survey, print))


def test_each_pf_whose_vfs_changed_has_its_time() -> None:
    changes = VfChange(PF.pci_address, 3700.0), VfChange("0000:5e:00.0", 200.0), VfChange("0000:86:00.0", 50.0)
    (finding,) = late_agent(*changes)
    assert finding.problem.startswith(f"it started 100 s before the VFs of {PF.pci_address}, 0000:5e:00.0 changed")
    assert finding.evidence == (
        "started 2027-01-15 08:01:40 UTC;"
        f" VFs of {PF.pci_address} (ens1f0) changed 2027-01-15 09:01:40 UTC;"
        " VFs of 0000:5e:00.0 changed 2027-01-15 08:03:20 UTC"
    )


def test_a_state_that_names_no_pf_still_has_a_time() -> None:
    (finding,) = late_agent(VfChange("", 200.0))
    assert finding.problem == "it started 100 s before the VFs changed, and does not know the new ones"


def test_vfs_that_are_for_something_else_do_not_concern_the_agent() -> None:
    rule = make_rule()
    host = replace(HOST, config=make_config(rule), wishes=(DesiredPf(rule, PF),))
    started = Service("sriov-agent", "a.service", is_installed=True, is_active=True, started_at=100.0)
    survey = OpenStackSurvey(agent=started, changes=(VfChange(PF.pci_address, 200.0),), now=9000.0)
    assert not list(check_openstack(host, survey, print))


SWITCH_RULE = make_rule(physical_network="physnet2", eswitch=Eswitch(EswitchMode.SWITCHDEV))
SWITCH_HOST = replace(HOST, config=make_config(SWITCH_RULE), wishes=(DesiredPf(SWITCH_RULE, PF),))


def of_switch(survey: OpenStackSurvey, host: Host = SWITCH_HOST) -> list[Finding]:
    return list(check_openstack(host, survey, print))


def test_the_agent_needs_no_pf_in_switchdev_mode() -> None:
    compute = service(
        "nova-compute", '[pci]\ndevice_spec = {"address": "0000:3b:00.0", "physical_network": "physnet2"}\n'
    )
    for text in ("", "[sriov_nic]\nphysical_device_mappings = other:ens9\n"):
        codes = {one.code for one in of_switch(replace(agent(text), compute=compute))}
        assert not codes & {"SB-E502", "SB-E514", "SB-W516"}


def test_a_pf_in_switchdev_mode_that_the_agent_serves_is_found() -> None:
    (one,) = of_switch(agent("[sriov_nic]\nphysical_device_mappings = physnet2:ens1f0\n"))
    assert (one.code, one.place) == ("SB-W516", "/f:2")
    assert one.evidence == "physical_device_mappings, entry 1: physnet2:ens1f0"
    assert one.problem == 'rule "tenant-a" (0000:3b:00.0) asks for switchdev mode, but the agent serves ens1f0 as well'
    assert one.remedy.startswith("remove ens1f0 from physical_device_mappings in /f:2, then: ")


def test_our_own_list_is_rendered_again_for_it() -> None:
    text = "[sriov_nic]\nphysical_device_mappings = physnet2:ens1f0\n"
    path = "/etc/neutron/neutron-sriov-nic-agent.conf.d/sriov-bootstrap.conf"
    rendered = Service("sriov-agent", "a.service", is_installed=True, argv=("a",), files=(parse_ini(path, text),))
    (one,) = of_switch(OpenStackSurvey(agent=rendered))
    assert one.remedy.startswith("sriov-bootstrap render sriov-agent --write && ")


def test_a_network_with_vfs_of_both_kinds_is_the_agents() -> None:
    legacy, other = make_rule(name="b", physical_network="physnet2"), make_pf(pci_address="0000:5e:00.0", num_vfs=1)
    config = make_config(SWITCH_RULE, legacy)
    both = replace(SWITCH_HOST, config=config, wishes=(*SWITCH_HOST.wishes, DesiredPf(legacy, other)))
    found = of_switch(agent("[sriov_nic]\nphysical_device_mappings = other:ens9\n"), both)
    assert "SB-E502" in {one.code for one in found}


def test_changed_vfs_of_a_switch_do_not_concern_the_agent() -> None:
    started = Service("sriov-agent", "a.service", is_installed=True, is_active=True, started_at=100.0)
    assert not of_switch(OpenStackSurvey(agent=started, changes=(VfChange(PF.pci_address, 200.0),), now=9000.0))


@pytest.mark.parametrize(
    ("rules", "drivers", "lacking"),
    [
        ([SWITCH_RULE], "ovn", []),
        ([SWITCH_RULE], "openvswitch,l2population", []),
        ([SWITCH_RULE], "sriovnicswitch", ["openvswitch or ovn: ports that ask for switchdev cannot be bound"]),
        ([SWITCH_RULE, RULE], "ovn", ["sriovnicswitch: ports of type direct cannot be bound"]),
        ([RULE], "sriovnicswitch", []),
        ([make_rule()], "ovn", []),
        ([SWITCH_RULE, RULE], "$drivers", []),
        (
            [make_rule(tunnels=True, eswitch=SWITCH_RULE.eswitch)],
            "",
            ["openvswitch or ovn: ports that ask for switchdev"],
        ),
    ],
)
def test_the_server_needs_a_driver_for_each_kind_of_vfs(rules: list[PfRule], drivers: str, lacking: list[str]) -> None:
    host = replace(HOST, config=make_config(*rules), wishes=tuple(DesiredPf(rule, PF) for rule in rules))
    text = f"[ml2]\nmechanism_drivers = {drivers}\n[ml2_type_flat]\nflat_networks = *\n"
    found = of_switch(OpenStackSurvey(server=service("neutron-server", text)), host)
    problems = [one.problem.removeprefix("mechanism_drivers lacks ") for one in found if one.code == "SB-E520"]
    assert len(problems) == len(lacking)
    assert all(problem.startswith(start) for problem, start in zip(problems, lacking, strict=True))


@pytest.mark.parametrize(
    ("value", "networks"),
    [
        ('{"physical_network": "a"}', ("a",)),
        ('[{"physical_network": "a"}, {"physical_network": "b$$c"}, 1, {}]', ("a", "b$c")),
        ('{"physical_network": "$net"}', ()),
        ('{"physical_network": 1}', ()),
        ('{"physical_network": ""}', ()),
        ('{"physical_network": "a}', ()),
        ("[" * 100_000, ()),
        ("1", ()),
    ],
)
def test_the_networks_of_a_spec(value: str, networks: tuple[str, ...]) -> None:
    (entry,) = parse_ini("/f", f"[pci]\ndevice_spec = {value}\n").entries
    assert spec_networks(entry) == networks


def test_names_that_are_nearly_the_same() -> None:
    assert (distance("", "abc"), distance("phynet2", "physnet2"), distance("kitten", "sitting")) == (3, 1, 3)
    assert nearest("phynet2", ["physnet1", "physnet2"]) == "physnet2"
    assert nearest("PHYSNET2", ["physnet2"]) == "physnet2"
    assert nearest("ab", ["cd", "ab"]) == ""
    assert nearest("a", []) == ""


def test_two_networks_that_both_are_known_are_no_misspelling() -> None:
    """physnet1 and physnet2 differ in a letter, as they should."""
    compute = service("nova-compute", '[pci]\ndevice_spec = {"physical_network": "physnet1"}\n')
    mapped = service("sriov-agent", "[sriov_nic]\nphysical_device_mappings = physnet1:ens1f0,physnet2:ens1f0\n")
    said = [one[:7] for one in found(OpenStackSurvey(compute=compute, agent=mapped)) if one[4] == "5"]
    assert said == ["SB-W503"]


def test_of_two_spellings_without_a_rule_most_files_are_right() -> None:
    compute = service("nova-compute", '[pci]\ndevice_spec = {"physical_network": "dpdknet"}\n')
    mapped = service("sriov-agent", "[sriov_nic]\nphysical_device_mappings = dpdknett:ens1f1,physnet2:ens1f0\n")
    server = service(
        "neutron-server", "[ml2]\nmechanism_drivers=sriovnicswitch\n[ml2_type_flat]\nflat_networks=dpdknet,physnet2\n"
    )
    survey = OpenStackSurvey(compute=compute, agent=mapped, server=server)
    said = 'SB-E501 physical network "dpdknett" is "dpdknet" in nova-compute and the neutron server'
    assert f"{said}: one of them is misspelt" in found(survey)


def test_a_list_with_two_dollars_is_read_and_one_with_a_reference_is_not() -> None:
    assert items(Entry("s", "o", "a$$b, c", 1, "/x")) == ("a$b", "c")
    assert items(Entry("s", "o", "a, $more", 1, "/x")) == ()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a=b, c", ("a=b", "c")),
        ("a,\nb=c", ("a", "...")),
        ("a\n b=c, d=e", ("a ...", "...")),
        ("a, b=c", ("a", "b=c")),
    ],
)
def test_on_a_later_line_an_item_with_a_value_is_left_out(text: str, shown: tuple[str, ...]) -> None:
    assert items(Entry("s", "o", text, 1, "/x")) == shown


def test_lists_that_the_agent_refuses() -> None:
    (mapping, excluded, rates) = parse_ini(
        "/f", "[s]\na = p:x, p:x,,:b,a:,a:b:c\nb = x:0000;;, x:1,:2,y\nc = x,y:1:,z:1,w:-1:1,x::\n"
    ).entries
    assert [(one.network, one.netdev) for one in parse_mappings(mapping).mappings] == [("p", "x")]
    assert len(parse_mappings(mapping).problems) == 3
    assert parse_exclusions(excluded) == Exclusions(
        (Exclusion("x", ("0000",), 1),),
        (
            'entry 2 repeats the netdev of entry 1: put all addresses of a netdev in one item, separated by ";"',
            "entry 3 is not NETDEV:ADDRESS;ADDRESS",
            "entry 4 is not NETDEV:ADDRESS;ADDRESS",
        ),
    )
    assert parse_bandwidths(rates) == Bandwidths(
        {"x": 1, "y": 2},
        (
            "entry 3 is not NETDEV:EGRESS:INGRESS, in kbit/s",
            "entry 4 is not NETDEV:EGRESS:INGRESS, in kbit/s",
            "entry 5 repeats the netdev of entry 1",
        ),
    )


# -- what is shown of a list: an item may be a password with a colon in it --

SECRET = "hunter2"  # noqa: S105 - the word that is looked for
MAPPED = f"[sriov_nic]\nphysical_device_mappings = physnet2:ens1f0,\n password: {SECRET}\n"
SPEC = '[pci]\ndevice_spec = {"physical_network": "physnet2", "address": "0000:3b:00.0"}\n'


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (MAPPED, {"SB-W513", "SB-W503"}),
        (MAPPED.replace("password: ", f"{SECRET}:"), {"SB-W513", "SB-W503"}),
        (MAPPED.replace("password: ", f"{SECRET}:{SECRET}:"), {"SB-E511"}),
        (MAPPED.replace("ens1f0", "ens9").replace(SECRET, f"ens1f0,{SECRET}:ens1f0"), {"SB-E514"}),
        (f"{MAPPED}{MAPPED[12:].replace('password: ', '').replace(SECRET, 'x:y')}", {"SB-E512"}),
        (f"{MAPPED}exclude_devices = ens1f0:0000:3b:02.1,\n {SECRET}:{SECRET},{SECRET}\n", {"SB-E511", "SB-W517"}),
        (f"{MAPPED}exclude_devices = ens1f0:{SECRET};0000:3b:02.1\n", {"SB-W517"}),
        (f"{MAPPED}resource_provider_bandwidths = {SECRET}:1:1, {SECRET}:1:1,ens1f0:{SECRET}\n", {"SB-E511"}),
        (f"{MAPPED}password = {SECRET}\n", {"SB-W515"}),
    ],
)
def test_of_a_list_only_names_that_are_known_are_shown(text: str, codes: set[str]) -> None:
    ranges = "[ml2_type_vlan]\nnetwork_vlan_ranges = {0}:1:2\n[ml2_type_flat]\nflat_networks = {0}\n"
    server = "[ml2]\nmechanism_drivers = {0}\n" + ranges
    survey = OpenStackSurvey(
        compute=service("nova-compute", SPEC),
        agent=service("sriov-agent", text),
        server=service("neutron-server", server.format(SECRET)),
        scheduler=service("nova-scheduler", f"[filter_scheduler]\nenabled_filters = {SECRET}\n"),
        strays=(parse_ini("/g", text),),
    )
    said = list(check_openstack(HOST, survey, print))
    assert [one for one in said if SECRET in str(one)] == []
    assert {one.code for one in said} >= codes | {"SB-E520", "SB-E602", "SB-E522"}


def test_what_is_not_shown_is_found_by_its_number() -> None:
    survey = OpenStackSurvey(compute=service("nova-compute", SPEC), agent=service("sriov-agent", MAPPED))
    second = "entry 2 of physical_device_mappings"
    said = [(one.code, one.problem, one.evidence) for one in check_openstack(HOST, survey, print) if one.code[4] == "5"]
    assert said == [
        (
            "SB-W503",
            f"the physical network in {second} is in no device_spec of nova-compute, but known to the SR-IOV agent",
            "physical_device_mappings, entry 2",
        ),
        (
            "SB-W513",
            "the agent is configured with the netdev of entry 2 for its network, but no PF has that netdev",
            "physical_device_mappings, entry 2",
        ),
    ]


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        (
            "[ml2_type_vlan]\nnetwork_vlan_ranges = other:1:2,physnt2:1:2\n",
            "/f:2: network_vlan_ranges, entry 2: physnt2",
        ),
        ("[ml2_type_flat]\nflat_networks = other,physnt2\n", "/f:2: flat_networks, entry 2: physnt2"),
    ],
)
def test_a_network_of_the_server_is_found_by_its_number(text: str, evidence: str) -> None:
    survey = OpenStackSurvey(server=service("neutron-server", text))
    assert [one.evidence for one in check_openstack(HOST, survey, print) if one.code == "SB-E501"] == [evidence]


def test_two_networks_that_nobody_vouches_for_are_compared_and_not_shown() -> None:
    mapped = service("sriov-agent", f"[sriov_nic]\nphysical_device_mappings = physnet2:ens1f0,{SECRET}:ens1f0\n")
    server = service("neutron-server", f"[ml2_type_flat]\nflat_networks = physnet2,{SECRET}2\n")
    said = list(check_openstack(HOST, OpenStackSurvey(agent=mapped, server=server), print))
    (found,) = [one for one in said if one.code == "SB-E501"]
    assert SECRET not in str(found)
    assert "is nearly the one in /f:2 in" in found.problem
    assert "write the same name everywhere: " in found.remedy


def test_a_slip_of_a_letter_is_shown() -> None:
    text = MAPPED.replace("password", "physnet1").replace(SECRET, "ens1f1")
    (one, *_) = [one for one in check_openstack(HOST, agent(text), print) if one.code == "SB-W513"]
    assert one.problem == (
        'the agent is configured with "ens1f1" for physnet1, but no PF has that netdev: '
        "did you mean ens1f0 (0000:3b:00.0)?"
    )
    assert one.evidence == "physical_device_mappings, entry 2: physnet1:ens1f1"


GOOD = b"""[DEFAULT]
scheduler_default_filters = RetryFilter
[default]
a = b
[pci]
device_spec = {"physical_network": "phynet2"}
[sriov_nic]
physical_device_mappings = physnet2:ens1f0,x:y
exclude_devices = ens1f0:0000:3b:02.1;0000:3B:02.0
resource_provider_bandwidths = ens1f0:1:2
[ml2]
mechanism_drivers = openvswitch
[ml2_type_vlan]
network_vlan_ranges = physnet3:1:2
[ml2_type_flat]
flat_networks = a
[filter_scheduler]
enabled_filters = RamFilter
[ml2_sriov]
agent_required = true
[securitygroup]
firewall_driver = x
"""


@fuzzed(data=spoilt(GOOD) | st.binary(max_size=200), stray=spoilt(GOOD))
def test_any_files_are_findings(data: bytes, stray: bytes) -> None:
    text = data.decode(errors="replace")
    names = ("nova-compute", "nova-scheduler", "sriov-agent", "neutron-server")
    compute, scheduler, mapped, server = (service(name, text) for name in names)
    survey = OpenStackSurvey(
        compute,
        scheduler,
        mapped,
        server,
        strays=(parse_ini("/ml2_conf_sriov.ini", stray.decode(errors="replace")),),
    )
    assert all(isinstance(one, Finding) for one in check_openstack(HOST, survey, print))


@pytest.mark.parametrize(
    ("name", "text", "line", "option"),
    [
        (
            "neutron-server",
            "[ml2_type_vlan]\nnetwork_vlan_ranges = physnet1:1:9\nnetwork_vlan_ranges = physnet2:1:9\n",
            "2",
            "network_vlan_ranges is set again in line 3",
        ),
        (
            "neutron-server",
            "[ml2]\nmechanism_drivers = ovn\n[DEFAULT]\n[ml2]\nmechanism_drivers = sriovnicswitch\n",
            "2",
            "mechanism_drivers is set again in line 5",
        ),
        (
            "nova-scheduler",
            "[filter_scheduler]\nenabled_filters = ComputeFilter\nenabled_filters = PciPassthroughFilter\n",
            "2",
            "enabled_filters is set again in line 3",
        ),
        (
            "nova-compute",
            "[PCI]\nreport_in_placement = true\n[pci]\nreport_in_placement = false\n",
            "2",
            "report_in_placement is set again in line 4",
        ),
        ("nova-compute", "[pci]\nreport_in_placement = true\nreport_in_placement = true\n", "", ""),
        ("nova-compute", "[pci]\nalias = {}\nalias = []\n", "", ""),
    ],
)
def test_an_option_that_is_set_twice(name: str, text: str, line: str, option: str) -> None:
    survey = {
        "neutron-server": OpenStackSurvey(server=service(name, text)),
        "nova-scheduler": OpenStackSurvey(scheduler=service(name, text)),
        "nova-compute": OpenStackSurvey(compute=service(name, text)),
    }[name]
    findings = check_openstack(HOST, survey, print)
    twice = [(finding.place, finding.problem) for finding in findings if finding.code == "SB-W535"]
    if not line:
        assert not twice
        return
    ((place, problem),) = twice
    assert place == f"/f:{line}"
    assert problem.startswith(option)
