"""The boot: VFs are there before anybody looks for them, and nobody is restarted for it."""

from .host import AGENT, BOTH_PFS, CONFIG_FILE, NOVA, PF1, PF2, UNIT, Guest, address_rule, rule

ABSENT_NIC = rule("missing", 'mac = "52:54:00:00:00:99"', 1)


def test_vfs_are_there_before_nova_compute_and_nobody_restarts(guest: Guest) -> None:
    guest.vm.write(CONFIG_FILE, BOTH_PFS)  # with the defaults of [services]
    guest.check(f"rm {NOVA} {AGENT}; sync")
    guest.vm.reboot()
    assert guest.vfs() == {PF1: 7, PF2: 7}
    ready = int(guest.service("ActiveEnterTimestampMonotonic"))
    for unit, log in (("nova-compute", NOVA), ("neutron-sriov-agent", AGENT)):
        [start] = guest.until(lambda log=log: guest.starts(log), "its start")  # type: ignore[misc]
        assert start.endswith(f" {PF1}=7 {PF2}=7")
        began = int(guest.check(f"systemctl show --value -p InactiveExitTimestampMonotonic {unit}"))
        assert began >= ready
    guest.settle({PF1: 7, PF2: 7})  # whatever was pending after the first pass is over
    scrape = guest.make_pass()
    assert [len(guest.starts(log)) for log in (NOVA, AGENT)] == [1, 1]
    assert not scrape.value("sriov_bootstrap_service_restarts_total")
    assert not scrape.value("sriov_pf_vf_losses_total")


def test_a_missing_nic_delays_the_boot_by_its_bound_and_no_more(guest: Guest) -> None:
    guest.vm.write(
        CONFIG_FILE, address_rule(PF1) + address_rule(PF2) + ABSENT_NIC + "[boot]\nwait_for_pf_seconds = 5\n"
    )
    guest.check(f"systemctl restart {UNIT}")  # returns when the service is ready
    assert guest.service("ActiveState") == "active"
    began, ready = (int(guest.service(f"{name}TimestampMonotonic")) for name in ("InactiveExit", "ActiveEnter"))
    assert ready - began >= 5e6
    assert guest.vfs() == {PF1: 7, PF2: 7}
    guest.wait_for_reason("missing", "absent")
