"""Every format that can set VFs: one file each, one line here."""

from collections.abc import Callable, Iterator

from sriov_bootstrap.conflicts import (
    cloud_init,
    ifcfg,
    interfaces,
    links,
    modprobe,
    module_lists,
    netplan,
    netplan_passthrough,
    netplan_shim,
    network_operator,
    networkmanager,
    networkmanager_conf,
    nmstate,
    os_net_config,
    scripts,
    sysfsutils,
    tmpfiles,
    tuned,
    udev,
    units,
)
from sriov_bootstrap.conflicts.master import Master, Search

Reader = Callable[[Search], Iterator[Master]]

READERS: tuple[Reader, ...] = (
    scripts.read,
    interfaces.read,
    units.read,
    udev.read,
    links.read,
    netplan.read,
    netplan_passthrough.read,
    os_net_config.read,
    netplan_shim.read,
    network_operator.read,
    networkmanager.read,
    networkmanager_conf.read,
    nmstate.read,
    ifcfg.read,
    modprobe.read,
    modprobe.read_loaders,
    module_lists.read,
    sysfsutils.read,
    cloud_init.read,
    scripts.read_installs,
    tmpfiles.read,
    tuned.read,
    scripts.read_rest,
)
