"""The targets of `render`: a table."""

from collections.abc import Callable

from msgspec import Struct

from sriov_bootstrap.core.packagings import MARKERS
from sriov_bootstrap.render import kernel, libvirt, netdevs, neutron, nova
from sriov_bootstrap.render.host import Ask, Host, Rendering

PROBED_PATHS = (*MARKERS, *kernel.PROBED)


class Target(Struct, frozen=True):
    """`in_all`: it belongs to a compute host and is a file there."""

    description: str
    make: Callable[[Host, Ask], Rendering]
    in_all: bool = True


TARGETS = {
    "kernel-cmdline": Target("kernel parameters for the IOMMU", kernel.render_cmdline),
    "modprobe": Target("max_vfs, and blocked VF drivers", kernel.render_modprobe),
    "udev": Target("stable netdev names, and netdevs that NetworkManager leaves alone", netdevs.render_udev),
    "nova-compute": Target("which VFs VMs may use, and aliases for flavors", nova.render_compute),
    "sriov-agent": Target("the network of each PF, excluded VFs, bandwidths", neutron.render_agent),
    "nova-scheduler": Target(
        "controllers: the release's filters, and the one for VFs", nova.render_scheduler, in_all=False
    ),
    "neutron-server": Target("controllers: mechanism driver and networks", neutron.render_server, in_all=False),
    "libvirt": Target(
        "<interface type='hostdev'> for one VF, or for each free one", libvirt.render_interface, in_all=False
    ),
    "libvirt-hostdev": Target("<hostdev>, likewise", libvirt.render_hostdev, in_all=False),
}
