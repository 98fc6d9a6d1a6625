"""What this host is as a whole: its kernel's config, and whether it is a VM."""

from typing import TYPE_CHECKING

from sriov_bootstrap.base.errors import LinkError, SriovBootstrapError
from sriov_bootstrap.core.obstacles import Platform
from sriov_bootstrap.core.presence import is_virtual, parse_kernel_config

if TYPE_CHECKING:
    from sriov_bootstrap.machine.host_machine import HostMachine


def read_platform(machine: "HostMachine") -> Platform:
    """Needs no root: what may not be read counts as unknown."""
    return Platform(parse_kernel_config(read_kernel_config(machine)), is_guest=is_guest(machine))


def read_kernel_config(machine: "HostMachine") -> str:
    """The running kernel's own, or the file of its package; "" if there is neither."""
    release = machine.procfs.kernel_release()
    paths = (f"/boot/config-{release}", f"/lib/modules/{release}/config") if release else ()
    return machine.procfs.kernel_config() or next(filter(None, (read_text(machine, path) for path in paths)), "")


def is_guest(machine: "HostMachine") -> bool:
    """By the CPU's own flag on x86, elsewhere by what the firmware calls the machine."""
    is_x86 = bool(machine.procfs.cpu_vendor())
    return machine.procfs.is_guest() or (not is_x86 and is_virtual(machine.pci.read_machine_names()))


def read_text(machine: "HostMachine", path: str) -> str:
    """A file, "" where it cannot be read."""
    try:
        return machine.files.read_text(path) or ""
    except LinkError:
        raise  # the result would describe another host
    except SriovBootstrapError:
        return ""
