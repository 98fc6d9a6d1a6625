"""What comes after a trial: VFs have their drivers and attributes again, whoever has changed them, or it is said."""

import json
import os
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import pytest

from builders import PF, vf_address
from fakes_host import HostTree
from sriov_bootstrap.base import pipes
from sriov_bootstrap.base.errors import KernelError
from sriov_bootstrap.base.processes import SILENT_SECONDS
from sriov_bootstrap.core.actions import Action
from sriov_bootstrap.core.report import Result
from sriov_bootstrap.core.state import Handover
from sriov_bootstrap.core.trials import Trial, Trials, TriedVf, dump_trials, load_trials
from sriov_bootstrap.core.vf_attributes import PfLink, PfLinks, VfAttributes
from sriov_bootstrap.edges import child
from sriov_bootstrap.edges.virsh import Virsh
from sriov_bootstrap.machine import jobs, trials
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.machine.trials import PutBack, put_back, sweep

BEFORE = VfAttributes(mac="02:00:00:00:00:01", vlan=100, vlan_qos=3, trust=True)
TAKEN = {"mac": "fa:16:3e:00:00:01", "vlan": 7, "vlan_qos": 0, "trust": False}
NIC = "nic"  # a file with what the PF has for VF 0, which a process of its own sets
VF = vf_address(PF, 0)
TRIAL = Trial("verify-a", PF, "ens1f0", (TriedVf(VF, 0, "igbvf", BEFORE),))
RECORD = "run/sriov-bootstrap/state/trials.json"
BOOT_ID = "b007"
NO_DOMAIN = "echo \"error: failed to get domain '$5'\" >&2; exit 1"
NO_LIBVIRT = 'echo "error: failed to connect to the hypervisor" >&2; exit 1'
HANGS = "exec sleep 600"
DESTROY = "virsh -q -c qemu:///system destroy verify-a"
AGAIN = "a later pass, or verify, tries again: verify-a"


class HostWithNic(HostMachine):
    """Its PF has what the file says; pauses move its clock alone.

    `meanwhile` happens in each pause, `at_last` right before it acts.
    """

    paused = 0.0
    meanwhile: tuple[Callable[[], object], ...] = ()
    at_last: tuple[Callable[[], object], ...] = ()

    def read_pf_links(self, netdevs: tuple[str, ...]) -> PfLinks:
        now = json.loads((self.tree.root / NIC).read_text())
        return PfLinks({netdevs[0]: PfLink(2, vfs={0: VfAttributes(**now), 1: VfAttributes()})})

    def pause(self, seconds: float) -> None:
        self.paused += seconds
        for happen in self.meanwhile:
            happen()

    def monotonic(self) -> float:
        return super().monotonic() + self.paused

    def act(self, action: Action, *, guard: Callable[[], str]) -> Result:
        for happen in self.at_last:
            happen()
        return super().act(action, guard=guard)

    tree: HostTree


@pytest.fixture
def tree(tmp_path_factory: pytest.TempPathFactory) -> HostTree:
    tree = HostTree(tmp_path_factory.mktemp("host"))
    tree.add_pf(num_vfs=2)
    tree.write(NIC, json.dumps(TAKEN))
    return tree


@pytest.fixture
def machine(tree: HostTree, monkeypatch: pytest.MonkeyPatch) -> HostWithNic:
    """libvirt has no such domain, and the kernel sets what it is asked to."""

    def set_vf_attributes(ifindex: int, wishes: Mapping[int, VfAttributes]) -> None:
        assert ifindex == 2
        now = json.loads(tree.read(NIC))
        tree.write(NIC, json.dumps(now | wishes[0].said))

    monkeypatch.setattr(trials, "set_vf_attributes", set_vf_attributes)
    install_virsh(tree, NO_DOMAIN)
    monkeypatch.setenv("PATH", str(tree.root / "programs"), prepend=":")
    machine = HostWithNic(root=str(tree.root))
    machine.tree = tree
    return machine


def install_virsh(tree: HostTree, commands: str) -> None:
    tree.write("programs/virsh", f"#!/bin/sh\n{commands}\n").chmod(0o755)


def write_record(tree: HostTree, *recorded: Trial) -> None:
    tree.write(RECORD, dump_trials(Trials(BOOT_ID, recorded)))


def recorded_trials(tree: HostTree) -> tuple[Trial, ...]:
    path = tree.root / RECORD
    return load_trials(path.read_bytes(), boot_id=BOOT_ID).trials if path.exists() else ()


def give_to_vfio(tree: HostTree) -> None:
    """As libvirt does; whatever runs on the VF's own driver before is gone."""
    (tree.device(VF) / "driver").unlink()
    tree.bind(VF, "vfio-pci")


def unbound_from(tree: HostTree) -> list[str]:
    """The drivers from which a VF was taken."""
    return [file.parent.name for file in tree.root.glob("sys/bus/pci/drivers/*/unbind") if file.read_text()]


def start_vm(tree: HostTree, domain: str) -> None:
    """A VM that has the VF open."""
    tree.add_process(4711, "/dev/vfio/17", cmdline=f"qemu\0-name\0guest={domain},debug-threads=on\0".encode())


def define_vm(tree: HostTree, place: str, form: str) -> None:
    """A domain with the VF in libvirt's files."""
    address = "<address domain='0' bus='0x3b' slot='0x02' function='0'/>"
    source = f"<devices><hostdev><source>{address}</source></hostdev></devices>"
    tree.write(f"{place}/instance-1.xml", form.format(f"<domain><name>instance-1</name>{source}</domain>"))


def give_to_a_vm(tree: HostTree) -> None:
    give_to_vfio(tree)
    start_vm(tree, "instance-1")


def run_a_vm(tree: HostTree) -> None:
    define_vm(tree, "run/libvirt/qemu", "<domstatus state='running'>{}</domstatus>")


def move_to_a_container(tree: HostTree) -> None:
    (tree.device(VF) / "net/ens1f0v0").rename(tree.root / "elsewhere")


def add_to_a_bridge(tree: HostTree) -> None:
    tree.stack("br0", "ens1f0v0")


NO_NETDEV = "driver igbvf has no netdev here: it is in another network namespace, or bypasses the kernel"
USES = [
    pytest.param(give_to_a_vm, "is held by qemu-system-x86 pid 4711 (instance-1)", id="VM"),
    pytest.param(run_a_vm, "is in use: belongs to the VM instance-1, which is running", id="VM, by libvirt's files"),
    pytest.param(move_to_a_container, f"is in use: {NO_NETDEV}", id="container"),
    pytest.param(add_to_a_bridge, "is in use: netdev ens1f0v0 is below br0", id="bridge"),
]


@pytest.mark.parametrize(("use", "said"), USES)
def test_a_vf_that_somebody_uses_is_neither_waited_for_nor_touched(
    machine: HostWithNic, tree: HostTree, use: Callable[[HostTree], None], said: str
) -> None:
    use(tree)
    assert put_back(machine, TRIAL) == PutBack(left_alone=(f"VF 0 {VF} {said}: left alone",))
    assert json.loads(tree.read(NIC)) == TAKEN
    assert (machine.paused, unbound_from(tree)) == (0.0, [])


def test_a_record_of_long_ago_takes_nothing_from_whoever_has_the_vf_now(machine: HostWithNic, tree: HostTree) -> None:
    give_to_a_vm(tree)
    write_record(tree, TRIAL)
    assert sweep(machine) == (f"VF 0 {VF} is held by qemu-system-x86 pid 4711 (instance-1): left alone",)
    assert json.loads(tree.read(NIC)) == TAKEN
    assert not (tree.root / RECORD).exists()


def test_a_vf_that_is_taken_during_the_wait_is_left_alone_from_then_on(machine: HostWithNic, tree: HostTree) -> None:
    """libvirt gives it to vfio and sets it up before its VM has it open."""

    def start() -> None:
        if not (tree.root / "proc/4711").exists():
            start_vm(tree, "instance-1")

    give_to_vfio(tree)
    machine.meanwhile = (start,)
    assert [line[-10:] for line in put_back(machine, TRIAL).left_alone] == ["left alone"]
    assert machine.paused < 2 * trials.QUIET_SECONDS
    assert (json.loads(tree.read(NIC)), unbound_from(tree)) == (TAKEN, [])


def test_a_vf_that_is_taken_right_before_its_driver_would_be_keeps_it(machine: HostWithNic, tree: HostTree) -> None:
    give_to_vfio(tree)
    machine.at_last = (lambda: start_vm(tree, "instance-1"),)
    assert [line[-10:] for line in put_back(machine, TRIAL).left_alone] == ["left alone"]
    assert machine.paused >= trials.QUIET_SECONDS
    assert (json.loads(tree.read(NIC)), unbound_from(tree)) == (TAKEN, [])


def test_a_vf_that_is_taken_right_before_its_mac_would_be_keeps_it(
    machine: HostWithNic, tree: HostTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = child.call

    def call_late(work: child.Work, *, what: str, **limits: Any) -> bytes:  # noqa: ANN401 - those of child.call
        if what == "ens1f0: attributes of its VFs":
            run_a_vm(tree)
        return call(work, what=what, **limits)

    monkeypatch.setattr(child, "call", call_late)
    assert [line[-10:] for line in put_back(machine, TRIAL).left_alone] == ["left alone"]
    assert machine.paused >= trials.QUIET_SECONDS
    assert json.loads(tree.read(NIC)) == TAKEN


def test_a_vf_that_something_keeps_changing_is_not_joined(machine: HostWithNic, tree: HostTree) -> None:
    machine.meanwhile = (lambda: tree.write(NIC, json.dumps(TAKEN | {"vlan": int(machine.paused)})),)
    (problem,) = put_back(machine, TRIAL).problems
    assert problem.startswith("VF 0 no longer has ")
    assert not put_back(machine, TRIAL, wait_seconds=0).is_over
    assert trials.BACK_SECONDS / 2 < machine.paused <= trials.BACK_SECONDS
    assert json.loads(tree.read(NIC))["mac"] == TAKEN["mac"]


@pytest.mark.parametrize("use", [give_to_vfio, run_a_vm, lambda _: None])
def test_a_vf_that_was_created_again_is_no_longer_the_one_that_was_recorded(
    machine: HostWithNic, tree: HostTree, use: Callable[[HostTree], None]
) -> None:
    use(tree)
    recorded = TriedVf(VF, 0, "igbvf", BEFORE, tree.device(VF).stat().st_ino + 1)
    assert put_back(machine, Trial("verify-a", PF, "ens1f0", (recorded,))) == PutBack()
    assert json.loads(tree.read(NIC)) == TAKEN
    assert (machine.paused, unbound_from(tree)) == (0.0, [])


def test_the_vf_that_was_recorded_is_known_by_its_incarnation(machine: HostWithNic, tree: HostTree) -> None:
    recorded = TriedVf(VF, 0, "igbvf", BEFORE, tree.device(VF).stat().st_ino)
    assert put_back(machine, Trial("verify-a", PF, "ens1f0", (recorded,))) == PutBack()
    assert json.loads(tree.read(NIC))["mac"] == BEFORE.mac


def test_a_vf_that_is_gone_and_a_pf_that_is_gone_have_nothing_to_get_back(machine: HostWithNic, tree: HostTree) -> None:
    (tree.device() / "virtfn0").unlink()
    assert put_back(machine, TRIAL) == PutBack()
    tree.remove(PF)
    assert put_back(machine, TRIAL) == PutBack()
    assert json.loads(tree.read(NIC)) == TAKEN


def test_a_netdev_whose_name_another_pf_has_by_now_is_not_touched(machine: HostWithNic, tree: HostTree) -> None:
    (tree.device() / "net/ens1f0").rename(tree.device() / "net/ens7")
    assert put_back(machine, TRIAL) == PutBack()
    assert json.loads(tree.read(NIC)) == TAKEN


def test_a_vm_that_is_shut_off_uses_nothing(machine: HostWithNic, tree: HostTree) -> None:
    """When it starts, libvirt takes the VF as it is then."""
    define_vm(tree, "etc/libvirt/qemu", "{}")
    assert put_back(machine, TRIAL) == PutBack()
    assert json.loads(tree.read(NIC))["mac"] == BEFORE.mac


def test_the_vm_of_the_trial_is_waited_for_and_nothing_is_done_while_it_has_the_vf_open(
    machine: HostWithNic, tree: HostTree
) -> None:
    """A driver is taken from a VF only when it is closed: whoever asks for that waits."""
    give_to_vfio(tree)
    tree.write(NIC, json.dumps(BEFORE.said))
    start_vm(tree, TRIAL.domain)
    assert put_back(machine, TRIAL) == PutBack((f"{VF} has vfio-pci instead of igbvf",))
    assert machine.paused >= trials.QUIET_SECONDS
    assert unbound_from(tree) == []


def test_where_nobody_can_tell_who_has_a_vf_it_is_left_alone_and_not_as_before(
    machine: HostWithNic, tree: HostTree
) -> None:
    file = tree.write("run/libvirt/qemu/instance-1.xml", "<domstatus")
    said = f"cannot tell which VM owns it: {file}: not XML"
    assert put_back(machine, TRIAL) == PutBack((f"VF 0 {VF} is in use: {said}: left alone",), is_over=False)
    assert json.loads(tree.read(NIC)) == TAKEN


def test_what_libvirt_has_set_is_as_before_and_nothing_else_is_touched(machine: HostMachine, tree: HostTree) -> None:
    assert put_back(machine, TRIAL) == PutBack()
    now = json.loads(tree.read(NIC))
    assert now == {"mac": BEFORE.mac, "vlan": 100, "vlan_qos": 3, "trust": False}


def test_what_is_as_before_is_not_set(machine: HostMachine, tree: HostTree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.write(NIC, json.dumps(BEFORE.said))
    monkeypatch.setattr(trials, "set_vf_attributes", pytest.fail)
    assert put_back(machine, TRIAL) == PutBack()


def test_a_pf_that_sets_nothing_is_told(machine: HostMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "set_vf_attributes", lambda *_: None)
    (problem,) = put_back(machine, TRIAL).problems
    assert problem.startswith("VF 0 no longer has ")


def test_a_kernel_that_refuses_is_told_in_its_words(machine: HostMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise KernelError("ens1f0: no")

    monkeypatch.setattr(trials, "set_vf_attributes", refuse)
    assert put_back(machine, TRIAL) == PutBack(("ens1f0: attributes of its VFs: ens1f0: no",))


def test_a_vf_whose_driver_stays_away_is_told(machine: HostMachine, tree: HostTree) -> None:
    """The tree's kernel binds nothing."""
    tree.write(NIC, json.dumps(BEFORE.said))
    give_to_vfio(tree)
    assert put_back(machine, TRIAL) == PutBack((f"{VF} has vfio-pci instead of igbvf",))
    assert unbound_from(tree) == ["vfio-pci"]


def test_a_killed_run_is_put_back_once(machine: HostMachine, tree: HostTree) -> None:
    write_record(tree, TRIAL)
    assert sweep(machine) == ()
    assert json.loads(tree.read(NIC))["mac"] == BEFORE.mac
    assert not (tree.root / RECORD).exists()
    assert sweep(machine) == ()


def test_while_a_verify_is_under_way_nothing_is_put_back(machine: HostMachine, tree: HostTree) -> None:
    write_record(tree, TRIAL)
    with HostMachine(root=str(tree.root)).locks.hold_verify():
        assert sweep(machine) == ()
    assert json.loads(tree.read(NIC)) == TAKEN


def test_no_verify_begins_while_another_is_cleaned_up_after(
    machine: HostMachine, tree: HostTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its VM has the same name, and its record the same place."""
    seen: list[bool] = []
    monkeypatch.setattr(Virsh, "destroy", lambda *_, **__: seen.append(machine.locks.is_verifying()))
    write_record(tree, TRIAL)
    sweep(machine)
    assert seen == [True]


def test_what_cannot_be_put_back_is_a_note_of_the_daemons_pass(
    machine: HostMachine, tree: HostTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "set_vf_attributes", lambda *_: None)
    write_record(tree, TRIAL)
    job = jobs.start_pass(machine, jobs.load(machine, None), Handover())
    (note,) = jobs.end_of(child.finish(job, what="the pass", timeout_seconds=60)).state.report.notes
    assert note.startswith("verify was killed, and left something behind: VF 0 no longer has ")


def test_a_libvirt_that_hangs_holds_up_no_pass_and_none_of_its_lines(
    machine: HostMachine, tree: HostTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon kills a pass that has said nothing for SILENT_SECONDS, and the next one would do the same."""
    assert trials.SWEEP_SECONDS < SILENT_SECONDS / 2
    monkeypatch.setattr(trials, "SWEEP_SECONDS", 3.0)
    monkeypatch.setattr(pipes, "SAY_SECONDS", 0.2)
    install_virsh(tree, HANGS)
    left = (TRIAL, Trial("verify-b", PF, "ens1f0", TRIAL.vfs))
    write_record(tree, *left)
    job = jobs.start_pass(machine, jobs.load(machine, None), Handover())
    heard_at, said = [time.monotonic()], b""
    while chunk := os.read(job.fd, 1 << 16):
        heard_at.append(time.monotonic())
        said += chunk
    os.close(job.fd)
    os.waitpid(job.pid, 0)
    assert max(later - earlier for earlier, later in pairwise(heard_at)) < 3.0
    lead = "verify was killed, and left something behind: "
    expected = (f"{lead}{DESTROY}: not finished after 3 s", f"{lead}{AGAIN}, verify-b")
    assert jobs.end_of(said.splitlines()[-1]).state.report.notes == expected
    assert recorded_trials(tree) == left
    assert json.loads(tree.read(NIC)) == TAKEN


def test_what_a_hung_libvirt_has_kept_from_its_end_a_later_pass_brings_to_it(
    machine: HostMachine, tree: HostTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "SWEEP_SECONDS", 0.3)
    install_virsh(tree, HANGS)
    write_record(tree, TRIAL)
    assert sweep(machine) == (f"{DESTROY}: not finished after 0.3 s", AGAIN)
    monkeypatch.setattr(trials, "SWEEP_SECONDS", 10.0)
    install_virsh(tree, NO_DOMAIN)
    give_to_a_vm(tree)  # libvirt was at work after all
    assert sweep(machine) == (f"VF 0 {VF} is held by qemu-system-x86 pid 4711 (instance-1): left alone",)
    assert recorded_trials(tree) == ()


def test_what_there_was_no_time_for_is_left_for_a_later_pass(
    machine: HostMachine, tree: HostTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first takes most of it, as nobody may have touched its VF for QUIET_SECONDS."""
    other = Trial("verify-b", PF, "ens1f0", (TriedVf(vf_address(PF, 1), 1, "", None),))
    write_record(tree, TRIAL, other)
    monkeypatch.setattr(trials, "SWEEP_SECONDS", trials.QUIET_SECONDS + 4.0)
    first, second = sweep(machine)
    assert first == f"{vf_address(PF, 1)} has igbvf instead of none"
    assert second == "a later pass, or verify, tries again: verify-b"
    assert recorded_trials(tree) == (other,)
    assert json.loads(tree.read(NIC))["mac"] == BEFORE.mac


@pytest.mark.parametrize(("domain", "is_left"), [("verify-a", True), ("instance-1", False)])
def test_without_libvirt_a_trial_is_over_unless_its_vm_still_has_the_vf(
    machine: HostMachine, tree: HostTree, domain: str, *, is_left: bool
) -> None:
    """A QEMU outlives libvirt."""
    install_virsh(tree, NO_LIBVIRT)
    give_to_vfio(tree)
    start_vm(tree, domain)
    write_record(tree, TRIAL)
    lines = sweep(machine)
    assert lines[0] == "verify-a: failed to connect to the hypervisor"
    assert (lines[-1] == AGAIN, recorded_trials(tree) == (TRIAL,)) == (is_left, is_left)
    assert unbound_from(tree) == []


def test_where_nobody_can_tell_who_has_a_vf_a_later_pass_asks_again(machine: HostMachine, tree: HostTree) -> None:
    write_record(tree, TRIAL)
    tree.write("run/libvirt/qemu/instance-1.xml", "<domstatus")
    assert sweep(machine)[-1] == AGAIN
    run_a_vm(tree)
    assert sweep(machine) == (f"VF 0 {VF} is in use: belongs to the VM instance-1, which is running: left alone",)
    assert recorded_trials(tree) == ()
