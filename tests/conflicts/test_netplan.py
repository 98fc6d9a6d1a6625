"""What netplan makes of its files. Each row was tried with libnetplan 0.106, and agrees with 1.1 and 1.2."""

import pytest

from builders import PF2, make_netdev, make_pf
from sriov_bootstrap.conflicts.checks import find_masters
from sriov_bootstrap.conflicts.master import Master
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.vf_attributes import VfTable
from sriov_bootstrap.edges.yaml_text import parse_located

PORTS = (make_pf(), make_pf(pci_address=PF2, netdevs=(make_netdev(name="ens1f1", mac="3c:fd:fe:aa:bb:01"),)))
REFUSED = "netplan refuses that number, and with it all of its files"
NONE = "netplan removes no VFs: 0 does nothing"


def find(*texts: str) -> tuple[Master, ...]:
    sources = []
    for number, text in enumerate(texts):
        path = f"/etc/netplan/{number}.yaml"
        document = parse_located(text.encode(), path, merges=True)
        sources.append(Source(Format.NETPLAN, path, text, document))
    return find_masters(MastersSurvey(tuple(sources)), PORTS)


@pytest.mark.parametrize(
    ("value", "number", "doubt"),
    [
        ("8", 8, ""),
        ("010", 10, ""),
        ("08", 8, ""),
        ("+8", 8, ""),
        ('"8"', 8, ""),
        ("' 8'", 8, ""),
        ("8 # eight", 8, ""),
        ("0", None, NONE),
        ("", None, NONE),
        ("'8 '", None, REFUSED),
        ("0x8", None, REFUSED),
        ("1_0", None, REFUSED),
        ("-1", None, REFUSED),
        ("null", None, REFUSED),
        ("8.0", None, REFUSED),
        ("[8]", None, NONE),
        ("99999999999", None, REFUSED),
    ],
)
def test_a_number(value: str, number: int | None, doubt: str) -> None:
    (found,) = find(f"network: {{ethernets: {{ens1f0: {{virtual-function-count: {value} \n}}}}}}")
    assert (found.num_vfs, found.doubt, found.is_certain) == (number, doubt, not doubt)


@pytest.mark.parametrize(
    "text",
    [
        "x: &a {virtual-function-count: 8}\nnetwork: {ethernets: {ens1f0: {<<: *a}}}\n",
        "network:\n  ethernets:\n    ens1f0: &a {virtual-function-count: 8}\n    ens1f1:\n      <<: *a\n",
        "network: {ethernets: {ens1f0: {virtual-function-count: 8, <<: {mtu: 9000}}}}\n",
    ],
)
def test_a_merge_is_refused_with_all_files(text: str) -> None:
    found = find(text, "network: {ethernets: {ens1f1: {virtual-function-count: 4}}}")
    assert found
    assert {master.doubt for master in found if not master.is_mention} == {
        "netplan takes no merge (<<): it refuses /etc/netplan/0.yaml, and with it all of its files"
    }
    assert {master.path for master in found} == {f"/etc/netplan/{number}.yaml" for number in range(2)}


A4 = "a: {virtual-function-count: 4}"
A6 = "a: {virtual-function-count: 6}"
TOO_FEW = "netplan refuses 2 VFs, as virtual-function-count asks for {}"


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        pytest.param([f"{{ethernets: {{{A4}}}}}", f"{{ethernets: {{{A6}}}}}"], [(6, "")], id="a later file"),
        pytest.param(["{ethernets: {a: {}, b: {link: a}, c: {link: a}}}"], [(2, "")], id="VFs"),
        pytest.param([f"{{ethernets: {{{A4}, b: {{link: a}}, c: {{link: a}}}}}}"], [(4, "")], id="VFs and a number"),
        pytest.param(
            ["{ethernets: {a: {virtual-function-count: 1}, b: {link: a}, c: {link: a}}}"],
            [(None, TOO_FEW.format(1))],
            id="more VFs than the number",
        ),
        pytest.param(
            ["{ethernets: {a: {virtual-function-count: 0}, b: {link: a}, c: {link: a}}}"],
            [(None, TOO_FEW.format(0))],
            id="more VFs than none",
        ),
        pytest.param(
            ["{ethernets: {a: {}, b: {link: a}}}", "{ethernets: {b: {link: a}, c: {link: a}}}"],
            [(2, "")],
            id="VFs of two files",
        ),
        pytest.param(
            ["{ethernets: {a: {virtual-function-count: 1}, b: {link: a}}}", "{ethernets: {b: {link: c}, c: {}}}"],
            [(1, ""), (1, "")],
            id="a VF that moves",
        ),
        pytest.param(
            ["{ethernets: {b: {link: zz}}}"],
            [(1, "no file defines zz, so netplan refuses all of them")],
            id="an unknown PF",
        ),
        pytest.param(["{ethernets: {a: {}}, vlans: {v: {link: a, id: 3}}}"], [], id="a VLAN is no VF"),
        pytest.param([f"{{ethernets: {{{A4}, {A6}}}}}"], [(6, "")], id="an entry twice"),
        pytest.param([f"{{ethernets: {{{A4}}}, ethernets: {{b: {{}}}}}}"], [(4, "")], id="all entries twice"),
        pytest.param([f"{{ethernets: {{{A4}, a: {{dhcp4: true}}}}}}"], [(4, "")], id="an entry in two parts"),
        pytest.param([f"{{ethernets: {{{A4}}}}}\n---\nnetwork: {{ethernets: {{}}}}"], [(4, "")], id="two documents"),
    ],
)
def test_entries(texts: list[str], found: list[tuple[int | None, str]]) -> None:
    assert [(master.num_vfs, master.doubt) for master in find(*(f"network: {text}" for text in texts))] == found


def test_a_mistake_in_one_entry_keeps_netplan_from_all() -> None:
    right = f"network: {{ethernets: {{{A4}}}}}"
    wrong = "network: {ethernets: {b: {virtual-function-count: x}}}"
    assert [(one.num_vfs, one.doubt) for one in find(right, wrong)] == [
        (4, "netplan refuses /etc/netplan/1.yaml:1, and with it all of its files"),
        (None, REFUSED),
    ]


def test_what_may_be_either_number() -> None:
    (found,) = find("network: {ethernets: {a: {virtual-function-count: 1}, b: {link: a}, c: {link: a}}}")
    assert found.possible == (1, 2)


FITS_TWO = "its match fits 2 NICs of this host, and netplan takes one of them or refuses it"


@pytest.mark.parametrize(
    ("match", "devices", "doubt"),
    [
        ("match: {driver: igb}", (Match(driver="igb"),), FITS_TWO),
        ("match: {name: ens1f*}", (Match(netdev="ens1f*"),), FITS_TWO),
        ("match: {driver: [e*, i*]}", (Match(driver="e*"), Match(driver="i*")), FITS_TWO),
        ("match: {name: ens1f1, driver: igb}", (Match(netdev="ens1f1", driver="igb"),), ""),
        ("match: {driver: igb}, set-name: ens1f1", (Match(netdev="ens1f1"),), ""),
        ("match: {macaddress: '3C:FD:FE:AA:BB:01'}", (Match(mac="3c:fd:fe:aa:bb:01"),), ""),
        (
            "match: {macaddress: '3C:FD:FE:AA:BB:01'}, set-name: later",
            (Match(mac="3c:fd:fe:aa:bb:01"), Match(netdev="later")),
            "",
        ),
    ],
)
def test_which_nic_an_entry_means(match: str, devices: tuple[Match, ...], doubt: str) -> None:
    (found,) = find(f"network: {{ethernets: {{pf: {{{match}, virtual-function-count: 4}}}}}}")
    assert (found.devices, found.doubt) == (devices, doubt)


VFS = "vf0: {link: ens1f0}, vf5: {link: ens1f0, match: {name: v2}}, vf6: {link: ens1f0, set-name: v1}"
VLAN = "{id: 15, link: vf0, renderer: sriov}"


@pytest.mark.parametrize(
    ("vlans", "tables", "lost"),
    [
        (f"a: {VLAN}", [], ("the VLAN of vf0",)),
        ("a: {id: 15, link: vf5, renderer: sriov}", [VfTable(vfs="2", vlan=15)], ()),
        ("a: {id: 15, link: vf6, renderer: sriov}", [VfTable(vfs="1", vlan=15)], ()),
        ("a: {id: 15, link: v3, renderer: sriov}", [VfTable(vfs="3", vlan=15)], ()),
        ("a: {id: x, link: v3, renderer: sriov}", [], ("the VLAN of v3",)),
        ("a: {id: 15, link: v3}", [], ()),
        ("a: {id: 15, link: v3, renderer: networkd}", [], ()),
        ("a: {id: 15, link: other, renderer: sriov}", [], ()),
        ("a: {id: 15, link: v3, renderer: sriov}, b: {id: 16, link: v3, renderer: sriov}", [], ("the VLAN of v3",)),
        ("a: 15", [], ()),
    ],
)
def test_vlans_that_the_pf_sets_for_its_vfs(vlans: str, tables: list[VfTable], lost: tuple[str, ...]) -> None:
    """netplan_cli/cli/sriov.py, apply_vlan_filter_for_vf."""
    pf = make_pf(num_vfs=4)
    text = f"network: {{ethernets: {{ens1f0: {{}}, v3: {{link: ens1f0}}, {VFS}}}, vlans: {{{vlans}}}}}"
    source = Source(Format.NETPLAN, "/a.yaml", text, parse_located(text.encode(), "/a.yaml", merges=True))
    (found,) = find_masters(MastersSurvey((source,)), (pf,))
    assert (list(found.vfs), found.besides) == (tables, lost)
    assert ('"renderer: sriov" may go' in found.remedy) is bool(tables or lost)


def test_settings_of_a_vlan_come_from_several_files() -> None:
    files = (
        "network: {ethernets: {ens1f0: {}, v0: {link: ens1f0}}, vlans: {a: {id: 15, link: v0, renderer: sriov}}}",
        "network: {vlans: {a: {id: 16}}}",
    )
    sources = tuple(
        Source(Format.NETPLAN, f"/{number}.yaml", text, parse_located(text.encode(), "/", merges=True))
        for number, text in enumerate(files)
    )
    (found,) = find_masters(MastersSurvey(sources), (make_pf(num_vfs=1),))
    assert found.vfs == (VfTable(vfs="0", vlan=16),)
