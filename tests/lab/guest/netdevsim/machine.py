"""netdevsim's devices as PFs, in the guest: the machine of a pass, through a thin seam, as they are no PCI devices."""

import os
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path

from sriov_bootstrap.core.actions import BindVfs, SetAutoprobe, SetNumVfs
from sriov_bootstrap.core.facts import RawNetdev, RawPf, RawVf
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.passes.apply import apply
from sriov_bootstrap.passes.protocols import GuardedAction

BUS = Path("/sys/bus/netdevsim")
MOST_VFS = 4
SIMULATED = (SetNumVfs, SetAutoprobe, BindVfs)


class NsimMachine(HostMachine):
    """Its PFs are these devices, whose names are their addresses; their VFs exist nowhere but as numbers."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self._names = names
        self.devlink_bus = "netdevsim"

    def read_pfs(self, only: tuple[str, ...] = (), **_: object) -> tuple[RawPf, ...]:
        return tuple(raw_pf(name) for name in self._names if not only or name in only)

    def count_vfs(self, pci_address: str) -> int:
        return number_of_vfs(pci_address)

    def act_in_turn(self, steps: Sequence[GuardedAction]) -> Iterator[Result]:
        action, _ = steps[0]
        if isinstance(action, SetNumVfs):
            yield apply(action, lambda: write(action), count_made=lambda: self.count_vfs(action.pci_address))
        elif isinstance(action, SIMULATED):
            yield Result(action, Outcome.UNCHANGED)
        else:
            real = takewhile(lambda step: not isinstance(step.action, SIMULATED), steps)
            yield from super().act_in_turn(tuple(real))


def folder_of(name: str) -> Path:
    return BUS / "devices" / name


def number_of_vfs(name: str) -> int:
    return int((folder_of(name) / "sriov_numvfs").read_text())


def write(action: SetNumVfs) -> None:
    (folder_of(action.pci_address) / "sriov_numvfs").write_text(str(action.after))


def raw_pf(name: str) -> RawPf:
    number = number_of_vfs(name)
    folders = sorted((folder_of(name) / "net").iterdir())
    netdevs = tuple(map(raw_netdev, folders))
    texts = {"class": "0x020000", "sriov_totalvfs": f"{MOST_VFS}", "sriov_drivers_autoprobe": "0"}
    vfs = tuple(RawVf(f"{index}", f"{name}.{index}", inode=100 * number + index) for index in range(number))
    return RawPf(name, texts, "netdevsim", netdevs, vfs)


def raw_netdev(folder: Path) -> RawNetdev:
    return RawNetdev(os.path.basename(folder), flags="0x1003", ifindex=text(folder / "ifindex"))


def text(path: Path) -> str:
    """udev renames representors while they are looked at."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
