"""Makes a folder that looks like a host with many VFs: `big_tree.py FOLDER`. See measure.py and bench.py.

/sys as the kernel lays it out, as far as a pass reads it: all VFs there, without driver, as a compute host has them
before its VMs take them.
"""

import os
import sys

PFS = 64
VFS = 256  # of each
CONFIG = f'[[pf]]\nname = "all"\nmatch = {{ driver = "made" }}\nnum_vfs = {VFS}\nvf_driver = "none"\n'
PF_FILES = {
    "class": "0x020000",
    "vendor": "0x8086",
    "device": "0x1592",
    "numa_node": "0",
    "sriov_totalvfs": str(VFS),
    "sriov_numvfs": str(VFS),
    "sriov_drivers_autoprobe": "0",
    "sriov_offset": "256",
    "sriov_stride": "1",
    "sriov_vf_device": "1889",
}
VF_FILES = {"class": "0x020000", "modalias": "pci:v00008086d00001889sv00008086sd00000000bc02sc00i00"}


def make(root: str, pfs: int = PFS, vfs: int = VFS) -> None:
    for folder in ("run", "etc/sriov-bootstrap", "proc/sys/kernel/random", "sys/bus/pci/drivers/made", "sys/class/net"):
        os.makedirs(f"{root}/{folder}")
    _write(f"{root}/proc/sys/kernel/random/boot_id", "b007")
    _write(f"{root}/proc/cmdline", "quiet")
    _write(f"{root}/etc/sriov-bootstrap/config.toml", CONFIG)
    os.makedirs(f"{root}/sys/bus/pci/devices")
    for number in range(pfs):
        _make_pf(root, number, vfs)


def _make_pf(root: str, number: int, vfs: int) -> None:
    bus, name = f"{number:04x}:3b", f"big{number}"
    pf = _make_function(root, f"{bus}:00.0", PF_FILES)
    os.symlink("../../../bus/pci/drivers/made", f"{pf}/driver")
    os.makedirs(f"{pf}/net/{name}")
    for file, text in {"address": f"02:00:00:00:00:{number:02x}", "flags": "0x1003", "ifindex": str(number)}.items():
        _write(f"{pf}/net/{name}/{file}", text)
    os.symlink(f"../../devices/pci/{bus}:00.0/net/{name}", f"{root}/sys/class/net/{name}")
    for index in range(vfs):
        address = f"{number:04x}:3c:{index // 8:02x}.{index % 8}"
        vf = _make_function(root, address, VF_FILES)
        os.symlink(f"../../../kernel/iommu_groups/{number * vfs + index}", f"{vf}/iommu_group")
        os.symlink(f"../{bus}:00.0", f"{vf}/physfn")
        os.symlink(f"../{address}", f"{pf}/virtfn{index}")


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


if __name__ == "__main__":
    make(sys.argv[1])
