"""Our units among those of others that order themselves around the network: nobody waits for himself.

Booting the Red Hat family is not tested, but its units are known. Of each only what orders it is repeated here, with
the file that says it; what systemd adds is that of systemd.special(7) and systemd.service(5), "Default Dependencies".
"""

import graphlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import pytest

from sriov_bootstrap.core.packagings import KNOWN_CONSUMERS

UNITS: Final = Path(__file__).parents[2] / "units"
Ordering = Mapping[str, str]  # After, Before, DefaultDependencies, WantedBy -> words

# systemd 257: units/*.target, man systemd.special
SYSTEMD: Final[dict[str, Ordering]] = {
    "sysinit.target": {"After": "local-fs.target systemd-modules-load.service systemd-udevd.service"},
    "basic.target": {"After": "sysinit.target sockets.target paths.target timers.target slices.target"},
    "sockets.target": {},
    "paths.target": {},
    "network.target": {"After": "network-pre.target"},
    "network-online.target": {"After": "network.target"},
    "remote-fs-pre.target": {},
    "remote-fs.target": {"After": "remote-fs-pre.target"},
    "multi-user.target": {"After": "basic.target"},
    "systemd-modules-load.service": {"DefaultDependencies": "no", "Before": "sysinit.target"},
    "systemd-udevd.service": {"DefaultDependencies": "no", "Before": "sysinit.target"},
    "systemd-udev-settle.service": {
        "DefaultDependencies": "no",
        "After": "systemd-udevd.service",
        "Before": "sysinit.target",
    },
    "dbus.service": {},
}
OTHERS: Final[dict[str, Ordering]] = {
    # NetworkManager 1.58: data/NetworkManager.service.in, NetworkManager-wait-online.service.in
    "NetworkManager.service": {"After": "network-pre.target dbus.service", "Before": "network.target"},
    "NetworkManager-wait-online.service": {"After": "NetworkManager.service", "Before": "network-online.target"},
    # openvswitch: rhel/usr_lib_systemd_system_*
    "ovsdb-server.service": {"After": "syslog.target network-pre.target", "Before": "network.target network.service"},
    "ovs-vswitchd.service": {
        "After": "ovsdb-server.service network-pre.target systemd-udev-settle.service",
        "Before": "network.target network.service",
    },
    "openvswitch.service": {"After": "network-pre.target", "Before": "network.target network.service"},
    # libvirt: src/remote/libvirtd.service.in
    "libvirtd.service": {"After": "network.target dbus.service local-fs.target remote-fs.target"},
    # mlnx-ofa_kernel: ofed_scripts/openibd.service
    "openibd.service": {
        "DefaultDependencies": "no",
        "After": "local-fs.target",
        "Before": "network.target network.service networking.service remote-fs-pre.target",
        "WantedBy": "sysinit.target",
    },
    # os-net-config: os_net_config/utils.py, _SRIOV_CONFIG_DEVICE_CONTENT; EDPM's waits for openibd as well
    "sriov_config.service": {
        "After": "systemd-udev-settle.service openibd.service",
        "Before": "ovs-vswitchd.service openvswitch.service",
    },
    # initscripts: a script of SysV, for which systemd-sysv-generator makes this
    "network.service": {"After": "network-pre.target", "Before": "network-online.target network.target"},
    # cloud-init 26.2: systemd/*.tmpl, as rendered for rhel
    "cloud-init-local.service": {"DefaultDependencies": "no", "Before": "network-pre.target"},
    "cloud-init-network.service": {
        "After": "cloud-init-local.service NetworkManager.service NetworkManager-wait-online.service",
        "Before": "network-online.target",
    },
    # nova's unit of RDO; those of other packagings wait for no less
    **{name: {"After": "syslog.target network.target libvirtd.service"} for name in KNOWN_CONSUMERS},
}
# As a later version of it is installed; with Debian's cloud-init it would wait for itself, whether we are there or not.
LATE_OPENIBD: Final = OTHERS | {
    "openibd.service": {**OTHERS["openibd.service"], "After": "local-fs.target sysinit.target"},
}
DEBIAN: Final[dict[str, Ordering]] = OTHERS | {
    # cloud-init, as rendered for debian; ifupdown: debian/networking.service
    "cloud-init-local.service": {"DefaultDependencies": "no", "Before": "network-pre.target sysinit.target"},
    "cloud-init-network.service": {
        "DefaultDependencies": "no",
        "After": "cloud-init-local.service networking.service",
        "Before": "network-online.target sysinit.target",
    },
    "networking.service": {
        "DefaultDependencies": "no",
        "After": "local-fs.target network-pre.target systemd-udev-settle.service",
        "Before": "network.target network-online.target",
    },
}


def ordering_of(unit: Path) -> Ordering:
    """What orders a unit of ours; of the sections, [Unit] and [Install] have such keys."""
    words: dict[str, str] = {}
    for line in unit.read_text().splitlines():
        key, is_key, value = line.partition("=")
        if is_key and key in {"After", "Before", "DefaultDependencies", "WantedBy"}:
            words[key] = f"{words.get(key, '')} {value}".strip()
    return words


OURS: Final = {path.name: ordering_of(path) for path in UNITS.iterdir()}


def waits(units: Mapping[str, Ordering]) -> dict[str, set[str]]:
    """Unit -> those that it waits for."""
    found: dict[str, set[str]] = {name: set() for name in units}
    for name, ordering in units.items():
        has_defaults = ordering.get("DefaultDependencies", "yes") not in {"no", "false"}
        found[name].update(ordering.get("After", "").split())
        if has_defaults and not name.endswith(".target"):
            found[name].add("sysinit.target" if name.endswith((".socket", ".path")) else "basic.target")
        for later in ordering.get("Before", "").split():
            found.setdefault(later, set()).add(name)
        for target in ordering.get("WantedBy", "").split() if has_defaults else ():
            found.setdefault(target, set()).add(name)
        for target, kind in (("sockets.target", ".socket"), ("paths.target", ".path")):
            if has_defaults and name.endswith(kind):
                found.setdefault(target, set()).add(name)
    return found


def circle(*units: Mapping[str, Ordering]) -> Iterable[str]:
    """Some units each of which waits for the one before; none where each can start."""
    together = {name: ordering for some in units for name, ordering in some.items()}
    try:
        graphlib.TopologicalSorter(waits(together)).prepare()
    except graphlib.CycleError as error:
        return tuple(error.args[1])
    return ()


@pytest.mark.parametrize("others", [OTHERS, LATE_OPENIBD, DEBIAN], ids=["Red Hat", "Red Hat, late openibd", "Debian"])
def test_nobody_waits_for_himself(others: Mapping[str, Ordering]) -> None:
    assert circle(SYSTEMD, others) == ()
    assert circle(SYSTEMD, others, OURS) == ()


def test_whoever_waits_for_a_consumer_before_the_network_is_seen() -> None:
    wrong = {"eager.service": {"After": "nova-compute.service", "Before": "network-pre.target"}}
    assert "eager.service" in circle(SYSTEMD, OTHERS, OURS, wrong)


def test_our_unit_waits_for_nothing_that_the_network_needs() -> None:
    """Nor for basic.target, which would come after it in Debian's cloud-init."""
    found = waits(SYSTEMD | DEBIAN | OURS)
    before, left = set[str](), ["sriov-bootstrap.service"]
    while left:
        new = found.get(left.pop(), set()) - before
        before |= new
        left += new
    drivers = {"systemd-udevd.service", "systemd-modules-load.service", "openibd.service"}
    assert before == {"local-fs.target", "sys-kernel-debug.mount", *drivers}  # mounted by nothing but the kernel's word
