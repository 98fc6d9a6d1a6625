"""Real netplan beside us: its own unit sets another number, as in a boot, and is named where it changes a PF's VFs.

It asks the kernel for its number, which refuses with EBUSY while there are VFs, and then by way of 0.
"""

import pytest

from .conftest import FLAVOUR
from .host import FINDINGS_FILE, PF1, PF2, Guest
from .rootfs import SID

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(FLAVOUR is not SID, reason="the guest of make test-sid has it"),
]

SOURCE = "/etc/netplan/50-lab.yaml"
APPLY = "netplan-sriov-apply.service"  # which netplan's generator makes
WANTED = {PF1: 7, PF2: 7}


def configure_netplan(guest: Guest, num_vfs: int) -> None:
    entry = f"    {guest.netdev(PF2)}:\n      virtual-function-count: {num_vfs}\n"
    guest.vm.write(SOURCE, f"network:\n  version: 2\n  ethernets:\n{entry}")
    guest.check(f"chmod 600 {SOURCE} && systemctl daemon-reload")


def test_the_unit_that_netplan_makes_sets_another_number_and_is_named_and_ours_holds(guest: Guest) -> None:
    configure_netplan(guest, 3)
    unit = guest.check(f"systemctl show --value -p FragmentPath {APPLY}").strip()
    assert unit.startswith("/run/systemd/")
    found = guest.run("sriov-bootstrap doctor", timeout_seconds=300).stdout
    assert f"{SOURCE}:5" in found
    assert unit not in found  # who changes it finds it as it was
    guest.make_pass()
    guest.until(lambda: f"{SOURCE}:5" in guest.vm.peek(FINDINGS_FILE), "doctor's look, a minute after the pass")
    guest.forget_journal()
    guest.check(f"systemctl start {APPLY}", timeout_seconds=240)
    guest.until(lambda: f"netplan, by {SOURCE}:5" in guest.journal(), "its name")
    guest.settle(WANTED)


def test_netplan_with_our_number_changes_nothing(guest: Guest) -> None:
    configure_netplan(guest, WANTED[PF2])
    before = {pf: guest.vf_incarnations(pf) for pf in WANTED}
    guest.check(f"systemctl start {APPLY}", timeout_seconds=240)
    guest.settle(WANTED)
    assert {pf: guest.vf_incarnations(pf) for pf in WANTED} == before
