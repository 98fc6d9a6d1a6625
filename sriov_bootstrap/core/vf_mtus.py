"""The MTU of VFs' netdevs, which a rule may say: of which VFs it is to be set now.

The netdev is the host's for as long as the kernel's driver holds the VF. A VF in use is left alone, and so is one whose
netdev is not here, as under vfio. Whatever binds a VF makes a new netdev with the driver's own MTU, so it is set once
all VFs have their drivers.
"""

from collections.abc import Collection, Mapping

from msgspec.structs import replace

from sriov_bootstrap.core.config import PfRule
from sriov_bootstrap.core.facts import PfFacts, VfFacts


def netdevs_to_ask(rule: PfRule, pf: PfFacts) -> tuple[str, ...]:
    """The netdevs of this PF's VFs whose MTU matters."""
    wished = rule.vf_mtus(pf.num_vfs)
    return tuple(vf.netdevs[0] for vf in pf.vfs if vf.index in wished and vf.netdevs)


def with_mtus(pf: PfFacts, mtus: Mapping[str, int]) -> PfFacts:
    """The same PF with what is known of its VFs' netdevs. `mtus`: netdev -> MTU."""
    vfs = (replace(vf, mtu=mtus.get(vf.netdevs[0], 0)) if vf.netdevs else vf for vf in pf.vfs)
    return replace(pf, vfs=tuple(vfs))


def differing_vfs(rule: PfRule, pf: PfFacts) -> tuple[VfFacts, ...]:
    """The free VFs whose netdev has another MTU."""
    wished = rule.vf_mtus(pf.num_vfs)
    return tuple(vf for vf in pf.vfs if vf.mtu and not vf.use and wished.get(vf.index, vf.mtu) != vf.mtu)


def to_set(rule: PfRule, pf: PfFacts, bound: Collection[str]) -> dict[int, int]:
    """VF number -> MTU. `bound`: the PCI addresses of VFs that get a driver in the same plan, and with it a netdev."""
    meant = {vf.index for vf in pf.vfs if vf.pci_address in bound} | {vf.index for vf in differing_vfs(rule, pf)}
    return {number: mtu for number, mtu in rule.vf_mtus(pf.num_vfs).items() if number in meant}
