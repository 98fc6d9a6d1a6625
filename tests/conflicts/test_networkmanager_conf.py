"""sriov-num-vfs in NetworkManager.conf and conf.d: of which devices, how many, and how sure that is."""

import pytest

from builders import make_pf
from sriov_bootstrap.conflicts.checks import find_masters
from sriov_bootstrap.conflicts.master import Master
from sriov_bootstrap.conflicts.networkmanager_conf import ANY, CONDITION, MAIN, SEVERAL
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.core.config import Match

DROP_IN = "/etc/NetworkManager/conf.d/vfs.conf"
MAC = "3C:FD:FE:AA:BB:00"
UNFIT = "only NetworkManager can tell which devices its match-device fits"


def find(*files: tuple[str, str]) -> list[Master]:
    sources = tuple(Source(Format.NETWORK_MANAGER_CONF, path, text) for path, text in files)
    return [one for one in find_masters(MastersSurvey(sources), (make_pf(),)) if not one.is_mention]


@pytest.mark.parametrize(
    ("spec", "devices"),
    [
        pytest.param("interface-name:ens1f0", (Match(netdev="ens1f0"),), id="a name"),
        pytest.param("interface-name:=ens1f0", (Match(netdev="ens1f0"),), id="exactly a name"),
        pytest.param("interface-name:~ens1*", (Match(netdev="ens1*"),), id="a pattern"),
        pytest.param("interface-name:ens?f0", (Match(netdev="ens?f0"),), id="a pattern without a sign"),
        pytest.param("ens1f0", (Match(netdev="ens1f0"),), id="a name alone"),
        pytest.param(f"mac:{MAC}", (Match(mac=MAC.lower()),), id="a MAC address"),
        pytest.param(MAC, (Match(mac=MAC.lower()),), id="a MAC address alone"),
        pytest.param("driver:igb", (Match(driver="igb"),), id="a driver"),
        pytest.param(
            "interface-name:ens1f0; driver:ice,", (Match(netdev="ens1f0"), Match(driver="ice")), id="one of two"
        ),
    ],
)
def test_devices(spec: str, devices: tuple[Match, ...]) -> None:
    (found,) = find((DROP_IN, f"[device-a]\nmatch-device={spec}\nsriov-num-vfs=8\n"))
    assert (found.devices, found.num_vfs, found.is_certain) == (devices, 8, True)
    assert (found.place, found.text) == (f"{DROP_IN}:3", "sriov-num-vfs=8")
    assert found.remedy == f"remove sriov-num-vfs from {DROP_IN}, then: nmcli general reload conf"


@pytest.mark.parametrize(
    ("lines", "doubt"),
    [
        pytest.param("", ANY, id="no device"),
        pytest.param("match-device=*\n", UNFIT, id="each device"),
        pytest.param("match-device=type:ethernet\n", UNFIT, id="a type"),
        pytest.param("match-device=except:driver:igb\n", UNFIT, id="all but some"),
        pytest.param("match-device=driver:igb/5.*\n", UNFIT, id="a driver of a version"),
        pytest.param("match-device=interface-name:=ens*\n", UNFIT, id="a name that no netdev has"),
        pytest.param("match-device=ens1f0,except:driver:igb\n", UNFIT, id="a name, but"),
        pytest.param(
            "match-device=ens1f0\n[.config]\nenable=nm-version-min:1.8\n[device]\n", CONDITION, id="a condition"
        ),
    ],
)
def test_what_only_network_manager_can_tell_is_a_doubt(lines: str, doubt: str) -> None:
    (found,) = find((DROP_IN, f"[device]\n{lines}sriov-num-vfs=8\n"))
    assert (found.num_vfs, found.is_certain, found.doubt) == (8, False, doubt)


@pytest.mark.parametrize(
    ("text", "number"),
    [("010", 10), ("0", 0), ("65535", 65535), ("65536", None)],
)
def test_numbers_are_decimal(text: str, number: int | None) -> None:
    (found,) = find((MAIN, f"[device]\nmatch-device=ens1f0\nsriov-num-vfs={text}\n"))
    assert (found.num_vfs, found.is_certain) == (number, number is not None)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[device]\nmatch-device=ens1f0\nsriov-num-vfs=-1\n", id="none"),
        pytest.param("[device]\nmatch-device=ens1f0\nsriov-num-vfs=0x8\n", id="no decimal number"),
        pytest.param("[connection]\nmatch-device=ens1f0\nsriov-num-vfs=8\n", id="another section"),
        pytest.param("[device]\nmanaged=1\n", id="another key"),
        pytest.param("[device]\n# sriov-num-vfs=8\n", id="a comment"),
    ],
)
def test_what_sets_nothing(text: str) -> None:
    assert not find((DROP_IN, text))


def test_of_several_sections_none_is_certain() -> None:
    text = "[device-a]\nmatch-device=ens1f0\nsriov-num-vfs=8\n[device]\nsriov-num-vfs=4\n"
    assert [(one.num_vfs, one.is_certain, one.doubt) for one in find((MAIN, text))] == [
        (8, False, SEVERAL),
        (4, False, f"{ANY}; {SEVERAL}"),
    ]


def test_a_file_hides_those_of_its_name_in_later_folders() -> None:
    text = "[device]\nmatch-device=ens1f0\nsriov-num-vfs={}\n"
    found = find((DROP_IN, text.format(8)), ("/usr/lib/NetworkManager/conf.d/vfs.conf", text.format(4)))
    assert [(one.num_vfs, one.is_certain) for one in found] == [(8, True)]
