"""PFs that are no NICs: every verb on a host with an NVMe controller."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from builders import PF, vf_address
from fakes_host import NVME, HostTree, rule
from sriov_bootstrap.cli import main
from sriov_bootstrap.core.actions import SetNumVfs
from sriov_bootstrap.core.decode import ConfigFile, decode
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import PassReport, PfState, Result
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.passes.protocols import GuardedAction
from sriov_bootstrap.passes.read import load_config
from sriov_bootstrap.passes.reconcile import Mode, run_pass

BY_IDS = rule(4).replace('pci_address = "0000:3b:00.0"', 'vendor_id = "144d", device_id = "a824"')
BY_DRIVER = rule(4).replace('pci_address = "0000:3b:00.0"', 'driver = "*"')
NAMED = rule(4, address=NVME)


class NvmeHost(HostMachine):
    """Its tree does what the kernel does when sriov_numvfs is written; the VFs come with `vf_driver`."""

    def __init__(self, tree: HostTree, vf_driver: str = "nvme") -> None:
        super().__init__(root=str(tree.root))
        self.tree = tree
        self.vf_driver = vf_driver

    def act_in_turn(self, steps: Sequence[GuardedAction]) -> Iterator[Result]:
        for result in super().act_in_turn(steps[:1]):
            if isinstance(result.action, SetNumVfs) and result.is_done:
                self._change_vfs(result.action)
            yield result

    def _change_vfs(self, action: SetNumVfs) -> None:
        for index in range(action.before):
            (self.tree.device(NVME) / f"virtfn{index}").unlink()
            self.tree.remove(vf_address(NVME, index))
        for index in range(action.after):
            self.tree.add_vf(NVME, index, driver=self.vf_driver)

    def expects_driver(self, modalias: str) -> bool:
        return bool(modalias)


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    tree = HostTree(tmp_path)
    tree.write("proc/cpuinfo", "processor : 0\nvendor_id : GenuineIntel\n")
    return tree


def a_pass(machine: HostMachine) -> PassReport:
    return run_pass(machine, load_config(machine, None), mode=Mode.APPLY)


def run(tree: HostTree, capsys: pytest.CaptureFixture[str], words: str) -> tuple[int, str]:
    code = main(words.split(), root=str(tree.root))
    out, err = capsys.readouterr()
    return code, out + err


@pytest.mark.parametrize("config", [NAMED, BY_IDS])
def test_a_rule_that_names_it_makes_its_vfs(tree: HostTree, config: str) -> None:
    tree.add_nvme()
    tree.configure(config)
    machine = NvmeHost(tree)
    (pf,) = a_pass(machine).pfs
    assert (pf.pci_address, pf.netdev, pf.state, pf.num_vfs, pf.vfs_in_use) == (NVME, "", PfState.OK, 4, 4)
    assert not a_pass(machine).results


def test_a_rule_that_does_not_name_it_leaves_it_alone(tree: HostTree) -> None:
    tree.add_nvme(num_vfs=1, vf_driver="vfio-pci")
    tree.configure(BY_DRIVER)
    report = a_pass(NvmeHost(tree))
    assert [(pf.pci_address, pf.reason) for pf in report.pfs] == [("", Reason.ABSENT)]
    assert not report.results


def test_a_vf_with_a_driver_keeps_the_others(tree: HostTree) -> None:
    tree.add_nvme(num_vfs=2)
    tree.configure(NAMED)
    (pf,) = a_pass(NvmeHost(tree)).pfs
    assert (pf.reason, pf.num_vfs) == (Reason.IN_USE, 2)


def test_vfs_that_no_rule_names_any_more_are_left_over_and_can_be_released(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.add_nvme()
    tree.configure(NAMED)
    machine = NvmeHost(tree, vf_driver="vfio-pci")
    a_pass(machine)
    tree.configure("[boot]\n")
    for _ in range(2):
        (leftover,) = a_pass(machine).leftovers
        assert (leftover.pci_address, len(leftover.vfs)) == (NVME, 4)
    code, out = run(tree, capsys, f"release {NVME} --dry-run")
    assert (code, out.splitlines()[0]) == (0, f"{NVME}: to do: set sriov_numvfs from 4 to 0")


def test_init_lists_it_apart_and_changes_nothing(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.add_pf(num_vfs=2)
    tree.add_nvme(num_vfs=1)
    _, text = run(tree, capsys, "init")
    assert [rule.name for rule in decode([ConfigFile("c", text.encode())]).pf] == ["port-1"]
    apart = text[text.index("# Not NICs, but with SR-IOV") : text.index("# [services]")]
    assert f"# {NVME}: 144d:a824, driver nvme, NUMA node 0.\n# Offers 32 VFs, has 1 now.\n" in apart
    block = apart[apart.index("# [[pf]]") :]
    (other,) = decode([ConfigFile("c", block.replace("# ", "").encode())]).pf
    assert (other.name, other.match.pci_address, other.num_vfs, other.match.names_any_pf) == ("other-1", NVME, 1, True)


def test_status_and_metrics_show_it_with_a_rule_only(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.add_nvme(num_vfs=4)
    tree.configure(BY_DRIVER)
    assert NVME not in run(tree, capsys, "status")[1]
    tree.configure(NAMED)
    code, out = run(tree, capsys, "status")
    assert (code, out.splitlines()[1]) == (0, f"tenant-a  {NVME}  -       nvme    4        4    32   4       ok")


@pytest.mark.parametrize(
    "match", [f'pci_address = "{PF}"', 'vendor_id = "8086", device_id = "10c9"', 'driver = "cxgb4"']
)
def test_a_nic_whose_netdevs_are_on_another_function(
    tree: HostTree, capsys: pytest.CaptureFixture[str], match: str
) -> None:
    """cxgb4: the VFs are those of functions that have no netdev, but are of a network class."""
    tree.add_pf(driver="cxgb4", netdev="")
    tree.configure(rule(4).replace(f'pci_address = "{PF}"', match))
    _, out = run(tree, capsys, "status")
    assert out.splitlines()[1].split() == ["tenant-a", PF, "-", "cxgb4", "4", "0", "7", "0", "pending"]
    assert "then set sriov_numvfs from 0 to 4, then bind its VFs\n" in out


def test_doctor_says_how_to_name_it(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.add_nvme()
    tree.configure(BY_DRIVER)
    out = run(tree, capsys, "doctor")[1]
    assert f"{NVME}: it offers 32 VFs, but is not a NIC: a rule has to name it" in out
    assert f'name it by its address: match = {{ pci_address = "{NVME}" }}' in out
