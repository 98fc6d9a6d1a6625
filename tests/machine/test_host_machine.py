"""The edges wired together: a write that hangs is real here, as a FIFO that nobody opens stands in for sriov_numvfs."""

import errno
import os
import re
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from builders import PF, PF2, PF3, vf_address
from fakes_host import HostTree
from sriov_bootstrap.base.errors import StuckError, UnitError
from sriov_bootstrap.core.actions import Action, LoadModule, SetAutoprobe, SetLinkUp, SetNumVfs, WriteFile
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.core.state import State
from sriov_bootstrap.core.surroundings import Jam
from sriov_bootstrap.core.vf_users import Holder, Holders
from sriov_bootstrap.edges import child
from sriov_bootstrap.edges.rtnetlink import read_links
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.passes.protocols import GuardedAction

TO_ZERO = SetNumVfs(PF, 4, 0)
ENOUGH = 30.0
AT_ONCE = 0.05


@pytest.fixture
def machine(tree: HostTree) -> HostMachine:
    return HostMachine(root=str(tree.root), deadline_seconds=lambda _: ENOUGH)


@pytest.fixture
def hasty(tree: HostTree) -> HostMachine:
    """Gives every write up."""
    return HostMachine(root=str(tree.root), deadline_seconds=lambda _: AT_ONCE)


def nobody() -> str:
    return ""


class Hanging:
    """A PF whose sriov_numvfs does not answer."""

    def __init__(self, tree: HostTree) -> None:
        self.path = tree.add_pf(num_vfs=4) / "sriov_numvfs"
        self.path.unlink()
        os.mkfifo(self.path)

    def answer(self, pid: int) -> None:
        """The kernel gives the write back, and its process ends."""
        writer = os.pidfd_open(pid)
        os.close(os.open(self.path, os.O_WRONLY))
        assert select.select([writer], [], [], ENOUGH)[0]
        os.close(writer)
        os.waitpid(pid, 0)


@pytest.fixture
def hanging(tree: HostTree) -> Hanging:
    return Hanging(tree)


@pytest.fixture
def jam(hasty: HostMachine, hanging: Hanging) -> Iterator[Jam]:
    """A write that has been given up and goes on."""
    assert hasty.act(TO_ZERO, guard=nobody).outcome is Outcome.STUCK
    found = noted(hasty)
    yield found
    hanging.answer(found.pid)


def noted(machine: HostMachine, action: object = "") -> Jam:
    """The write under way, once its process has said who it is: on a busy machine that can be after the deadline."""
    deadline = time.monotonic() + ENOUGH
    while not (jam := machine.read_jam()) or not jam.pid or str(action) not in jam.action:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return jam


# -- writes --


def test_a_write_is_done_by_another_process_and_its_result_comes_back(tree: HostTree, machine: HostMachine) -> None:
    path = tree.add_pf() / "sriov_numvfs"
    change, too_late = SetNumVfs(PF, 0, 4), SetNumVfs(PF, 0, 7)
    assert machine.act(change, guard=nobody) == Result(change, Outcome.CHANGED, made=0)
    assert machine.act(change, guard=nobody) == Result(change, Outcome.UNCHANGED)
    assert machine.act(too_late, guard=nobody) == Result(too_late, Outcome.STALE)
    assert path.read_text() == "4\n"
    assert machine.read_jam() is None


def test_how_many_vfs_a_write_has_left_comes_back(tree: HostTree, machine: HostMachine) -> None:
    """The tree makes none by itself: these three are there, whatever was asked for."""
    tree.add_pf(num_vfs=3)
    (tree.device() / "sriov_numvfs").write_text("0")
    assert machine.act(SetNumVfs(PF, 0, 4), guard=nobody).made == 3
    assert machine.act(SetNumVfs(PF, 0, 4), guard=nobody).made == -1


def test_an_errno_comes_back_with_its_remedy(machine: HostMachine) -> None:
    change = SetNumVfs(PF, 0, 4)
    assert machine.act(change, guard=nobody) == Result(
        change,
        Outcome.FAILED,
        errno=errno.ENOENT,
        message=f"{PF}: cannot set sriov_numvfs from 0 to 4: ENOENT (No such file or directory): "
        "no driver is bound to the PF, or it cannot create VFs at run time",
        hint='bind a driver, or use method = "max_vfs" if its module has that parameter',
    )


def test_who_uses_a_vf_comes_back_as_it_was(tree: HostTree, machine: HostMachine) -> None:
    tree.add_pf(num_vfs=4)
    result = machine.act(TO_ZERO, guard=lambda: "VF 0 is in use")
    message = f"{PF}: 4 VFs stay instead of 0: VF 0 is in use"
    hint = "this is applied automatically once they are released"
    assert result == Result(TO_ZERO, Outcome.REFUSED, message=message, hint=hint)


def test_a_hang_in_a_writer_comes_back_as_one(tree: HostTree, machine: HostMachine) -> None:
    """What it runs has a deadline of its own, and sits in the kernel as any write does."""
    tree.add_pf(num_vfs=4)

    def hang() -> str:
        raise StuckError("modinfo: not finished after 30 s", pid=7, hint="look there")

    expected = Result(TO_ZERO, Outcome.STUCK, message="modinfo: not finished after 30 s", hint="look there")
    assert machine.act(TO_ZERO, guard=hang) == expected


def test_a_writer_does_not_speak_to_whoever_listens_to_its_pass(tree: HostTree, machine: HostMachine) -> None:
    """Its copy of that file is closed, and the number may be another file's by now."""
    tree.add_pf(num_vfs=4)
    machine.say = pytest.fail

    def talk() -> str:
        machine.say("still looking")
        return ""

    assert machine.act(TO_ZERO, guard=talk).outcome is Outcome.CHANGED


def be_killed() -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return ""


def crash() -> str:
    raise ZeroDivisionError("oops")


@pytest.mark.parametrize(
    ("end", "said"), [(be_killed, "exited without reporting a result"), (crash, "ZeroDivisionError: oops")]
)
def test_a_writer_that_dies_is_a_failure_and_not_a_success(
    tree: HostTree, machine: HostMachine, end: Callable[[], str], said: str
) -> None:
    tree.add_pf(num_vfs=4)
    result = machine.act(TO_ZERO, guard=end)
    assert (result.outcome, said in result.message) == (Outcome.FAILED, True)
    assert machine.read_jam() is None


def test_the_other_actions_reach_their_files(tree: HostTree, machine: HostMachine) -> None:
    folder = tree.add_pf(netdev="")
    flags = tree.add_netdev(PF, "ens1f0", flags="0x1002") / "flags"
    file = WriteFile(PF, "/etc/modprobe.d/sriov-bootstrap-igb.conf", "options igb max_vfs=7\n")
    for action in (SetLinkUp(PF, "ens1f0"), SetAutoprobe(PF, enabled=False), file):
        assert machine.act(action, guard=nobody) == Result(action, Outcome.CHANGED)
    assert flags.read_text() == "0x1003\n"
    assert (folder / "sriov_drivers_autoprobe").read_text() == "0\n"
    assert tree.read("etc/modprobe.d/sriov-bootstrap-igb.conf") == "options igb max_vfs=7\n"


# -- steps that follow one another --


def guarded(action: Action, guard: Callable[[], str] = nobody) -> GuardedAction:
    return GuardedAction(action, guard)


def notes(tree: HostTree, *users: str) -> Callable[[], str]:
    """A guard that notes who asks it, and names these users."""

    def guard() -> str:
        with (tree.root / "asked").open("a") as file:
            file.write(f"{os.getpid()}\n")
        return "".join(users)

    return guard


def asked(tree: HostTree) -> list[str]:
    """The processes that have."""
    return (tree.root / "asked").read_text().split()


def other_to_zero(tree: HostTree) -> tuple[SetNumVfs, Path]:
    """The same for another PF, and its number."""
    path = tree.add_pf(PF3, netdev="ens3f0") / "sriov_numvfs"
    path.write_text("4\n")
    return SetNumVfs(PF3, 4, 0), path


def test_steps_share_a_process_and_each_result_comes_back(tree: HostTree, machine: HostMachine) -> None:
    tree.add_pf(num_vfs=4)
    other, path = other_to_zero(tree)
    probing = SetAutoprobe(PF, enabled=False)
    steps = (guarded(TO_ZERO, notes(tree)), guarded(probing), guarded(other, notes(tree)))
    results = machine.act_in_turn(steps)
    assert [(result.action, result.outcome) for result in results] == [
        (TO_ZERO, Outcome.CHANGED),
        (probing, Outcome.CHANGED),
        (other, Outcome.CHANGED),
    ]
    first, second = asked(tree)
    assert first == second != f"{os.getpid()}"
    assert (path.read_text(), machine.read_jam()) == ("0\n", None)


def test_nothing_is_done_after_a_step_that_fails(tree: HostTree, machine: HostMachine) -> None:
    tree.add_pf(num_vfs=4)
    other, path = other_to_zero(tree)
    [result] = machine.act_in_turn((guarded(TO_ZERO, notes(tree, "VF 0 is in use")), guarded(other)))
    assert (result.outcome, path.read_text(), machine.read_jam()) == (Outcome.REFUSED, "4\n", None)


def test_what_needs_another_process_is_left_for_the_next_turn(tree: HostTree, machine: HostMachine) -> None:
    tree.add_pf(num_vfs=4)
    file = WriteFile(PF, "/etc/modprobe.d/sriov-bootstrap-igb.conf", "options igb max_vfs=7\n")
    steps = (
        guarded(TO_ZERO),
        guarded(file),
        guarded(SetAutoprobe(PF, enabled=False)),
    )
    for number in range(3):
        [result] = machine.act_in_turn(steps[number:])
        assert result == Result(steps[number].action, Outcome.CHANGED, made=result.made)


def test_a_step_that_hangs_is_left_behind_with_its_name_on_it_and_is_the_last(
    tree: HostTree, hasty: HostMachine, hanging: Hanging
) -> None:
    other, path = other_to_zero(tree)
    steps = (
        guarded(SetAutoprobe(PF, enabled=False)),
        guarded(TO_ZERO),
        guarded(other),
    )
    hasty.deadline_seconds = lambda action: AT_ONCE if action is TO_ZERO else ENOUGH
    first, second = hasty.act_in_turn(steps)
    assert (first.outcome, second.outcome) == (Outcome.CHANGED, Outcome.STUCK)
    hanging.answer(noted(hasty, TO_ZERO).pid)
    assert (path.read_text(), hasty.read_jam()) == ("4\n", None)


def test_a_writer_whose_pass_has_ended_finishes_its_step_and_takes_no_other(
    tree: HostTree, machine: HostMachine, hanging: Hanging
) -> None:
    """As after kill -9: the kernel closes what the pass had open."""
    other, path = other_to_zero(tree)
    results = machine.act_in_turn(
        (
            guarded(SetAutoprobe(PF, enabled=False)),
            guarded(TO_ZERO),
            guarded(other),
        )
    )
    assert next(iter(results)).outcome is Outcome.CHANGED
    results.close()  # type: ignore[attr-defined]
    hanging.answer(noted(machine).pid)
    assert (path.read_text(), machine.read_jam()) == ("4\n", None)


# -- a write that does not come back --


def test_a_write_that_hangs_is_left_behind_with_its_name_on_it(hasty: HostMachine, hanging: Hanging) -> None:
    result = hasty.act(TO_ZERO, guard=nobody)
    jam = noted(hasty)
    message = f"{PF}: set sriov_numvfs from 4 to 0: no answer after 0.05 s"
    assert (result.outcome, result.message) == (Outcome.STUCK, message)
    assert result.hint.startswith("end the VM or process that holds one of its VFs")
    assert (jam.pci_address, jam.action) == (PF, "set sriov_numvfs from 4 to 0")
    assert jam.limit_seconds == AT_ONCE
    hanging.answer(jam.pid)
    assert hasty.read_jam() is None


def test_a_load_that_hangs_is_left_behind_and_says_that_it_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hasty: HostMachine
) -> None:
    os.mkfifo(fifo := tmp_path / "answer")
    modprobe = tmp_path / "bin/modprobe"
    modprobe.parent.mkdir()
    modprobe.write_text(f"#!/bin/sh\ncat {fifo}\n")
    modprobe.chmod(0o755)
    monkeypatch.setenv("PATH", f"{modprobe.parent}:/usr/bin:/bin")
    result = hasty.act(LoadModule(PF, "vfio-pci"), guard=nobody)
    message = f"{PF}: load the module vfio-pci: no answer after 0.05 s"
    assert (result.outcome, result.message) == (Outcome.STUCK, message)
    assert "modprobe continues" in result.hint
    writer = os.pidfd_open(pid := noted(hasty).pid)
    os.close(os.open(fifo, os.O_WRONLY))
    assert select.select([writer], [], [], ENOUGH)[0]
    os.close(writer)
    os.waitpid(pid, 0)
    assert hasty.read_jam() is None


def test_no_further_write_goes_into_the_jam(tree: HostTree, jam: Jam) -> None:
    path = tree.add_pf(PF2, netdev="ens1f1") / "sriov_numvfs"
    another_process = HostMachine(root=str(tree.root))
    result = another_process.act(SetNumVfs(PF2, 0, 4), guard=nobody)
    assert result.outcome is Outcome.STUCK
    assert result.message.startswith(f"{PF}: set sriov_numvfs from 4 to 0 ")
    assert f"(process {jam.pid} is waiting in the kernel)" in result.message
    assert path.read_text() == "0\n"


def test_a_stuck_write_names_who_holds_it_up(tree: HostTree, machine: HostMachine, jam: Jam) -> None:
    """The kernel takes virtfn, physfn and driver links away before it waits for the driver: its group stays."""
    for index in range(4):
        (tree.device(PF) / f"virtfn{index}").unlink()
    address = vf_address(PF, 2)
    (tree.device(address) / "driver").unlink()
    for name, text in {"sriov_offset": "16", "sriov_stride": "1"}.items():
        (tree.device(PF) / name).write_text(text)
    tree.add_process(4711, "/dev/vfio/19", cmdline=b"qemu\0-name\0guest=instance-0000002a\0")
    tree.add_process(4712, "/dev/vfio/99")
    machine.pause(AT_ONCE)
    again = machine.read_jam()
    assert again
    assert again.users == f"VF {address} is held by qemu-system-x86 pid 4711 (instance-0000002a)"
    assert str(again).endswith(f"(process {jam.pid} is waiting in the kernel): {again.users}")


def test_everything_can_be_read_beside_a_jam(machine: HostMachine, jam: Jam) -> None:
    assert jam.pid
    (pf,) = machine.read_pfs()
    assert len(pf.vfs) == 4
    assert machine.load_state() == (State(boot_id="b007"), "")
    assert machine.read_links() == read_links()


def test_who_waits_for_a_command_says_so(tree: HostTree) -> None:
    said: list[str] = []
    machine = HostMachine(root=str(tree.root), say=said.append)
    with pytest.raises(StuckError):
        machine.run_command(["sleep", "60"], timeout_seconds=AT_ONCE)
    assert re.fullmatch(r"sleep: \d+ s so far", said[0])


def test_a_pass_waits_for_a_write_that_is_not_overdue(machine: HostMachine, hanging: Hanging) -> None:
    lock = machine.locks.begin_write()

    def write(send: child.Send) -> None:
        machine.locks.note_writer(lock, Jam(os.getpid(), PF, "a write", 0.0, 60.0, began_at=machine.monotonic()))
        send(b"begun")
        os.open(hanging.path, os.O_RDONLY)

    writer = child.start(write, keep=(lock,))
    assert os.read(writer.fd, 100) == b"begun\n"
    os.close(writer.fd)
    os.close(lock)
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        hanging.answer(writer.pid)

    machine.say = say
    with machine.pass_lock():
        assert machine.read_jam() is None
    assert said == [f"{PF}: a write is in progress (process {writer.pid} is waiting in the kernel)"]


# -- the rest --


def test_state_comes_back_after_a_restart_and_not_after_a_boot(tree: HostTree, machine: HostMachine) -> None:
    assert machine.save_state(State(boot_id="b007", last_success_at=7.0)) == ""
    assert HostMachine(root=str(tree.root)).load_state()[0].last_success_at == 7.0
    tree.write("proc/sys/kernel/random/boot_id", "b008\n")
    assert HostMachine(root=str(tree.root)).load_state() == (State(boot_id="b008"), "")


def test_state_that_could_not_be_saved_is_remembered_by_its_process(tree: HostTree, machine: HostMachine) -> None:
    (tree.root / "run/sriov-bootstrap/state/state.json").mkdir(parents=True)
    before = machine.monotonic()
    assert "could not be saved" in machine.save_state(State(boot_id="b007", last_success_at=7.0))
    assert machine.has_unsaved_state
    kept, note = machine.load_state()
    assert before <= kept.saved_at <= machine.monotonic()
    assert (kept, note) == (State(boot_id="b007", last_success_at=7.0, saved_at=kept.saved_at), "")


@pytest.fixture
def unsaved(tree: HostTree, machine: HostMachine) -> HostMachine:
    """What this process had to save found no room, and there is room again."""
    folder = tree.root / "run/sriov-bootstrap/state/state.json"
    folder.mkdir(parents=True)
    assert machine.save_state(State(boot_id="b007", passed_at=50.0, last_success_at=50.0)) != ""
    folder.rmdir()
    return machine


def test_what_another_process_has_saved_since_counts_and_what_could_not_be_saved_is_forgotten(
    tree: HostTree, unsaved: HostMachine
) -> None:
    """An operator's --once, while the daemon has only its memory."""
    assert unsaved.load_state()[0].last_success_at == 50.0
    assert HostMachine(root=str(tree.root)).save_state(State(boot_id="b007", last_success_at=90.0)) == ""
    assert unsaved.load_state()[0].last_success_at == 90.0
    assert not unsaved.has_unsaved_state


def test_a_proof_makes_no_state_newer(tree: HostTree, unsaved: HostMachine) -> None:
    """`verify` has only the file, which knows less of VFs than the daemon."""
    other = HostMachine(root=str(tree.root))
    assert other.save_state(replace(other.load_state()[0], verified_at={"a": 1.0}), is_of_pass=False) == ""
    found = unsaved.load_state()[0]
    assert (found.last_success_at, found.verified_at) == (50.0, {"a": 1.0})
    assert unsaved.has_unsaved_state


@pytest.mark.parametrize("is_saved", [False, True])
def test_a_job_that_ends_after_a_newer_one_takes_nothing_back(unsaved: HostMachine, *, is_saved: bool) -> None:
    """A round of restarts that began before the pass."""
    kept, ended_at = unsaved.load_state()[0], unsaved.monotonic()
    unsaved.carry_over(State(passed_at=40.0, saved_at=ended_at), is_saved=is_saved)
    assert unsaved.load_state()[0] == replace(kept, saved_at=ended_at)


def test_what_a_job_has_saved_or_could_not_save_is_what_is_known_from_then_on(unsaved: HostMachine) -> None:
    later = State(boot_id="b007", passed_at=60.0, saved_at=unsaved.monotonic())
    unsaved.carry_over(later, is_saved=False)
    assert unsaved.load_state()[0] is later
    unsaved.carry_over(replace(later, passed_at=70.0), is_saved=True)
    assert (unsaved.has_unsaved_state, unsaved.load_state()[0]) == (False, State(boot_id="b007"))


def test_holders_are_found_in_proc(tree: HostTree, machine: HostMachine) -> None:
    tree.add_process(4711, "/dev/vfio/17", comm="qemu")
    assert machine.read_holders() == Holders({"/dev/vfio/17": (Holder(4711, "qemu"),)})


def test_a_host_without_a_bus_says_so_for_states_and_restarts(machine: HostMachine) -> None:
    with pytest.raises(UnitError, match="no bus"):
        machine.unit_states(["nova-compute.service"])
    with pytest.raises(UnitError, match="no bus"):
        machine.restart_units(
            ["nova-compute.service"],
            failed=frozenset(),
            job_timeout_seconds=1.0,
            on_result=lambda one: pytest.fail(str(one)),
        )
