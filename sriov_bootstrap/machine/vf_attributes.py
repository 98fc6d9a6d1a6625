"""A PF's netdev, and what it sets for its VFs: read in a process of its own, set in a writer.

The kernel does both under its rtnl lock, which a driver may hold for good.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sriov_bootstrap.base.errors import KernelError
from sriov_bootstrap.base.netlink import READ_SECONDS
from sriov_bootstrap.core import vf_settings
from sriov_bootstrap.core.actions import SetPfLink, SetVfAttributes, SetVfMtus
from sriov_bootstrap.core.drivers import driver_of, is_vfio
from sriov_bootstrap.core.facts import NAMED
from sriov_bootstrap.core.plurals import quantity, shortlist
from sriov_bootstrap.core.repetition import IN_PASS_RETRY_SECONDS
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.core.vf_attributes import (
    STABLE,
    PfLink,
    PfLinks,
    RefusedSetting,
    Request,
    VfAttributes,
)
from sriov_bootstrap.core.vf_refusals import explain, is_momentary
from sriov_bootstrap.edges.vf_attributes import read_pf_links, set_link, set_vf_attributes
from sriov_bootstrap.machine import vf_mtus
from sriov_bootstrap.machine.links import answer_of_child
from sriov_bootstrap.passes.apply import apply

if TYPE_CHECKING:
    from sriov_bootstrap.machine.host_machine import HostMachine

HINT = "a driver may hold the kernel's lock for network devices: journalctl -k; sriov-bootstrap --once tries again"
WHAT = "the kernel's list of VF attributes"
LinkAction = SetPfLink | SetVfAttributes | SetVfMtus


def read_in_child(
    netdevs: tuple[str, ...], *, say: Callable[[str], None], timeout_seconds: float = READ_SECONDS
) -> PfLinks:
    """Of these netdevs; the process is given up after `timeout_seconds`. `say` gets progress every two seconds."""
    read = partial(read_pf_links, netdevs)
    return answer_of_child(read, PfLinks, what=WHAT, say=say, timeout_seconds=timeout_seconds)


def work(machine: "HostMachine", action: LinkAction, guard: Callable[[], str]) -> Callable[[], Result]:
    """What a writer has to do for this action."""
    match action:
        case SetPfLink():
            return partial(apply, action, partial(_keep_words, action, partial(_set_link, action)))
        case SetVfAttributes():
            return _Setting(machine, action, guard).run
        case SetVfMtus():
            return vf_mtus.work(machine, action, guard)


def _keep_words(action: SetPfLink | SetVfAttributes, call: Callable[[], Outcome]) -> Outcome:
    """Without the errno, of which less is known elsewhere than the edges say.

    Nor is it tried again at once: VFs may have lost their driver by now, so the next pass looks first.
    """
    try:
        return call()
    except KernelError as error:
        if not error.errno:
            raise
        raise KernelError(f"{action.pci_address}: {error.message}", hint=error.hint) from error


def _link(action: SetPfLink | SetVfAttributes) -> PfLink | None:
    """None if the netdev is gone, or has another name by now. KernelError if it cannot be read."""
    links = read_pf_links((action.netdev,))
    link = links.by_name.get(action.netdev)
    if link is None and links.problem:
        raise KernelError(f"{action.pci_address}: {links.problem}", hint=HINT)
    return link


def _set_link(action: SetPfLink) -> Outcome:
    link = _link(action)
    if link is None:
        return Outcome.STALE
    set_link(link.ifindex, mtu=action.mtu, promisc=action.promisc)
    return Outcome.CHANGED


class _Setting:
    """One SetVfAttributes, carried out. Whatever was planned is compared once more with what is there now."""

    def __init__(self, machine: "HostMachine", action: SetVfAttributes, guard: Callable[[], str]) -> None:
        self._machine = machine
        self._action = action
        self._guard = guard
        self._refused: list[RefusedSetting] = []

    def run(self) -> Result:
        result = apply(self._action, partial(_keep_words, self._action, self._set))
        numbers: dict[Request, tuple[int, ...]] = {}
        for refused in self._refused:
            if is_momentary(refused):
                continue
            numbers[refused.request] = (*numbers.get(refused.request, ()), refused.vf)
        return replace(result, refused=numbers)

    def _set(self) -> Outcome:
        action, machine = self._action, self._machine
        vfs = machine.vf_drivers.vfs_of(action.pci_address)
        if len(vfs) != action.num_vfs or (action.vfs and self._guard()):
            return Outcome.STALE
        link = _link(action)
        if link is None:
            return Outcome.STALE
        drivers = [machine.vf_drivers.driver(vf) for vf in vfs]
        raws = (raw for pf in machine.read_pfs((action.pci_address,)) for raw in pf.vfs) if action.vfs else ()
        bindings = {int(raw.index): raw.binding for raw in raws if raw.index.isdigit()}
        if vf_settings.has_changed(action.vfs, link, bindings):
            return Outcome.STALE
        changes = vf_settings.changes(self._wishes(link), action.vfs, link, drivers)
        for number, change in changes.items():
            if not action.keeps_drivers:
                self._take_driver(vfs[number], drivers[number], change)
            if change.msix_vectors and (refused := machine.write_msix(vfs[number], number, change.msix_vectors)):
                self._refused.append(refused)
        self._refused += self._ask(link.ifindex, {number: change.without("msix") for number, change in changes.items()})
        if self._has_lost_carrier():
            self._refused = [refused for refused in self._refused if refused.request != "rate"]
        if self._refused:
            raise self._refusal(len(changes))
        return Outcome.CHANGED if changes else Outcome.UNCHANGED

    def _ask(self, ifindex: int, wishes: dict[int, VfAttributes]) -> tuple[RefusedSetting, ...]:
        """Sets them; what the driver refuses for the moment, as while it resets the VF, is asked for again."""
        refused = set_vf_attributes(ifindex, wishes)
        for delay in IN_PASS_RETRY_SECONDS:
            again: dict[int, VfAttributes] = {}
            for setting in filter(is_momentary, refused):
                again[setting.vf] = replace(again.get(setting.vf, VfAttributes()), **setting.asked.said)
            if not again:
                break
            self._machine.pause(delay)
            final = [setting for setting in refused if not is_momentary(setting)]
            refused = (*final, *set_vf_attributes(ifindex, again))
        return refused

    def _wishes(self, link: PfLink) -> dict[int, VfAttributes]:
        action, machine = self._action, self._machine
        missing = vf_settings.unavailable(machine.vf_drivers.driver(action.pci_address), has_carrier=link.has_carrier)
        machine_id = machine.machine_id() if any(table.mac == STABLE for table in action.tables) else ""
        return vf_settings.wishes(action.tables, action.pci_address, action.num_vfs, machine_id, without=missing)

    def _take_driver(self, vf: str, driver: str, change: VfAttributes) -> None:
        if vf_settings.rebinds(change.requests, driver, is_vfio=is_vfio(driver)):
            self._machine.vf_drivers.unbind(vf, driver)

    def _has_lost_carrier(self) -> bool:
        """Whether rates were refused for that reason: a new MTU may take it for a second."""
        action = self._action
        needs_one = driver_of(self._machine.vf_drivers.driver(action.pci_address)).rates_need_carrier
        if not needs_one or all(refused.request != "rate" for refused in self._refused):
            return False
        link = _link(action)
        return link is None or not link.has_carrier

    def _refusal(self, num_changes: int) -> KernelError:
        """In words: the first few, each with its cause; what is to be done about the first."""
        action = self._action
        driver = self._machine.vf_drivers.driver(action.pci_address)
        said = [explain(refused, driver, action.pci_address) for refused in self._refused]
        vfs = {refused.vf for refused in self._refused}
        lead = f"{action.pci_address}: attributes of {len(vfs)} of {quantity(num_changes, 'VF')} not set"
        texts = shortlist([message for message, _ in said], NAMED, "; ")
        return KernelError(f"{lead}: {texts}", hint=next((hint for _, hint in said if hint), ""))
