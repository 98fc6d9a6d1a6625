"""What [[pf.vf]] may say."""

from typing import Literal, Unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from builders import PF, PF2, RuleValues, make_config, make_rule
from sriov_bootstrap.core import validate, vf_tables
from sriov_bootstrap.core.config import Match, Method, PfRule, VfBinding
from sriov_bootstrap.core.drivers import DRIVERS
from sriov_bootstrap.core.eswitch_config import Eswitch, EswitchMode
from sriov_bootstrap.core.vf_attributes import LinkState, VfTable, VlanProtocol, combine_tables

MAC = "02:00:00:aa:bb:00"
GUID = "00:11:22:33:44:55:66:77"
AT = "[[pf.vf]] number 1: "
WHICH = 'is neither "all" nor numbers and ranges of VFs, counted from 0, such as "0-3,7"'
FOR_ONE = 'give it to one VF only, or write mac = "stable"'
BOUND = "cannot be set for a VF that has a driver, as with"


def ruled(*tables: VfTable, **values: Unpack[RuleValues]) -> PfRule:
    """A rule for 4 VFs, bound as by default."""
    defaults: RuleValues = {"vf_binding": VfBinding.AUTO, "vf": tables}
    return make_rule(**(defaults | values))


@pytest.mark.parametrize(
    "rule",
    [
        ruled(VfTable(vfs="all", mac="stable")),
        ruled(VfTable(vfs="all", vlan=100, vlan_qos=7, vlan_protocol=VlanProtocol.DOT1AD)),
        ruled(VfTable(vfs="all", vlan=0)),
        ruled(VfTable(vfs="all", vlan=0, vlan_qos=0, vlan_protocol=VlanProtocol.DOT1Q)),
        ruled(VfTable(vfs="all", vlan=4094)),
        ruled(VfTable(vfs="all", vlan=7), VfTable(vfs="0-1", vlan_qos=3)),
        ruled(VfTable(vfs="0-1", vlan_qos=3), VfTable(vfs="all", vlan=7)),
        ruled(VfTable(vfs="all", max_tx_rate=0, min_tx_rate=100)),
        ruled(VfTable(vfs="all", max_tx_rate=100, min_tx_rate=100)),
        ruled(VfTable(vfs="all", max_tx_rate=(1 << 32) - 1)),
        ruled(VfTable(vfs="all", min_tx_rate=100)),
        ruled(VfTable(vfs="all", msix_vectors=1), VfTable(vfs="0", msix_vectors=2048)),
        ruled(VfTable(vfs="0-3", trust=False)),
        ruled(VfTable(vfs="3,0", trust=False)),
        ruled(VfTable(vfs="all", mac=MAC), num_vfs=1),
        ruled(VfTable(vfs="all", mac=MAC), VfTable(vfs="1-3", mac="stable")),
        ruled(VfTable(vfs="0", mac=MAC), VfTable(vfs="1", mac=MAC), VfTable(vfs="0", mac="stable")),
        ruled(VfTable(vfs="0", mac=MAC.upper())),
        ruled(VfTable(vfs="0", mac="00:00:00:00:00:10")),
        ruled(VfTable(vfs="0", node_guid=GUID, port_guid=GUID, link_state=LinkState.ENABLE, msix_vectors=3)),
        ruled(VfTable(vfs="0", node_guid=GUID), VfTable(vfs="1", mac=MAC, vlan=3)),
        ruled(VfTable(vfs="0", port_guid="0x0011223344556677"), VfTable(vfs="1", port_guid="0011:2233:4455:6678")),
        ruled(VfTable(vfs="0", node_guid=GUID), match=Match(driver="mlx5_core")),
        ruled(VfTable(vfs="0-65534", trust=True), num_vfs="max"),
        ruled(VfTable(vfs="0-9", trust=True), num_vfs="50%", match=Match(driver="igb")),
        ruled(VfTable(vfs="all", trust=True), num_vfs=0),
        ruled(VfTable(vfs="all", trust=True), method=Method.MAX_VFS),
        ruled(VfTable(vfs="all", trust=True), vf_binding=VfBinding.KERNEL),
        ruled(VfTable(vfs="all", msix_vectors=4), vf_driver="vfio-pci"),
        ruled(VfTable(vfs="0", driver="vfio-pci"), VfTable(vfs="1", driver="none"), VfTable(vfs="2", driver="kernel")),
        ruled(VfTable(vfs="0", driver="kernel", mtu=9000), vf_driver="none"),
        ruled(VfTable(vfs="all", mtu=9000), VfTable(vfs="0", mtu=1500), vf_driver="igbvf"),
    ],
    ids=lambda rule: f"{rule.num_vfs}: {' | '.join(map(str, rule.vf))}",
)
def test_a_table_may_say(rule: PfRule) -> None:
    assert validate.vf_problems(rule) == []


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (VfTable(vfs="", vlan=1), f'vfs: "" {WHICH}'),
        (VfTable(vfs="3-1", vlan=1), f'vfs: "3-1" {WHICH}'),
        (VfTable(vfs="every", vlan=1), f'vfs: "every" {WHICH}'),
        (
            VfTable(vfs="0-2,7", vlan=1),
            'vfs: "0-2,7" names VF 7, and the last one is 3 (num_vfs = 4, counted from 0)',
        ),
        (VfTable(vfs="4", vlan=1), 'vfs: "4" names VF 4, and the last one is 3 (num_vfs = 4, counted from 0)'),
        (VfTable(vfs="all"), "says nothing about these VFs: set an attribute, or remove the table"),
        (VfTable(vfs="0", vlan=4095), "vlan: 4095 is not between 0 and 4094 (0 is no VLAN)"),
        (VfTable(vfs="0", vlan=4096), "vlan: 4096 is not between 0 and 4094 (0 is no VLAN)"),
        (VfTable(vfs="0", vlan=-1), "vlan: -1 is not between 0 and 4094 (0 is no VLAN)"),
        (VfTable(vfs="0", vlan=1 << 20000), "vlan: the number is not between 0 and 4094 (0 is no VLAN)"),
        (VfTable(vfs="0", vlan=1, vlan_qos=8), "vlan_qos: 8 is not between 0 and 7"),
        (VfTable(vfs="0", min_tx_rate=-1), "min_tx_rate: -1 is not between 0 and 4294967295 (in Mbit/s)"),
        (
            VfTable(vfs="0", max_tx_rate=1 << 32),
            "max_tx_rate: 4294967296 is not between 0 and 4294967295 (in Mbit/s, 0 is no limit)",
        ),
        (VfTable(vfs="0", msix_vectors=0), "msix_vectors: 0 is not between 1 and 2048"),
        (VfTable(vfs="0", msix_vectors=2049), "msix_vectors: 2049 is not between 1 and 2048"),
        (VfTable(vfs="0", driver="None"), 'driver: "None" is written "none"'),
        (
            VfTable(vfs="0", driver="a/b"),
            'driver: "a/b" is neither "kernel", "none", nor the name of a driver, such as "vfio-pci"',
        ),
        (VfTable(vfs="0", mac="Stable"), 'mac: "Stable" is written "stable"'),
        (VfTable(vfs="0", mac=" stable"), 'mac: " stable" is written "stable"'),
        (VfTable(vfs="0", mac=""), 'mac: "" is neither an address, such as 02:00:00:aa:bb:00, nor "stable"'),
        (
            VfTable(vfs="0", mac="020000aabb00"),
            'mac: "020000aabb00" is neither an address, such as 02:00:00:aa:bb:00, nor "stable"',
        ),
        (
            VfTable(vfs="0", mac=f"{MAC}\n"),
            f'mac: "{MAC}\n" is neither an address, such as 02:00:00:aa:bb:00, nor "stable"',
        ),
        (
            VfTable(vfs="0", mac=":".join(["AB"] * 20)),
            (
                f"mac: {':'.join(['ab'] * 20)} is an address of InfiniBand, which no VF can be given:"
                " set node_guid and port_guid"
            ),
        ),
        (
            VfTable(vfs="0", mac="01:00:5E:00:00:01"),
            "mac: 01:00:5e:00:00:01 is a multicast address, which no interface can have: its first byte must be even",
        ),
        (
            VfTable(vfs="0", mac="ff:ff:ff:ff:ff:ff"),
            "mac: ff:ff:ff:ff:ff:ff is a multicast address, which no interface can have: its first byte must be even",
        ),
        (
            VfTable(vfs="0", mac="00:00:00:00:00:00"),
            'mac: 00:00:00:00:00:00 means that there is no address: remove it, or write mac = "stable"',
        ),
        (VfTable(vfs="0", node_guid=MAC), f'node_guid: "{MAC}" is not a GUID: write it like 00:11:22:33:44:55:66:77'),
        (
            VfTable(vfs="0", port_guid="stable"),
            'port_guid: "stable" is not a GUID: write it like 00:11:22:33:44:55:66:77',
        ),
        (
            VfTable(vfs="0", port_guid="0" * 16),
            "port_guid: 00:00:00:00:00:00:00:00 means that there is no GUID: remove it",
        ),
        (
            VfTable(vfs="0", node_guid="FFFF:FFFF:FFFF:FFFF"),
            "node_guid: ff:ff:ff:ff:ff:ff:ff:ff means that there is no GUID: remove it",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistake_in_one_table(table: VfTable, problem: str) -> None:
    assert validate.vf_problems(ruled(table)) == [AT + problem]


def test_each_mistake_of_each_table_is_named() -> None:
    rule = ruled(VfTable(vfs="x", vlan=9999), VfTable(vfs="0", trust=True), VfTable(vfs="9"))
    problems = validate.vf_problems(rule)
    assert [problem.partition(": ")[0] for problem in problems] == [
        *[AT[:-2]] * 2,
        *["[[pf.vf]] number 3"] * 2,
    ]


def test_tables_are_not_held_against_a_count_that_is_none() -> None:
    """It may be endless."""
    rule = ruled(VfTable(vfs="all", trust=True, vlan=9999), num_vfs=1 << 200)
    assert validate.vf_problems(rule) == []
    assert validate.pf_problems(rule) == ["num_vfs: the number is more than the kernel accepts (65535)"]


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (
            ruled(VfTable(vfs="0", vlan=1), num_vfs=0),
            'vfs: "0" names VF 0, and there are none (num_vfs = 0, counted from 0)',
        ),
        (
            ruled(VfTable(vfs="1", vlan=1), num_vfs=1),
            'vfs: "1" names VF 1, and the last one is 0 (num_vfs = 1, counted from 0)',
        ),
        (
            ruled(VfTable(vfs="65535", vlan=1), num_vfs="max"),
            'vfs: "65535" names VF 65535, and the last one is 65534 (a PF has at most 65535, counted from 0)',
        ),
        (
            ruled(VfTable(vfs="0", msix_vectors=4), vf_binding=VfBinding.KERNEL),
            f'msix_vectors: {BOUND} vf_binding = "kernel": remove one of them',
        ),
        (
            ruled(VfTable(vfs="0", msix_vectors=4), method=Method.MAX_VFS),
            f'msix_vectors: {BOUND} method = "max_vfs": remove one of them',
        ),
    ],
)
def test_what_does_not_go_with_its_rule(rule: PfRule, problem: str) -> None:
    assert validate.vf_problems(rule) == [AT + problem]


NO_GUIDS = "has no GUIDs, which are for InfiniBand: remove it, or match another driver"


@pytest.mark.parametrize(
    ("driver", "table", "problem"),
    [
        ("igb", VfTable(vfs="0", link_state=LinkState.AUTO), "link_state: igb cannot set it for a VF"),
        ("igb", VfTable(vfs="0", query_rss=False), "query_rss: igb cannot set it for a VF"),
        ("idpf", VfTable(vfs="0", mac="stable"), "mac: idpf cannot set it for a VF"),
        ("idpf", VfTable(vfs="0", vlan=0), "vlan: idpf cannot set it for a VF"),
        ("sfc", VfTable(vfs="0", max_tx_rate=0), "max_tx_rate: sfc cannot set it for a VF"),
        ("cxgb4", VfTable(vfs="0", spoofchk=True), "spoofchk: cxgb4 cannot set it for a VF"),
        ("bnx2x", VfTable(vfs="0", trust=True), "trust: bnx2x cannot set it for a VF"),
        ("i40e", VfTable(vfs="0", msix_vectors=4), "msix_vectors: i40e cannot set it for a VF"),
        *(
            (driver, VfTable(vfs="0", min_tx_rate=1), f"min_tx_rate: {driver} has no minimum rates")
            for driver in ("igb", "i40e", "ixgbe", "cxgb4")
        ),
        *(
            (
                driver,
                VfTable(vfs="0", vlan=1, vlan_protocol=VlanProtocol.DOT1AD),
                f'vlan_protocol: {driver} only sets "802.1Q"',
            )
            for driver in ("igb", "mlx5_core")
        ),
        ("igb", VfTable(vfs="0", min_tx_rate=0, max_tx_rate=100), ""),
        ("igb", VfTable(vfs="0", vlan=1, vlan_protocol=VlanProtocol.DOT1Q), ""),
        ("ice", VfTable(vfs="0", vlan=1, vlan_protocol=VlanProtocol.DOT1AD, min_tx_rate=5, msix_vectors=9), ""),
        ("ixgbe", VfTable(vfs="0", query_rss=True, trust=True, spoofchk=False, link_state=LinkState.DISABLE), ""),
        ("igb*", VfTable(vfs="0", min_tx_rate=1, link_state=LinkState.AUTO), ""),
        ("driver_of_tomorrow", VfTable(vfs="0", min_tx_rate=1, query_rss=True), ""),
        ("driver_of_tomorrow", VfTable(vfs="0", node_guid=GUID), ""),
        ("virtio_net", VfTable(vfs="0", mac="stable"), ""),
        ("virtio-pci", VfTable(vfs="0", mac="stable"), "mac: virtio-pci cannot set it for a VF"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_named_driver_cannot_set(driver: str, table: VfTable, problem: str) -> None:
    expected = [f"{AT}{problem}: remove it, or match another driver"] if problem else []
    assert validate.vf_problems(ruled(table, match=Match(driver=driver))) == expected


@pytest.mark.parametrize("driver", [driver.name for driver in DRIVERS if driver.attributes is not None])
@pytest.mark.parametrize("key", ["node_guid", "port_guid"])
def test_guids_are_for_one_driver(driver: str, key: Literal["node_guid", "port_guid"]) -> None:
    table = VfTable(vfs="0", node_guid=GUID) if key == "node_guid" else VfTable(vfs="0", port_guid=GUID)
    rule = ruled(table, match=Match(driver=driver))
    expected = [] if driver == "mlx5_core" else [f"{AT}{key}: {driver} {NO_GUIDS}"]
    assert validate.vf_problems(rule) == expected


@pytest.mark.parametrize(
    ("rule", "problems"),
    [
        pytest.param(
            ruled(VfTable(vfs="all", vlan_qos=3, vlan_protocol=VlanProtocol.DOT1Q), VfTable(vfs="0-1", vlan=5)),
            [
                f"{AT}vlan_qos: VF 2 has no vlan: set it as well, or remove vlan_qos",
                f"{AT}vlan_protocol: VF 2 has no vlan: set it as well, or remove vlan_protocol",
            ],
            id="a tag without a VLAN",
        ),
        pytest.param(
            ruled(VfTable(vfs="all", vlan=5, vlan_qos=3), VfTable(vfs="3", vlan=0)),
            [f"{AT}vlan_qos: VF 3 has vlan = 0, which is none: set vlan_qos = 0 as well, or another vlan"],
            id="a QoS, and no VLAN",
        ),
        pytest.param(
            ruled(VfTable(vfs="all", vlan=0), VfTable(vfs="3", vlan_protocol=VlanProtocol.DOT1AD)),
            [
                (
                    "[[pf.vf]] number 2: vlan_protocol: VF 3 has vlan = 0, which is none:"
                    ' set vlan_protocol = "802.1Q" as well, or another vlan'
                )
            ],
            id="a protocol, and no VLAN",
        ),
        pytest.param(
            ruled(VfTable(vfs="all", max_tx_rate=100), VfTable(vfs="2-3", min_tx_rate=200)),
            ["[[pf.vf]] number 2: min_tx_rate: 200 is above max_tx_rate, 100, of VF 2"],
            id="minimum above maximum",
        ),
        pytest.param(
            ruled(VfTable(vfs="all", node_guid=GUID), num_vfs=1, match=Match(driver="mlx5_core")), [], id="one VF"
        ),
        pytest.param(
            ruled(VfTable(vfs="0", node_guid=GUID), VfTable(vfs="all", vlan=3)),
            ["[[pf.vf]] number 2: vlan: VF 0 has a GUID, and a VF of InfiniBand has no vlan: remove one of them"],
            id="a GUID and a VLAN",
        ),
        pytest.param(
            ruled(VfTable(vfs="0", mac="stable", port_guid=GUID)),
            [f"{AT}mac: VF 0 has a GUID, and a VF of InfiniBand has no mac: remove one of them"],
            id="a GUID and a MAC",
        ),
        pytest.param(
            ruled(VfTable(vfs="all", mac=MAC)),
            [f"{AT}mac: {MAC} would be that of VF 1 and of VF 0: {FOR_ONE}"],
            id="one MAC for all",
        ),
        pytest.param(
            ruled(VfTable(vfs="all", mac=MAC), num_vfs="max"),
            [f"{AT}mac: {MAC} would be that of VF 1 and of VF 0: {FOR_ONE}"],
            id="one MAC for as many as there are",
        ),
        pytest.param(
            ruled(VfTable(vfs="all", mac=MAC), VfTable(vfs="0-9", mac="stable"), num_vfs="100%"),
            [f"{AT}mac: {MAC} would be that of VF 11 and of VF 10: {FOR_ONE}"],
            id="one MAC for those that are not named",
        ),
        pytest.param(
            ruled(VfTable(vfs="3", mac=MAC), VfTable(vfs="1", mac=MAC.upper())),
            [f"{AT}mac: {MAC} would be that of VF 3 and of VF 1: {FOR_ONE}"],
            id="two tables",
        ),
        pytest.param(
            ruled(VfTable(vfs="0-1", port_guid=GUID)),
            [f"{AT}port_guid: {GUID} would be that of VF 1 and of VF 0: give it to one VF only"],
            id="one GUID for two",
        ),
        pytest.param(
            ruled(VfTable(vfs="all", mtu=9000), VfTable(vfs="2-3", driver="vfio-pci")),
            [f'{AT}mtu: VF 2 has no interface with driver "vfio-pci": remove one of them'],
            id="an MTU, and a driver without netdevs",
        ),
        pytest.param(
            ruled(VfTable(vfs="1", mtu=9000), vf_driver="none"),
            [f'{AT}mtu: VF 1 has no interface with driver "none": remove one of them'],
            id="an MTU, and no driver",
        ),
        pytest.param(
            ruled(VfTable(vfs="0", driver="igbvf"), vf_binding=VfBinding.KERNEL),
            [f'{AT}driver: does not work with vf_binding = "kernel": remove one of them'],
            id="a driver, and the kernel binds while it creates",
        ),
        pytest.param(
            ruled(VfTable(vfs="2", mac=MAC), match=Match(mac=MAC.upper())),
            [f"{AT}mac: {MAC} would be that of VF 2 and of the PF itself: {FOR_ONE}"],
            id="the PF's MAC",
        ),
    ],
)
def test_what_the_tables_make_of_a_vf_together(rule: PfRule, problems: list[str]) -> None:
    assert validate.vf_problems(rule) == problems


SOME = st.builds(
    VfTable,
    vfs=st.sampled_from(["all", "0", "5", "0-2", "2-4", "1,3", "4-5"]),
    mac=st.sampled_from([None, None, "stable", MAC, "02:00:00:aa:bb:01"]),
    vlan=st.sampled_from([None, None, 0, 7]),
    vlan_qos=st.sampled_from([None, None, 0, 3]),
    min_tx_rate=st.sampled_from([None, 0, 5]),
    max_tx_rate=st.sampled_from([None, 0, 3]),
    node_guid=st.sampled_from([None, None, None, GUID]),
    trust=st.just(value=True),
)


@given(st.lists(SOME, min_size=1, max_size=4))
def test_tables_are_as_valid_as_one_for_each_vf(tables: list[VfTable]) -> None:
    """Not every VF is looked at."""
    each = [VfTable(vfs=str(vf), **wish.said) for vf, wish in combine_tables(tables, 6).items()]  # type: ignore[arg-type]
    problems = validate.vf_problems(ruled(*tables, num_vfs=6))
    assert bool(problems) is bool(validate.vf_problems(ruled(*each, num_vfs=6)))


def test_addresses_are_spelt_as_the_kernel_spells_them() -> None:
    rule = ruled(
        VfTable(vfs="0", mac=MAC.upper()),
        VfTable(vfs="1", node_guid="0xAB11223344556677", port_guid="ab11:2233:4455:6678"),
        VfTable(vfs="2", mac="stable", port_guid="AB:11:22:33:44:55:66:79"),
        VfTable(vfs="3", mac="STABLE", port_guid="X"),
    )
    assert validate.normalise(rule).vf == (
        VfTable(vfs="0", mac=MAC),
        VfTable(vfs="1", node_guid="ab:11:22:33:44:55:66:77", port_guid="ab:11:22:33:44:55:66:78"),
        VfTable(vfs="2", mac="stable", port_guid="ab:11:22:33:44:55:66:79"),
        VfTable(vfs="3", mac="STABLE", port_guid="x"),
    )


VF_OF_A = 'VF 0 of [[pf]] "a": give it to one VF only'


def named(name: str, /, *tables: VfTable, **values: Unpack[RuleValues]) -> PfRule:
    """One of several rules."""
    defaults: RuleValues = {"name": name, "match": Match(netdev=name)}
    return ruled(*tables, **(defaults | values))


@pytest.mark.parametrize(
    ("rules", "problems"),
    [
        pytest.param(
            [
                named("a", VfTable(vfs="0", mac=MAC)),
                named("b", VfTable(vfs="1", trust=True), VfTable(vfs="3", mac=MAC)),
            ],
            [
                ("a", f'{AT}mac: {MAC} would be that of VF 0 and of VF 3 of [[pf]] "b": give it to one VF only'),
                ("b", f"[[pf.vf]] number 2: mac: {MAC} would be that of VF 3 and of {VF_OF_A}"),
            ],
            id="one MAC in two rules",
        ),
        pytest.param(
            [named("a", VfTable(vfs="0", port_guid=GUID)), named("b"), named("c", VfTable(vfs="0", port_guid=GUID))],
            [
                ("a", f'{AT}port_guid: {GUID} would be that of VF 0 and of VF 0 of [[pf]] "c": give it to one VF only'),
                ("c", f"{AT}port_guid: {GUID} would be that of VF 0 and of {VF_OF_A}"),
            ],
            id="one GUID in two rules",
        ),
        pytest.param(
            [named("a", VfTable(vfs="0", mac=MAC)), named("b", VfTable(vfs="0", mac=MAC), required=False)],
            [],
            id="a card that may be missing, such as one for another kind of host",
        ),
        pytest.param(
            [named("a", VfTable(vfs="0", mac=MAC)), named("b", VfTable(vfs="all", mac=MAC), num_vfs=0)],
            [],
            id="no VF",
        ),
        pytest.param(
            [named("a", VfTable(vfs="all", mac="stable")), named("b", VfTable(vfs="all", mac="stable"))],
            [],
            id="stable",
        ),
    ],
)
def test_an_address_that_two_rules_give_away(rules: list[PfRule], problems: list[tuple[str, str]]) -> None:
    assert list(vf_tables.shared_between_rules(make_config(*rules))) == problems


EACH = "each PF that matches would get this address for a VF: match one PF by its pci_address"


@pytest.mark.parametrize(
    ("rule", "doubts"),
    [
        pytest.param(
            ruled(
                VfTable(vfs="6", trust=True), VfTable(vfs="0,7", trust=True), num_vfs="max", match=Match(driver="igb")
            ),
            ['[[pf.vf]] number 2: vfs: "0,7" names VF 7, and igb creates at most 7 VFs, counted from 0'],
            id="more than the driver creates",
        ),
        pytest.param(ruled(VfTable(vfs="9", trust=True), num_vfs="max", match=Match(driver="ice")), [], id="unknown"),
        pytest.param(ruled(VfTable(vfs="3", trust=True), match=Match(driver="igb")), [], id="a number"),
        pytest.param(
            ruled(VfTable(vfs="0", mac=MAC, port_guid=GUID), match=Match(vendor_id="15b3", netdev="ens*")),
            [f'{AT}mac: {EACH}, or write mac = "stable"', f"{AT}port_guid: {EACH}"],
            id="several PFs",
        ),
        pytest.param(ruled(VfTable(vfs="0", mac="stable"), match=Match(driver="igb")), [], id="several PFs, stable"),
        *(
            pytest.param(ruled(VfTable(vfs="0", mac=MAC), match=Match(**{key: text})), [], id=f"one PF by {key}")
            for key, text in (("pci_address", PF), ("netdev", "ens1f0"), ("altname", "a"), ("mac", "3c:fd:fe:aa:bb:00"))
        ),
        pytest.param(
            ruled(VfTable(vfs="0", mac=MAC), match=Match(pci_address=PF2[:-1] + "?")),
            [f'{AT}mac: {EACH}, or write mac = "stable"'],
            id="a pattern",
        ),
    ],
)
def test_what_depends_on_the_pfs_that_are_there(rule: PfRule, doubts: list[str]) -> None:
    assert validate.driver_doubts(rule) == doubts


@pytest.mark.parametrize(
    ("driver", "table", "doubted"),
    [
        ("mlx5_core", VfTable(vfs="all", vlan=5, spoofchk=True, trust=True), ["vlan, spoofchk, trust: mlx5_core"]),
        ("mlx5_core", VfTable(vfs="all", vlan=0, mac="stable", spoofchk=False), []),
        ("ice", VfTable(vfs="all", vlan=5, trust=True), ["trust: ice"]),
        ("bnxt_en", VfTable(vfs="all", vlan=5, trust=True), []),
        ("", VfTable(vfs="all", trust=True), ["trust: ice", "trust: mlx5_core"]),
    ],
)
def test_what_a_driver_refuses_in_switchdev_mode_is_said_beforehand(
    driver: str, table: VfTable, doubted: list[str]
) -> None:
    rule = ruled(table, match=Match(pci_address=PF, driver=driver), eswitch=Eswitch(EswitchMode.SWITCHDEV))
    does = "does not set this in switchdev mode, where Open vSwitch's flows decide"
    assert [doubt for doubt in validate.driver_doubts(rule) if "switchdev" in doubt] == [
        f"[[pf.vf]] number 1: {text} {does}" for text in doubted
    ]
    assert not [doubt for doubt in validate.driver_doubts(replace(rule, eswitch=None)) if "switchdev" in doubt]
