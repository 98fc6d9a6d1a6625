"""verify with real libvirt, real QEMU, KVM, and a guest that boots Debian's kernel: nothing is a stand-in."""

import os
from typing import Final

import pytest

from lab.host import AGENT, DEVICES, NOVA, PF1, PF2, Guest, address_rule

only_on_request = pytest.mark.skipif("SRIOV_REAL_VM" not in os.environ, reason="takes minutes: make test-verify")
pytestmark = [pytest.mark.timeout(1800), only_on_request]
VF: Final = f"{PF1[:-4]}10.0"
DOMAIN: Final = "sriov-bootstrap-verify-0000-01-00-0"
LEFT: Final = "/run/sriov-bootstrap/state/trials.json /run/sriov-bootstrap/state/verify"
VERIFY: Final = f"sriov-bootstrap verify vf {VF} --vlan 100 --timeout 900"
BEGIN: Final = f"systemd-run --unit=lab-verify -p KillMode=process {VERIFY}"
DEFINE: Final = f"""\
virsh -q define /dev/stdin <<'END'
<domain type='qemu'><name>{DOMAIN}</name><memory>65536</memory><os><type>hvm</type></os></domain>
END
"""


@pytest.fixture
def host(guest: Guest) -> Guest:
    """VFs with the kernel's driver on the first PF."""
    guest.configure(address_rule(PF1, vf_driver="kernel"), address_rule(PF2))
    guest.settle({PF1: 7, PF2: 7})
    return guest


def driver(host: Guest) -> str:
    return host.check(f"basename $(readlink {DEVICES}/{VF}/driver)").strip()


def vf_line(host: Guest) -> str:
    """Return what the PF has set for the VF."""
    return host.check(f"ip link show {host.netdev(PF1)} | grep 'vf 0 '").strip()


def files_left(host: Guest) -> str:
    return host.check(f"find {LEFT} -type f 2>/dev/null || :").strip()


def test_a_vm_gets_a_vf_and_nothing_is_left_of_it(host: Guest) -> None:
    starts, vfs, before = (host.starts(NOVA), host.starts(AGENT)), host.vf_incarnations(PF1), vf_line(host)
    done = host.run(VERIFY, timeout_seconds=1500)
    print(done.stdout)
    assert done.rc == 0, done.stdout + done.stderr
    passed = {line[:10].strip() for line in done.stdout.splitlines() if "  ok  " in line}
    assert {"boot", "device", "driver", "mac", "vlan", "link", "frames", "put back"} <= passed
    assert "KVM" in done.stdout
    assert (driver(host), vf_line(host), files_left(host)) == ("igbvf", before, "")
    assert host.check("virsh -q list --all --name").strip() == ""
    assert (host.make_pass().losses(PF1), host.vf_incarnations(PF1)) == (0, vfs)
    assert (host.starts(NOVA), host.starts(AGENT)) == starts


def test_libvirt_ends_the_vm_of_a_killed_verify(host: Guest) -> None:
    before = vf_line(host)
    host.check(BEGIN)
    host.until(lambda: DOMAIN in host.check("virsh -q list --name"), "a VM")
    assert (driver(host), "fa:16:3e" in vf_line(host)) == ("vfio-pci", True)
    host.check("systemctl kill --signal=KILL --kill-whom=main lab-verify")
    host.until(lambda: driver(host) == "igbvf", "the VF's own driver")
    host.make_pass()
    host.until(lambda: not files_left(host), "the end of the trial")
    assert (vf_line(host), host.check("virsh -q list --all --name").strip()) == (before, "")


def test_a_domain_of_that_name_is_left_alone(host: Guest) -> None:
    host.check(DEFINE)
    done = host.run(VERIFY)
    assert (done.rc, f"there is a domain {DOMAIN} already" in done.stdout) == (3, True)
    assert (driver(host), files_left(host)) == ("igbvf", "")
    assert host.check("virsh -q list --all --name").strip() == DOMAIN
