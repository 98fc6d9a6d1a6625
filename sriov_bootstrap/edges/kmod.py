"""modprobe and modinfo: the only module that asks about kernel modules or loads them."""

import os
import re
from collections.abc import Callable
from typing import Protocol

from sriov_bootstrap.base.below import Below
from sriov_bootstrap.base.command_end import CommandEnd
from sriov_bootstrap.base.errors import InUseError, KernelError, LinkError
from sriov_bootstrap.base.printable import one_line, shell_quoted
from sriov_bootstrap.base.vanishing import attribute_text
from sriov_bootstrap.core.actions import ReloadDriver
from sriov_bootstrap.core.plan_max_vfs import modprobe_path
from sriov_bootstrap.core.report import Outcome
from sriov_bootstrap.core.surroundings import ModuleFacts

# `max_vfs:Maximum number of virtual functions ... (uint)`. The out-of-tree drivers say `(array of int)`.
ONE_NUMBER = re.compile(r"^max_vfs:.*\((?:uint|int|ushort|byte)\)\s*$", re.MULTILINE)

# A day. Giving up a reload earlier would leave the NICs without a driver, and the write lock to others; if modprobe is
# killed while it loads a driver, the probes in progress fail (kthread_create, for one, is killable).
PATIENT_SECONDS = 86400.0
MAX_FILE_BYTES = 1 << 20

SEE_KERNEL = "see journalctl -k"
NOT_INSTALLED = (
    "modinfo does not know it: check the spelling of vf_driver; if it is right, install the package that has it for the"
    " running kernel (on some distributions kernel-modules-extra or linux-modules-extra), or a kernel that has it"
)
LIST_DRIVERS = "set vf_driver to a name that ls /sys/bus/pci/drivers shows"


class PciDrivers(Protocol):
    """/sys, as far as it knows drivers."""

    def has_driver(self, name: str) -> bool: ...
    def drivers_of(self, module: str) -> tuple[str, ...]: ...


class Kmod:
    """`run` starts a command; `root` is where etc/modprobe.d is."""

    def __init__(self, run: Callable[..., CommandEnd], root: str = "") -> None:
        """Runs nothing yet."""
        self._run = run
        self._root = root

    def read_module(self, driver: str) -> ModuleFacts:
        """The driver's modprobe.d file as it is and whether its module takes max_vfs."""
        try:
            text = Below(self._root).read(modprobe_path(driver), MAX_FILE_BYTES).decode()
        except (OSError, UnicodeDecodeError, LinkError):
            text = ""
        parameters = self._run(["modinfo", "-F", "parm", "--", driver]).stdout.decode(errors="replace")
        return ModuleFacts(text, bool(ONE_NUMBER.search(parameters)))

    def modules_for(self, modalias: str) -> tuple[str, ...]:
        """The modules that claim this alias and are not blacklisted, built-in ones among them."""
        completed = self._run(["modprobe", "--use-blacklist", "--resolve-alias", "--", modalias])
        return () if completed.returncode else tuple(completed.stdout.decode(errors="replace").split())

    def is_loaded(self, module: str) -> bool:
        """Whether its drivers are registered: it is live, or built in."""
        folder = f"{self._root}/sys/module/{module.replace('-', '_')}"
        return os.path.exists(folder) and attribute_text(f"{folder}/initstate") in {"live", ""}

    def reload(self, action: ReloadDriver, guard: Callable[[], str]) -> None:
        """Unloads and loads. A module that was unloaded is loaded again, whatever happened in between.

        Waits for modprobe as long as the kernel makes it wait: run it where it can be left behind.
        """
        if users := guard():
            hint = "this is applied automatically once they are released"
            raise InUseError(f"{action.pci_address}: {action.driver} is not reloaded: {users}", hint=hint)
        unloaded = self._run(["modprobe", "-r", "--", action.driver], timeout_seconds=PATIENT_SECONDS)
        loaded = self._run(["modprobe", "--", action.driver], timeout_seconds=PATIENT_SECONDS)
        for completed, verb in ((unloaded, "unload"), (loaded, "load")):
            if completed.returncode:
                message = f"{action.pci_address}: cannot {verb} the driver {action.driver}: {_words(completed)}"
                raise KernelError(message, hint=f"find out what uses it: lsmod | grep {shell_quoted(action.driver)}")

    def load(self, module: str, drivers: PciDrivers, *, where: str) -> Outcome:
        """Loads the module of the PCI driver of that name, even if it is blacklisted: that only concerns aliases.

        `where` begins the message of a KernelError. Waits for modprobe as reload() does.
        """
        if drivers.has_driver(module):
            return Outcome.UNCHANGED
        completed = self._run(["modprobe", "--", module], timeout_seconds=PATIENT_SECONDS)
        if completed.returncode:
            message = f"{where}: cannot load the module {module}: {_words(completed)}"
            raise KernelError(message, hint=SEE_KERNEL if self._is_installed(module) else NOT_INSTALLED)
        if not drivers.has_driver(module):
            message = f"{where}: the module {module} is loaded, but there is no PCI driver of that name"
            found = " or ".join(f'"{name}"' for name in drivers.drivers_of(module))
            raise KernelError(message, hint=f"set vf_driver to {found}" if found else LIST_DRIVERS)
        return Outcome.CHANGED

    def _is_installed(self, module: str) -> bool:
        return self._run(["modinfo", "--", module]).returncode == 0


def _words(completed: CommandEnd) -> str:
    """Why a command failed, in its own words."""
    return one_line(completed.stderr) or f"exit code {completed.returncode}"
