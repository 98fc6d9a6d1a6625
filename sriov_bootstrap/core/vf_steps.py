"""The steps for the VFs of a PF beside their number: their drivers, their attributes, their MTU. See plan.py."""

from collections.abc import Iterator

from msgspec.structs import replace

from sriov_bootstrap.core.actions import Action, BindVfs, LoadModule, SetVfAttributes, SetVfMtus
from sriov_bootstrap.core.config import PfRule
from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.driver_wishes import DriverWishes, VfDriver
from sriov_bootstrap.core.facts import PfFacts, VfFacts
from sriov_bootstrap.core.placing import former_name
from sriov_bootstrap.core.surroundings import Surroundings
from sriov_bootstrap.core.vf_settings import BEFORE_BINDING, Settings


def binding_of_new_vfs(pf: PfFacts, drivers: DriverWishes, around: Surroundings, *, are_probed: bool) -> BindVfs:
    """Of all VFs that the count before it makes. `are_probed`: see BindVfs."""
    drivers = drivers if around.may_probe(pf) else drivers.without_probing
    return BindVfs(pf.pci_address, drivers.usual, others=drivers.others, are_probed=are_probed)


def attributes_of_new_vfs(
    desired: DesiredPf, pf: PfFacts, target: int, around: Surroundings, *, is_late: bool
) -> tuple[SetVfAttributes, ...]:
    """For VFs that the count is going to make. Those that the kernel binds meanwhile may have to be bound again."""
    rule = desired.rule
    tables = rule.attribute_tables
    if not target or not tables or not desired.netdev:
        return ()
    is_bound = VfDriver.KERNEL in rule.drivers(target).kinds and not is_late and around.may_probe(pf)
    needs_rebinding = is_bound and any(BEFORE_BINDING & {*table.requests} for table in tables)
    keeps_drivers = not needs_rebinding or around.names_follow_probes  # parallel probes would shuffle the names
    step = SetVfAttributes(pf.pci_address, desired.netdev, tables, target, keeps_drivers=keeps_drivers)
    return (step,)


def binding_of_vfs(
    pf: PfFacts, rule: PfRule, vfs: tuple[VfFacts, ...], around: Surroundings, *, returns: bool = False
) -> BindVfs:
    """Of VFs that exist. Probing that something else has switched off stays so."""
    wanted, applied = rule.drivers(pf.num_vfs), around.placement(pf.pci_address).drivers
    names = {
        vf.index: "" if returns else former_name(wanted.wish_for(vf.index), applied.wish_for(vf.index)) for vf in vfs
    }
    former = DriverWishes("", names).among(names)
    drivers = (wanted if around.may_probe(pf) else wanted.without_probing).among(names)
    addresses = tuple(vf.pci_address for vf in vfs)
    binding = BindVfs(pf.pci_address, drivers.usual, addresses, former.usual, returns=returns)
    return replace(binding, others=drivers.others, others_former=former.others)


def attribute_steps(
    desired: DesiredPf, pf: PfFacts, found: Settings, around: Surroundings, *, binds_others: bool
) -> Iterator[Action]:
    """For VFs that exist. VFs that lose their driver for it wait for a pass in which no others are bound."""
    rule, rebound = desired.rule, {vf.index: vf for vf in found.rebound}
    needs_probing = any(rule.drivers(pf.num_vfs).wish_for(number) == VfDriver.KERNEL for number in rebound)
    keeps_drivers = around.names_follow_probes or (needs_probing and not around.may_probe(pf))
    now = {vf: before for vf, before in found.now.items() if not binds_others or vf not in rebound}
    if not now or not desired.netdev:
        return
    is_rebound = bool(rebound) and not binds_others and not keeps_drivers
    tables, netdev = rule.attribute_tables, desired.netdev
    yield SetVfAttributes(pf.pci_address, netdev, tables, pf.num_vfs, now, keeps_drivers=not is_rebound)
    if is_rebound:
        yield binding_of_vfs(pf, rule, tuple(rebound.values()), around, returns=True)


def mtu_steps(pf: PfFacts, mtus: dict[int, int], num_vfs: int) -> Iterator[Action]:
    """`mtus`: VF number -> MTU; no step for none."""
    if mtus:
        yield SetVfMtus(pf.pci_address, mtus, num_vfs)


def bind_steps(pf: PfFacts, around: Surroundings, binding: BindVfs) -> Iterator[Action]:
    """The VFs' drivers, and before that the module of each that a rule names and the kernel does not have."""
    yield from (LoadModule(pf.pci_address, name) for name in binding.drivers.names if name in around.absent_drivers)
    yield binding
