"""verify whole, from the words to the exit code, on a tree that looks like a host, with a stand-in for libvirt."""

import json
import os
import resource
import shutil
import signal
from pathlib import Path

import pytest

from builders import PF, PF2, vf_address
from fakes_host import HostTree, rule
from shells import Shell
from sriov_bootstrap.edges.locks import PASS_LOCK
from sriov_bootstrap.machine import jobs, trials
from sriov_bootstrap.machine.host_machine import HostMachine

STAND_IN = Path(__file__).parents[1] / "lab" / "guest" / "verify"
FOLDER = "run/sriov-bootstrap/state/verify"
LEFT = ("run/sriov-bootstrap/state/trials.json", "run/sriov-bootstrap/state/verify/kernel")
MODPROBE = "#!/bin/sh\necho insmod /lib/modules/none.ko\n"


@pytest.fixture
def host(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A PF that is up, with two VFs that are alone in their IOMMU groups, a kernel, and libvirt."""
    tree = shell.tree
    add_pf(tree, PF, "ens1f0", 2)
    tree.configure(rule(2))
    tree.write(f"boot/vmlinuz-{os.uname().release}", "a kernel")
    tree.write("proc/sys/kernel/osrelease", f"{os.uname().release}\n")
    tree.write("lib/modules/none.ko", "a module")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "modprobe").write_text(MODPROBE)
    (programs / "modprobe").chmod(0o755)
    for name in ("kmod", "mount"):
        shutil.copy("/bin/true", programs / name)
    monkeypatch.setenv("PATH", f"{programs}:{STAND_IN}:{os.environ['PATH']}")
    monkeypatch.setenv("SRIOV_STAND_IN_TREE", str(tree.root))
    return shell


def add_pf(tree: HostTree, pf: str, netdev: str, num_vfs: int) -> None:
    tree.add_pf(pf, netdev=netdev, num_vfs=num_vfs)
    for index in range(num_vfs):
        address = vf_address(pf, index)
        tree.link(f"sys/kernel/iommu_groups/{17 + index}/devices/{address}", tree.device(address))


def left(host: Shell) -> list[str]:
    """What is there after a run and should not be."""
    files = [str(path.relative_to(host.tree.root)) for path in (host.tree.root / FOLDER).glob("*")]
    return [*files, *(path for path in LEFT if (host.tree.root / path).exists())]


def stages(text: str) -> dict[str, str]:
    """ProofStage -> outcome, of the first proof."""
    return {stage["stage"]: stage["outcome"] for stage in json.loads(text)["verifications"][0]["stages"]}


def test_a_vf_that_works_is_proved_and_nothing_is_left(host: Shell) -> None:
    code, out, err = host.run("verify", "vf", "--vlan", "100", "--gateway", "192.0.2.1")
    assert code == 0, out + err
    assert f"{vf_address(PF, 0)} works in a VM" in out
    assert "192.0.2.1 is at 02:00:00:00:00:fe" in out
    assert "one in each direction, between two VFs" in out
    assert not [path for path in LEFT if (host.tree.root / path).exists()]
    assert not list((host.tree.root / "stand-in-domains").iterdir())


def test_a_proof_of_each_pf_is_a_line_of_a_table_and_counts_for_the_metrics(host: Shell) -> None:
    add_pf(host.tree, PF2, "ens1f1", 0)
    host.tree.configure(rule(2) + rule(0, address=PF2).replace("tenant-a", "tenant-b"))
    host.run("--once")
    code, out, _ = host.run("verify", "host")
    lines = [line.split() for line in out.splitlines()]
    assert code == 3
    assert lines[1][:4] == ["tenant-a", PF, "ens1f0", vf_address(PF, 0)]
    assert (lines[1][-1], lines[2][5:7]) == ("ok", ["FAILED:", "free"])
    page = host.tree.read("run/sriov-bootstrap/state/metrics.prom")
    assert 'sriov_verify_last_success_timestamp_seconds{rule="tenant-b"} 0.0' in page
    assert 'sriov_verify_last_success_timestamp_seconds{rule="tenant-a"} 0.0' not in page


def test_the_page_is_written_while_passes_may_run(host: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The textfile may be on a slow disk. By then, state.json says when the proof was."""
    proved: list[set[str]] = []

    def publish(machine: HostMachine, _: object) -> tuple[str, ...]:
        with machine.locks.hold(PASS_LOCK, timeout_seconds=0.5, waiting=lambda _: None):
            proved.append({*machine.load_state()[0].verified_at})
        return ()

    monkeypatch.setattr(jobs, "publish", publish)
    assert host.run("verify", "vf")[0] == 0
    assert proved == [{"tenant-a"}]


@pytest.mark.parametrize(
    ("fault", "stage", "said"),
    [
        ("refuse", "pf", "ip link set ens1f0 up"),
        ("driverless", "driver", "no driver takes it"),
        ("dark", "link", "has no carrier"),
        ("mute", "frames", "nothing came through"),
    ],
)
def test_each_stage_that_breaks_is_told_with_cause_and_remedy(host: Shell, fault: str, stage: str, said: str) -> None:
    host.tree.write("stand-in", fault)
    code, out, _ = host.run("verify", "vf")
    assert code == 3
    assert said in out
    assert f"not proved: {stage}" in out
    assert "put back  ok" in out


@pytest.mark.parametrize("fault", ["silent", "replayed"])
def test_a_guest_that_never_reports_ends_at_the_deadline(host: Shell, fault: str) -> None:
    """A report with another nonce is somebody else's."""
    host.tree.write("stand-in", fault)
    code, out, _ = host.run("verify", "vf", "--timeout", "1", "--json")
    assert (code, stages(out)["boot"], stages(out)["put_back"]) == (3, "failed", "passed")


def test_none_free_ends_with_3_and_says_who_has_them(host: Shell) -> None:
    host.tree.add_process(4711, "/dev/vfio/17", "/dev/vfio/18")
    for index in (0, 1):
        (host.tree.device(vf_address(PF, index)) / "driver").unlink()
        host.tree.bind(vf_address(PF, index), "vfio-pci")
    code, out, _ = host.run("verify", "vf", PF)
    assert (code, "held by qemu-system-x86 pid 4711" in out) == (3, True)


def test_a_vf_on_a_driver_that_bypasses_the_kernel_is_somebodys(host: Shell) -> None:
    vf = vf_address(PF, 0)
    (host.tree.device(vf) / "driver").unlink()
    (host.tree.device(vf) / "net" / "ens1f0v0").rename(host.tree.root / "gone")
    host.tree.bind(vf, "uio_pci_generic")
    code, out, _ = host.run("verify", "vf", vf)
    assert (code, "driver uio_pci_generic has no netdev here" in out) == (3, True)
    assert f"hint: if no program uses it: echo {vf} > /sys/bus/pci/devices/{vf}/driver/unbind; " in out


def wrap_virsh(tmp_path: Path, commands: str) -> None:
    """A virsh that runs these commands first, and then the stand-in, unless they exit."""
    (tmp_path / "programs/virsh").write_text(f'#!/bin/sh\n{commands}\nexec {STAND_IN}/virsh "$@"\n')
    (tmp_path / "programs/virsh").chmod(0o755)


def test_a_vf_that_a_tenant_gets_before_verifys_own_vm_stays_the_tenants(host: Shell, tmp_path: Path) -> None:
    """nova starts a VM while the initramfs is made, and libvirt refuses verify's."""
    tree, vf = host.tree, vf_address(PF, 0)
    folder, vfio, later = tree.device(vf), tree.root / "sys/bus/pci/drivers/vfio-pci", tree.root / "later"
    vfio.mkdir()
    (vfio / "unbind").touch()
    tree.add_process(4711, "/dev/vfio/17", cmdline=b"qemu\0-name\0guest=instance-1\0")
    (tree.root / "proc/4711").rename(later)
    said = f"error: Requested operation is not valid: PCI device {vf} is in use by driver QEMU, domain instance-1"
    take = f"ln -sfn {vfio} {folder}/driver; mv {later} {tree.root}/proc/4711"
    keep = f"cp {tree.root}/{LEFT[0]} {tmp_path}/record"
    wrap_virsh(tmp_path, f'case "$4" in create*) {keep}; {take}; echo "{said}" >&2; exit 1;; esac')
    code, out, _ = host.run("verify", "vf")
    assert (code, "not proved: free vf\n" in out) == (3, True), out
    assert f"put back  ok      VF 0 {vf} is held by qemu-system-x86 pid 4711 (instance-1): left alone" in out
    assert ((folder / "driver").resolve(), (vfio / "unbind").read_text()) == (vfio, "")
    (trial,) = json.loads((tmp_path / "record").read_text())["trials"]
    assert trial["vfs"][0]["incarnation"] == folder.stat().st_ino
    assert left(host) == []


@pytest.mark.parametrize("number", ["TERM", "HUP"])
def test_an_interrupted_verify_puts_back_what_it_has_begun(host: Shell, tmp_path: Path, number: str) -> None:
    """HUP: the ssh in which it runs has ended."""
    wrap_virsh(tmp_path, f'case "$4" in create*) sleep 0.3; kill -{number} $PPID; exit 1;; esac')
    code, _, err = host.run("verify", "vf")
    assert (code, "interrupted" in err, left(host)) == (130, True, [])


def test_without_an_iommu_no_vm_is_started(host: Shell) -> None:
    (host.tree.root / "sys/kernel/iommu_groups").rename(host.tree.root / "gone")
    code, out, _ = host.run("verify", "vf", "--json")
    assert (code, stages(out)["iommu"], "start" in stages(out)) == (3, "failed", False)


def test_a_pf_that_is_down_is_told_before_libvirt_refuses(host: Shell) -> None:
    (host.tree.device() / "net/ens1f0/flags").write_text("0x1002\n")
    code, out, _ = host.run("verify", "vf")
    assert (code, "ens1f0 is down" in out) == (3, True)


def test_a_domain_of_that_name_is_left_alone(host: Shell) -> None:
    host.tree.write("stand-in-domains/sriov-bootstrap-verify-0000-3b-00-0", "nobody")
    code, out, _ = host.run("verify", "vf")
    assert (code, "there is a domain sriov-bootstrap-verify-0000-3b-00-0 already" in out) == (3, True)
    assert left(host) == []
    assert host.tree.read("stand-in-domains/sriov-bootstrap-verify-0000-3b-00-0") == "nobody"


def test_a_host_without_a_kernel_to_boot_says_so(host: Shell) -> None:
    (host.tree.root / f"boot/vmlinuz-{os.uname().release}").unlink()
    code, out, _ = host.run("verify", "vf")
    assert (code, "there is no kernel to boot" in out, left(host)) == (3, True, [])


def test_what_is_missing_for_the_initramfs_is_told_and_nothing_is_left(host: Shell) -> None:
    (host.tree.root / "lib/modules/none.ko").unlink()
    code, out, _ = host.run("verify", "host")
    assert (code, "none.ko: cannot be read: No such file" in out, left(host)) == (3, True, [])
    assert "FAILED: kernel" in out


def test_no_room_for_the_initramfs_is_told_and_nothing_is_left(host: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit of a file's size stands for a full disk: what is written before it is there, and the rest is not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    monkeypatch.setattr(signal, "SIGXFSZ", signal.signal(signal.SIGXFSZ, signal.SIG_IGN) and signal.SIGXFSZ)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        code, out, _ = host.run("verify", "vf")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (code, "verify/initramfs: cannot be written: File too large" in out) == (3, True)
    assert "make room in /run" in out
    assert left(host) == []


def test_libvirt_is_asked_while_passes_may_run(host: Shell, tmp_path: Path) -> None:
    """It may take a minute to answer."""
    lock, asked = host.tree.root / "run/sriov-bootstrap/state/pass.lock", tmp_path / "asked"
    wrap_virsh(tmp_path, f'[ "$4" != list ] || flock -n {lock} echo free >>{asked}')
    assert host.run("verify", "vf")[0] == 0
    assert asked.read_text() == "free\n"


def test_the_vms_interface_is_what_render_libvirt_prints(host: Shell, tmp_path: Path) -> None:
    kept = tmp_path / "domain.xml"
    wrap_virsh(tmp_path, f'file=${{4#create }}; cp "${{file%% *}}" {kept} 2>/dev/null')
    assert host.run("verify", "vf", vf_address(PF, 0), "--vlan", "100")[0] == 0
    text = kept.read_text()
    mac = text.partition("<mac address='")[2][:17]
    code, rendered, _ = host.run("render", "libvirt", vf_address(PF, 0), "--mac", mac, "--vlan", "100")
    assert code == 0
    assert rendered in text


def test_a_host_without_libvirt_says_what_to_install(host: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.environ["PATH"].replace(f"{STAND_IN}:", ""))
    code, out, _ = host.run("verify", "vf")
    assert (code, "virsh is not installed" in out) == (3, True)


def write_record(tree: HostTree) -> None:
    """What a killed run has left, written by an earlier version: it has a VM with VF 0."""
    vf = {"pci_address": vf_address(PF, 0), "number": 0, "driver": "igbvf"}
    trial = {"domain": "x", "pf": PF, "netdev": "", "vfs": [vf]}
    tree.write(LEFT[0], json.dumps({"boot_id": "b007", "trials": [trial]}))


def recorded_domains(tree: HostTree) -> list[str]:
    return [trial["domain"] for trial in json.loads(tree.read(LEFT[0]))["trials"]]


def test_a_vm_that_a_hung_libvirt_does_not_end_stays_recorded(
    host: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "DESTROY_SECONDS", 0.3)
    wrap_virsh(tmp_path, '[ "$4" != destroy ] || exec sleep 600')
    code, out, _ = host.run("verify", "vf")
    assert (code, "not proved: put back\n" in out) == (3, True), out
    assert "sriov-bootstrap-verify-0000-3b-00-0: not finished after 0.3 s" in out
    assert recorded_domains(host.tree) == ["sriov-bootstrap-verify-0000-3b-00-0"]
    wrap_virsh(tmp_path, "")
    assert host.run("verify", "vf")[0] == 0
    assert left(host) == []


def test_what_cannot_be_cleaned_up_yet_stays_recorded_beside_what_is_tried_now(
    host: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "DESTROY_SECONDS", 0.3)
    write_record(host.tree)
    wrap_virsh(tmp_path, '[ "$4 $5" != "destroy x" ] || exec sleep 600')
    code, out, err = host.run("verify", "vf")
    assert (code, f"{vf_address(PF, 1)} works in a VM" in out) == (0, True), out + err
    assert "sriov-bootstrap: a later pass, or verify, tries again: x\n" in err
    assert recorded_domains(host.tree) == ["x"]


def test_what_a_killed_run_has_left_is_cleaned_up_by_the_next(host: Shell) -> None:
    write_record(host.tree)
    host.tree.write(LEFT[1], "a kernel")
    assert host.run("verify", "vf")[0] == 0
    assert not [path for path in LEFT if (host.tree.root / path).exists()]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("vf", "ens9"), '"ens9" is neither a PF nor a VF of one'),
        (("vf", "--vlan", "4095"), "--vlan 4095 is not between 0 and 4094"),
        (("vf", "--gateway", "192.0.2.256"), '"192.0.2.256" is not an IPv4 address'),
        (("vf", "--timeout", "-1"), "invalid seconds value: '-1'"),
        (("host", "ens1f0"), "only work with verify vf"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(
    host: Shell, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    try:
        code, _, err = host.run("verify", *words)
    except SystemExit as end:
        code, err = int(str(end.code)), capsys.readouterr().err
    assert (code, said in err) == (2, True)
