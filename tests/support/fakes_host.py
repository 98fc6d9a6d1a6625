"""A folder that looks like a host: /sys, /proc, /etc and /run as far as they are read. Nothing in it does anything."""

import os
import re
import shutil
from pathlib import Path

from builders import PF, PF2, vf_address

BUS = "sys/bus/pci"
ROOT_PORT = "sys/devices/pci0000:3a/0000:3a:00.0"
VIRTIO = "0000:06:00.0"
NVME = "0000:02:00.0"
# Character devices that each host and container has: to look at them does nothing.
HARMLESS = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
NODE = re.compile(
    r"/(?:(vfio/(?:noiommu-)?\d+)|vfio/devices/((?:noiommu-)?vfio\d+)|infiniband/(uverbs\d+)|(vhost-vdpa-\d+))"
    r"(?: \(deleted\))?$"
)
NODE_CLASSES = ("", "virtual", "vfio-dev", "infiniband_verbs", "vdpa0")
SHELL = "/bin/sh"  # an executable that is root's, whoever runs the tests
VIRTIO_ALIAS = "pci:v00001AF4d00001041sv00001AF4sd00001100bc02sc00i00"


def virtio_vf(index: int, pf: str = VIRTIO) -> str:
    """Where that VF is found."""
    return f"{pf[:-1]}{1 + index}"


class HostTree:
    """Laid out as by the kernel: folders below sys/devices, links to them from sys/bus and from each other."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._nodes: list[str] = []
        self.write("proc/sys/kernel/random/boot_id", "b007\n")
        self.write("proc/cmdline", "root=/dev/vda ro quiet\n")
        self.write("proc/net/route", "Iface\tDestination\n")
        for folder in (f"{BUS}/devices", "sys/class/net", "run", "etc/modprobe.d"):
            (root / folder).mkdir(parents=True)

    def write(self, name: str, text: str | bytes) -> Path:
        """A file, with the folders that it needs."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        if path.parent.name == "system-connections":  # NetworkManager loads no others
            path.chmod(0o600)
        return path

    def read(self, name: str) -> str:
        return (self.root / name).read_text()

    def link(self, name: str, target: Path | str) -> None:
        """A relative link, as the kernel makes them."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(os.path.relpath(self.root / target, path.parent))

    def device(self, address: str = PF) -> Path:
        return self.root / ROOT_PORT / address

    def add_function(self, address: str, *, driver: str = "", **attributes: str) -> Path:
        """A PCI function with these attribute files."""
        folder = self.device(address)
        folder.mkdir(parents=True)
        for name, text in attributes.items():
            (folder / name).write_text(f"{text}\n")
        self.link(f"{BUS}/devices/{address}", folder)
        if driver:
            self.bind(address, driver)
        return folder

    def bind(self, address: str, driver: str) -> None:
        folder = self.root / BUS / "drivers" / driver
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "unbind").touch()
        self.link(f"{self.device(address)}/driver", f"{BUS}/drivers/{driver}")

    def add_netdev(self, address: str, name: str, *, flags: str = "0x1003", ifindex: int = 2, below: str = "") -> Path:
        """A netdev of a PCI function, or of what is `below` it."""
        folder = self.device(address) / below / "net" / name
        folder.mkdir(parents=True)
        for attribute, text in {"address": "3c:fd:fe:aa:bb:00", "flags": flags, "ifindex": str(ifindex)}.items():
            (folder / attribute).write_text(f"{text}\n")
        self.link(f"sys/class/net/{name}", folder)
        return folder

    def add_pf(self, address: str = PF, *, netdev: str = "ens1f0", driver: str = "igb", num_vfs: int = 0) -> Path:
        """An igb with `num_vfs` VFs, each with a driver and a netdev that is down."""
        folder = self.add_function(
            address,
            driver=driver,
            vendor="0x8086",
            device="0x10c9",
            numa_node="0",
            sriov_totalvfs="7",
            sriov_numvfs=str(num_vfs),
            sriov_drivers_autoprobe="1",
            **{"class": "0x020000"},
        )
        if netdev:
            self.add_netdev(address, netdev)
        for index in range(num_vfs):
            self.add_vf(address, index)
        return folder

    def add_vf(self, pf: str, index: int, *, driver: str = "igbvf") -> Path:
        address = vf_address(pf, index)
        folder = self.add_function(address, driver=driver, modalias="pci:v00008086d000010CA", **{"class": "0x020000"})
        self.link(f"{folder}/iommu_group", f"sys/kernel/iommu_groups/{17 + index}")
        self.link(f"{self.device(pf)}/virtfn{index}", folder)
        if driver == "igbvf":
            self.add_netdev(address, f"ens1f0v{index}", flags="0x1002", ifindex=10 + index)
        return folder

    def add_child(self, address: str, place: str, *, driver: str = "virtio_net") -> Path:
        """What a function has on another bus, at `virtio2` or `vdpa0/virtio3` below it; the bus is that of the name."""
        folder = self.device(address) / place
        bus = f"sys/bus/{folder.name.rstrip('0123456789')}"
        folder.mkdir(parents=True)
        (folder / "modalias").write_text("virtio:d00000001v00001AF4\n")
        self.link(f"{bus}/devices/{folder.name}", folder)
        if driver:
            (self.root / bus / "drivers" / driver).mkdir(parents=True, exist_ok=True)
            self.link(f"{folder}/driver", f"{bus}/drivers/{driver}")
        return folder

    def add_class_device(self, folder: Path, name: str) -> None:
        """A device of a class in a function's folder: `vfio-dev/vfio3`, `infiniband/mlx5_2`."""
        (folder / name).mkdir(parents=True)
        self.link(f"sys/class/{name}", folder / name)

    def stack(self, upper: str, lower: str) -> None:
        """One netdev on another, seen from both sides; the upper one is made."""
        netdevs = self.root / "sys/class/net"
        (netdevs / upper / f"lower_{lower}").mkdir(parents=True)
        (netdevs / lower / f"upper_{upper}").mkdir(parents=True)

    def add_virtio_pf(self, address: str = VIRTIO, *, netdev: str = "ens6", num_vfs: int = 0) -> Path:
        """A virtio-net card that offers 16 VFs, its netdev up; its VFs come right after it."""
        texts = {"vendor": "0x1af4", "device": "0x1041", "sriov_totalvfs": "16", "sriov_numvfs": f"{num_vfs}"}
        texts |= {"sriov_vf_device": "1041", "sriov_offset": "1", "sriov_stride": "1", "sriov_drivers_autoprobe": "1"}
        folder = self.add_function(address, driver="virtio-pci", numa_node="-1", **texts, **{"class": "0x020000"})
        self.add_child(address, "virtio1")
        if netdev:
            self.add_netdev(address, netdev, below="virtio1")
        for index in range(num_vfs):
            self.add_virtio_vf(index, pf=address)
        return folder

    def add_virtio_vf(self, index: int, *, pf: str = VIRTIO, driver: str = "virtio_net", flags: str = "0x1002") -> Path:
        """Its device on the virtio bus has this driver, and then a netdev."""
        address, place = virtio_vf(index, pf), f"virtio{2 + index}"
        folder = self.add_function(address, driver="virtio-pci", modalias=VIRTIO_ALIAS, **{"class": "0x020000"})
        self.link(f"{self.device(pf)}/virtfn{index}", folder)
        self.link(f"{folder}/physfn", self.device(pf))
        self.add_child(address, place, driver=driver)
        if driver:
            self.add_netdev(address, f"ens6v{index}", flags=flags, ifindex=10 + index, below=place)
        return folder

    def add_nvme(self, address: str = NVME, *, num_vfs: int = 0, vf_driver: str = "nvme") -> Path:
        """An NVMe controller that offers 32 VFs: a PF, but no NIC."""
        texts = {"vendor": "0x144d", "device": "0xa824", "sriov_totalvfs": "32", "sriov_numvfs": f"{num_vfs}"}
        texts |= {"sriov_drivers_autoprobe": "1", "numa_node": "0"}
        folder = self.add_function(address, driver="nvme", **texts, **{"class": "0x010802"})
        for index in range(num_vfs):
            self.add_vf(address, index, driver=vf_driver)
        return folder

    def add_layout(self, address: str = PF) -> None:
        """Where a PF's VFs are, or would be: those of two ports of a card alternate."""
        for name, text in {"sriov_vf_device": "10ca", "sriov_offset": "128", "sriov_stride": "2"}.items():
            (self.device(address) / name).write_text(f"{text}\n")

    def add_card(self, *, num_vfs: int) -> None:
        """Two ports: PF with these VFs, PF2 without."""
        self.add_pf(PF, num_vfs=num_vfs)
        self.add_pf(PF2, netdev="ens1f1")
        self.add_layout(PF)
        self.add_layout(PF2)

    def remove(self, address: str) -> None:
        """Unplugged."""
        (self.root / BUS / "devices" / address).unlink()
        for link in self.root.glob("sys/bus/virtio/devices/*"):
            if address in link.readlink().parts:
                link.unlink()
        shutil.rmtree(self.device(address))

    def add_node(self, node: str) -> Path:
        """A character device of that name, and what /sys says of its number. There are five numbers."""
        path = self.root / node.removeprefix("/")
        if path.is_symlink():
            return path
        device = HARMLESS[len(self._nodes)]
        self._nodes.append(node)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(device)
        if found := NODE.search(node):
            number = os.stat(device).st_rdev
            place = f"sys/devices/{NODE_CLASSES[found.lastindex or 0]}/{found[found.lastindex or 0]}"
            self.link(f"sys/dev/char/{os.major(number)}:{os.minor(number)}", place)
        return path

    def add_process(
        self,
        pid: int,
        *files: str,
        comm: str = "qemu-system-x86",
        cmdline: bytes = b"",
        exe: str = "usr/bin/qemu-system-x86_64",
        uid: int = 0,
    ) -> None:
        """A process that has `files` open; what looks like a device node is one, below our root."""
        for number, target in enumerate(files):
            path = self.root / f"proc/{pid}/fd/{number}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(os.path.relpath(self.add_node(target), path.parent) if NODE.search(target) else target)
            self.write(f"proc/{pid}/fdinfo/{number}", "pos:\t0\nflags:\t0100002\n")
        executable = self.root / exe
        if not executable.exists():
            executable.parent.mkdir(parents=True, exist_ok=True)
            executable.symlink_to(SHELL)
        self.write(f"proc/{pid}/comm", f"{comm}\n")
        (self.root / f"proc/{pid}/exe").unlink(missing_ok=True)
        (self.root / f"proc/{pid}/exe").symlink_to(executable)
        self.write(f"proc/{pid}/cmdline", cmdline)
        self.write(f"proc/{pid}/status", f"Name:\t{comm}\nUid:\t{uid}\t0\t0\t0\n")

    def configure(self, text: str) -> None:
        self.write("etc/sriov-bootstrap/config.toml", text)


def rule(num_vfs: int | str, *, address: str = PF, more: str = "") -> str:
    """A [[pf]] for one PF."""
    number = num_vfs if isinstance(num_vfs, int) else f'"{num_vfs}"'
    return f'[[pf]]\nname = "tenant-a"\nmatch = {{ pci_address = "{address}" }}\nnum_vfs = {number}\n{more}'
