"""Which VFs' attributes are to be set now, which later, and which are a tenant's.

Attributes of new VFs are set between the count and their drivers, when nobody can know them yet. For VFs that exist it
is different: nova, libvirt and the SR-IOV agent set MAC, VLAN, trust and rates when they plug a VF, before QEMU opens
it, and nothing tells that they have begun. So a VF is touched only if

- nobody uses it;
- it is not on a vfio driver that its rule does not name: that one is libvirt's;
- its driver, its netdev and its attributes have been the same for QUIET_SECONDS, as far as passes have seen, and udev
  has told of no PF, VF or netdev meanwhile. A VF that was plugged and unplugged in between has another netdev than
  before, but who does so again and again may have none of it whenever we look: his events are what wakes us.

A driver reads a VF's MAC when it binds, and MSI-X vectors can only be set while none is bound. So a VF that needs one
of these is taken from its driver, and given back to it afterwards.

What the kernel has refused is not tried again, until the rule changes, the VF is created again, or an operator asks for
a pass. Rates that need the PF's carrier are left out while it has none.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.core.config import PfRule
from sriov_bootstrap.core.driver_wishes import DriverWishes, VfDriver
from sriov_bootstrap.core.drivers import driver_of, is_vfio
from sriov_bootstrap.core.facts import PfFacts, VfFacts
from sriov_bootstrap.core.vf_attributes import (
    STABLE,
    PfLink,
    Request,
    VfAttributes,
    VfTable,
    combine_tables,
    difference,
    fingerprint,
    stable_mac,
)

QUIET_SECONDS = 30.0
NO_MACHINE_ID = f'mac = "{STABLE}" is not set: /etc/machine-id is missing, or not a machine id'
MACHINE_ID_REMEDY = "systemd-machine-id-setup makes one"
BEFORE_BINDING: frozenset[Request] = frozenset({"mac", "msix"})  # not in force, or refused, while a driver is bound


class Seen(Struct, frozen=True):
    """A VF that differs from its rule: its driver and attributes as one number, the same since `since` (monotonic).

    `awaits_carrier`: what it lacks cannot be set before there is one, which is an event.
    """

    fingerprint: int
    since: float
    awaits_carrier: bool = False


class AttributeRefusal(Struct, frozen=True):
    """What the kernel has refused: a request -> the incarnations of those VFs."""

    requests: dict[Request, frozenset[int]]
    message: str
    hint: str = ""

    def requests_of(self, vf: VfFacts) -> tuple[Request, ...]:
        """What was refused for this VF."""
        return tuple(request for request, vfs in self.requests.items() if vf.incarnation in vfs)

    def among(self, vfs: frozenset[int]) -> "AttributeRefusal | None":
        """The same of these VFs, None if it is about others."""
        left = {request: both for request, refused in self.requests.items() if (both := refused & vfs)}
        return replace(self, requests=left) if left else None


class AttributeMemory(Struct, frozen=True):
    """What is remembered of one PF: VFs (incarnations) that `tables` were `given` to, and those that differ.

    VFs of a `refusal` have been given the rest.
    """

    tables: tuple[VfTable, ...] = ()
    given: frozenset[int] = frozenset()
    seen: dict[int, Seen] = {}
    refusal: AttributeRefusal | None = None

    @property
    def is_needed(self) -> bool:
        """Whether the next pass can learn something from it."""
        return bool(self.given or self.seen or self.refusal)

    @property
    def without_refusal(self) -> "AttributeMemory":
        """The same, as if those VFs had never been given anything."""
        refused = self.refusal.requests.values() if self.refusal else ()
        return replace(self, given=self.given.difference(*refused), refusal=None)


class Before(Struct, frozen=True, array_like=True):
    """A VF as it was when its attributes were planned. `refused`: what the kernel has refused, and is left out."""

    fingerprint: int
    is_given: bool
    refused: tuple[Request, ...] = ()


NEW = Before(0, is_given=False)  # a VF that the count has just made


class Settings(Struct, frozen=True):
    """What becomes of the VFs of one PF. All but `now` are VFs that differ, and stay so for the time being.

    `now`: VF number -> how it was. `rebound`: those among them that lose their driver and get it back. `later`: VFs
    that somebody has just been at. `held`: those that somebody uses. `refused`: by the kernel. `carrier`: those that
    lack nothing but a rate, which needs the PF's carrier; `awaits_carrier`: whether any lacks one for that reason.
    `seen`: see AttributeMemory.
    """

    now: dict[int, Before] = {}
    rebound: tuple[VfFacts, ...] = ()
    later: tuple[VfFacts, ...] = ()
    held: tuple[VfFacts, ...] = ()
    refused: tuple[VfFacts, ...] = ()
    carrier: tuple[VfFacts, ...] = ()
    seen: dict[int, Seen] = {}
    awaits_carrier: bool = False

    @property
    def differing(self) -> frozenset[int]:
        """The numbers of VFs that nobody uses and that differ."""
        return frozenset({*self.now, *(vf.index for vf in (*self.later, *self.refused, *self.carrier))})


def wishes(
    tables: tuple[VfTable, ...], pf: str, num_vfs: int, machine_id: str, *, without: frozenset[Request] = frozenset()
) -> dict[int, VfAttributes]:
    """What each VF should have, with its own MAC in place of STABLE; without a machine id there is none."""
    return {
        number: _resolve(wish, pf, number, machine_id, without)
        for number, wish in combine_tables(tables, num_vfs).items()
    }


def lacks_machine_id(rule: PfRule, machine_id: str) -> bool:
    """Whether MACs that the rule asks for cannot be derived."""
    return rule.has_stable_mac and not machine_id


def _resolve(wish: VfAttributes, pf: str, number: int, machine_id: str, without: frozenset[Request]) -> VfAttributes:
    for request in without & {*wish.requests}:
        wish = wish.without(request)
    if wish.mac != STABLE:
        return wish
    return replace(wish, mac=stable_mac(machine_id, pf, number) if machine_id else None)


def unavailable(pf_driver: str, *, has_carrier: bool) -> frozenset[Request]:
    """What cannot be set at this moment."""
    return frozenset({"rate"}) if driver_of(pf_driver).rates_need_carrier and not has_carrier else frozenset()


def rebinds(requests: Iterable[Request], driver: str, *, is_vfio: bool) -> bool:
    """Whether a VF has to leave this driver for it. One that is reached through vfio is reset when it is opened."""
    return bool(driver) and not is_vfio and not BEFORE_BINDING.isdisjoint(requests)


def has_changed(planned: Mapping[int, Before], link: PfLink, bindings: Mapping[int, str]) -> bool:
    """Whether something else has been at one of these VFs since. `bindings`: VF number -> see VfFacts."""
    now = {number: fingerprint(link.vfs.get(number), bindings.get(number, "")) for number in planned}
    return any(before.fingerprint != now[number] for number, before in planned.items())


def changes(
    wished: Mapping[int, VfAttributes], planned: Mapping[int, Before], link: PfLink, drivers: Sequence[str]
) -> dict[int, VfAttributes]:
    """VF number -> what it lacks now. `planned`: see actions.SetVfAttributes; `drivers`: of each VF of the PF.

    A new VF has no driver, or the kernel's: one that is on vfio has been taken by somebody in the meantime.
    """
    found = {}
    for number, wish in wished.items():
        if number not in planned if planned else is_vfio(drivers[number]):
            continue
        before = planned.get(number, NEW)
        differs = difference(wish, link.vfs.get(number), is_given=before.is_given)
        for request in before.refused:
            differs = differs.without(request)
        if differs.requests:
            found[number] = differs
    return found


def settings(
    rule: PfRule, pf: PfFacts, memory: AttributeMemory, machine_id: str, *, now: float, is_unfinished: bool = False
) -> Settings:
    """The VFs of a PF that have their number, against its rule. `now` on CLOCK_MONOTONIC.

    `is_unfinished`: those without a driver are ours, and still wait for it.
    """
    tables = rule.attribute_tables
    if not tables or pf.link is None:
        return Settings()
    known = memory if memory.tables == tables else AttributeMemory(seen=memory.seen)
    missing = unavailable(pf.driver, has_carrier=pf.link.has_carrier)
    judge = _Judge(rule.drivers(pf.num_vfs), pf.link, known, missing, now)
    wished = wishes(tables, pf.pci_address, pf.num_vfs, machine_id)
    asked = ((vf, wished[vf.index]) for vf in pf.vfs if vf.index in wished)
    found = [judge.judge(vf, wish, is_ours=is_unfinished and not vf.driver) for vf, wish in asked]
    return Settings(
        now={judged.vf.index: judged.before for judged in found if judged.kind is _Kind.NOW},
        rebound=tuple(judged.vf for judged in found if judged.kind is _Kind.NOW and judged.has_to_leave),
        later=_vfs_of(found, _Kind.LATER),
        held=_vfs_of(found, _Kind.HELD),
        refused=_vfs_of(found, _Kind.REFUSED),
        carrier=_vfs_of(found, _Kind.CARRIER),
        seen={judged.vf.incarnation: judged.seen for judged in found if judged.seen},
        awaits_carrier=any(judged.awaits_carrier for judged in found),
    )


class _Kind(StrEnum):
    EQUAL = "equal"
    NOW = "now"
    LATER = "later"
    HELD = "held"
    REFUSED = "refused"
    CARRIER = "carrier"


class _Judged(Struct, frozen=True):
    vf: VfFacts
    kind: _Kind
    before: Before = NEW
    seen: Seen | None = None
    has_to_leave: bool = False
    awaits_carrier: bool = False


def _vfs_of(found: Iterable[_Judged], kind: _Kind) -> tuple[VfFacts, ...]:
    return tuple(judged.vf for judged in found if judged.kind is kind)


class _Judge(Struct, frozen=True):
    """What holds for all VFs of a PF. `missing`: what cannot be set at this moment."""

    drivers: DriverWishes
    link: PfLink
    known: AttributeMemory
    missing: frozenset[Request]
    now: float

    def judge(self, vf: VfFacts, wish: VfAttributes, *, is_ours: bool) -> _Judged:
        """`is_ours`: nobody else can have been at it."""
        actual, is_given = self.link.vfs.get(vf.index), vf.incarnation in self.known.given
        refused = self.known.refusal.requests_of(vf) if self.known.refusal else ()
        requests = {*difference(wish, actual, is_given=is_given, refused=refused).requests}
        if not requests:
            return _Judged(vf, _Kind.EQUAL)
        if vf.use or (vf.is_vfio and vf.driver != self.drivers.wish_for(vf.index)):
            return _Judged(vf, _Kind.HELD)
        awaits_carrier = bool(self.missing & requests)
        possible = requests - {*self.missing, *refused}
        before = Before(fingerprint(actual, vf.binding), is_given, refused)
        earlier = self.known.seen.get(vf.incarnation)
        is_same = earlier is not None and earlier.fingerprint == before.fingerprint
        seen = Seen(before.fingerprint, earlier.since if earlier and is_same else self.now, awaits_carrier=not possible)
        if not possible and refused:
            return _Judged(vf, _Kind.REFUSED, awaits_carrier=awaits_carrier)
        if not possible:  # its quiet time may be over by the time the carrier is there
            return _Judged(vf, _Kind.CARRIER, seen=seen, awaits_carrier=awaits_carrier)
        is_quiet = is_ours or self.now - seen.since >= QUIET_SECONDS
        return _Judged(
            vf,
            _Kind.NOW if is_quiet else _Kind.LATER,
            before,
            seen,
            has_to_leave=rebinds(possible, vf.driver, is_vfio=vf.is_vfio)
            and self.drivers.wish_for(vf.index) != VfDriver.NONE,
            awaits_carrier=awaits_carrier,
        )
