"""What a cloud's lists say of a host, judged against what its /sys shows."""

import pytest
from msgspec.structs import replace

from sriov_bootstrap.verify.openstack.checks import CheckState, check_host, check_service, check_vf, networks_on
from sriov_bootstrap.verify.openstack.hosts import CloudHost, HostPf, HostVf
from sriov_bootstrap.verify.openstack.survey import (
    NIC_SWITCH_AGENT,
    Agent,
    CloudPort,
    ComputeService,
    Network,
    Pool,
    PortProfile,
    Segment,
    Survey,
    VifDetails,
)

VFS = tuple(HostVf(f"0000:3b:02.{index}") for index in range(3))
PF = HostPf("tenant-a", "0000:3b:00.0", "ens1f0", "physnet2", VFS)
HOST = CloudHost("compute-1", (PF,))
AGENT = Agent(NIC_SWITCH_AGENT, "compute-1", True, True, {"device_mappings": {"physnet2": ["ens1f0"]}})  # noqa: FBT003 - as neutron lists it
NETWORK = Network(id="n1", name="sriov", physical_network="physnet2", network_type="vlan", segmentation_id=101)
SERVICE = ComputeService("compute-1", "up", "enabled")
PORT = CloudPort(
    "p1", vnic_type="direct", vif_type="hw_veb", host="compute-1", profile=PortProfile(VFS[0].pci_address, "physnet2")
)
SURVEY = Survey((AGENT,), (NETWORK,), (SERVICE,), (PORT,))
OVN = Agent("OVN Controller agent", "compute-1", True, True, {"bridge-mappings": "physnet2:br-ex,odd"})  # noqa: FBT003
FREE = (Pool(2, physical_network="physnet2"), Pool(9, physical_network="physnet3"))


def said(host: CloudHost, survey: Survey, logged: tuple[Pool, ...] | None = FREE) -> list[str]:
    """What is not as it should be."""
    checks = check_host(host, survey, logged)
    return [f"{check.verdict} {check.subject}: {check.text}" for check in checks if check.verdict is not CheckState.OK]


def test_a_host_on_which_all_is_well() -> None:
    checks = check_host(HOST, SURVEY, FREE)
    assert [f"{check.subject}: {check.text}" for check in checks] == [
        "nova-compute: up and enabled",
        "agent: the SR-IOV agent is alive and maps physnet2 to ens1f0",
        "network: physnet2: sriov (vlan 101)",
        "ports: 1 port has a VF that /sys shows",
        "known VFs: physnet2: nova-compute's log has 2 free VFs, /sys shows 2",
    ]
    assert {check.verdict for check in checks} == {CheckState.OK}


def of_agent(**changes: object) -> Survey:
    return replace(SURVEY, agents=(replace(AGENT, **changes),))


@pytest.mark.parametrize(
    ("survey", "problem"),
    [
        (replace(SURVEY, services=()), 'failed nova-compute: nova has no nova-compute on "compute-1"'),
        (
            replace(SURVEY, services=(replace(SERVICE, state="down"),)),
            "failed nova-compute: nova-compute is down: nova has not heard of it for longer than service_down_time",
        ),
        (
            replace(SURVEY, services=(replace(SERVICE, status="disabled", disabled_reason="new card"),)),
            "note nova-compute: nova-compute is up, and disabled: new card: no new VM comes to this host",
        ),
        (
            replace(SURVEY, services=(replace(SERVICE, status="disabled"),)),
            "note nova-compute: nova-compute is up, and disabled: no new VM comes to this host",
        ),
        (replace(SURVEY, agents=()), "failed agent: neutron has no SR-IOV agent for this host"),
        (
            of_agent(alive=False),
            "failed agent: the SR-IOV agent is dead: neutron has not heard of it for longer than agent_down_time",
        ),
        (
            of_agent(admin_state_up=False),
            "failed agent: the SR-IOV agent is switched off (admin_state_up is false)",
        ),
        (
            of_agent(configurations={"device_mappings": {"phsnet2": ["ens1f0"]}}),
            'failed agent: the SR-IOV agent does not map physical_network "physnet2", only phsnet2',
        ),
        (
            of_agent(configurations={}),
            'failed agent: the SR-IOV agent does not map physical_network "physnet2", only nothing',
        ),
        (
            of_agent(configurations={"device_mappings": {"physnet2": ["ens9"]}}),
            "failed agent: the SR-IOV agent maps physnet2 to ens9, and not to ens1f0",
        ),
        (
            replace(SURVEY, agents=(OVN,)),
            "note agent: no SR-IOV agent; the OVN chassis maps physnet2: only ports with switchdev are bound",
        ),
        (
            replace(SURVEY, agents=(replace(OVN, alive=False),)),
            "failed agent: neutron has no SR-IOV agent for this host",
        ),
        (
            replace(SURVEY, networks=()),
            'failed network: physical_network "physnet2": these credentials see no flat or vlan network on it',
        ),
        (
            replace(SURVEY, networks=(replace(NETWORK, network_type="vxlan"),)),
            'failed network: physical_network "physnet2": these credentials see no flat or vlan network on it',
        ),
        (
            replace(SURVEY, ports=(PORT, replace(PORT, id="p2", vif_type="binding_failed", profile=PortProfile()))),
            "note ports: 1 port of this host could not be bound: p2",
        ),
        (
            replace(SURVEY, ports=(PORT, replace(PORT, id="p2"))),
            "failed ports: port p2: VF 0000:3b:02.0 also belongs to port p1",
        ),
        (
            replace(SURVEY, ports=(PORT, replace(PORT, id="p2", profile=PortProfile("0000:3b:02.7")))),
            "failed ports: port p2: VF 0000:3b:02.7 does not exist on compute-1, or belongs to a PF without a rule",
        ),
        (
            replace(SURVEY, ports=(replace(PORT, profile=PortProfile(VFS[0].pci_address, "physnet3")),)),
            "failed ports: port p1: nova took VF 0000:3b:02.0 for physnet3, and 0000:3b:00.0 (ens1f0) is on physnet2",
        ),
    ],
)
def test_what_is_wrong_is_said(survey: Survey, problem: str) -> None:
    assert said(HOST, survey) == [problem]


SWITCHED = replace(PF, eswitch_mode="switchdev")
BOUND = replace(PORT, vif_type="ovs", profile=PortProfile(VFS[0].pci_address, "physnet2", ("switchdev",)))
WITH_OVN = replace(SURVEY, agents=(OVN,), ports=(BOUND,))


def test_ports_with_switchdev_are_bound_by_a_chassis() -> None:
    checks = check_host(CloudHost("compute-1", (SWITCHED,)), WITH_OVN, FREE)
    assert {check.verdict for check in checks} == {CheckState.OK}
    assert checks[1].text == "the OVN chassis is alive and maps physnet2 to br-ex, for ports with switchdev"


ELSEWHERE = replace(AGENT, configurations={"device_mappings": {"physnet3": ["ens9"]}})
MAPS_ANOTHER = {"device_mappings": {"physnet2": ["ens9"]}}
NO_CHASSIS = "neutron has no OVN chassis or Open vSwitch agent for this host, and only they bind ports with switchdev"

IS_LEFT_ALONE = "which is in switchdev mode, and sriovnicswitch bound the port (hw_veb): no bridge has its representor"
HAS_NO_REPRESENTOR = "which is in legacy mode, and the port was bound to a bridge (ovs): there is no representor"


@pytest.mark.parametrize(
    ("pf", "survey", "problem"),
    [
        (SWITCHED, replace(WITH_OVN, agents=()), f"failed agent: {NO_CHASSIS}"),
        (SWITCHED, replace(WITH_OVN, agents=(ELSEWHERE,)), f"failed agent: {NO_CHASSIS}"),
        (
            SWITCHED,
            replace(WITH_OVN, agents=(replace(OVN, alive=False),)),
            "failed agent: the OVN chassis is dead: neutron has not heard of it for longer than agent_down_time",
        ),
        (
            SWITCHED,
            replace(WITH_OVN, agents=(replace(OVN, configurations={"bridge-mappings": "public:br-ex"}),)),
            'failed agent: the OVN chassis does not map physical_network "physnet2", only public',
        ),
        (
            SWITCHED,
            replace(WITH_OVN, ports=(replace(PORT, id="p2"),)),
            f"failed ports: port p2: VF {VFS[0].pci_address} belongs to 0000:3b:00.0 (ens1f0), {IS_LEFT_ALONE}",
        ),
        (
            replace(PF, eswitch_mode="legacy"),
            replace(SURVEY, ports=(BOUND,)),
            f"failed ports: port p1: VF {VFS[0].pci_address} belongs to 0000:3b:00.0 (ens1f0), {HAS_NO_REPRESENTOR}",
        ),
        (
            replace(PF, eswitch_mode="legacy"),
            replace(SURVEY, agents=(OVN,)),
            "failed agent: neutron has no SR-IOV agent for this host",
        ),
    ],
)
def test_what_is_wrong_with_switchdev_is_said(pf: HostPf, survey: Survey, problem: str) -> None:
    assert said(CloudHost("compute-1", (pf,)), survey) == [problem]


@pytest.mark.parametrize(
    ("agent", "is_said"),
    [
        (AGENT, True),
        (replace(AGENT, alive=False), False),
        (replace(AGENT, configurations={"device_mappings": {"physnet2": ["ens9"], "physnet3": ["ens1f0"]}}), False),
    ],
)
def test_a_pf_in_switchdev_mode_that_the_sriov_agent_has_as_well_is_said(agent: Agent, *, is_said: bool) -> None:
    text = "the SR-IOV agent maps physnet2 to ens1f0, which is in switchdev mode: neutron binds ports that do not ask"
    found = said(CloudHost("compute-1", (SWITCHED,)), replace(WITH_OVN, agents=(OVN, agent)))
    assert [line.startswith(f"note agent: {text} for switchdev") for line in found] == [True] * is_said


def test_both_modes_on_one_physical_network_are_said() -> None:
    host = CloudHost("compute-1", (SWITCHED, HostPf("b", "0000:5e:00.0", "", "physnet2")))
    assert said(host, replace(WITH_OVN, agents=(OVN, replace(AGENT, configurations=MAPS_ANOTHER)))) == [
        f"note agent: physnet2: {SWITCHED} is in switchdev mode, 0000:5e:00.0 is not; nova cannot tell their VFs apart"
    ]
    assert not host.needs_switchdev("physnet2")
    assert CloudHost("compute-1", (SWITCHED,)).needs_switchdev("physnet2")
    assert not CloudHost("compute-1").needs_switchdev("physnet2")


def test_ports_of_other_hosts_and_ports_with_a_whole_pf_are_no_concern() -> None:
    pf = replace(PORT, id="p2", vnic_type="direct-physical", profile=PortProfile("0000:3b:00.0"))
    assert not said(HOST, replace(SURVEY, ports=(PORT, pf, replace(PORT, host="compute-2"))))


def test_a_host_without_ports_is_said_to_have_none() -> None:
    checks = check_host(HOST, replace(SURVEY, ports=()), None)
    assert "ports: no port has a VF of this host" in [f"{check.subject}: {check.text}" for check in checks]


def test_only_the_first_page_of_ports_is_said() -> None:
    checks = check_host(HOST, replace(SURVEY, has_all_ports=False), None)
    assert "ports: 1 port has a VF that /sys shows; the server gave only the first page" in [
        f"{check.subject}: {check.text}" for check in checks
    ]


def test_what_nova_knows_is_compared() -> None:
    """A VF that a process uses, and one that a port has, is free to nobody."""
    busy = replace(PF, vfs=(VFS[0], VFS[1], replace(VFS[2], user="VM one")))
    assert said(CloudHost("compute-1", (busy,)), SURVEY) == [
        "failed known VFs: physnet2: nova-compute's log has 2 free VFs, /sys shows 1"
    ]


def test_without_a_log_it_is_said_that_nova_does_not_tell() -> None:
    assert said(HOST, SURVEY, None) == [
        "note known VFs: physnet2: /sys shows 2 free VFs; how many of them nova knows is not in its API"
    ]


def test_placement_is_compared_with_what_there_is() -> None:
    alias = HostPf("alias", "0000:5e:00.0", "", "", VFS)
    survey = replace(SURVEY, pools={"compute-1": {"0000:5e:00.0": Pool(2, 1)}})
    assert said(CloudHost("compute-1", (PF, alias)), survey) == [
        "failed known VFs: 0000:5e:00.0: placement has 2 VFs, /sys shows 3"
    ]


def test_a_host_without_a_physical_network_is_no_failure() -> None:
    bare = CloudHost("compute-1", (HostPf("alias"),))
    assert said(bare, Survey(services=(SERVICE,)), None) == [
        "note networks: no rule has a physical_network: neutron can give no port a VF of this host"
    ]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("compute-2", '; did you mean "compute-1"?'),
        ("compute-1.example.org", '; did you mean "compute-1"?'),
        ("other", ""),
    ],
)
def test_a_name_that_nova_does_not_know_may_be_nearly_right(name: str, meant: str) -> None:
    hint = f"the name, from --host or the file's, must be the host's in nova and neutron, their option host{meant}"
    assert check_service(name, (SERVICE,)).hint == hint


def hints(survey: Survey) -> set[str]:
    return {check.hint for check in check_host(HOST, survey, FREE)}


def test_names_that_are_nearly_right_are_named() -> None:
    near = of_agent(configurations={"device_mappings": {"phsnet2": ["ens1f0"]}})
    write = "on compute-1: sriov-bootstrap render sriov-agent --write, then restart the agent"
    assert f'"phsnet2" is nearly the same; otherwise {write}' in hints(near)
    assert f"{write}" in hints(of_agent(configurations={}))
    wrong = '"phsnet2" is nearly the same; the name has to be the one in neutron-server\'s ml2 configuration'
    assert wrong in hints(replace(near, networks=()))
    unknown = of_agent(configurations={})
    assert any(hint.startswith("openstack network create") for hint in hints(replace(unknown, networks=())))


def test_a_network_of_several_segments_is_found_by_that_of_the_vf() -> None:
    overlay = Segment(None, "vxlan", 7)
    several = Network(id="n2", several=(overlay, Segment("physnet2", "flat")))
    assert networks_on("physnet2", (several, replace(several, several=(overlay,)))) == [several]
    assert str(several.segment_on("physnet2")) == "flat"
    assert several.label == "n2"


def test_an_agent_of_open_vswitch_maps_bridges() -> None:
    switch = Agent("Open vSwitch agent", "compute-1", configurations={"bridge_mappings": {"physnet2": "br-2"}})
    assert switch.mappings == {"physnet2": ("br-2",)}
    assert OVN.mappings == {"physnet2": ("br-ex",)}
    assert replace(OVN, configurations={}).mappings == {}


@pytest.mark.parametrize(
    ("port", "said"),
    [
        (PORT, "ok: 0000:3b:02.0 of 0000:3b:00.0 (ens1f0), hw_veb, physnet2, MAC "),
        (
            replace(PORT, vif_details=VifDetails("101"), mac_address="fa:16:3e:00:00:01"),
            "ok: 0000:3b:02.0 of 0000:3b:00.0 (ens1f0), hw_veb, physnet2, VLAN 101, MAC fa:16:3e:00:00:01",
        ),
        (replace(PORT, vif_type="binding_failed"), "failed: the server is ACTIVE, but its port is binding_failed"),
        (replace(PORT, vif_type=""), "failed: the server is ACTIVE, but its port is not bound"),
        (replace(PORT, profile=PortProfile()), "failed: nova gave the port no VF"),
        (
            replace(PORT, profile=PortProfile("0000:3b:02.7")),
            "failed: nova gave the port VF 0000:3b:02.7, which /sys of compute-1 does not show",
        ),
    ],
)
def test_the_vf_that_nova_gave_is_compared_with_sys(port: CloudPort, said: str) -> None:
    check = check_vf(HOST, port, "physnet2")
    assert f"{check.verdict}: {check.text}" == said


def test_a_vf_that_nothing_connects_is_no_proof() -> None:
    check = check_vf(CloudHost("compute-1", (SWITCHED,)), PORT, "physnet2")
    assert (check.verdict, check.text) == (CheckState.FAILED, f"{VFS[0].pci_address} belongs to {PF}, {IS_LEFT_ALONE}")


@pytest.mark.parametrize(("network", "on"), [("physnet3", "physnet3"), ("", "no network")])
def test_a_vf_of_a_pf_on_another_network_is_the_wrong_one(network: str, on: str) -> None:
    other = CloudHost("compute-1", (replace(PF, physical_network=network),))
    assert check_vf(other, PORT, "physnet2").text == f"0000:3b:02.0 belongs to 0000:3b:00.0 (ens1f0), which is on {on}"
