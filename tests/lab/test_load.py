"""vf_driver = "NAME": a unit of its own loads the module, no other one, and with a single capability."""

import pytest

from .host import CONFIG_FILE, SERVICES, Guest, rule

LOAD_UNIT = "sriov-bootstrap-load@vfio-pci.service"
DRIVER = "/sys/bus/pci/drivers/vfio-pci"
NAMING_RULE = rule("tenant", 'driver = "igb"', vf_driver="vfio-pci")


@pytest.fixture
def bare_guest(guest: Guest) -> Guest:
    """Without the driver."""
    guest.check("modprobe -r vfio-pci")
    assert not has_driver(guest)
    return guest


def has_driver(guest: Guest) -> bool:
    return guest.run(f"test -e {DRIVER}").rc == 0


def start(guest: Guest, unit: str = LOAD_UNIT) -> tuple[int, str]:
    """Exit code, and what the helper has said in this boot."""
    done = guest.run(f"systemctl start -- {unit}")
    return done.rc, guest.check(f"journalctl --sync; journalctl -b -o cat -u {unit}")


def test_the_unit_loads_what_a_rule_names_and_nothing_else(bare_guest: Guest) -> None:
    guest = bare_guest
    code, said = start(guest)
    assert (code, has_driver(guest)) == (1, False), said
    assert "no rule names the driver vfio-pci (vf_driver, or driver of a [[pf.vf]])" in said
    guest.vm.write(CONFIG_FILE, NAMING_RULE + SERVICES)
    code, said = start(guest)
    assert (code, has_driver(guest)) == (0, True), said
    assert '"changed"' in guest.vm.read("/run/sriov-bootstrap/load-vfio-pci.answer")
    assert start(guest)[0] == 0
    assert '"unchanged"' in guest.vm.read("/run/sriov-bootstrap/load-vfio-pci.answer")
    for name in ("nvme", "kernel", "-r"):
        assert start(guest, f"sriov-bootstrap-load@{name}.service")[0] == 1
    assert not guest.run("systemctl --failed --plain --no-legend").stdout


@pytest.mark.long
def test_without_its_capability_the_unit_says_what_modprobe_says(bare_guest: Guest) -> None:
    guest = bare_guest
    guest.vm.write(CONFIG_FILE, NAMING_RULE + SERVICES)
    with guest.unit_without("CAP_SYS_MODULE", LOAD_UNIT):
        code, said = start(guest)
    assert (code, has_driver(guest)) == (1, False), said
    assert 'rule "tenant": cannot load the module vfio-pci: modprobe: ERROR: could not insert' in said
    assert "Operation not permitted" in said
    assert "cap_sys_module" not in guest.service("CapabilityBoundingSet")
