"""Makes a folder that looks like a host with many VFs, for tests/bench.

/sys as the kernel lays it out, as far as a pass reads it: all VFs there, without driver, as a compute host has them
before its VMs take them, or with driver and netdev.
"""

import os

PFS = 64
VFS = 256  # of each
RULE = '[[pf]]\nname = "all"\nmatch = {{ driver = "made" }}\nnum_vfs = {vfs}\nvf_driver = "{vf_driver}"\n'
PF_FILES = {
    "class": "0x020000",
    "vendor": "0x8086",
    "device": "0x1592",
    "numa_node": "0",
    "sriov_offset": "256",
    "sriov_stride": "1",
    "sriov_vf_device": "1889",
}
VF_FILES = {"class": "0x020000", "modalias": "pci:v00008086d00001889sv00008086sd00000000bc02sc00i00"}


def make(root: str, pfs: int = PFS, vfs: int = VFS, *, has_netdevs: bool = False) -> None:
    for folder in ("run", "etc/sriov-bootstrap", "proc/sys/kernel/random", "sys/class/net"):
        os.makedirs(f"{root}/{folder}")
    for driver in ("made", "madevf"):
        os.makedirs(f"{root}/sys/bus/pci/drivers/{driver}")
    _write(f"{root}/proc/sys/kernel/random/boot_id", "b007")
    _write(f"{root}/proc/cmdline", "quiet")
    config = RULE.format(vfs=vfs, vf_driver="kernel" if has_netdevs else "none")
    _write(f"{root}/etc/sriov-bootstrap/config.toml", config)
    os.makedirs(f"{root}/sys/bus/pci/devices")
    for number in range(pfs):
        _make_pf(root, number, vfs, has_netdevs=has_netdevs)


def _make_pf(root: str, number: int, vfs: int, *, has_netdevs: bool) -> None:
    bus = f"{number:04x}:3b"
    counts = {"sriov_totalvfs": str(vfs), "sriov_numvfs": str(vfs), "sriov_drivers_autoprobe": f"{has_netdevs:d}"}
    pf = _make_function(root, f"{bus}:00.0", PF_FILES | counts)
    os.symlink("../../../bus/pci/drivers/made", f"{pf}/driver")
    _make_netdev(root, f"{bus}:00.0", f"big{number}", 1 + number, flags="0x1003")
    for index in range(vfs):
        address = f"{number:04x}:3c:{index // 8:02x}.{index % 8}"
        vf = _make_function(root, address, VF_FILES)
        os.symlink(f"../../../kernel/iommu_groups/{number * vfs + index}", f"{vf}/iommu_group")
        if has_netdevs:
            os.symlink("../../../bus/pci/drivers/madevf", f"{vf}/driver")
            _make_netdev(root, address, f"big{number}v{index}", 1000 + number * vfs + index, flags="0x1002")
        os.symlink(f"../{bus}:00.0", f"{vf}/physfn")
        os.symlink(f"../{address}", f"{pf}/virtfn{index}")


def _make_netdev(root: str, address: str, name: str, ifindex: int, *, flags: str) -> None:
    netdev = f"devices/pci/{address}/net/{name}"
    os.makedirs(f"{root}/sys/{netdev}")
    mac = f"02:00:00:{ifindex >> 16:02x}:{ifindex >> 8 & 255:02x}:{ifindex & 255:02x}"
    for file, text in {"address": mac, "flags": flags, "ifindex": str(ifindex)}.items():
        _write(f"{root}/sys/{netdev}/{file}", text)
    os.symlink(f"../../{netdev}", f"{root}/sys/class/net/{name}")


def _make_function(root: str, address: str, files: dict[str, str]) -> str:
    folder = f"{root}/sys/devices/pci/{address}"
    os.makedirs(folder)
    for name, text in files.items():
        _write(f"{folder}/{name}", text)
    os.symlink(f"../../../devices/pci/{address}", f"{root}/sys/bus/pci/devices/{address}")
    return folder


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(f"{text}\n")
