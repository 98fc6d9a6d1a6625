"""verify with real VFs, vfio and a daemon at work; libvirt, QEMU and the guest are a stand-in: guest/verify/virsh."""

import json
from pathlib import Path

import pytest

from .host import AGENT, DEVICES, NOVA, PF1, PF2, Guest, address_rule

STAND_IN = Path(__file__).parent / "guest" / "verify" / "virsh"
VF = f"{PF1[:-4]}10.0"
TRIALS = "/run/sriov-bootstrap/state/trials.json"
INSTALL = """\
chmod +x /usr/local/bin/virsh
modprobe vfio-pci
touch /boot/vmlinuz-$(uname -r)
"""
FOLDER = "/run/sriov-bootstrap/state/verify"
WRONG_DRIVER = f"""\
modprobe uio_pci_generic
echo uio_pci_generic >{DEVICES}/{VF}/driver_override
echo {VF} >{DEVICES}/{VF}/driver/unbind
echo {VF} >/sys/bus/pci/drivers_probe
"""
# Where the VMs' files go there is room for a quarter of a kernel.
FULL_DISK = f"mkdir -p {FOLDER} && mount -t tmpfs -o size=3M none {FOLDER}"
BEGIN = f"systemd-run --unit=lab-verify -p KillMode=process sriov-bootstrap verify vf {VF} --timeout 600"


TRIED = "verify"  # a snapshot


@pytest.fixture(scope="module")
def saved_host(saved_guest: Guest) -> Guest:
    """VFs with the kernel's driver on the first PF, and the stand-in."""
    guest = saved_guest
    guest.restore()
    guest.configure(address_rule(PF1, vf_driver="kernel", pf_up=False), address_rule(PF2))
    guest.settle({PF1: 7, PF2: 7})
    guest.vm.push(STAND_IN, "/usr/local/bin/virsh")
    guest.check(INSTALL)
    guest.save(TRIED)
    return guest


@pytest.fixture
def host(saved_host: Guest) -> Guest:
    saved_host.restore(TRIED)
    return saved_host


def driver(host: Guest) -> str:
    return host.check(f'basename "$(readlink {DEVICES}/{VF}/driver)"').strip()  # "" between two drivers


def attributes(host: Guest) -> str:
    """Return what the PF has set for the VF."""
    return host.check(f"ip link show {host.netdev(PF1)} | grep 'vf 0 '")


def test_a_vf_goes_to_a_vm_and_comes_back_and_no_pass_minds(host: Guest) -> None:
    starts, vfs = (host.starts(NOVA), host.starts(AGENT)), host.vf_incarnations(PF1)
    done = host.run(f"sriov-bootstrap verify vf {VF} --vlan 100 --json", timeout_seconds=300)
    stages = {one["stage"]: one["outcome"] for one in json.loads(done.stdout)["verifications"][0]["stages"]}
    assert (done.rc, set(stages.values())) == (0, {"passed"}), done.stdout + done.stderr
    assert {"device", "driver", "mac", "vlan", "frames", "put_back"} <= stages.keys()
    assert (driver(host), host.vm.peek(TRIALS)) == ("igbvf", "")
    scrape = host.make_pass()
    assert (scrape.losses(PF1), host.vf_incarnations(PF1)) == (0, vfs)
    assert (host.starts(NOVA), host.starts(AGENT)) == starts


@pytest.mark.parametrize(
    ("fault", "stage", "said"),
    [
        pytest.param("ip link set {netdev} down", "pf", "is down, and libvirt starts no VM on it", id="PF down"),
        pytest.param(WRONG_DRIVER, "free vf", "driver uio_pci_generic has no netdev here", id="wrong driver"),
        pytest.param(FULL_DISK, "kernel", "No space left on device", id="disk full"),
    ],
)
def test_each_fault_is_told_and_nothing_is_left(host: Guest, fault: str, stage: str, said: str) -> None:
    host.check(fault.replace("{netdev}", host.netdev(PF1)))
    before = (driver(host), attributes(host))
    done = host.run(f"sriov-bootstrap verify vf {VF} --timeout 60", timeout_seconds=300)
    assert (done.rc, said in done.stdout, f"not proved: {stage}\n" in done.stdout) == (3, True, True), done.stdout
    assert (driver(host), attributes(host)) == before
    assert (host.vm.peek(TRIALS), host.check(f"find {FOLDER} -type f 2>/dev/null || :")) == ("", "")


def test_what_a_killed_verify_has_left_the_daemon_puts_back(host: Guest) -> None:
    host.vm.write("/run/stand-in", "silent\n")
    before = attributes(host)
    host.check(BEGIN)
    host.until(lambda: driver(host) == "vfio-pci", "a VM with the VF")
    assert host.make_pass().value("sriov_pf_vfs_in_use", pci_address=PF1) == 0
    host.check("systemctl kill --signal=KILL --kill-whom=main lab-verify")
    host.until(lambda: not host.vm.peek(TRIALS), "the end of the trial")
    host.until(lambda: driver(host) == "igbvf", "the VF's own driver")
    assert attributes(host) == before
    assert host.settle({PF1: 7, PF2: 7}).losses(PF1) == 0
