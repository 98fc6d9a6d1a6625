"""VFs that get their drivers: how the tests of binding begin, and what they look at."""

from typing import Final

from .host import DEVICES, PF1, PF2, SERVICES, Guest, address_rule

UNMADE: Final = "unmade"  # a snapshot
PROBE: Final = "/sys/bus/pci/drivers_probe"
# Nobody restarts: that would be most of the time that a guest spends on these tests.
ALONE: Final = SERVICES + "restart = []\n"
CONSUMERS: Final = "nova-compute.service neutron-sriov-agent.service"


def bound(pf: str, num_vfs: int = 3, vf_driver: str = "kernel", **more: str | bool) -> str:
    """Return a [[pf]] whose VFs get a driver."""
    return address_rule(pf, num_vfs, vf_driver=vf_driver, **more)


def unmake(guest: Guest) -> None:
    """Take the VFs away; probing is on then, and the rules stay those of both PFs."""
    guest.check(f"systemctl stop {CONSUMERS}")
    guest.configure(bound(PF1, 0), bound(PF2, 0), services=ALONE)
    guest.settle({PF1: 0, PF2: 0})
    assert (probing(guest, PF1), probing(guest, PF2)) == ("1", "1")


def probing(guest: Guest, pf: str) -> str:
    """Return whether new VFs of a PF get a driver, in the kernel's word."""
    return guest.vm.read(f"{DEVICES}/{pf}/sriov_drivers_autoprobe").strip()


def is_up(guest: Guest, pf: str) -> bool:
    return bool(int(guest.vm.read(f"/sys/class/net/{guest.netdev(pf)}/flags"), 16) & 1)


def drivers(guest: Guest, pf: str) -> list[str]:
    """Return the driver of each VF in their order, "" for one that has none. Waits for no probe."""
    command = f'for vf in {DEVICES}/{pf}/virtfn*; do [ -e $vf ] && basename "$(readlink $vf/driver)"; done'
    return guest.run(command).stdout.splitlines()


def overrides(guest: Guest, pf: str) -> list[str]:
    """Return what each VF is told about its driver; "(null)" is nothing."""
    return guest.check(f"cat {DEVICES}/{pf}/virtfn*/driver_override").split()
