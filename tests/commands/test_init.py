import os

import pytest

from builders import PF, PF2
from fakes_host import HostTree
from sriov_bootstrap.cli import main
from sriov_bootstrap.core import decode
from sriov_bootstrap.core.config import Config

TAIL = """\
# [services]
# restart = ["nova-compute.service", "neutron-sriov-agent.service"]   # default: every known name of both
"""


def init(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["init"], root=str(tree.root)) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def read(text: str) -> Config:
    return decode.decode([decode.ConfigFile("config.toml", text.encode())])


def test_what_is_there_becomes_the_config(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.add_pf(num_vfs=4)
    text = init(tree, capsys)
    assert f"# {PF}: 8086:10c9, driver igb, netdev ens1f0, NUMA node 0.\n# Offers 7 VFs, has 4 now.\n" in text
    (rule,) = read(text).pf
    assert (rule.name, rule.match.pci_address, rule.num_vfs) == ("port-1", PF, 4)
    assert TAIL in text


def test_applying_it_changes_nothing(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.add_pf(PF, num_vfs=2)
    tree.add_pf(PF2, netdev="ens1f1")
    tree.configure(init(tree, capsys))
    assert main(["--once"], root=str(tree.root)) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "as desired, nothing changed"


def test_a_pf_without_vfs_gets_a_rule_that_is_switched_off(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.add_pf(netdev="", driver="")
    text = init(tree, capsys)
    assert f"# {PF}: 8086:10c9, driver none bound, NUMA node 0.\n" in text
    assert "(a driver may lower that once bound), has 0 now." in text
    assert read(text).pf == ()
    block = text[text.index("# [[pf]]") : text.index("# physical_network")]
    (rule,) = read("\n".join(line.removeprefix("# ") for line in block.splitlines())).pf
    assert (rule.match.pci_address, rule.num_vfs) == (PF, "max")


def test_the_serial_number_is_shown_where_the_kernel_has_it(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    (tree.add_pf(num_vfs=4) / "serial_number").write_text("3c-fd-fe-ff-ff-aa-bb-00\n")
    tree.add_pf(PF2, netdev="ens1f1")
    assert init(tree, capsys).count('# serial_number = "3c-fd-fe-ff-ff-aa-bb-00" in match finds it in any slot') == 1


def test_a_host_without_sr_iov_is_told_what_to_do(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    text = init(tree, capsys)
    assert "# This host has no NIC with SR-IOV" in text
    assert read(text) == Config()


def test_a_name_that_toml_would_have_to_escape_is_not_proposed(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.add_pf(netdev=os.fsdecode(b'a"\n[x]\xff'), num_vfs=4)
    text = init(tree, capsys)
    assert "or: {" not in text
    assert r', netdev a"\x0a[x]\xff, NUMA node 0.' in text
    (rule,) = read(text).pf
    assert rule.match.pci_address == PF


def test_each_of_two_netdevs_is_proposed(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.add_pf(num_vfs=4)
    tree.add_netdev(PF, "enp4s0d1", ifindex=3)
    text = init(tree, capsys)
    assert f'match = {{ pci_address = "{PF}" }}     # or: {{ netdev = "ens1f0" }}, {{ netdev = "enp4s0d1" }}\n' in text
    (rule,) = read(text).pf
    assert rule.match.pci_address == PF
