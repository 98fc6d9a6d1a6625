"""A virtio-net card: a bus lies between each function and its netdev. Every verb on such a host."""

import json
import shutil
from collections.abc import Iterator, Sequence

import pytest

from builders import make_config, make_rule
from fakes_host import VIRTIO, HostTree, rule, virtio_vf
from sriov_bootstrap.cli import main
from sriov_bootstrap.core.actions import SetNumVfs
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.decode import ConfigFile, decode
from sriov_bootstrap.core.desired import resolve
from sriov_bootstrap.core.facts import Link, Links
from sriov_bootstrap.core.parse import parse_pf
from sriov_bootstrap.core.report import PfState, Result
from sriov_bootstrap.core.vf_users import Holders
from sriov_bootstrap.edges.sysfs import Sysfs
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.passes.protocols import GuardedAction
from sriov_bootstrap.passes.read import load_config
from sriov_bootstrap.passes.reconcile import Mode, run_pass

BY_NAME = rule(4).replace('pci_address = "0000:3b:00.0"', 'netdev = "ens6"')
FOUR = rule(4, address=VIRTIO)
NET = 'physical_network = "physnet1"\n'


class VirtioHost(HostMachine):
    """Its tree does what the kernel does when sriov_numvfs is written."""

    def __init__(self, tree: HostTree) -> None:
        super().__init__(root=str(tree.root))
        self.tree = tree
        self.writes: list[str] = []
        self.module = "virtio_net"
        self.waited = 0.0

    def act_in_turn(self, steps: Sequence[GuardedAction]) -> Iterator[Result]:
        for result in super().act_in_turn(steps[:1]):
            self.writes.append(str(result.action))
            if isinstance(result.action, SetNumVfs):
                self._change_vfs(result.action)
            yield result

    def _change_vfs(self, action: SetNumVfs) -> None:
        for index in range(action.before):
            (self.tree.device(VIRTIO) / f"virtfn{index}").unlink()
            for link in self.tree.root.glob(f"sys/class/net/ens6v{index}"):
                link.unlink()
            self.tree.remove(virtio_vf(index))
        for index in range(action.after):
            self.tree.add_virtio_vf(index, driver="")

    def expects_driver(self, modalias: str) -> bool:
        return bool(self.module) and modalias.startswith("virtio:")

    def pause(self, seconds: float) -> None:
        """udev has loaded the module meanwhile."""
        self.waited += seconds
        for index in range(4):
            shutil.rmtree(self.tree.device(virtio_vf(index)) / f"virtio{2 + index}")
            (self.tree.root / f"sys/bus/virtio/devices/virtio{2 + index}").unlink()
            self.tree.add_child(virtio_vf(index), f"virtio{2 + index}")
            self.tree.add_netdev(virtio_vf(index), f"ens6v{index}", flags="0x1002", below=f"virtio{2 + index}")


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    tree.write("proc/cpuinfo", "processor : 0\nvendor_id : GenuineIntel\n")
    tree.add_virtio_pf(num_vfs=2)
    return tree


def run(tree: HostTree, capsys: pytest.CaptureFixture[str], words: str) -> tuple[int, str]:
    code = main(words.split(), root=str(tree.root))
    out, err = capsys.readouterr()
    return code, out + err


@pytest.mark.parametrize("config", [FOUR, BY_NAME])
def test_status_shows_netdev_and_free_vfs(tree: HostTree, capsys: pytest.CaptureFixture[str], config: str) -> None:
    tree.configure(config)
    code, out = run(tree, capsys, "status")
    assert (code, out.splitlines()[:4]) == (
        3,
        [
            "RULE      PF            NETDEV  DRIVER      DESIRED  VFS  MAX  IN USE  STATE",
            "tenant-a  0000:06:00.0  ens6    virtio-pci  4        2    16   0       pending",
            "",
            (
                "0000:06:00.0 (ens6): to do: set sriov_drivers_autoprobe to 0, then set sriov_numvfs from 2 to 0, "
                "then set sriov_numvfs from 0 to 4, then bind its VFs"
            ),
        ],
    )


@pytest.mark.parametrize(
    ("match", "name", "link"),
    [
        pytest.param(Match(netdev="ens6"), "ens6", Link("ens6", ifindex=2), id="netdev"),
        pytest.param(Match(netdev="port-a"), "ens6", Link("ens6", ("port-a",), ifindex=2), id="netdev: an altname"),
        pytest.param(Match(altname="port-*"), "ens6", Link("ens6", ("port-a",), ifindex=2), id="altname"),
        pytest.param(Match(mac="3c:fd:fe:aa:bb:00"), "ens6", Link("ens6", ifindex=2), id="mac"),
        pytest.param(
            Match(netdev="ens6"), "ens6np0", Link("ens6np0", ("ens6",), ifindex=2), id="renamed by an upgrade"
        ),
        pytest.param(Match(netdev="port-a"), "ens6", Link("ens6np0", ("port-a",), ifindex=2), id="renamed meanwhile"),
    ],
)
def test_a_rule_finds_the_pf_by_its_netdev(tree: HostTree, match: Match, name: str, link: Link) -> None:
    folder = tree.device(VIRTIO) / "virtio1/net"
    (folder / "ens6").rename(folder / name)
    (raw,) = Sysfs(f"{tree.root}/sys").read_pfs()
    pf = parse_pf(raw, Links({link.name: link}), Holders())
    (wish,) = resolve(make_config(make_rule(match=match)), [pf])
    assert (wish.pf, [dev.name for dev in wish.ports]) == (pf, [name])


def test_the_number_is_changed_and_the_vfs_are_waited_for(tree: HostTree) -> None:
    tree.configure(BY_NAME)
    machine = VirtioHost(tree)
    report = run_pass(machine, load_config(machine, None), mode=Mode.APPLY)
    steps = ["set sriov_drivers_autoprobe to 0", "set sriov_numvfs from 2 to 0", "set sriov_numvfs from 0 to 4"]
    assert machine.writes == steps
    (pf,) = report.pfs
    assert (pf.state, pf.netdev, pf.num_vfs, pf.vfs_in_use) == (PfState.OK, "ens6", 4, 0)
    assert machine.waited > 0
    assert not run_pass(machine, load_config(machine, None), mode=Mode.APPLY).results


def test_vfs_for_which_the_host_has_no_virtio_net_are_not_waited_for(tree: HostTree) -> None:
    tree.configure(FOUR)
    machine = VirtioHost(tree)
    machine.module = ""
    report = run_pass(machine, load_config(machine, None), mode=Mode.APPLY)
    assert machine.waited == 0
    assert all(result.is_settled for result in report.results)


def test_a_vf_in_another_network_namespace_keeps_them_all(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.configure(FOUR)
    shutil.rmtree(tree.device(virtio_vf(1)) / "virtio3/net/ens6v1")
    code, out = run(tree, capsys, "--once")
    assert code == 3
    assert (
        "2 VFs stay instead of 4: VF 1 0000:06:00.2 is in use: driver virtio_net has no netdev here: it is in another "
        "network namespace, or bypasses the kernel\n"
    ) in out
    assert (tree.device(VIRTIO) / "sriov_numvfs").read_text() == "2\n"


def test_the_pf_is_brought_up(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.configure(rule(2, address=VIRTIO))
    flags = tree.device(VIRTIO) / "virtio1/net/ens6/flags"
    flags.write_text("0x1002\n")
    code, out = run(tree, capsys, "--once")
    assert (code, flags.read_text()) == (0, "0x1003\n")
    assert "0000:06:00.0 (ens6): 2 VFs, as desired; bring ens6 up" in out


@pytest.mark.parametrize(
    "line",
    [
        "echo 2 > /sys/class/net/ens6/device/../sriov_numvfs",
        "echo 2 > /sys/bus/pci/devices/0000:06:00.0/virtio1/../sriov_numvfs",
    ],
)
def test_migrate_knows_the_pf(tree: HostTree, capsys: pytest.CaptureFixture[str], line: str) -> None:
    tree.write("etc/rc.local", f"{line}\n").chmod(0o755)
    code, out = run(tree, capsys, "migrate")
    (made,) = decode([ConfigFile("migrated.toml", out.encode())]).pf
    assert (code, made.match.pci_address, made.num_vfs) == (0, VIRTIO, 2)
    assert "# 0000:06:00.0 (ens6): 2 VFs now, 16 possible; set by /etc/rc.local:1\n" in out


def test_init_names_the_netdev(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(tree, capsys, "init")
    assert code == 0
    assert "# 0000:06:00.0: 1af4:1041, driver virtio-pci, netdev ens6.\n" in out


def test_names_are_kept_by_udev(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.configure(rule(2, address=VIRTIO))
    code, out = run(tree, capsys, "render udev")
    assert code == 0
    match = 'SUBSYSTEM=="net", ACTION=="add", KERNELS=='
    assert f'{match}"0000:06:00.0", ATTR{{address}}=="3c:fd:fe:aa:bb:00", NAME="ens6"\n' in out
    assert f'{match}"0000:06:00.2", NAME="ens6v1"\n' in out


@pytest.mark.parametrize(
    ("words", "style", "told"),
    [
        ("nova-compute", "pf_address", '"address": "0000:06:00.1", "physical_network": "physnet1"'),
        ("nova-compute", "devname", '"address": "0000:06:00.2", "physical_network": "physnet1"'),
        ("sriov-agent", "pf_address", "looks for the VFs of ens6 in virtio1, which has none: use alias instead of"),
    ],
)
def test_each_vf_is_rendered_and_what_openstack_cannot_follow_is_not(
    tree: HostTree, capsys: pytest.CaptureFixture[str], words: str, style: str, told: str
) -> None:
    tree.configure(rule(2, address=VIRTIO, more=f'{NET}[openstack]\nspec_style = "{style}"\n'))
    code, out = run(tree, capsys, f"render {words}")
    assert (code, told in out) == (0 if told.startswith('"') else 3, True)
    assert ("NOT RENDERED" in out) is (code == 3)


def findings(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    main(["doctor", "--json"], root=str(tree.root))
    return [(one["code"], one["problem"]) for one in json.loads(capsys.readouterr().out)["findings"]]


def test_doctor_finds_the_lines_that_set_its_vfs(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.configure(FOUR)
    tree.write("etc/rc.local", "echo 2 > /sys/class/net/ens6/device/../sriov_numvfs\n").chmod(0o755)
    masters = [problem for code, problem in findings(tree, capsys) if code[4] == "3"]
    assert masters == ['sets 2 VFs of 0000:06:00.0 (ens6), for which rule "tenant-a" asks for 4']


def test_doctor_says_that_virtio_net_is_not_loaded(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.configure(rule(3, address=VIRTIO))
    tree.add_virtio_vf(2, driver="")
    (found,) = [problem for code, problem in findings(tree, capsys) if code == "SB-W220"]
    assert found.startswith("VFs without a driver: 1 of 3")


@pytest.mark.parametrize("name", ["ens6", "ens6v1"])
def test_doctor_says_that_nova_refuses_its_netdevs(
    tree: HostTree, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    tree.configure(rule(2, address=VIRTIO, more=NET))
    tree.write("usr/lib/systemd/system/nova-compute.service", "[Service]\nExecStart=/usr/bin/nova-compute\n")
    spec = f'{{"devname": "{name}", "physical_network": "physnet1"}}'
    tree.write("etc/nova/nova.conf", f"[pci]\ndevice_spec = {spec}\n")
    device = {"ens6": "virtio1", "ens6v1": "virtio3"}[name]
    assert [text for _, text in findings(tree, capsys) if f"does not belong to a PCI device, but to {device}" in text]
