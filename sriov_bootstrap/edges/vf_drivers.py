"""drivers_probe, driver_override, unbind: the only module that gives VFs a driver, or takes it from them.

What the kernel does there (drivers/base/bus.c and dd.c, drivers/pci/pci-driver.c) decides how:

- A probe takes the VF's own lock and no other, so all VFs are probed at the same time, a thread for each.
- drivers_probe succeeds whatever becomes of the probe. So each VF is looked at afterwards, and one that has no driver
  is given to its driver's `bind` once more: its errno is that of the probe.
- With sriov_drivers_autoprobe = 0 nothing is probed that has no driver_override, and drivers_probe still succeeds.
- An override is lost with its VF.

Whoever calls this runs in a process that can be left behind: a probe may never return.
"""

import errno
import os
from collections.abc import Callable, Iterable

from msgspec import Struct

from sriov_bootstrap.base.errors import KernelError
from sriov_bootstrap.base.kernel_writes import errno_kept, write_attribute
from sriov_bootstrap.base.vanishing import attribute_text, link_name, names_in
from sriov_bootstrap.core.actions import BindVfs
from sriov_bootstrap.core.driver_wishes import VfDriver, named_driver
from sriov_bootstrap.core.drivers import is_vfio
from sriov_bootstrap.core.errnos import name_of
from sriov_bootstrap.core.facts import NAMED
from sriov_bootstrap.core.plurals import quantity, shortlist
from sriov_bootstrap.core.report import Outcome

THREADS = 128  # for each PF; the unit's TasksMax allows for several PFs at once
STACK_BYTES = 256 << 10
GONE = "it is gone"
TAKEN = "it has another driver by now"
HINT = "journalctl -k shows the driver's messages; sriov-bootstrap --once tries again"


class VfDrivers:
    """The tree below `root`, and what writes to a file there; tests give others."""

    def __init__(self, root: str = "/sys", write: Callable[[str, str], None] = write_attribute) -> None:
        """Reads nothing yet."""
        self._bus = f"{root}/bus/pci"
        self._write = write

    def vfs_of(self, pf: str) -> tuple[str, ...]:
        """The PCI addresses of its VFs, in their order."""
        folder = self._path(pf)
        links = [name for name in names_in(folder) if name.startswith("virtfn")]
        vfs = (link_name(f"{folder}/{name}") for name in sorted(links, key=_index))
        return tuple(filter(None, vfs))

    def driver(self, address: str) -> str:
        """Of a VF or PF, "" if it has none."""
        return self._driver(address)

    def unbind(self, vf: str, driver: str) -> None:
        """Takes a VF from this driver, if it still has it. KernelError if that fails."""
        try:
            self._leave(vf, driver)
        except OSError as error:
            number = error.errno or errno.EIO
            raise KernelError(f"{vf}: cannot unbind {driver}: {_words(error)}", errno=number, hint=HINT) from error

    def modalias(self, pf: str) -> str:
        """Of a VF that has no driver; "" if there is none."""
        bare = (vf for vf in self.vfs_of(pf) if not self._driver(vf))
        return next((attribute_text(self._path(vf, "modalias")) for vf in bare), "")

    def bind(self, action: BindVfs, guard: Callable[[], str], candidates: Iterable[str] = ()) -> Outcome:
        """Gives all these VFs their driver at once. Blocks for as long as the slowest probe.

        `candidates`: drivers that may want the VFs where the kernel chooses. KernelError names each VF that has not got
        one, with the errno of its probe; STALE where VFs are used by now, or gone.
        """
        numbers = {vf: number for number, vf in enumerate(self.vfs_of(action.pci_address))}
        vfs = action.vfs or tuple(numbers)
        if action.vfs and guard():
            return Outcome.STALE
        wanted = {vf: action.drivers.wish_for(numbers.get(vf, -1)) for vf in vfs}
        if VfDriver.KERNEL in wanted.values():
            self._enable_probing(action.pci_address)
        former = {vf: action.formers.wish_for(numbers.get(vf, -1)) for vf in vfs}
        problems = _in_parallel(lambda vf: self._place(vf, _Move(action, wanted[vf], former[vf])), vfs)
        if {GONE, TAKEN} & {*problems.values()} or not os.path.exists(self._path(action.pci_address)):
            return Outcome.STALE
        if left := [vf for vf in vfs if wanted[vf] == VfDriver.KERNEL and not problems.get(vf)]:
            problems |= self._ask_bare(action.pci_address, left, candidates)
        if bad := {vf: problem for vf, problem in problems.items() if problem}:
            those = quantity(len(vfs), "VF did not get its driver", "VFs did not get their driver")
            said = shortlist([f"{vf}: {problem}" for vf, problem in sorted(bad.items())], NAMED, "; ")
            raise KernelError(f"{action.pci_address}: {len(bad)} of {those}: {said}", hint=HINT)
        return Outcome.CHANGED

    def _place(self, vf: str, move: "_Move") -> str:
        """Why it has not got the driver that was meant, "" if it has, or if that is asked later."""
        name = named_driver(move.driver)
        try:
            driver = self._driver(vf)
            if driver and move.is_of_another(driver):
                return TAKEN  # nobody has asked who uses it
            override = attribute_text(self._path(vf, "driver_override")).replace("(null)", "")
            if override not in {"", move.former, name}:
                return self._overridden(vf, override, move.driver)
            if override != name:
                self._write(self._path(vf, "driver_override"), name or "\n")
            if driver and move.must_leave(driver) and not self._leave(vf, driver):
                return TAKEN
            if move.driver in {"", VfDriver.NONE} or self._driver(vf):
                return ""
            self._write(f"{self._bus}/drivers_probe", vf)
            return self._refusal(vf, name) if name and not self._driver(vf) else ""
        except OSError as error:
            return _words(error) if os.path.exists(self._path(vf)) else GONE

    def _leave(self, vf: str, driver: str) -> bool:
        """Takes a VF from this driver, and from no other that has it by now: that may be vfio-pci, and a VM's."""
        try:
            self._write(f"{self._bus}/drivers/{driver}/unbind", vf)
        except OSError as error:
            if error.errno == errno.ENODEV and self._driver(vf) not in {"", driver}:
                return False
            raise
        return True

    def _overridden(self, vf: str, override: str, wanted: str) -> str:
        """The kernel's own choice is the driver that somebody else has named, such as driverctl or libvirt."""
        if wanted == VfDriver.KERNEL and not self._driver(vf):
            self._write(f"{self._bus}/drivers_probe", vf)
        is_chosen = wanted == VfDriver.KERNEL and self._driver(vf) == override
        return "" if is_chosen else f"something else has set its driver_override to {override}"

    def _ask_bare(self, pf: str, vfs: Iterable[str], candidates: Iterable[str]) -> dict[str, str]:
        """VFs without a driver, and why: as its brothers' driver says, or one that wants such devices.

        A vfio driver is never the kernel's choice: brothers that have one were given it.
        """
        drivers = {vf: self._driver(vf) for vf in vfs}
        names = {*drivers.values(), *(name for name in candidates if self._exists(name))} - {""}
        known = {name for name in names if not is_vfio(name)}
        bare = [vf for vf, driver in drivers.items() if not driver]
        if not known or not bare:  # no module on this host wants them
            return {}
        if attribute_text(self._path(pf, "sriov_drivers_autoprobe")) == "0":
            return dict.fromkeys(bare, "probing has been switched off meanwhile (sriov_drivers_autoprobe)")
        return _in_parallel(lambda vf: self._first_refusal(vf, sorted(known)), bare)

    def _first_refusal(self, vf: str, drivers: list[str]) -> str:
        said = ""
        for driver in drivers:
            if not (refusal := self._refusal(vf, driver)):
                return ""
            said = said or refusal
        return said

    def _refusal(self, vf: str, driver: str) -> str:
        if not self._exists(driver):
            return f"the kernel has no driver {driver}"
        try:
            self._write(f"{self._bus}/drivers/{driver}/bind", vf)
        except OSError as error:  # EBUSY: a module that was loaded just now has been faster
            return "" if self._driver(vf) == driver else f"{driver}: {_words(error)}"
        return ""

    def _enable_probing(self, pf: str) -> None:
        with errno_kept():
            self._write(self._path(pf, "sriov_drivers_autoprobe"), "1")

    def _driver(self, address: str) -> str:
        return link_name(self._path(address, "driver"))

    def _exists(self, driver: str) -> bool:
        return os.path.exists(f"{self._bus}/drivers/{driver}")

    def _path(self, address: str, name: str = "") -> str:
        return f"{self._bus}/devices/{address}" + (f"/{name}" if name else "")


class _Move(Struct, frozen=True):
    """What an action means for one VF: its `driver`, and what an earlier rule named, as in BindVfs."""

    action: BindVfs
    driver: str
    former: str

    def is_of_another(self, driver: str) -> bool:
        """Whether a new VF has it from somebody else: it has none, or the kernel's, which it leaves for another one."""
        is_strange = driver != named_driver(self.driver) and self.driver != VfDriver.KERNEL
        return is_strange and not self.action.vfs and (not self.action.are_probed or is_vfio(driver))

    def must_leave(self, driver: str) -> bool:
        """Whether it loses this driver."""
        if not self.driver or driver == named_driver(self.driver):
            return False
        return driver == self.former or self.driver != VfDriver.KERNEL


def _in_parallel(work: Callable[[str], str], items: Iterable[str]) -> dict[str, str]:
    """What `work` says of each, with as many at a time as there can be threads: too few only make it slower."""
    from threading import Thread, stack_size  # most passes bind nothing

    left, said = list(items), dict[str, str]()

    def take_turns() -> None:
        while left:
            try:
                item = left.pop()
            except IndexError:  # another thread was faster
                return
            said[item] = work(item)

    stack_size(STACK_BYTES)
    threads = [Thread(target=take_turns, daemon=True) for _ in range(min(len(left), THREADS) - 1)]
    for number, thread in enumerate(threads):
        try:
            thread.start()
        except RuntimeError:
            del threads[number:]
            break
    take_turns()
    for thread in threads:
        thread.join()
    return said


def _index(link: str) -> int:
    digits = link.removeprefix("virtfn")
    return int(digits) if digits.isdigit() else -1


def _words(error: OSError) -> str:
    return f"{name_of(error.errno or errno.EIO)} ({error.strerror})"
