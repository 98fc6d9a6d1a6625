"""NetworkManager's profiles: its numbers, its duplicates, and what they set beside the number."""

import pytest

from builders import PF, make_pf
from sriov_bootstrap.conflicts.checks import find_masters
from sriov_bootstrap.conflicts.master import Master
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.vf_attributes import VfTable, VlanProtocol

PROFILE = "/etc/NetworkManager/system-connections/ens1f0.nmconnection"
NAMED = "[connection]\ninterface-name=ens1f0\n"
IFCFG = "/etc/sysconfig/network-scripts/ifcfg-ens1f0"


def find(text: str, path: str = PROFILE, kind: Format = Format.NETWORK_MANAGER) -> tuple[Master, ...]:
    return find_masters(MastersSurvey((Source(kind, path, text),)), (make_pf(),))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("total-vfs=8", 8),
        ("total-vfs = 8 ", 8),
        ("total-vfs=0x10", 16),
        ("total-vfs=010", 8),
        ("total-vfs=0", 0),
        ("total-vfs=", 0),
        ("total-vfs=4 # four", 0),
        ("total-vfs=08", 0),
        ("total-vfs=1_0", 0),
        ("total-vfs=-1", 0),
        ("total-vfs=8\ntotal-vfs=4", 4),
        ("total-vfs=8\n[other]\ntotal-vfs=3\n[sriov]\ntotal-vfs=4", 4),
        ("total-vfs=8\ntotal-vfs=08", 0),
        ("", 0),
        ("# total-vfs=8", 0),
        ("autoprobe-drivers=0", 0),
        ("Total-Vfs=8", 0),
    ],
)
def test_a_number(text: str, number: int) -> None:
    (found,) = find(f"{NAMED}[sriov]\n{text}\n")
    assert (found.num_vfs, found.doubt, found.is_certain) == (number, "", True)


@pytest.mark.parametrize("text", ["[SRIOV]\ntotal-vfs=8\n", "[sr-iov]\n", "total-vfs=8\n", "#[sriov]\ntotal-vfs=8\n"])
def test_without_the_section_it_leaves_vfs_alone(text: str) -> None:
    assert not find(f"{NAMED}{text}")


@pytest.mark.parametrize("name", [".ens1f0.nmconnection", "ens1f0~", "ens1f0.rpmsave", "x.swp"])
def test_a_backup_is_no_profile(name: str) -> None:
    assert not find(f"{NAMED}[sriov]\n", f"/etc/NetworkManager/system-connections/{name}")


@pytest.mark.parametrize("folder", ["/run", "/usr/lib"])
def test_a_profile_elsewhere_needs_its_suffix(folder: str) -> None:
    path = f"{folder}/NetworkManager/system-connections/a"
    assert not find(f"{NAMED}[sriov]\n", path)
    assert len(find(f"{NAMED}[sriov]\n", f"{path}.nmconnection")) == 1


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        (f"{NAMED}autoconnect=false\n", "the profile does not connect automatically"),
        (f"{NAMED}autoconnect=No\n", "the profile does not connect automatically"),
        ("[connection]\nid=a\n", "the profile does not name its device"),
        (
            "[connection]\nautoconnect=0\n",
            "the profile does not connect automatically; the profile does not name its device",
        ),
        (f"{NAMED};a comment\n", "line 3 is no entry, so NetworkManager does not load the file"),
        ("[match]\ninterface-name=ens1f0;!ens2;\n", "only NetworkManager can tell whether its [match] section applies"),
    ],
)
def test_doubts(text: str, doubt: str) -> None:
    (found,) = find(f"{text}[sriov]\ntotal-vfs=8\n")
    assert (found.num_vfs, found.is_certain, found.doubt) == (8, False, doubt)


def test_more_than_any_device_has() -> None:
    (found,) = find(f"{NAMED}[sriov]\ntotal-vfs=100000\n")
    assert (found.num_vfs, found.doubt) == (None, "no device has that many VFs")


def test_of_several_names_drivers_and_paths_each_may_be_meant() -> None:
    (found,) = find("[match]\ninterface-name=ens1f0;ens2f0;\ndriver=igb;\npath=pci-0000:3B:00.0;\n[sriov]\n")
    assert found.devices == tuple(Match(netdev=name, driver="igb", pci_address=PF) for name in ("ens1f0", "ens2f0"))


def test_the_evidence_of_a_section_without_a_number() -> None:
    (found,) = find(f"{NAMED}[sriov]\n")
    assert (found.place, found.evidence) == (f"{PROFILE}:3", "[sriov] without total-vfs, which means 0")


MAC = "02:00:00:00:00:01"


@pytest.mark.parametrize(
    ("text", "tables", "besides"),
    [
        (
            f"vf.0=mac={MAC} spoof-check=true trust=false min-tx-rate=100 max-tx-rate=500",
            (VfTable(vfs="0", mac=MAC, spoofchk=True, trust=False, min_tx_rate=100, max_tx_rate=500),),
            (),
        ),
        ("vf.1=vlans=100", (VfTable(vfs="1", vlan=100),), ()),
        (
            "vf.1=vlans=100.5.ad;200",
            (VfTable(vfs="1", vlan=100, vlan_qos=5, vlan_protocol=VlanProtocol.DOT1AD),),
            (),
        ),
        (r"vf.0=\svlans=100\strust=true", (VfTable(vfs="0", vlan=100, trust=True),), ()),
        ("vf.0=trust=true,spoof-check=false", (VfTable(vfs="0", trust=True),), ()),
        ("vf.0=strange=1 trust=true", (), ()),
        ("vf.0=mac=nonsense trust=true", (VfTable(vfs="0", trust=True),), ("mac of VF 0",)),
        ("vf.0=vlans=9999", (), ("vlan of VF 0",)),
        ("vf.x=trust=true", (), ("settings of a VF whose number cannot be determined",)),
        ("eswitch-mode=1\neswitch-encap-mode=-1\n", (), ()),
        ("eswitch-mode=switchdev\nautoprobe-drivers=false\n", (), ("autoprobe-drivers: false",)),
    ],
)
def test_what_it_sets_beside_the_number(text: str, tables: tuple[VfTable, ...], besides: tuple[str, ...]) -> None:
    (found,) = find(f"{NAMED}[sriov]\ntotal-vfs=8\n{text}\n")
    assert (found.vfs, found.besides) == (tables, besides)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eswitch-mode=1\neswitch-inline-mode=3\n", (("mode", "switchdev"), ("inline_mode", "transport"))),
        ("eswitch-mode=-1\n", ()),
        ("eswitch-mode=switchdev\n", ()),  # it takes numbers only
    ],
)
def test_what_it_sets_of_the_switch(text: str, expected: tuple[tuple[str, str], ...]) -> None:
    (found,) = find(f"{NAMED}[sriov]\ntotal-vfs=8\n{text}\n")
    assert found.eswitch == expected


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("8", 8),
        ('"8"', 8),
        ("'8' # eight", 8),
        ("010", 10),
        ("0x10", None),
        ("8x", None),
        ("''", None),
        ("'8", None),
        ("8" * 5000, None),
        ("99999", None),
        ("3\nSRIOV_TOTAL_VFS=5", 5),
    ],
)
def test_the_number_of_an_ifcfg_file(text: str, number: int | None) -> None:
    (found,) = find(f"DEVICE=ens1f0\nSRIOV_TOTAL_VFS={text}\n", IFCFG, Format.IFCFG)
    assert found.num_vfs == number


def test_what_an_ifcfg_file_sets_beside_the_number() -> None:
    text = 'DEVICE=ens1f0\nSRIOV_TOTAL_VFS=8\nSRIOV_VF3="trust=true vlans=7"\nSRIOV_AUTOPROBE_DRIVERS=no\n'
    (found,) = find(text, IFCFG, Format.IFCFG)
    assert (found.vfs, found.besides) == ((VfTable(vfs="3", trust=True, vlan=7),), ("SRIOV_AUTOPROBE_DRIVERS: no",))
