"""A boot in which systemd-networkd makes a bond of both PFs, whose rules have vf_lag: nothing waits but nova-compute.

igb has no eswitch, so no bond of its PFs is ever offloaded and no VF waits for one. What is proven is the order of the
units: sriov-bootstrap.service is ready without the bond, the network is online without anything of ours, and only who
reads VFs' netdevs waits for sriov-bootstrap-bond.service, which is held up here as if VFs waited.
"""

from typing import Final

import pytest

from .host import CONFIG_FILE, NOVA, PF1, PF2, UNIT, Guest, address_rule

BOND_UNIT: Final = "sriov-bootstrap-bond.service"
GO: Final = "/run/lab-bond-is-offloaded"
NETWORKD: Final = {
    "10-bond.netdev": "[NetDev]\nName=bond0\nKind=bond\n[Bond]\nMode=active-backup\nMIIMonitorSec=0.1\n",
    "10-bond.network": "[Match]\nName=bond0\n[Network]\nAddress=192.0.2.1/24\nLinkLocalAddressing=no\n",
    "20-pfs.network": f"[Match]\nPath=pci-{PF1} pci-{PF2}\n[Network]\nBond=bond0\nLinkLocalAddressing=no\n",
}
# As long as its own bound, and no longer, whatever else waits for it.
HELD_UP: Final = (
    "[Unit]\nConditionPathExists=\n"
    f"[Service]\nExecStart=\nExecStart=/bin/sh -c 'until [ -e {GO} ]; do sleep 0.2; done'\nProtectSystem=no\n"
)
ONLINE: Final = (
    "[Unit]\nWants=network-online.target\nAfter=network-online.target\n"
    "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
)
WITH_LAG: Final = "\n".join(
    f'{address_rule(pf, 3)}\n[pf.eswitch]\nmode = "switchdev"\nvf_lag = true\n' for pf in (PF1, PF2)
)


def since_boot(guest: Guest, unit: str, event: str) -> float:
    """Seconds; 0 if it has not come to that."""
    return int(guest.check(f"systemctl show --value -p {event}TimestampMonotonic {unit}")) / 1e6


@pytest.mark.long
def test_neither_ready_nor_the_network_waits_for_a_bond_and_nova_compute_does(guest: Guest) -> None:
    for name, text in NETWORKD.items():
        guest.vm.write(f"/etc/systemd/network/{name}", text)
    guest.vm.write("/etc/systemd/system/lab-online.service", ONLINE)
    guest.vm.write(f"/etc/systemd/system/{BOND_UNIT}.d/lab.conf", HELD_UP)
    guest.vm.write(CONFIG_FILE, WITH_LAG)
    guest.check("systemctl daemon-reload && systemctl enable systemd-networkd.service lab-online.service")
    guest.check(f"rm -f {NOVA}; sync")
    guest.vm.reboot(wait_for_boot=False)

    is_online = "systemctl is-active --quiet network-online.target && systemctl is-active --quiet lab-online.service"
    guest.until(lambda: guest.run(is_online).rc == 0, "a network that is online")
    assert guest.check(f"systemctl show --value -p ActiveState {BOND_UNIT}").strip() == "activating"
    assert (guest.starts(NOVA), guest.service("ActiveState")) == ([], "active")
    bonded = guest.check("cat /sys/class/net/bond0/bonding/slaves").split()
    assert (sorted(bonded), guest.vfs()) == (sorted((guest.netdev(PF1), guest.netdev(PF2))), {PF1: 3, PF2: 3})

    guest.check(f"touch {GO}")
    [start] = guest.until(lambda: guest.starts(NOVA), "the start of nova-compute")
    assert start.endswith(f" {PF1}=3 {PF2}=3")
    times = [
        since_boot(guest, unit, event)
        for unit, event in (
            (UNIT, "ActiveEnter"),
            ("systemd-networkd.service", "InactiveExit"),
            ("network-online.target", "ActiveEnter"),
            (BOND_UNIT, "InactiveEnter"),
            ("nova-compute.service", "InactiveExit"),
        )
    ]
    assert times == sorted(times)
    guest.wait_for_reason(PF1, "eswitch_unsupported")
