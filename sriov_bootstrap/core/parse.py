"""What was read of a PF and its VFs -> facts: garbage becomes the value with the least effect, doubt is a use."""

import re
from collections.abc import Iterable
from functools import partial

from sriov_bootstrap.core import pci_address
from sriov_bootstrap.core.drivers import is_transport, is_vfio
from sriov_bootstrap.core.facts import IFF_UP, NAMED, Links, Netdev, PfFacts, RawNetdev, RawPf, RawVf, VfFacts
from sriov_bootstrap.core.plurals import shortlist
from sriov_bootstrap.core.vf_users import OPEN, Holders, Owners, Use, UseKind, use_by_holder, use_by_vm

INFINIBAND_CLASSES = ("0x0207", "0x0c06")  # pci.ids; the second is that of older HCAs
NETWORK_CLASSES = ("0x02", *INFINIBAND_CLASSES)
REPRESENTOR = r"(?:c\d+)?pf\d+(?:[vs]f\d+)?"  # net/devlink/port.c, __devlink_port_phys_port_name_get
VFIO_NODES = "/dev/vfio/devices/"
ROUTING_IDS = 1 << 16
C_INT_LIMIT = 1 << 31
IFF_PROMISC = 0x100  # set by the kernel as long as it is requested (net/core/dev.c, __dev_set_promiscuity)


def needs_holders(pfs: Iterable[RawPf]) -> bool:
    """Whether /proc has to be walked at all: it is the costliest read of a pass on a host full of VMs."""
    return any(is_vfio(vf.driver) or vf.nodes for pf in pfs for vf in pf.vfs)


def needs_port_names(functions: Iterable[RawPf]) -> bool:
    """Whether the kernel's list of netdevs has to tell ports from representors: most functions have one netdev."""
    return any(len(function.netdevs) > 1 for function in functions)


def parse_pf(
    raw: RawPf, links: Links, holders: Holders, owners: Owners | None = None, *, is_binding: bool = False
) -> PfFacts:
    """Parses one PF. Garbage in a file becomes the value with the least effect.

    `owners`: the VMs that VFs are assigned to; without them only what is open or up counts as use. `is_binding`: its
    VFs are being probed, so that one may have a driver and no netdev yet.
    """
    is_nic = is_network_class(raw.attributes.get("class", ""))
    known = owners or Owners()
    look = partial(_use, pf=raw, links=links, holders=holders, is_nic=is_nic, is_binding=is_binding)
    uses = ((vf, _trial(vf, known) or look(vf) or _owner(vf, known)) for vf in raw.vfs)
    vfs = (_vf(vf, use, is_nic=is_nic) for vf, use in uses)
    return PfFacts(
        pci_address=raw.pci_address,
        total_vfs=_number(raw.attributes.get("sriov_totalvfs", ""), default=0),
        driver=raw.driver,
        vendor_id=parse_id(raw.attributes.get("vendor", "")),
        device_id=parse_id(raw.attributes.get("device", "")),
        numa_node=_number(raw.attributes.get("numa_node", ""), default=-1),
        autoprobe=raw.attributes.get("sriov_drivers_autoprobe", "1") != "0",
        altnames_known=not links.problem,
        netdevs=_netdevs(raw, links),
        vfs=tuple(sorted(vfs, key=lambda vf: vf.index)),
        is_nic=is_nic,
        serial_number=raw.attributes.get("serial_number", "").lower()
        or (None if "serial_number" in raw.attributes else ""),
    )


def is_network_class(text: str) -> bool:
    """Whether this text of a file `class` is that of a NIC; one that could not be read is not."""
    return text.startswith(NETWORK_CLASSES)


def _netdevs(raw: RawPf, links: Links) -> tuple[Netdev, ...]:
    """The oldest first. A PF whose driver makes netdevs has no others: what stands beside them is a subfunction's.

    The virtio device of a subfunction's vDPA device has the PF for a parent, which does the DMA (drivers/vdpa/mlx5).
    """
    drivers = {child.name: child.driver for child in raw.children} if is_transport(raw.driver) else {}
    mine = [dev for dev in raw.netdevs if dev.device in {"", *drivers}]
    own = (_netdev(dev, links, drivers.get(dev.device, ""), is_only=len(mine) == 1) for dev in mine)
    return tuple(sorted(own, key=lambda dev: (dev.ifindex, dev.name)))


def _netdev(raw: RawNetdev, links: Links, driver: str, *, is_only: bool) -> Netdev:
    """`is_only`: its function has no other, so that it is the port, whatever it calls itself."""
    link = links.find(raw)
    return Netdev(
        name=raw.name,
        altnames=link.altnames if link else (),
        mac=raw.address.lower(),
        ifindex=_number(raw.ifindex, default=0),
        is_up=_has_flag(raw, IFF_UP),
        uppers=raw.uppers,
        device=raw.device,
        driver=driver,
        is_representor=not is_only and link is not None and re.fullmatch(REPRESENTOR, link.port_name) is not None,
    )


def _vf(raw: RawVf, use: Use | None, *, is_nic: bool) -> VfFacts:
    return VfFacts(
        index=_number(raw.index, default=-1),
        pci_address=raw.pci_address,
        driver=raw.driver,
        iommu_group=raw.iommu_group,
        netdevs=tuple(dev.name for dev in raw.netdevs),
        infiniband=raw.infiniband,
        incarnation=raw.inode,
        modalias=next((child.modalias for child in raw.children if child.modalias), "") if raw.driver else raw.modalias,
        use=use,
        devices={dev.name: dev.device for dev in raw.netdevs if dev.device},
        is_nic=is_nic,
        is_vfio=_is_vfio(raw),
        has_made_netdev=raw.has_net or bool(raw.netdevs),
        ifindex=raw.netdevs[0].ifindex if raw.netdevs else "",
    )


def _is_vfio(raw: RawVf) -> bool:
    """By what its driver has registered (VF/vfio-dev, since Linux 6.1), or by the driver's name."""
    return any(node.startswith(VFIO_NODES) for node in raw.nodes) or is_vfio(raw.driver)


def _trial(raw: RawVf, owners: Owners) -> Use | None:
    return Use(UseKind.TRIED) if raw.pci_address in owners.tried else None


def _owner(raw: RawVf, owners: Owners) -> Use | None:
    if not owners.by_device and not owners.problem:
        return None
    return use_by_vm((raw.pci_address, *raw.nodes, *(dev.name for dev in raw.netdevs)), owners)


def _use(raw: RawVf, pf: RawPf, links: Links, holders: Holders, *, is_nic: bool, is_binding: bool) -> Use | None:
    if not raw.driver:
        return None
    if _is_vfio(raw):
        return _vfio_use(raw, holders)
    if not is_nic:
        return Use(UseKind.NO_NIC, raw.driver)
    if not is_binding and (driver := _without_netdev(raw, pf)):
        return Use(UseKind.NO_NETDEV, driver)
    by_netdev = next((use for dev in raw.netdevs if (use := _netdev_use(dev, links))), None)
    return by_netdev or (use_by_holder(raw.nodes, holders, through_vfio=False) if raw.nodes else None)


def _without_netdev(raw: RawVf, pf: RawPf) -> str:
    """The driver of the VF, or of one of its children, whose netdev is not visible; "" if there is none.

    A child that does not exist yet, or has no driver yet, has no netdev. An RDMA device that is shared stays visible
    here when its netdev moves: only InfiniBand does without a netdev.
    """
    if raw.netdevs and not raw.children:
        return ""  # all of them are the VF's own: so it is with most VFs
    seen = {dev.device for dev in raw.netdevs}
    if raw.infiniband and pf.attributes.get("class", "").startswith(INFINIBAND_CLASSES):
        seen.add("")
    bound = (("", raw.driver), *((child.name, child.driver) for child in raw.children if child.driver))
    return next((driver for name, driver in bound if name not in seen and not is_transport(driver)), "")


def _vfio_use(raw: RawVf, holders: Holders) -> Use | None:
    groups = (f"/dev/vfio/{raw.iommu_group}", f"/dev/vfio/noiommu-{raw.iommu_group}") if raw.iommu_group else ()
    return use_by_holder((*raw.nodes, *groups, raw.pci_address), holders, through_vfio=True)


def vf_places(pf: str, attributes: dict[str, str]) -> tuple[str, ...]:
    """Where VFs of a PF are or would be: PCI Express 5.0, 9.2.1.2. Empty where the attributes do not say."""
    total, offset, stride = (
        _number(attributes.get(name, ""), default=0) for name in ("sriov_totalvfs", "sriov_offset", "sriov_stride")
    )
    place = pci_address.parse(pf)
    if not place or min(total, offset, stride) <= 0:
        return ()
    domain, bus, device, function = place
    first = (bus << 8 | device << 3 | function) + offset
    ids = range(first, min(first + stride * total, ROUTING_IDS), stride)
    return tuple(pci_address.kernel_name(domain, number >> 8, number >> 3 & 31, number & 7) for number in ids)


def leaving_users(raws: Iterable[RawVf], holders: Holders) -> str:
    """What keeps VFs from being destroyed, although their driver link is already gone; "" if not known."""
    uses = ((raw.pci_address, _vfio_use(raw, holders)) for raw in raws)
    said = [f"VF {address} is {use}" for address, use in uses if use and use.kind in OPEN]
    return shortlist(said, NAMED, "; ")


def _netdev_use(dev: RawNetdev, links: Links) -> Use | None:
    """An upper device (bond, bridge, macvtap) is a use even while the netdev is down: it was set up on purpose.

    So is a netdev that is up and that the kernel does not list, or cannot: there is no telling what it carries.

    One that was moved to another network namespace has no link here (net/core/dev.c, netdev_adjacent_is_neigh_list),
    but most make the netdev promiscuous.
    """
    if dev.uppers:
        return Use(UseKind.LOWER, ", ".join(dev.uppers), dev.name)
    link = links.find(dev)
    if link and link.has_xdp:
        return Use(UseKind.XDP, netdev=dev.name)
    if not _has_flag(dev, IFF_UP):
        return None
    if _has_flag(dev, IFF_PROMISC):
        return Use(UseKind.PROMISCUOUS, netdev=dev.name)
    if not link:
        return Use(UseKind.LINK_UNKNOWN, links.problem or "the kernel does not list it", dev.name)
    return Use(UseKind.ADDRESSED, ", ".join(link.addresses), dev.name) if link.addresses else None


def _has_flag(dev: RawNetdev, flag: int) -> bool:
    try:
        return bool(int(dev.flags, 16) & flag)
    except ValueError:
        return False


def _number(text: str, *, default: int) -> int:
    """A number beyond a C int did not come from the kernel, and would break whatever it is passed to."""
    try:
        number = int(text)
    except ValueError:
        return default
    return number if abs(number) < C_INT_LIMIT else default


def parse_id(text: str) -> str:
    """A vendor or device id as the config has it: `0x8086` -> `8086`."""
    return text.removeprefix("0x").lower()
