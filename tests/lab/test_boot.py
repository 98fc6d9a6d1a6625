"""The boot: VFs are there before anybody looks for them, and nobody is restarted for it."""

from pathlib import Path

import pytest

from .host import AGENT, BOTH_PFS, CONFIG_FILE, NOVA, PF1, PF2, UNIT, Guest, address_rule, rule

SAY_READY = Path(__file__).parent / "guest" / "notify" / "say-ready"
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


@pytest.mark.long
def test_systemd_takes_the_word_of_a_pf_with_64_held_vfs(guest: Guest) -> None:
    """Of a message of more than 4096 bytes it takes nothing, READY=1 included, and the start ended in its timeout."""
    unit = "lab-test-ready.service"
    guest.vm.push(SAY_READY, "/usr/local/sbin/say-ready")
    interpreter = guest.check("sed -n '1s/^#! *//p' /usr/bin/sriov-bootstrap").strip()
    started = guest.run(
        f"systemd-run --quiet --collect --service-type=notify --property=TimeoutStartSec=60 --unit={unit}"
        f" {interpreter} /usr/local/sbin/say-ready"
    )
    assert started.rc == 0, started

    def said() -> str:
        return guest.check(f"systemctl show --value -p StatusText {unit}").strip()

    text = guest.until(said, "a status of the unit")
    assert text.startswith("degraded: 0000:3b:00.0: 64 VFs stay instead of 4: VF 0 0000:3b:02.0 is held by qemu")
    assert text.endswith("; and 60 more")
    assert len(text) <= 200
    assert set(guest.check(f"systemctl show -p ActiveState -p StatusErrno {unit}").split()) == {
        "ActiveState=active",
        "StatusErrno=0",
    }


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
