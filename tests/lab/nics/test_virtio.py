"""The main job on a second driver: virtio-net, whose netdevs are a bus away from the PCI functions."""

import pytest

from lab.host import AGENT, BOTH_PFS, NOVA, PF1, PF2, Guest, rule

from .conftest import VIRTIO

OTHERS = {PF1: 7, PF2: 7}


def virtio_rule(guest: Guest, num_vfs: int, vf_driver: str = "kernel") -> str:
    """Return a rule that finds the PF by its netdev."""
    return rule("virtio", f'netdev = "{guest.netdev(VIRTIO)}"', num_vfs, vf_driver=vf_driver)


def starts(guest: Guest) -> tuple[int, int]:
    return len(guest.starts(NOVA)), len(guest.starts(AGENT))


def test_vfs_are_made_found_free_and_made_again(guest: Guest) -> None:
    guest.configure(BOTH_PFS, virtio_rule(guest, 4))
    guest.settle(OTHERS | {VIRTIO: 4})
    [pf] = [pf for pf in guest.status()["pfs"] if pf["pci_address"] == VIRTIO]
    assert (pf["netdev"], pf["driver"], pf["max_vfs"]) == (guest.netdev(VIRTIO), "virtio-pci", 15)
    assert [(vf["driver"], vf["user"]) for vf in pf["vfs"]] == [("virtio-pci", "")] * 4
    before, nova = guest.scrape().losses(VIRTIO), starts(guest)
    guest.set_num_vfs(VIRTIO, 0)
    guest.until_scrape(lambda it: it.losses(VIRTIO) == before + 4, "a loss of 4")
    guest.settle(OTHERS | {VIRTIO: 4})
    guest.make_pass()
    assert starts(guest) == (nova[0] + 1, nova[1] + 1)
    vfs = guest.vf_incarnations(VIRTIO)
    done = guest.once()
    assert (done.rc, "nothing changed" in done.stdout) == (0, True), done
    assert guest.vf_incarnations(VIRTIO) == vfs
    guest.configure(BOTH_PFS, virtio_rule(guest, 2))  # 4 -> 0 -> 2: nobody uses them
    guest.settle(OTHERS | {VIRTIO: 2})


@pytest.mark.long
def test_a_pf_that_is_down_is_brought_up_and_all_its_vfs_are_made_without_a_driver(guest: Guest) -> None:
    netdev = guest.netdev(VIRTIO)
    guest.check(f"ip link set {netdev} down")
    guest.configure(BOTH_PFS, virtio_rule(guest, 15, "none"))
    guest.settle(OTHERS | {VIRTIO: 15})
    assert int(guest.vm.read(f"/sys/class/net/{netdev}/flags"), 16) & 1
    assert not guest.run(f"ls -d /sys/bus/pci/devices/{VIRTIO}/virtfn*/driver").stdout


@pytest.mark.long
def test_a_vf_in_another_network_namespace_is_in_use(guest: Guest) -> None:
    guest.configure(BOTH_PFS, virtio_rule(guest, 3))
    guest.settle(OTHERS | {VIRTIO: 3})
    vfs = guest.vf_incarnations(VIRTIO)
    moved = guest.check(f"ls /sys/bus/pci/devices/{VIRTIO}/virtfn1/virtio*/net").strip()
    guest.check(f"ip netns add tenant && ip link set {moved} netns tenant")
    guest.configure(BOTH_PFS, virtio_rule(guest, 2))
    guest.wait_for_reason("virtio", "in_use")
    assert guest.vf_incarnations(VIRTIO) == vfs
    guest.check("ip netns delete tenant")  # its netdev comes back
    guest.until(lambda: guest.run(f"ip link show {moved}").rc == 0, "the VF's netdev")
    guest.reload()
    guest.settle(OTHERS | {VIRTIO: 2})
