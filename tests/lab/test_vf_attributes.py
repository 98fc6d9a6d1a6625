"""What a rule says of MAC, VLAN, rates and trust: before VFs get their driver, and again, but never under a tenant."""

import json
from typing import Any, Final

import pytest

from .binding import ALONE, bound, drivers
from .host import PF1, PF2, Guest

TABLES: Final = """
[[pf.vf]]
vfs = "all"
mac = "stable"
spoofchk = false

[[pf.vf]]
vfs = "1-2"
vlan = 100
vlan_qos = 3
trust = true

[[pf.vf]]
vfs = "2"
mac = "02:00:00:00:00:42"
vlan = 200
"""
OTHER: Final = bound(PF2, 0)


def attributes(guest: Guest, pf: str = PF1) -> list[dict[str, Any]]:
    """As iproute2 reads them."""
    [link] = json.loads(guest.check(f"ip -j -d link show {guest.netdev(pf)}"))
    return list(link["vfinfo_list"])


def vlans(guest: Guest, pf: str = PF1) -> list[int]:
    return [vf["vlan_list"][0].get("vlan", 0) for vf in attributes(guest, pf)]


def macs(guest: Guest) -> list[str]:
    return [vf["address"] for vf in attributes(guest)]


def own_macs(guest: Guest) -> list[str]:
    """Those that the drivers of the VFs have read."""
    return guest.check(f"for i in 0 1 2; do cat /sys/bus/pci/devices/{PF1}/virtfn$i/net/*/address; done").split()


def test_new_vfs_have_their_attributes_before_their_driver(unmade: Guest) -> None:
    unmade.configure(bound(PF1) + TABLES, OTHER, services=ALONE)
    unmade.settle({PF1: 3, PF2: 0})
    assert drivers(unmade, PF1) == ["igbvf"] * 3
    found = attributes(unmade)
    assert [vf["vlan_list"][0] for vf in found] == [{}, {"vlan": 100, "qos": 3}, {"vlan": 200, "qos": 3}]
    assert [vf["spoofchk"] for vf in found] == [False] * 3
    assert [vf["trust"] for vf in found] == [False, True, True]
    assert macs(unmade)[2] == "02:00:00:00:00:42"
    assert len({*macs(unmade)}) == 3
    assert own_macs(unmade) == macs(unmade), "the drivers bound after the MAC was set"
    uevents, done = unmade.uevents(), unmade.once()
    assert (done.rc, "nothing changed" in done.stdout) == (0, True), done
    assert unmade.uevents() == uevents


def test_a_free_vf_that_differs_is_repaired_and_one_in_use_is_not(unmade: Guest) -> None:
    unmade.configure(bound(PF1) + TABLES, OTHER, services=ALONE)
    unmade.settle({PF1: 3, PF2: 0})
    netdev, vfs = unmade.netdev(PF1), unmade.vf_incarnations(PF1)
    unmade.check("echo 0000:01:10.2 >/sys/bus/pci/drivers/igbvf/unbind")  # libvirt's first step
    with unmade.held_vf(PF1, 1, is_open=True):
        unmade.check(f"ip link set {netdev} vf 1 vlan 7; ip link set {netdev} vf 2 vlan 8")
        assert unmade.once().rc == 0  # it waits until that VF has been left alone
        assert vlans(unmade) == [0, 7, 200]
        assert unmade.status()["pfs"][0]["vfs"][1]["differs"].startswith("vlan 7, not 100")
    assert unmade.vf_incarnations(PF1) == vfs


@pytest.mark.long
def test_a_mac_that_comes_later_is_in_force_after_the_vf_is_bound_again(unmade: Guest) -> None:
    unmade.configure(bound(PF1), OTHER, services=ALONE)
    unmade.settle({PF1: 3, PF2: 0})
    vfs = unmade.vf_incarnations(PF1)
    unmade.configure(bound(PF1) + TABLES, OTHER, services=ALONE)
    unmade.until(lambda: macs(unmade)[2] == "02:00:00:00:00:42", "the MACs")
    unmade.until(lambda: drivers(unmade, PF1) == ["igbvf"] * 3, "the drivers")
    unmade.until(lambda: own_macs(unmade) == macs(unmade), "the MACs in force")
    assert unmade.vf_incarnations(PF1) == vfs
    unmade.settle({PF1: 3, PF2: 0})


@pytest.mark.long
def test_what_the_driver_cannot_do_is_said_and_the_rest_is_set(unmade: Guest) -> None:
    tables = TABLES + '[[pf.vf]]\nvfs = "0"\nlink_state = "disable"\n'
    unmade.configure(bound(PF1) + tables, OTHER, services=ALONE)
    unmade.wait_for_reason(PF1, "attributes_refused")
    assert vlans(unmade) == [0, 100, 200]
    assert drivers(unmade, PF1) == ["igbvf"] * 3
    done = unmade.once()
    assert "VF 0: cannot set link_state disable: EOPNOTSUPP" in done.stdout, done
    assert done.rc == 3


OF_THEIR_OWN: Final = """
[[pf.vf]]
vfs = "1"
driver = "vfio-pci"

[[pf.vf]]
vfs = "0,2"
mtu = 1400
"""


def mtus(guest: Guest) -> list[str]:
    """Of the VFs with a netdev."""
    return guest.check(f"cat /sys/bus/pci/devices/{PF1}/virtfn*/net/*/mtu").split()


@pytest.mark.long
def test_one_vf_has_another_driver_and_the_others_have_an_mtu(unmade: Guest) -> None:
    unmade.configure(bound(PF1) + OF_THEIR_OWN, OTHER, services=ALONE)
    unmade.settle({PF1: 3, PF2: 0})
    assert drivers(unmade, PF1) == ["igbvf", "vfio-pci", "igbvf"]
    assert mtus(unmade) == ["1400", "1400"]
    assert unmade.check(f"cat /sys/bus/pci/devices/{PF1}/sriov_drivers_autoprobe").strip() == "1"
    uevents, vfs, done = unmade.uevents(), unmade.vf_incarnations(PF1), unmade.once()
    assert (done.rc, "nothing changed" in done.stdout) == (0, True), done
    assert unmade.uevents() == uevents
    unmade.configure(bound(PF1) + OF_THEIR_OWN.replace('"1"', '"0"').replace('"0,2"', '"1"'), OTHER, services=ALONE)
    unmade.until(lambda: drivers(unmade, PF1) == ["vfio-pci", "igbvf", "igbvf"], "the other drivers")
    unmade.until(lambda: mtus(unmade) == ["1400", "1400"], "the MTU of the VF that is back")
    assert unmade.vf_incarnations(PF1) == vfs
    unmade.settle({PF1: 3, PF2: 0})


@pytest.mark.long
def test_mtu_and_promiscuous_mode_of_the_pf(unmade: Guest) -> None:
    unmade.configure(bound(PF1).replace("\nnum_vfs", '\nmtu = 2000\npromisc = "on"\nnum_vfs', 1), OTHER, services=ALONE)
    unmade.settle({PF1: 3, PF2: 0})
    [link] = json.loads(unmade.check(f"ip -j -d link show {unmade.netdev(PF1)}"))
    assert (link["mtu"], "PROMISC" in link["flags"]) == (2000, True)
