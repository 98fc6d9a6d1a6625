"""nmstate's files: numbers as serde reads them, VFs, and which files are applied."""

import pytest

from builders import make_pf
from sriov_bootstrap.conflicts.checks import find_masters
from sriov_bootstrap.conflicts.master import Master
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.vf_attributes import VfTable, VlanProtocol
from sriov_bootstrap.edges.yaml_text import parse_located

PATH = "/etc/nmstate/pf.yml"
PF = """\
interfaces:
- name: ens1f0
  type: ethernet
  state: up
  ethernet:
    sr-iov:
      total-vfs: 8
"""


def find(*files: tuple[str, str], wanted: frozenset[str] = frozenset({"nmstate.service"})) -> tuple[Master, ...]:
    sources = [Source(Format.NMSTATE, path, text, parse_located(text.encode(), path)) for path, text in files]
    return find_masters(MastersSurvey(tuple(sources), wanted), (make_pf(),))


def test_an_interface_with_a_number() -> None:
    (found,) = find((PATH, PF))
    assert (found.place, found.num_vfs, found.text) == (f"{PATH}:7", 8, "total-vfs: 8")
    assert (found.devices, found.is_certain) == ((Match(netdev="ens1f0"),), True)
    assert found.remedy.startswith(f"remove sr-iov of that interface from {PATH}")


@pytest.mark.parametrize(
    ("lines", "device"),
    [
        ("identifier: name", Match(netdev="ens1f0")),
        ("identifier: mac-address\n  mac-address: 3C:FD:FE:AA:BB:00", Match(mac="3c:fd:fe:aa:bb:00")),
        ("identifier: pci-address\n  pci-address: '0000:3B:00.0'", Match(pci_address="0000:3b:00.0")),
    ],
)
def test_how_the_interface_is_named(lines: str, device: Match) -> None:
    (found,) = find((PATH, PF.replace("type: ethernet", lines)))
    assert found.devices == (device,)


def test_an_interface_without_a_name_is_any() -> None:
    (found,) = find((PATH, PF.replace("- name: ens1f0", "- mtu: 1500")))
    assert found.devices == ()


@pytest.mark.parametrize(
    ("text", "number"),
    [("8", 8), ("'8'", 8), ("010", 10), ("0x10", 16), ("0o10", 8), ("eight", None), ("70000", None), ("", None)],
)
def test_numbers(text: str, number: int | None) -> None:
    (found,) = find((PATH, PF.replace("total-vfs: 8", f"total-vfs: {text}")))
    assert (found.num_vfs, found.is_certain) == (number, number is not None)
    assert found.doubt == ("" if number is not None else "nmstate does not take that number")


@pytest.mark.parametrize(
    ("files", "doubt"),
    [
        ([(PATH, PF.replace("state: up", "state: down"))], "the interface is to be down"),
        (
            [(PATH, PF), ("/etc/nmstate/pf.yaml", "interfaces: []\n")],
            "there is a file of that name with the other ending, so nmstate applies nothing",
        ),
        (
            [(PATH, PF.replace("      total-vfs: 8", "      <<: &a {total-vfs: 8}"))],
            "nmstate takes no merge (<<), and refuses the file",
        ),
    ],
)
def test_what_may_not_be_applied_is_a_doubt(files: list[tuple[str, str]], doubt: str) -> None:
    (found,) = find(*files)
    assert (found.num_vfs, found.is_certain, found.doubt) == (8, False, doubt)


def test_a_service_that_is_not_enabled_is_a_doubt() -> None:
    (found,) = find((PATH, PF), wanted=frozenset({"ssh.service"}))
    assert found.doubt == "nmstate.service is not enabled"


@pytest.mark.parametrize(
    "text",
    [
        PF.replace("state: up", "state: absent"),
        PF.replace("      total-vfs: 8", "      drivers-autoprobe: false"),
        PF.replace("    sr-iov:\n      total-vfs: 8", "    sr-iov: 8"),
        "interfaces: {name: ens1f0}\n",
        "- a\n",
        "",
    ],
)
def test_what_sets_nothing(text: str) -> None:
    assert find((PATH, text)) == ()


def test_what_it_sets_for_vfs() -> None:
    vfs = """\
      drivers-autoprobe: false
      vfs:
      - id: 0
        mac-address: 02:00:00:00:00:01
        spoof-check: true
        trust: false
        min-tx-rate: 0
        max-tx-rate: 100
        vlan-id: 102
        qos: 5
        vlan-proto: 802.1ad
      - id: 1
        trust: maybe
      - text
"""
    (found,) = find((PATH, PF + vfs))
    assert found.vfs == (
        VfTable(
            vfs="0",
            mac="02:00:00:00:00:01",
            spoofchk=True,
            trust=False,
            min_tx_rate=0,
            max_tx_rate=100,
            vlan=102,
            vlan_qos=5,
            vlan_protocol=VlanProtocol("802.1ad"),
        ),
    )
    assert found.besides == (
        "drivers-autoprobe: false",
        "trust of VF 1",
        "settings of a VF whose number cannot be determined",
    )
