"""Hosts in trouble, one for each section of docs/troubleshooting.md that shows a command of ours."""

import shutil
import time
from collections.abc import Callable

from builders import PF, PF2, vf_address
from fakes_host import HostTree, rule
from fakes_openstack import add_debian
from sriov_bootstrap.cli import main
from sriov_bootstrap.core.placing import Placement, VfRefusal
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import PassReport, PfReport, PfState
from sriov_bootstrap.core.state import Counters, State, dump
from sriov_bootstrap.edges.files import Files
from sriov_bootstrap.edges.vf_drivers import HINT

NETWORK = 'physical_network = "physnet2"\n'
AGENT_INI = "etc/neutron/plugins/ml2/sriov_agent.ini"
VM = b"qemu\0-name\0guest=instance-0000002a\0"


def healthy(tree: HostTree, *, more: str = "", num_vfs: int = 4) -> None:
    """A host whose service runs, has looked, and found all as desired; its IOMMU is on."""
    folder = tree.add_pf(num_vfs=num_vfs)
    (folder / "sriov_vf_device").write_text("10ca\n")
    for index in range(num_vfs):
        tree.link(
            f"sys/kernel/iommu_groups/{17 + index}/devices/{vf_address(PF, index)}", tree.device(vf_address(PF, index))
        )
    tree.configure(rule(4, more=more))
    looked(tree)


def looked(tree: HostTree, *lines: PfReport, placements: dict[str, Placement] | None = None) -> None:
    """The last pass was just now, and read the config as it is."""
    read = (str(tree.root / "etc/sriov-bootstrap/config.toml"),)
    report = PassReport(started_at=time.time() + 1, config_files=read, pfs=lines)
    state = State(
        boot_id="b007",
        passed_at=time.monotonic(),
        counters=Counters(passes=3),
        report=report,
        placements=placements or {},
    )
    Files(str(tree.root)).save_state(dump(state))


def switched_off(tree: HostTree) -> None:
    tree.add_pf()
    tree.configure(rule(4))
    tree.write("proc/cmdline", "root=/dev/vda ro quiet sriov_bootstrap=0\n")


def too_many(tree: HostTree) -> None:
    healthy(tree)
    tree.configure(rule(32))
    looked(tree)


def renamed(tree: HostTree) -> None:
    tree.add_pf(netdev="ens1f0np0")
    tree.configure(rule(4).replace(f'pci_address = "{PF}"', 'netdev = "ens1f0"'))
    looked(tree)


def in_use(tree: HostTree) -> None:
    tree.add_pf(num_vfs=3)
    tree.add_vf(PF, 3, driver="vfio-pci")
    tree.add_process(4711, "/dev/vfio/20", cmdline=VM)
    tree.configure(rule(2))
    looked(tree)


def two_masters(tree: HostTree) -> None:
    healthy(tree)
    tree.write("etc/rc.local", "#!/bin/sh -e\necho 7 > /sys/class/net/ens1f0/device/sriov_numvfs\n").chmod(0o755)


def refused(tree: HostTree) -> None:
    """The VF's driver was asked, and its probe failed."""
    healthy(tree)
    vf = vf_address(PF, 1)
    (tree.device(vf) / "driver").unlink()
    shutil.rmtree(tree.device(vf) / "net")
    message = f"{PF}: 1 of 4 VFs did not get their driver: {vf}: igbvf: EIO (Input/output error)"
    refusal = VfRefusal("kernel", frozenset({tree.device(vf).stat().st_ino}), message, HINT)
    line = PfReport("tenant-a", "4", PfState.DEGRADED, PF, reason=Reason.VFS_INCOMPLETE, message=message, hint=HINT)
    looked(tree, line, placements={PF: Placement("kernel", refusal=refusal)})


def kept_driver(tree: HostTree) -> None:
    """The rule said nothing of drivers, and VF 3 is in a bond of the host."""
    healthy(tree)
    tree.configure(rule(4, more='vf_driver = "none"\n'))
    (tree.device() / "sriov_drivers_autoprobe").write_text("0\n")
    for index in range(3):
        (tree.device(vf_address(PF, index)) / "driver").unlink()
        shutil.rmtree(tree.device(vf_address(PF, index)) / "net")
    tree.stack("bond0", "ens1f0v3")
    moved = frozenset(tree.device(vf_address(PF, index)).stat().st_ino for index in range(3))
    looked(tree, placements={PF: Placement("kernel", moved=moved)})


def without_iommu(tree: HostTree) -> None:
    tree.add_pf(num_vfs=4)
    tree.configure(rule(4, more=NETWORK))
    tree.write("proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu vmx\n")
    (tree.root / "sys/kernel/iommu_groups").mkdir(parents=True)
    tree.write("sys/firmware/acpi/tables/APIC", "")
    looked(tree)


def shared_group(tree: HostTree) -> None:
    healthy(tree)
    tree.link(f"sys/kernel/iommu_groups/17/devices/{vf_address(PF, 1)}", tree.device(vf_address(PF, 1)))


def pf_down(tree: HostTree) -> None:
    healthy(tree, more="pf_up = false\n")
    (tree.device() / "net/ens1f0/flags").write_text("0x1002\n")


def without_spec(tree: HostTree) -> None:
    healthy(tree, more=NETWORK)
    add_debian(tree, "nova-compute")


def without_mapping(tree: HostTree) -> None:
    healthy(tree, more=NETWORK)
    add_debian(tree, "nova-compute", "neutron-sriov-agent")
    main(["render", "nova-compute", "--write"], root=str(tree.root))
    tree.write(AGENT_INI, "[sriov_nic]\nphysical_device_mappings = physnet1:ens1f0\n")


def managed_vfs(tree: HostTree) -> None:
    healthy(tree)
    tree.write("sys/fs/cgroup/system.slice/NetworkManager.service/cgroup.procs", "1\n")
    for index in range(4):
        tree.write(f"run/NetworkManager/devices/{10 + index}", "[device]\nmanaged=true\n")


def open_config(tree: HostTree) -> None:
    healthy(tree)
    (tree.root / "etc/sriov-bootstrap/config.toml").chmod(0o666)


def not_ours(tree: HostTree) -> None:
    tree.add_pf(num_vfs=4)
    tree.add_pf(PF2, netdev="ens1f1")
    tree.configure("")
    looked(tree)


HOSTS: dict[str, Callable[[HostTree], None]] = {
    "After a boot there are no VFs": switched_off,
    "Fewer VFs than the config says": too_many,
    "The NIC is installed, but status does not find it": renamed,
    "A new number is not applied": in_use,
    "The number changes back, or to a different one": two_masters,
    "VFs have no driver": refused,
    "A new vf_driver is not applied to VFs in use": kept_driver,
    "A VM does not start: the host cannot pass devices through": without_iommu,
    "A VM does not start: the group is not viable": shared_group,
    "A VM does not start: the PF is not online": pf_down,
    "No valid host, or: Claim pci failed": without_spec,
    "Binding failed for a port": without_mapping,
    "VFs get addresses on the host, or interrupts run out": managed_vfs,
    "The config is refused": open_config,
    "VFs of a removed rule remain": not_ours,
}
