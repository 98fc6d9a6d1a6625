"""Which VF is tried: a free one, never one in use, and a second one of the same PF to exchange frames with."""

from collections.abc import Callable, Iterable

from msgspec import Struct

from sriov_bootstrap.base.errors import UsageError
from sriov_bootstrap.base.printable import shell_name
from sriov_bootstrap.core.config import Config
from sriov_bootstrap.core.desired import resolve
from sriov_bootstrap.core.facts import NAMED, PfFacts, VfFacts
from sriov_bootstrap.core.pci_address import label, normalize
from sriov_bootstrap.core.plurals import quantity, shortlist
from sriov_bootstrap.core.vf_users import UseKind

SEE_STATUS = "sriov-bootstrap status lists rules, PFs and VFs"
MAKE_SOME = "sriov-bootstrap --once makes those that its rule asks for; sriov-bootstrap status says why there are none"
FREE_ONE = "shut a VM down, or take a VF from it, and try again; nothing is taken from anybody"
UNBIND_ONE = (
    "if no program uses it: echo {vf} > /sys/bus/pci/devices/{vf}/driver/unbind; sriov-bootstrap --once gives it the"
    " driver that its rule asks for, unless something else has set its driver_override"
)
TAKE_OUT_ONE = "take its netdev out of what has it (ip -d link show {netdev}), or name another VF"
OF_A_DRIVER = frozenset({UseKind.NO_NETDEV, UseKind.NO_NIC})
OF_THE_HOST = frozenset({UseKind.LOWER, UseKind.XDP, UseKind.PROMISCUOUS, UseKind.LINK_UNKNOWN, UseKind.ADDRESSED})


class Choice(Struct, frozen=True):
    """A PF with its rule, "" without one, and the VF that is tried; `vf` None: none is free, and `why` says so.

    `second` is another free one, None if there is none. `remedy` is what to do about `why`.
    """

    rule: str
    pf: PfFacts
    vf: VfFacts | None = None
    second: VfFacts | None = None
    why: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        """For people: the PF, as all our messages call it."""
        return label(self.pf.pci_address, self.pf.netdev)


IsAlone = Callable[[VfFacts], bool]  # whether nothing else is in a VF's IOMMU group


def choose(config: Config, pfs: Iterable[PfFacts], name: str, rule: str, is_alone: IsAlone) -> Choice:
    """The VF to try. `name`: the address of a PF or VF, or a PF's netdev; `rule`: of a rule; "" for any of its kind.

    UsageError if there is no such PF, VF or rule.
    """
    known = candidates(config, pfs, rule)
    if name:
        known = [_find((*known, *(("", pf) for pf in (() if rule else pfs))), name)]
    if not known:
        raise UsageError(("verify: no rule has a PF on this host",), hint=f"name a PF or VF; {SEE_STATUS}")
    found = [_choose_of(rule_name, pf, normalize(name), is_alone) for rule_name, pf in known]
    return next((choice for choice in found if choice.vf), found[0])


def choose_all(config: Config, pfs: Iterable[PfFacts], is_alone: IsAlone) -> tuple[Choice, ...]:
    """One VF of each PF that a rule has. UsageError if there are none."""
    known = candidates(config, pfs, "")
    if not known:
        raise UsageError(("verify: no rule has a PF on this host",), hint=SEE_STATUS)
    return tuple(_choose_of(rule, pf, "", is_alone) for rule, pf in known)


def candidates(config: Config, pfs: Iterable[PfFacts], rule: str) -> list[tuple[str, PfFacts]]:
    """Rules and their PFs; only of that rule, unless it is "". UsageError if there is none of that name."""
    if rule and rule not in {known.name for known in config.pf}:
        names = shortlist([f'"{known.name}"' for known in config.pf], NAMED)
        raise UsageError((f'verify: there is no rule "{rule}"',), hint=f"the rules: {names}" if names else SEE_STATUS)
    wishes = ((wish.rule.name, wish.pf) for wish in resolve(config, pfs) if rule in {"", wish.rule.name})
    found = [(rule_name, pf) for rule_name, pf in wishes if pf]
    if rule and not found:
        raise UsageError((f'verify: rule "{rule}" has no PF on this host',), hint=SEE_STATUS)
    return found


def _find(known: Iterable[tuple[str, PfFacts]], name: str) -> tuple[str, PfFacts]:
    address = normalize(name)
    for rule, pf in known:
        names = {pf.pci_address, *(vf.pci_address for vf in pf.vfs)}
        netdevs = {alias for dev in pf.netdevs for alias in (dev.name, *dev.altnames)}
        if address in names or name in netdevs:
            return rule, pf
    raise UsageError((f'verify: "{name}" is neither a PF nor a VF of one',), hint=SEE_STATUS)


def _choose_of(rule: str, pf: PfFacts, vf_address: str, is_alone: IsAlone) -> Choice:
    """`vf_address`: the VF that was asked for; that of none of its VFs: any of them."""
    asked = [vf for vf in pf.vfs if vf.pci_address == vf_address]
    free = sorted((vf for vf in asked or pf.vfs if not vf.use), key=lambda vf: not is_alone(vf))
    if not free:
        return Choice(rule, pf, why=_why_none(asked or pf.vfs), remedy=_remedy_for(asked or pf.vfs))
    others = [vf for vf in pf.vfs if not vf.use and vf != free[0] and is_alone(vf)]
    return Choice(rule, pf, free[0], others[0] if others else None)


def _why_none(vfs: Iterable[VfFacts]) -> str:
    """Who holds them."""
    holders = [f"VF {vf.index} {vf.pci_address}: {vf.use}" for vf in vfs]
    if not holders:
        return "it has no VFs"
    return f"no VF is free, {quantity(len(holders), 'is', 'are')} in use: {shortlist(holders, NAMED, '; ')}"


def _remedy_for(vfs: Iterable[VfFacts]) -> str:
    """The one that costs least: a VF that only a driver or the host itself has, before one of a VM."""
    uses = [(vf, vf.use) for vf in vfs if vf.use]
    if not uses:
        return MAKE_SOME
    for kinds, remedy in ((OF_A_DRIVER, UNBIND_ONE), (OF_THE_HOST, TAKE_OUT_ONE)):
        if found := next(((vf, use) for vf, use in uses if use.kind in kinds), None):
            return remedy.format(vf=found[0].pci_address, netdev=shell_name(found[1].netdev))
    return FREE_ONE
