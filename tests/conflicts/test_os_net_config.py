"""os-net-config: each number was tried with 18.1; what its entries set beside it; what to do about them."""

import pytest

from builders import make_pf
from sriov_bootstrap.conflicts.checks import find_masters
from sriov_bootstrap.conflicts.master import Master
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.vf_attributes import LinkState, VfTable
from sriov_bootstrap.edges.yaml_text import parse_located

PATH = "/etc/os-net-config/config.yaml"
RECORD = "/var/lib/os-net-config/sriov_config.yaml"
KEEP = (
    f"set numvfs of ens1f0 in {PATH}, and in the template that it comes from, to the num_vfs of its rule, and keep it:"
    " os-net-config needs it, and changes no number that is right"
)
REMOVE = f"remove ens1f0 from {PATH}, and sriov_pf from the template that it comes from"


def find(text: str, path: str = PATH, kind: Format = Format.OS_NET_CONFIG) -> tuple[Master, ...]:
    source = Source(kind, path, text, parse_located(text.encode(), path))
    return find_masters(MastersSurvey((source,)), (make_pf(),))


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("8", 8),
        ("010", 8),
        ("0x10", 16),
        ("0b11", 3),
        ("1_0", 10),
        ("08", 8),
        ("0", 0),
        ("+8", 8),
        ("'8'", 8),
        ("'010'", 10),
        ("' 8'", 8),
        ("8 # eight", 8),
        ("'0x10'", None),
        ("''", None),
        ("many", None),
        ("0o7", None),
        ("1e3", None),
        ("[8]", None),
        ("0b_", None),
        ("70000", None),
        ("-1", None),
    ],
)
def test_a_number(value: str, number: int | None) -> None:
    (found,) = find(f"network_config:\n- type: sriov_pf\n  name: ens1f0\n  numvfs: {value}\n")
    doubt = "" if number is not None else "os-net-config does not take that number"
    assert (found.num_vfs, found.doubt, found.is_certain) == (number, doubt, number is not None)
    assert found.line == (3 if value == "[8]" else 4), "what is no number is found by the name above it"


@pytest.mark.parametrize(
    ("value", "number"), [("8", 8), ("010", 8), ("0x10", 16), ("'8'", None), ("many", None), ("08", 8)]
)
def test_a_number_of_the_shim(value: str, number: int | None) -> None:
    (found,) = find(f"interfaces: {{ens1f0: {{num_vfs: {value}}}}}", "/etc/i.yaml", Format.SHIM)
    doubt = "" if number is not None else "the shim does not take that number"
    assert (found.num_vfs, found.doubt) == (number, doubt)


PF = "{type: sriov_pf, name: ens1f0, numvfs: 8%s}"


@pytest.mark.parametrize(
    ("text", "besides", "remedy"),
    [
        pytest.param(f"[{PF % ''}]", (), REMOVE, id="nothing else"),
        pytest.param(f"[{PF % ', use_dhcp: false, link_mode: legacy, vdpa: false'}]", (), REMOVE, id="defaults"),
        pytest.param(f"[{PF % ', link_mode: switchdev'}]", (), KEEP, id="switchdev"),
        pytest.param(
            f"[{PF % ', link_mode: switchdev, steering_mode: dmfs, vdpa: true, promisc: off'}]",
            ("vdpa: true", "promisc: off"),
            KEEP,
            id="more modes",
        ),
        pytest.param(f"[{PF % ', addresses: [{ip_netmask: 192.0.2.1/24}]'}]", (), KEEP, id="addresses"),
        pytest.param(f"[{PF % ', mtu: 9000'}]", (), KEEP, id="MTU"),
        pytest.param(f"[{{type: ovs_bond, name: b, members: [{PF % ''}]}}]", (), KEEP, id="in a bond"),
        pytest.param(f"[{PF % ''}, {{type: sriov_vf, device: ens1f0, vfid: 1, trust: on}}]", (), KEEP, id="VFs"),
        pytest.param(f"[{PF % ''}, {{type: sriov_vf, device: ens9, vfid: 1, trust: on}}]", (), REMOVE, id="others"),
    ],
)
def test_what_to_do_about_an_entry(text: str, besides: tuple[str, ...], remedy: str) -> None:
    (found,) = find(f"network_config: {text}")
    assert (found.besides, found.remedy) == (besides, remedy)


def test_what_it_sets_of_the_switch() -> None:
    (found,) = find(f"network_config: [{PF % ', link_mode: switchdev, steering_mode: smfs'}]")
    assert found.eswitch == (("mode", "switchdev"), ("flow_steering_mode", "smfs"))
    (plain,) = find(f"network_config: [{PF % ', link_mode: legacy'}]")
    assert plain.eswitch == ()


def test_what_it_sets_for_vfs() -> None:
    text = """\
network_config:
- {type: sriov_pf, name: ens1f0, numvfs: 8}
- type: ovs_bridge
  members:
  - {type: sriov_vf, device: ens1f0, vfid: 1, vlan_id: 100, qos: 3, trust: on, spoofcheck: "off", state: enable}
- {type: sriov_vf, device: ens1f0, vfid: 2, trust: "yes", spoofcheck: "true", min_tx_rate: 10, max_tx_rate: 20}
- {type: sriov_vf, device: ens1f0, vfid: 3, macaddr: "02:00:00:00:00:01", vlan_id: many}
- {type: sriov_vf, device: ens1f0, vfid: 4, trust: 1}
- {type: sriov_vf, device: ens1f0, vfid: 5, driver: vfio-pci, mtu: 9000}
- {type: sriov_vf, device: ens1f0, vfid: 6, driver: "a/b"}
"""
    (found,) = find(text)
    assert sorted(found.vfs, key=lambda table: table.vfs) == [
        VfTable(vfs="1", vlan=100, vlan_qos=3, trust=True, spoofchk=False, link_state=LinkState.ENABLE),
        VfTable(vfs="2", min_tx_rate=10, max_tx_rate=20),
        VfTable(vfs="3", mac="02:00:00:00:00:01"),
        VfTable(vfs="5", driver="vfio-pci"),
    ]
    assert found.besides == ("vlan of VF 3", "driver of VF 6")


def test_its_record_of_what_it_has_set() -> None:
    text = """\
- {device_type: pf, name: ens1f0, numvfs: 8, link_mode: legacy, vdpa: false, promisc: "on", drivers_autoprobe: true}
- {device_type: vf, device: {name: ens1f0, vfid: 0}, name: ens1f0v0, trust: "on", spoofcheck: "off"}
"""
    (found,) = find(text, RECORD)
    assert (found.num_vfs, found.besides) == (8, ("promisc: on",))
    assert found.vfs == (VfTable(vfs="0", trust=True, spoofchk=False),)


@pytest.mark.parametrize(
    ("mapping", "devices"),
    [
        ("interface_mapping: {nic2: ens1f0}", (Match(netdev="ens1f0"),)),
        ("interface_mapping: {nic2: '3C:FD:FE:AA:BB:00'}", (Match(mac="3c:fd:fe:aa:bb:00"),)),
        ("interface_mapping: {nic1: ens1f0}", ()),
        ("interface_mapping: [nic2]", ()),
        ("[interface_mapping]", ()),
        ("", ()),
    ],
)
def test_its_own_names_are_those_of_its_mapping(mapping: str, devices: tuple[Match, ...]) -> None:
    texts = {"mapping.yaml": mapping, "config.yaml": "network_config: [{type: sriov_pf, name: nic2, numvfs: 8}]"}
    sources = tuple(
        Source(Format.OS_NET_CONFIG, name, text, parse_located(text.encode(), name) if text else None)
        for name, text in texts.items()
    )
    (found,) = find_masters(MastersSurvey(sources), (make_pf(),))
    assert (found.devices, found.num_vfs, found.is_certain) == (devices, 8, True)
