"""VFs that went away behind our back are there again, and whoever looked at the old ones is restarted, once."""

import itertools

import pytest

from .host import (
    AGENT,
    BOTH_PFS,
    EDPM_NOVA,
    NIC_AGENT,
    NOVA,
    PF1,
    PF2,
    RDO_NOVA,
    SERVICES,
    Guest,
    address_rule,
    rule,
)

BOTH_WITH_7 = {PF1: 7, PF2: 7}
LINK_FILES = "/etc/systemd/network"


def test_lost_vfs_are_made_again_and_each_active_consumer_restarts_once(guest: Guest) -> None:
    before = guest.scrape()
    nova, agent, nic_agent = guest.starts(NOVA), guest.starts(AGENT), guest.starts(NIC_AGENT)
    guest.set_num_vfs(PF1, 0)
    guest.until_scrape(lambda it: it.losses(PF1) == before.losses(PF1) + 7, "a loss of 7")
    after = guest.settle(BOTH_WITH_7)
    guest.make_pass()  # and no further pass finds a reason to restart anybody
    assert len(guest.starts(NOVA)) == len(nova) + 1
    assert len(guest.starts(AGENT)) == len(agent) + 1
    assert guest.starts(NOVA)[-1].endswith(f" {PF1}=7 {PF2}=7")  # not before the VFs were back
    assert guest.starts(NIC_AGENT) == nic_agent == []  # it was not running, and nobody started it
    assert guest.run("systemctl is-active neutron-sriov-nic-agent").stdout.strip() == "inactive"
    assert after.losses(PF1) == before.losses(PF1) + 7
    assert after.losses(PF2) == before.losses(PF2)
    for unit in ("nova-compute.service", "neutron-sriov-agent.service"):
        counts = [it.value("sriov_bootstrap_service_restarts_total", unit=unit) for it in (before, after)]
        assert counts[1] == counts[0] + 1


def test_as_many_but_other_vfs_are_noticed(guest: Guest) -> None:
    before, vfs = guest.scrape(), guest.vf_incarnations(PF1)
    nova = guest.starts(NOVA)
    guest.set_num_vfs(PF1, 0, 7)
    guest.until_scrape(lambda it: it.losses(PF1) == before.losses(PF1) + 7, "a loss of 7")
    after = guest.settle(BOTH_WITH_7)
    guest.make_pass()
    assert not vfs & guest.vf_incarnations(PF1)
    assert after.losses(PF1) == before.losses(PF1) + 7
    assert len(guest.starts(NOVA)) == len(nova) + 1


def test_a_flapping_nic_restarts_nobody_more_often_than_min_interval(guest: Guest) -> None:
    guest.configure(BOTH_PFS, services="[services]\nsettle_seconds = 0\nmin_interval_seconds = 15\n")
    losses = guest.make_pass().losses(PF1)
    guest.check("systemctl restart nova-compute")
    nova = guest.starts(NOVA)
    for total in (losses + 7, losses + 14):
        guest.set_num_vfs(PF1, 0)
        guest.until_scrape(lambda it, total=total: it.losses(PF1) == total, "a loss of 7")  # type: ignore[misc]
    guest.settle(BOTH_WITH_7)
    uptimes = [float(line.split()[0]) for line in guest.starts(NOVA)[len(nova) - 1 :]]
    assert 2 <= len(uptimes) <= 3  # on a slow machine the two losses are further apart than the interval
    assert all(later - earlier > 14 for earlier, later in itertools.pairwise(uptimes))


def test_a_consumer_that_is_still_starting_is_restarted_and_a_masked_one_is_not(guest: Guest) -> None:
    guest.configure(BOTH_PFS, services=SERVICES + "job_timeout_seconds = 5\n")
    both = "systemctl start --no-block openstack-nova-compute; systemctl start edpm_nova_compute"
    guest.start(both, RDO_NOVA, EDPM_NOVA)
    guest.check("systemctl mask --runtime edpm_nova_compute")
    starting, masked = guest.starts(RDO_NOVA), guest.starts(EDPM_NOVA)
    assert guest.run("systemctl is-active openstack-nova-compute").stdout.strip() == "activating"
    assert guest.check("systemctl show --value -p LoadState edpm_nova_compute").strip() == "masked"
    failures = guest.make_pass().value("sriov_bootstrap_service_restart_failures_total")
    guest.set_num_vfs(PF1, 0)
    guest.until(lambda: len(guest.starts(RDO_NOVA)) > len(starting), "its restart")
    after = guest.settle(BOTH_WITH_7)
    assert len(guest.starts(RDO_NOVA)) == len(starting) + 1
    assert guest.starts(EDPM_NOVA) == masked
    assert guest.run("systemctl is-active edpm_nova_compute").stdout.strip() == "active"
    # The first is never done starting: our own deadline ends the wait, and the unit is named.
    assert after.value("sriov_bootstrap_service_restart_failures_total") == failures + 1
    assert after.series("sriov_bootstrap_service_restart_failures_total", unit="openstack-nova-compute.service")


def test_a_reload_of_the_driver_costs_the_vfs_of_two_pfs_and_one_restart(guest: Guest) -> None:
    guest.configure(BOTH_PFS, services="[services]\nsettle_seconds = 5\nmin_interval_seconds = 0\n")
    nova, before = guest.starts(NOVA), guest.make_pass()
    guest.check("modprobe -r igb; modprobe igb")
    guest.until(lambda: len(guest.starts(NOVA)) > len(nova), "a restart of nova-compute")
    after = guest.settle(BOTH_WITH_7)
    assert len(guest.starts(NOVA)) == len(nova) + 1
    assert [after.losses(pf) - before.losses(pf) for pf in (PF1, PF2)] == [7, 7]


@pytest.fixture
def renamed_by_reload(guest: Guest) -> tuple[str, str]:
    """Make udev name both netdevs anew at the next load of the driver, and the first keep its old name beside it."""
    old = (guest.netdev(PF1), guest.netdev(PF2))
    for pf, name, altnames in ((PF1, "tenant0", "path"), (PF2, "tenant1", "")):
        text = f"[Match]\nPath=pci-{pf}\n[Link]\nName={name}\nAlternativeNamesPolicy={altnames}\n"
        guest.vm.write(f"{LINK_FILES}/10-lab-{name}.link", text)
    guest.check("udevadm control --reload")
    return old


def test_vfs_are_back_after_a_reload_that_renamed_the_netdevs(guest: Guest, renamed_by_reload: tuple[str, str]) -> None:
    by_name = rule("by-name", f'netdev = "{renamed_by_reload[0]}"')
    by_address = rule("by-address", f'pci_address = "{PF2}"', num_vfs=5)
    guest.configure(by_name, by_address)
    guest.settle({PF1: 7, PF2: 5})
    nova = guest.starts(NOVA)
    guest.check("modprobe -r igb; modprobe igb")
    guest.until(lambda: (guest.netdev(PF1), guest.netdev(PF2)) == ("tenant0", "tenant1"), "new names")
    guest.until(lambda: len(guest.starts(NOVA)) > len(nova), "a restart of nova-compute")
    scrape = guest.settle({PF1: 7, PF2: 5})
    assert scrape.series("sriov_pf_vfs", rule="by-name", netdev="tenant0", pci_address=PF1)
    assert scrape.series("sriov_pf_vfs", rule="by-address", netdev="tenant1", pci_address=PF2)


def test_a_netdev_renamed_out_of_its_rule_keeps_its_vfs(guest: Guest) -> None:
    old, vfs = guest.netdev(PF1), guest.vf_incarnations(PF1)
    guest.configure(rule("by-name", f'netdev = "{old}"'), address_rule(PF2))
    guest.settle(BOTH_WITH_7)
    try:
        guest.check(f"ip link set {old} down; ip link set {old} name moved0; ip link set moved0 up")
        guest.wait_for_reason("by-name", "absent")
        assert guest.vf_incarnations(PF1) == vfs
    finally:
        guest.check(f"ip link set moved0 down; ip link set moved0 name {old}; ip link set {old} up")
    guest.settle(BOTH_WITH_7)  # the rename alone has woken it up
    assert guest.vf_incarnations(PF1) == vfs
