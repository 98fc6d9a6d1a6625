"""The edges of one host, wired: nothing above has to know the root of its tree."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.edges import child
from sriov_bootstrap.edges.files import Files
from sriov_bootstrap.edges.locks import Locks
from sriov_bootstrap.edges.netdevs import Netdevs
from sriov_bootstrap.edges.procfs import Procfs
from sriov_bootstrap.edges.sysfs import Sysfs

if TYPE_CHECKING:
    from sriov_bootstrap.edges.guest_files import GuestFiles
    from sriov_bootstrap.edges.kmod import Kmod
    from sriov_bootstrap.edges.pci import Pci
    from sriov_bootstrap.edges.pf_writes import PfWrites
    from sriov_bootstrap.edges.text_files import TextFiles
    from sriov_bootstrap.edges.trial_files import TrialFiles
    from sriov_bootstrap.edges.vf_drivers import VfDrivers
    from sriov_bootstrap.edges.virsh import Virsh
    from sriov_bootstrap.machine.privileges import Privileges


class HostEdges:
    """Those of this host, or of a tree that looks like one below `root`."""

    def __init__(self, root: str, config_paths: tuple[str, ...], say: Callable[[str], None]) -> None:
        """Reads nothing yet."""
        self.files = Files(root, config_paths)
        self.locks = Locks(root)
        self.procfs = Procfs(f"{root}/proc")
        self.sysfs = Sysfs(f"{root}/sys")
        self.netdevs = Netdevs(f"{root}/sys")
        self.say = say
        self._root = root

    @property
    def is_tree(self) -> bool:
        """Whether it is not the host that we run on, so that systemd knows nothing of it."""
        return bool(self._root)

    def require_root(self, what: str) -> None:
        """Stops a user who may not do it before anything is left behind: a lock, a folder, half a pass."""
        if os.geteuid() not in {0, os.stat(f"{self._root}/").st_uid}:
            raise SriovBootstrapError(f"{what} changes the machine, but you are not root", hint="run as root")

    def run_command(
        self,
        argv: list[str],
        *,
        timeout_seconds: float = child.COMMAND_SECONDS,
        waiting: Callable[[float], None] | None = None,
    ) -> child.Completed:
        """child.run for what a pass may have to wait for: it says so, as a job that is silent for long is given up."""
        waiting = waiting or child.progress(self.say, argv[0])
        return child.run(argv, timeout_seconds=timeout_seconds, waiting=waiting)

    # -- edges that most passes do without --

    @property
    def pf_writes(self) -> "PfWrites":
        """What is written to PFs."""
        from sriov_bootstrap.edges.pf_writes import PfWrites

        return PfWrites(f"{self._root}/sys")

    @property
    def vf_drivers(self) -> "VfDrivers":
        """VFs and their drivers."""
        from sriov_bootstrap.edges.vf_drivers import VfDrivers

        return VfDrivers(f"{self._root}/sys")

    @property
    def kmod(self) -> "Kmod":
        """Modules."""
        from sriov_bootstrap.edges.kmod import Kmod

        return Kmod(self.run_command, self._root)

    @property
    def virsh(self) -> "Virsh":
        """libvirt."""
        from sriov_bootstrap.edges.virsh import Virsh

        return Virsh(self.run_command)

    @property
    def trial_files(self) -> "TrialFiles":
        """What `verify` leaves in /run while it is under way."""
        from sriov_bootstrap.edges.trial_files import TrialFiles

        return TrialFiles(self._root)

    @property
    def guest_files(self) -> "GuestFiles":
        """What VMs of `verify` are made of."""
        from sriov_bootstrap.edges.guest_files import GuestFiles

        return GuestFiles(child.run, self._root)

    @property
    def has_kvm(self) -> bool:
        """Whether VMs run on the CPU itself."""
        return os.path.exists(f"{self._root}/dev/kvm")

    @property
    def privileges(self) -> "Privileges":
        """The helper units."""
        from sriov_bootstrap.machine.privileges import Privileges

        return Privileges(self.files, self.locks, child.run, self.say)

    @property
    def pci(self) -> "Pci":
        """What /sys has of PCI beyond PFs and VFs."""
        from sriov_bootstrap.edges.pci import Pci

        return Pci(f"{self._root}/sys")

    def text_files(self, *, each_once: bool = False, **limits: int) -> "TextFiles":
        """Files of others. Each look has its own, which notes what it could not read; arguments as of TextFiles."""
        from sriov_bootstrap.edges.text_files import TextFiles

        return TextFiles(self._root, each_once=each_once, **limits)
