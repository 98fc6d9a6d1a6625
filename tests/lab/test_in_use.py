"""A VF that somebody uses outlives every change of mind; the change is made when it is let go."""

from collections.abc import Iterator

import pytest

from .host import CONFIG_FILE, DEVICES, NOVA, PF1, PF2, SERVICES, Guest, address_rule


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
        assert f"{PF1}: 7 VFs stay instead of 4: VF 2 0000:01:10.4 is in use: held by" in done.stdout
        assert f"pid {pid}" in done.stdout
        assert guest.vf_incarnations(PF1) == vfs
        assert guest.starts(NOVA) == nova
    scrape = guest.settle({PF1: 4, PF2: 7})  # nobody has asked
    assert len(guest.starts(NOVA)) == len(nova) + 1
    assert scrape.losses(PF1) == losses  # what we do ourselves is no loss


def test_a_held_vf_goes_where_the_rule_says_replace(guest: Guest) -> None:
    with guest.held_vf(PF1):
        guest.configure(address_rule(PF1, 4, when_in_use="replace"), address_rule(PF2))
        guest.settle({PF1: 4, PF2: 7})


@pytest.fixture
def kernel_netdevs(guest: Guest) -> Iterator[tuple[str, str]]:
    """Let the first PF make two VFs with drivers; the VFs' netdevs."""
    guest.configure(address_rule(PF1, 2, vf_driver="kernel"), address_rule(PF2))
    guest.settle({PF1: 2, PF2: 7})
    names = guest.check(f"ls {DEVICES}/{PF1}/virtfn0/net {DEVICES}/{PF1}/virtfn1/net -1 | grep -v -e : -e '^$'").split()
    yield names[0], names[1]
    guest.run("ip netns delete tenant")


def test_vfs_with_drivers_count_as_there_once_their_netdevs_are(guest: Guest) -> None:
    guest.configure(address_rule(PF1, 3, vf_driver="kernel"), address_rule(PF2))
    done = guest.once()
    assert done.rc == 0, done
    drivers = guest.check(f"for vf in {DEVICES}/{PF1}/virtfn*; do readlink $vf/driver; ls $vf/net; done").split()
    assert [word.rpartition("/")[2] for word in drivers[::2]] == ["igbvf"] * 3
    assert len(set(drivers[1::2])) == 3


def test_a_netdev_with_an_address_or_elsewhere_is_in_use(guest: Guest, kernel_netdevs: tuple[str, str]) -> None:
    vfs = guest.vf_incarnations(PF1)
    here, there = kernel_netdevs
    guest.check(f"ip address add 192.0.2.1/24 dev {here}; ip link set {here} up")
    guest.check(f"ip netns add tenant; ip link set {there} netns tenant")
    guest.vm.write(CONFIG_FILE, address_rule(PF1, 1, vf_driver="kernel") + address_rule(PF2) + SERVICES)
    done = guest.once()
    assert done.rc == 3, done
    assert f"netdev {here} is up with 192.0.2.1/24" in done.stdout
    assert "driver igbvf without a netdev here: it is in another network namespace" in done.stdout
    assert guest.vf_incarnations(PF1) == vfs
    guest.check(f"ip netns delete tenant; ip address flush dev {here}; ip link set {here} down")
    guest.settle({PF1: 1, PF2: 7})
