"""What is: a PF and its VFs, as their texts were read from /sys, /proc and rtnetlink, and as they are understood.

Identity is the PCI address; a netdev's name is an attribute and may change. The number of VFs is the number of `virtfn`
links, never the text of sriov_numvfs: reading that file waits for any write or probe of the PF in progress
(drivers/pci/iov.c, device_lock), and some drivers report a number that they did not create.
"""

from msgspec import Struct

from sriov_bootstrap.core.port_functions import PortFunction
from sriov_bootstrap.core.vf_attributes import PfLink
from sriov_bootstrap.core.vf_users import LATENT, Use, UseKind

IFF_UP = 0x1  # include/uapi/linux/if.h
NAMED = 4  # more VFs in use than this are counted, not named: a message is one line


class RawNetdev(Struct, frozen=True):
    """One entry of a net/ folder. Texts are as read, "" where that failed; `uppers` all the way up.

    Of a VF's, `address` is not read, as nothing depends on it, and `ifindex` only if a rule has tables for VFs: each
    file counts where there are 16384. `device` is the child whose folder it is, "" where that is the PCI function
    itself.
    """

    name: str
    address: str = ""
    flags: str = ""
    ifindex: str = ""
    uppers: tuple[str, ...] = ()
    device: str = ""


class RawChild(Struct, frozen=True):
    """A device that a PCI function has on another bus, such as `virtio2`; its netdevs are the function's."""

    name: str
    driver: str = ""
    modalias: str = ""


class RawVf(Struct, frozen=True):
    """The device behind one virtfn link; `inode` is that of its folder, new each time the VF is created.

    `nodes`: the device nodes that are this VF's alone, such as `/dev/vfio/devices/vfio3`, `/dev/infiniband/uverbs2`.
    `netdevs` are also those of its `children`. `has_net`: whether it has a folder net/, which stays while its netdev is
    in another network namespace; only looked for where there is no netdev.
    """

    index: str
    pci_address: str
    driver: str = ""
    iommu_group: str = ""
    inode: int = 0
    modalias: str = ""
    netdevs: tuple[RawNetdev, ...] = ()
    nodes: tuple[str, ...] = ()
    infiniband: tuple[str, ...] = ()
    children: tuple[RawChild, ...] = ()
    has_net: bool = True

    @property
    def binding(self) -> str:
        """See VfFacts."""
        return f"{self.driver} {self.netdevs[0].ifindex if self.netdevs else ''}".strip()


class RawPf(Struct, frozen=True):
    """One PCI device with sriov_totalvfs: its attribute files and links, as text. `netdevs` as of a VF."""

    pci_address: str
    attributes: dict[str, str]
    driver: str = ""
    netdevs: tuple[RawNetdev, ...] = ()
    vfs: tuple[RawVf, ...] = ()
    children: tuple[RawChild, ...] = ()


class Link(Struct, frozen=True):
    """What only the kernel's network side knows of a netdev. `port_name`: its phys_port_name, "" if it has none."""

    name: str
    altnames: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()  # without link-local ones: the kernel gives those to every netdev that is up
    ifindex: int = 0
    has_xdp: bool = False  # a program takes its packets before the kernel does: AF_XDP, a load balancer
    port_name: str = ""


class Links(Struct, frozen=True):
    """Every netdev of our network namespace; `problem` says why the list could not be had."""

    by_name: dict[str, Link] = {}
    problem: str = ""

    def find(self, dev: RawNetdev) -> Link | None:
        """Its link, also when it was renamed between the two looks; None when it is not in the list."""
        found = self.by_name.get(dev.name)
        if found or not dev.ifindex:
            return found
        return next((link for link in self.by_name.values() if str(link.ifindex) == dev.ifindex), None)


class Routes(Struct, frozen=True):
    """The netdevs that default routes leave through; `problem` says why that is not known, or not of all."""

    netdevs: frozenset[str] = frozenset()
    problem: str = ""

    def among(self, known: frozenset[str]) -> "Routes":
        """The same, if each of them exists in /sys: an unknown name could be any of the netdevs there."""
        strange = sorted(self.netdevs - known)
        if self.problem or not strange:
            return self
        return Routes(self.netdevs, f"one leaves through {strange[0]}, which has no netdev in /sys")


class Netdev(Struct, frozen=True):
    """A netdev of a PF. `device` and its `driver`: what it is the netdev of, "" where that is the PF itself.

    `is_representor`: switchdev has made it for a VF, a subfunction or a PF elsewhere; all others are the PF's ports.
    """

    name: str
    altnames: tuple[str, ...]
    mac: str
    ifindex: int
    is_up: bool
    uppers: tuple[str, ...] = ()
    device: str = ""
    driver: str = ""
    is_representor: bool = False


class Representor(Struct, frozen=True):
    """The netdev that stands for a VF on the host. `has_tc_offload`: None where that was not asked for.

    `port_name`: its phys_port_name.
    """

    netdev: str
    ifindex: int = 0
    has_master: bool = False
    has_tc_offload: bool | None = None
    port_name: str = ""


class EswitchFacts(Struct, frozen=True):
    """The switch in a NIC, as devlink and rtnetlink tell it. `mode` "": it has none that can be set.

    `switch_id`: that of the uplink, "" while there is none. `uplink`: its netdev; `representors`: VF number -> its.
    `params`: name of a devlink parameter -> mode in which it is set -> value; only those that a rule names. `lag`:
    "active" or "disabled", "" where that is not asked for or not known. `functions`: VF number -> what its port says of
    the function behind it, where that is asked for.
    """

    mode: str = ""
    inline_mode: str = ""
    encap_mode: str = ""
    switch_id: str = ""
    uplink: Representor | None = None
    representors: dict[int, Representor] = {}
    params: dict[str, dict[str, bool | int | str]] = {}
    lag: str = ""
    functions: dict[int, PortFunction] = {}


class Eswitches(Struct, frozen=True):
    """PCI address of a PF -> what was read; or why it could not be. `problem`: why nothing could."""

    by_address: dict[str, EswitchFacts] = {}
    problems: dict[str, str] = {}
    problem: str = ""


class DevlinkQuestion(Struct, frozen=True):
    """What is to be read of one PF: these parameters, whether its netdevs offload TC, whether its bond is offloaded.

    `functions`: what the ports of VFs say of the functions behind them. `modes`: which modes the switch is in.
    """

    pci_address: str
    params: tuple[str, ...] = ()
    tc_offload: bool = False
    lag: bool = False
    functions: bool = False
    modes: bool = True


class VfFacts(Struct, frozen=True):
    """One VF. `use` says who uses it, None if it is free; `incarnation` differs after every re-creation.

    `modalias` is that of what has no driver: the VF, or the device that it has on another bus. `devices`: netdev ->
    that device, where it is the netdev of one. `is_nic`: see `PfFacts`. `is_vfio`: reached through vfio. `mtu`: of its
    first netdev, 0 if it has none here, or no rule says something of it.
    """

    index: int
    pci_address: str
    driver: str = ""
    iommu_group: str = ""
    netdevs: tuple[str, ...] = ()
    infiniband: tuple[str, ...] = ()
    incarnation: int = 0
    modalias: str = ""
    use: Use | None = None
    devices: dict[str, str] = {}
    is_nic: bool = True
    is_vfio: bool = False
    has_made_netdev: bool = True
    mtu: int = 0
    ifindex: str = ""

    @property
    def binding(self) -> str:
        """What differs after each time that it was bound: its driver and the index of the netdev that this made."""
        return f"{self.driver} {self.ifindex}".strip()

    @property
    def refusal(self) -> str:
        """The VF and its user, as refusals have it: `VF 3 0000:3b:10.6 is held by ...`."""
        lead = "" if self.use and self.use.kind is UseKind.HELD else "in use: "
        return f"VF {self.index} {self.pci_address} is {lead}{self.use}"

    @property
    def note(self) -> str:
        """What else an operator may want to know: that it looks taken but is not, or is not a tenant's."""
        if self.is_tried:
            return str(self.use)
        return f"bound to {self.driver}, but not in use" if self.is_vfio and not self.use else ""

    @property
    def is_tried(self) -> bool:
        """Whether `verify` has it: nothing is done to it, and no tenant uses it."""
        return self.use is not None and self.use.kind is UseKind.TRIED

    @property
    def lacks_driver(self) -> bool:
        """Whether it has none, or its device on another bus has none."""
        return not self.driver or bool(self.modalias)

    @property
    def is_ready(self) -> bool:
        """Whether its driver has finished: a netdev or RDMA device is there, or it makes none (vfio, no NIC)."""
        makes_none = not self.is_nic or self.is_vfio
        return bool(self.driver) and (makes_none or bool(self.netdevs or self.infiniband))


class PfFacts(Struct, frozen=True):
    """One PF; `driver` "" means none is bound; `total_vfs` counts only while one is (igb: 8 without, 7 with).

    `is_nic`: whether it is a network function by its PCI class; a GPU or an NVMe controller is a PF too.
    `serial_number`: of the card, as 7.3 and later kernels show it; "" if it has none or no rule asks for it, None if it
    has one that could not be read. `link`: its netdev and what it has set for its VFs; None if no rule asks for it, or
    if it could not be read: `link_problem` then says why. `eswitch`, `eswitch_problem`: the same of its switch.
    """

    pci_address: str
    total_vfs: int
    driver: str = ""
    vendor_id: str = ""
    device_id: str = ""
    numa_node: int = -1
    autoprobe: bool = True
    altnames_known: bool = True
    netdevs: tuple[Netdev, ...] = ()
    vfs: tuple[VfFacts, ...] = ()
    is_nic: bool = True
    serial_number: str | None = ""
    link: PfLink | None = None
    link_problem: str = ""
    eswitch: EswitchFacts | None = None
    eswitch_problem: str = ""

    @property
    def num_vfs(self) -> int:
        """Existing VFs, by their virtfn links."""
        return len(self.vfs)

    @property
    def incarnations(self) -> frozenset[int]:
        """Which VFs these are: a VF created again is another one, although its address is the same."""
        return frozenset(vf.incarnation for vf in self.vfs)

    @property
    def netdev(self) -> str:
        """The first of its ports, "" if it has none here."""
        return self.ports[0].name if self.ports else ""

    @property
    def ports(self) -> tuple[Netdev, ...]:
        """Its own netdevs, the oldest first. Usually one; a ConnectX-3 has both ports of the card on one function."""
        return tuple(dev for dev in self.netdevs if not dev.is_representor)

    @property
    def are_ports_known(self) -> bool:
        """Not while the kernel does not list the netdevs: one of several may be a representor."""
        return self.altnames_known or len(self.netdevs) <= 1

    @property
    def vfs_in_use(self) -> tuple[VfFacts, ...]:
        """The VFs in use."""
        return tuple(vf for vf in self.vfs if vf.use)

    @property
    def vfs_at_work(self) -> tuple[VfFacts, ...]:
        """Those of them that may carry traffic now.

        Not what a VM that is shut off will have: every VM's VFs after a reboot of the host.
        """
        return tuple(vf for vf in self.vfs_in_use if vf.driver or (vf.use and vf.use.kind not in LATENT))
