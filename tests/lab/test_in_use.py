"""A VF that somebody uses outlives every change of mind; the change is made when it is let go."""

import pytest

from .host import DEVICES, NOVA, PF1, PF2, Guest, address_rule


def test_idle_vfs_make_room_for_fewer_and_consumers_restart_once(guest: Guest) -> None:
    nova, others = guest.starts(NOVA), guest.vf_incarnations(PF2)
    guest.configure(address_rule(PF1, 4), address_rule(PF2))
    scrape = guest.settle({PF1: 4, PF2: 7})
    guest.make_pass()
    assert len(guest.starts(NOVA)) == len(nova) + 1
    assert guest.starts(NOVA)[-1].endswith(f" {PF1}=4 {PF2}=7")
    assert guest.vf_incarnations(PF2) == others
    assert len(scrape.series("sriov_vf_info", pf_pci_address=PF1)) == 4


def test_a_vf_held_through_vfio_is_kept_until_it_is_released(guest: Guest) -> None:
    vfs, nova = guest.vf_incarnations(PF1), guest.starts(NOVA)
    losses = guest.scrape().losses(PF1)
    with guest.held_vf(PF1, 2) as pid:
        guest.configure(address_rule(PF1, 4), address_rule(PF2))
        scrape = guest.wait_for_reason(PF1, "in_use")
        assert scrape.value("sriov_pf_vfs_in_use", pci_address=PF1) == 1
        done = guest.once()
        assert done.rc == 3, done
        assert f"{PF1}: 7 VFs stay instead of 4: VF 2 0000:01:10.4 is held by" in done.stdout
        assert f"pid {pid}" in done.stdout
        assert guest.vf_incarnations(PF1) == vfs
        assert guest.starts(NOVA) == nova
    scrape = guest.settle({PF1: 4, PF2: 7})  # nobody has asked
    assert len(guest.starts(NOVA)) == len(nova) + 1
    assert scrape.losses(PF1) == losses  # what we do ourselves is no loss


def test_a_device_that_was_passed_on_without_its_group_may_be_any_vf_that_is_bound_to_vfio(guest: Guest) -> None:
    """Before Linux 6.18 nothing tells which one it is; since then its address does."""
    vfs = guest.vf_incarnations(PF1)
    with guest.held_vf(PF1, 2, is_alone=True) as pid:
        guest.configure(address_rule(PF1, 4), address_rule(PF2))
        done = guest.once()
        assert done.rc == 3, done
        assert "VF 2 0000:01:10.4 is " in done.stdout
        assert f"held by python3 pid {pid}" in done.stdout
        assert "VF 1 " not in done.stdout
        assert guest.vf_incarnations(PF1) == vfs
    guest.settle({PF1: 4, PF2: 7})


def test_vfs_without_a_rule_stay_until_they_are_released(guest: Guest) -> None:
    vfs, nova = guest.vf_incarnations(PF1), guest.starts(NOVA)
    refused = guest.run(f"sriov-bootstrap release {PF1}")
    assert (refused.rc, "still asks for VFs on it" in refused.stderr) == (2, True), refused
    guest.configure(address_rule(PF2))
    guest.make_pass()
    (left,) = guest.status()["leftovers"]
    assert (left["pci_address"], guest.vf_incarnations(PF1)) == (PF1, vfs)
    with guest.held_vf(PF1, 2) as pid:
        done = guest.run(f"sriov-bootstrap release {PF1}")
        assert done.rc == 3, done
        assert f"pid {pid}" in done.stdout
        assert guest.vf_incarnations(PF1) == vfs
    done = guest.run(f"sriov-bootstrap release {PF1}")
    assert done.rc == 0, done
    assert guest.vfs() == {PF1: 0, PF2: 7}
    assert len(guest.starts(NOVA)) == len(nova) + 1
    guest.make_pass()
    assert guest.status()["leftovers"] == []
    assert len(guest.starts(NOVA)) == len(nova) + 1
    guest.set_num_vfs(PF1, 2)
    refused = guest.run(f"sriov-bootstrap release {PF1}")
    assert (refused.rc, "not of our making" in refused.stderr) == (2, True), refused
    assert guest.vfs() == {PF1: 2, PF2: 7}


@pytest.fixture
def netns(guest: Guest) -> str:
    """A network namespace as that of a container."""
    guest.check("ip netns add tenant")
    return "tenant"


def vf_netdevs(guest: Guest, count: int) -> list[str]:
    """Return the netdevs of the first VFs of the first PF."""
    folders = " ".join(f"{DEVICES}/{PF1}/virtfn{index}/net/" for index in range(count))
    return guest.check(f"for folder in {folders}; do ls $folder; done").split()


def test_vfs_have_netdevs_and_those_with_an_address_or_elsewhere_are_in_use(guest: Guest, netns: str) -> None:
    guest.configure(address_rule(PF1, 3, vf_driver="kernel"), address_rule(PF2))
    done = guest.once()  # returns when the VFs have their drivers, whoever has made them
    assert done.rc == 0, done
    assert guest.check(f"readlink {DEVICES}/{PF1}/virtfn*/driver").count("/igbvf\n") == 3
    (here, there, _), vfs = vf_netdevs(guest, 3), guest.vf_incarnations(PF1)
    guest.check(f"ip address add 192.0.2.1/24 dev {here}; ip link set {here} up; ip link set {there} netns {netns}")
    guest.configure(address_rule(PF1, 1, vf_driver="kernel"), address_rule(PF2))
    done = guest.once()
    assert done.rc == 3, done
    assert f"VF 0 0000:01:10.0 is in use: netdev {here} is up with 192.0.2.1/24" in done.stdout
    assert "VF 1 0000:01:10.2 is in use: driver igbvf has no netdev here" in done.stdout
    assert "VF 2" not in done.stdout
    assert guest.vf_incarnations(PF1) == vfs
    guest.check(f"ip netns delete {netns}; ip address flush dev {here}; ip link set {here} down")
    guest.settle({PF1: 1, PF2: 7})


def test_a_vf_below_a_macvtap_is_in_use_wherever_the_macvtap_is(guest: Guest, netns: str) -> None:
    guest.configure(address_rule(PF1, 2, vf_driver="kernel"), address_rule(PF2))
    assert guest.once().rc == 0
    (lower, _), vfs = vf_netdevs(guest, 2), guest.vf_incarnations(PF1)
    guest.check(f"ip link add link {lower} name vm0 type macvtap mode passthru")
    guest.configure(address_rule(PF1, 1, vf_driver="kernel"), address_rule(PF2))
    assert f"VF 0 0000:01:10.0 is in use: netdev {lower} is below vm0" in guest.once().stdout
    guest.check(f"ip link set {lower} up; ip link set vm0 netns {netns}; ip -n {netns} link set vm0 up")
    guest.check(f"! ls -d /sys/class/net/{lower}/upper_*")  # which is why the kernel's flags are asked
    assert f"VF 0 0000:01:10.0 is in use: netdev {lower} is up and promiscuous" in guest.once().stdout
    assert guest.vf_incarnations(PF1) == vfs
    guest.check(f"ip netns delete {netns}; ip link set {lower} down")
    guest.settle({PF1: 1, PF2: 7})


def test_a_vf_in_a_bond_is_in_use_though_it_has_no_address(guest: Guest) -> None:
    guest.configure(address_rule(PF1, 2, vf_driver="kernel"), address_rule(PF2))
    assert guest.once().rc == 0
    (lower, _), vfs = vf_netdevs(guest, 2), guest.vf_incarnations(PF1)
    guest.check(f"ip link add bond7 type bond; ip link set {lower} down; ip link set {lower} master bond7")
    guest.configure(address_rule(PF1, 1, vf_driver="kernel"), address_rule(PF2))
    done = guest.once()
    assert done.rc == 3, done
    assert f"VF 0 0000:01:10.0 is in use: netdev {lower} is below bond7" in done.stdout
    assert guest.vf_incarnations(PF1) == vfs
    guest.check(f"ip link delete bond7; ip link set {lower} down")
    guest.settle({PF1: 1, PF2: 7})
