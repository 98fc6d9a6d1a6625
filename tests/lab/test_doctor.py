"""doctor on a real kernel: what /sys, config space and modules.alias truly look like, root or not."""

import json
from typing import Any

from .host import CONFIG_FILE, DEVICES, PF1, PF2, UNIT, Guest, address_rule

HARDWARE = ("SB-E1", "SB-W1", "SB-E2", "SB-W2")
SERVICE = ("SB-E3", "SB-W3", "SB-E7", "SB-W7")


def doctor(guest: Guest, *, user: str = "root") -> dict[str, Any]:
    return dict(json.loads(guest.run(f"runuser -u {user} -- sriov-bootstrap doctor --json").stdout))


def of_codes(answer: dict[str, Any], codes: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(one["code"], one["place"]) for one in answer["findings"] if one["code"].startswith(codes)]


def hardware(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Code and place of what is wrong with kernel and NICs."""
    return of_codes(answer, HARDWARE)


def service(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Code and place of what is wrong with other masters and with our own service."""
    return of_codes(answer, SERVICE)


def test_a_host_as_desired_gives_no_finding_root_or_not(guest: Guest) -> None:
    for user in ("root", "nobody"):
        answer = doctor(guest, user=user)
        assert hardware(answer) == [], answer
        assert service(answer) == [], answer
        unseen = [text for text in answer["unseen"] if PF1 in text or "iommu" in text.lower() or UNIT in text]
        assert not unseen


def test_a_service_that_does_not_run_is_found_and_a_config_that_it_does_not_know(guest: Guest) -> None:
    guest.check(f"systemctl disable --now {UNIT}")
    guest.vm.write(CONFIG_FILE, address_rule(PF1) + address_rule(PF2) + "# changed\n")
    assert service(doctor(guest)) == [("SB-E702", UNIT), ("SB-E704", UNIT), ("SB-W706", CONFIG_FILE)]


def test_a_second_master_on_a_real_host(guest: Guest) -> None:
    name = guest.check(f"ls {DEVICES}/{PF1}/net").strip()
    guest.vm.write("/etc/rc.local", f"#!/bin/sh\necho 3 > /sys/class/net/{name}/device/sriov_numvfs\n")
    guest.vm.write("/etc/modprobe.d/lab.conf", "options igb max_vfs=32\n")
    guest.check("chmod +x /etc/rc.local")
    assert service(doctor(guest)) == [("SB-E301", "/etc/rc.local:2"), ("SB-E310", "/etc/modprobe.d/lab.conf:1")]


def test_the_real_config_space_says_what_the_chip_has(guest: Guest) -> None:
    guest.vm.write(CONFIG_FILE, address_rule(PF1, 32) + address_rule(PF2))
    for user, evidence in (("root", "TotalVFs 8"), ("nobody", "sriov_totalvfs is 7")):
        answer = doctor(guest, user=user)
        assert hardware(answer) == [("SB-E210", PF1)], answer
        assert evidence in answer["findings"][0]["evidence"]


def test_a_pf_without_driver_and_a_blocked_one(guest: Guest) -> None:
    guest.check("systemctl stop sriov-bootstrap")
    guest.vm.write(CONFIG_FILE, address_rule(PF1) + address_rule(PF2))
    guest.check(f"echo {PF1} > {DEVICES}/{PF1}/driver/unbind")
    (found,) = (one for one in doctor(guest)["findings"] if one["place"] == PF1 and one["code"].startswith(HARDWARE))
    assert (found["code"], found["problem"]) == ("SB-E206", "no driver is bound; its module is igb")
    guest.vm.write("/etc/modprobe.d/lab.conf", "blacklist igb\n")
    assert ("SB-E207", PF1) in hardware(doctor(guest))


def test_a_rule_for_a_vf_and_one_for_a_nic_that_is_not_there(guest: Guest) -> None:
    rules = address_rule("0000:01:10.0") + address_rule("0000:7f:00.0") + address_rule(PF2)
    guest.vm.write(CONFIG_FILE, rules)
    assert hardware(doctor(guest)) == [("SB-E205", "0000:01:10.0"), ("SB-E201", "host")]


def test_a_pf_that_somebody_takes_down(guest: Guest) -> None:
    guest.check("systemctl stop sriov-bootstrap")
    name = guest.check(f"ls {DEVICES}/{PF1}/net").strip()
    guest.check(f"ip link set {name} down")
    assert hardware(doctor(guest)) == [("SB-E217", PF1)]
