"""What is known about this host when files are rendered or checked: config, PFs, distribution."""

from collections.abc import Iterable

from sriov_bootstrap.core.config import Config
from sriov_bootstrap.core.desired import resolve
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.machine.platform import read_kernel_config, read_text
from sriov_bootstrap.passes.read import read_facts
from sriov_bootstrap.render.catalogue import PROBED_PATHS
from sriov_bootstrap.render.host import Host, parse_layout, parse_os_release


def read_host(machine: HostMachine, config: Config, known: Iterable[str] = ()) -> Host:
    """Needs no root: what may not be read counts as unknown. `known`: see `read_facts`."""
    pfs = read_facts(machine, config, known)
    pci, procfs = machine.pci, machine.procfs
    return Host(
        config,
        wishes=resolve(config, pfs),
        pfs=pfs,
        layouts={pf.pci_address: parse_layout(*pci.read_vf_layout(pf.pci_address)) for pf in pfs},
        os_release=parse_os_release(read_text(machine, "/etc/os-release")),
        paths=machine.files.keep_existing(PROBED_PATHS),
        cpu_vendor=procfs.cpu_vendor(),
        kernel_config=read_kernel_config(machine),
        machine_id=machine.machine_id() if any(rule.has_stable_mac for rule in config.pf) else "",
    )
