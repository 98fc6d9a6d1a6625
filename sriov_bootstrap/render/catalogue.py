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
    "modprobe": Target("max_vfs, and VF drivers that stay away", kernel.render_modprobe),
    "udev": Target("netdevs that keep their names and that NetworkManager leaves alone", netdevs.render_udev),
    "nova-compute": Target("which VFs VMs may have, and aliases for flavors", nova.render_compute),
    "sriov-agent": Target("the network of each PF, VFs left out, bandwidths", neutron.render_agent),
    "nova-scheduler": Target(
        "controllers: the filters of the release, and the one for VFs", nova.render_scheduler, in_all=False
    ),
    "neutron-server": Target("controllers: mechanism driver and networks", neutron.render_server, in_all=False),
    "libvirt": Target(
        "<interface type='hostdev'> for one VF, or for each free one", libvirt.render_interface, in_all=False
    ),
    "libvirt-hostdev": Target("<hostdev>, likewise", libvirt.render_hostdev, in_all=False),
}
