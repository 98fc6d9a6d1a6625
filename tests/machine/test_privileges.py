"""Both ends of a helper unit: the one that asks, with a systemctl of the test's, and the one that answers."""

import contextlib
import errno
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from builders import PF, PF2
from fakes_host import HostTree
from full_disk import FullDisk
from sriov_bootstrap.base.errors import StuckError
from sriov_bootstrap.cli import main
from sriov_bootstrap.core.actions import LoadModule, ReloadDriver, WriteFile
from sriov_bootstrap.core.plan_max_vfs import modprobe_path
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.core.surroundings import Jam
from sriov_bootstrap.core.vf_users import Holder, Holders
from sriov_bootstrap.edges.child import Completed
from sriov_bootstrap.edges.files import Files
from sriov_bootstrap.edges.locks import Locks
from sriov_bootstrap.machine import pipe_messages
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.machine.privileges import Privileges, stamp_answer

OK = Completed(0, b"", b"")
FAILED = Completed(1, b"", b"Job for it failed.\nSee journalctl -xe for details.\n")
MODPROBE_FILE = modprobe_path("igb").lstrip("/")
RELOAD = ReloadDriver(PF, "igb", (PF, PF2), 4)
LOAD = LoadModule(PF, "vfio-pci")
RELOADED = pipe_messages.Done(Result(RELOAD, Outcome.CHANGED))
FILE = WriteFile(PF, modprobe_path("igb"), "options igb max_vfs=4\n")
HOLDER = Holder(4711, "qemu", "instance-1")
RULE = (
    '[[pf]]\nname = "tenant-a"\nmatch = {{ driver = "igb" }}\nnum_vfs = {}\nmethod = "max_vfs"\nreload_driver = true\n'
)

NAMING = '[[pf]]\nname = "tenant-{}"\nmatch = {{ driver = "igb" }}\nnum_vfs = 4\nvf_driver = "{}"\n'


# -- the end that asks --


class FakeSystemctl:
    """Leaves an answer as the unit would, and ends as it is told."""

    def __init__(
        self,
        tree: HostTree,
        told: pipe_messages.Answer | bytes | None,
        completed: Completed = OK,
        began_at: float | None = None,
    ) -> None:
        self._tree = tree
        self._told = told
        self._completed = completed
        self._began_at = began_at
        self.asked: list[str] = []

    def __call__(self, argv: list[str], *, timeout_seconds: float, waiting: Callable[[float], None]) -> Completed:
        self.asked.append(f"{' '.join(argv)} within {timeout_seconds:g} s")
        waiting(2.0)
        name = argv[-1].removeprefix("sriov-bootstrap-").removesuffix(".service").replace("@", "-")
        if self._told is not None:
            began_at = time.monotonic() if self._began_at is None else self._began_at
            data = self._told if isinstance(self._told, bytes) else stamp_answer(self._told, began_at)
            self._tree.write(f"run/sriov-bootstrap/{name}.answer", data)
        return self._completed


def privileges(tree: HostTree, systemctl: Callable[..., Completed]) -> Privileges:
    return Privileges(Files(str(tree.root)), Locks(str(tree.root)), systemctl, lambda _: None)


def test_the_holders_are_those_that_the_unit_has_seen(tree: HostTree) -> None:
    seen = Holders({"/dev/vfio/17": (HOLDER,)})
    systemctl = FakeSystemctl(tree, pipe_messages.Looked(seen))
    assert privileges(tree, systemctl).holders() == seen
    assert systemctl.asked == ["systemctl --no-ask-password start sriov-bootstrap-holders.service within 40 s"]


@pytest.mark.parametrize(
    ("told", "completed", "problem"),
    [
        pytest.param(None, FAILED, "sriov-bootstrap-holders.service: Job for it failed.", id="the unit failed"),
        pytest.param(None, OK, "sriov-bootstrap-holders.service: it exited without an answer", id="no answer"),
        pytest.param(
            b"\n", Completed(127, b"", b"systemctl: not found"), "sriov-bootstrap-holders.service: systemctl: not found"
        ),
        pytest.param(RELOADED, OK, "its answer is not about holders", id="another answer"),
        pytest.param(pipe_messages.Refused("no", ""), FAILED, "no", id="the other end's own words"),
    ],
)
def test_whoever_cannot_be_asked_has_ruled_nobody_out(
    tree: HostTree, told: pipe_messages.Answer | None, completed: Completed, problem: str
) -> None:
    assert privileges(tree, FakeSystemctl(tree, told, completed)).holders() == Holders(problem=problem)


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b'{"kind":', id="cut"),
        pytest.param(stamp_answer(pipe_messages.Looked(Holders()), 9e9)[:-1], id="its last byte is missing"),
        pytest.param(b'{"kind":"looked","began_at":9e9}\n', id="a part is missing"),
        pytest.param(b'{"kind":"looked","holders":{}}\n', id="no stamp"),
        pytest.param(b"\xff\n", id="no text"),
        pytest.param(b"[" * 100000 + b"\n", id="deep"),
    ],
)
def test_garbage_rules_nobody_out(tree: HostTree, garbage: bytes) -> None:
    assert privileges(tree, FakeSystemctl(tree, garbage)).holders().problem


def test_an_earlier_answer_is_not_taken_for_this_one(tree: HostTree) -> None:
    """It cannot be taken away: the service may only read it."""
    ended = privileges(tree, FakeSystemctl(tree, pipe_messages.Looked(Holders())))
    assert ended.holders() == Holders()
    (tree.root / "run/sriov-bootstrap/holders.answer").chmod(0o400)
    assert privileges(tree, FakeSystemctl(tree, None)).holders().problem


def test_an_answer_of_a_look_that_began_before_we_asked_is_not_ours(tree: HostTree) -> None:
    looked = pipe_messages.Looked(Holders())
    before = FakeSystemctl(tree, looked, began_at=time.monotonic() - 0.001)
    assert privileges(tree, before).holders().problem.endswith("it exited without an answer")
    assert len(before.asked) == 2
    tries = [FakeSystemctl(tree, looked), before]

    def start(argv: list[str], **more: Any) -> Completed:  # noqa: ANN401
        return tries.pop()(argv, **more)

    assert privileges(tree, start).holders() == Holders()


def test_a_look_that_was_under_way_is_followed_by_one_of_our_own(tree: HostTree) -> None:
    tries = [FakeSystemctl(tree, pipe_messages.Looked(Holders())), FakeSystemctl(tree, None)]

    def start(argv: list[str], **more: Any) -> Completed:  # noqa: ANN401
        return tries.pop()(argv, **more)

    assert privileges(tree, start).holders() == Holders()
    assert tries == []


def test_a_systemd_that_does_not_answer_rules_nobody_out(tree: HostTree) -> None:
    def frozen(argv: list[str], **_: object) -> Completed:
        raise StuckError(f"{argv[0]}: not finished after 40 s", pid=5)

    assert privileges(tree, frozen).holders() == Holders(problem="systemctl: not finished after 40 s")


def test_a_reload_is_asked_of_the_unit_of_that_driver(tree: HostTree) -> None:
    systemctl = FakeSystemctl(tree, RELOADED)
    assert privileges(tree, systemctl).reload(RELOAD, timeout_seconds=100) == Result(RELOAD, Outcome.CHANGED)
    assert systemctl.asked == ["systemctl --no-ask-password start sriov-bootstrap-reload@igb.service within 130 s"]


def test_the_file_in_modprobe_d_is_asked_of_the_same_unit(tree: HostTree) -> None:
    """What it says there, the unit knows by itself: its result is that of what was asked."""
    systemctl = FakeSystemctl(tree, pipe_messages.Done(Result(WriteFile(PF2, "/x", "other"), Outcome.CHANGED)))
    assert privileges(tree, systemctl).write_modprobe(FILE) == Result(FILE, Outcome.CHANGED)
    assert systemctl.asked == ["systemctl --no-ask-password start sriov-bootstrap-reload@igb.service within 60 s"]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param(
            pipe_messages.Done(Result(RELOAD, Outcome.REFUSED, message="VF 0 is in use", hint="wait")),
            Result(RELOAD, Outcome.REFUSED, message="VF 0 is in use", hint="wait"),
            id="in use",
        ),
        pytest.param(
            pipe_messages.Done(Result(RELOAD, Outcome.FAILED, errno=errno.EAGAIN, message="busy", is_transient=True)),
            Result(RELOAD, Outcome.FAILED, errno=errno.EAGAIN, message="busy", is_transient=True),
            id="failed",
        ),
        pytest.param(
            pipe_messages.Done(
                Result(RELOAD, Outcome.STUCK, message="modprobe: not finished after 86400 s", hint="wait")
            ),
            Result(RELOAD, Outcome.STUCK, message="modprobe: not finished after 86400 s", hint="wait"),
            id="hung",
        ),
        pytest.param(
            pipe_messages.Refused("the config asks for no reload", "look"),
            Result(RELOAD, Outcome.REFUSED, message="the config asks for no reload", hint="look"),
            id="not begun",
        ),
        pytest.param(
            pipe_messages.Looked(Holders()),
            Result(
                RELOAD,
                Outcome.FAILED,
                message="sriov-bootstrap-reload@igb.service: its answer is about something else",
            ),
            id="about something else",
        ),
    ],
)
def test_how_a_reload_ended_comes_back_as_it_was(tree: HostTree, told: pipe_messages.Answer, expected: Result) -> None:
    assert privileges(tree, FakeSystemctl(tree, told, FAILED)).reload(RELOAD, timeout_seconds=1) == expected


@pytest.mark.parametrize(
    "told",
    [
        b'{"kind":"ended","outcome":"changed","made":-1,"began_at":9e9}\n',
        b'{"kind":"kernelsaidno","errno":16,"message":"said no","hint":"","began_at":9e9}\n',
        b'{"kind":"done","result":{"action":{"type":"set_vf_mtu"},"outcome":"changed"},"began_at":9e9}\n',
    ],
    ids=["an earlier one: done", "an earlier one: failed", "one to come"],
)
def test_an_answer_of_another_version_is_a_failure_that_says_so(tree: HostTree, told: bytes) -> None:
    result = privileges(tree, FakeSystemctl(tree, told)).reload(RELOAD, timeout_seconds=1)
    assert (result.outcome, result.action) == (Outcome.FAILED, RELOAD)
    assert result.message.startswith("sriov-bootstrap-reload@igb.service: its answer is of another version: ")
    assert "upgraded" in result.hint


def test_a_reload_that_does_not_come_back_is_known_by_who_has_the_write_lock(tree: HostTree) -> None:
    locks = Locks(str(tree.root))
    lock = locks.begin_write()
    locks.note_writer(lock, Jam(77, PF, "reload the driver igb", 0.0, 1.0))

    def slow(argv: list[str], **_: object) -> Completed:
        raise StuckError(f"{argv[0]}: not done", pid=5)

    result = privileges(tree, slow).reload(RELOAD, timeout_seconds=1)
    assert result.outcome is Outcome.STUCK
    assert result.message == f"{PF}: reload the driver igb has not returned (process 77 is waiting in the kernel)"
    os.close(lock)
    result = privileges(tree, slow).reload(RELOAD, timeout_seconds=1)
    assert (result.outcome, result.message) == (Outcome.STUCK, "systemctl: not done")


def test_what_hangs_before_the_reload_is_a_hang_too(tree: HostTree) -> None:
    systemctl = FakeSystemctl(tree, pipe_messages.Stuck("modinfo: not finished after 30 s", "wait"), FAILED)
    result = privileges(tree, systemctl).reload(RELOAD, timeout_seconds=1)
    assert result == Result(RELOAD, Outcome.STUCK, message="modinfo: not finished after 30 s", hint="wait")


def test_a_load_is_asked_of_the_unit_of_that_module(tree: HostTree) -> None:
    """The unit knows of no PF."""
    systemctl = FakeSystemctl(tree, pipe_messages.Done(Result(LoadModule("", "vfio-pci"), Outcome.UNCHANGED)))
    assert privileges(tree, systemctl).load(LOAD, timeout_seconds=60) == Result(LOAD, Outcome.UNCHANGED)
    assert systemctl.asked == ["systemctl --no-ask-password start sriov-bootstrap-load@vfio-pci.service within 90 s"]


@pytest.mark.parametrize(
    ("told", "outcome", "message"),
    [
        pytest.param(
            pipe_messages.Done(Result(LOAD, Outcome.FAILED, message='rule "a": cannot load the module x: not found')),
            Outcome.FAILED,
            'rule "a": cannot load the module x: not found',
            id="failed",
        ),
        pytest.param(
            pipe_messages.Refused("no rule names the driver x", ""), Outcome.REFUSED, "no rule names the driver x"
        ),
        pytest.param(
            None, Outcome.FAILED, "sriov-bootstrap-load@vfio-pci.service: Job for it failed.", id="masked, or gone"
        ),
    ],
)
def test_how_a_load_ended_comes_back_as_it_was(
    tree: HostTree, told: pipe_messages.Answer | None, outcome: Outcome, message: str
) -> None:
    result = privileges(tree, FakeSystemctl(tree, told, FAILED)).load(LOAD, timeout_seconds=1)
    assert (result.action, result.outcome, result.message) == (LOAD, outcome, message)


def test_a_load_that_takes_too_long_holds_up_no_other_pf(tree: HostTree) -> None:
    """A result that is stuck would end the pass for all of them."""

    def slow(argv: list[str], **_: object) -> Completed:
        raise StuckError(f"{argv[0]}: not finished after 90 s", pid=5)

    result = privileges(tree, slow).load(LOAD, timeout_seconds=60)
    message = f"{PF}: the module vfio-pci is not loaded yet: systemctl: not finished after 90 s"
    assert (result.action, result.outcome, result.message) == (LOAD, Outcome.FAILED, message)
    assert "modprobe continues" in result.hint


def test_the_service_itself_has_the_unit_load_a_module(tree: HostTree, kmod: Path) -> None:
    (kmod.parent / "bin/systemctl").write_text(f'#!/bin/sh\necho "systemctl $*" >>{kmod}\nexit 1\n')
    (kmod.parent / "bin/systemctl").chmod(0o755)
    tree.write("proc/self/status", "Uid:\t0\t0\t0\t0\nCapEff:\t0000000000001000\n")
    result = HostMachine(root=str(tree.root)).act(LOAD, guard=str)
    assert (result.action, result.outcome) == (LOAD, Outcome.FAILED)
    assert (
        kmod.read_text().splitlines() == ["systemctl --no-ask-password start sriov-bootstrap-load@vfio-pci.service"] * 2
    )


def test_whoever_may_load_modules_asks_no_unit(tree: HostTree, kmod: Path) -> None:
    machine = HostMachine(root=str(tree.root))
    result = machine.act(LOAD, guard=str)
    assert (result.outcome, kmod.read_text()) == (Outcome.FAILED, "-- vfio-pci\nlocked\n")
    assert result.message == f"{PF}: the module vfio-pci is loaded, but there is no PCI driver of that name"
    assert not machine.has_driver("vfio-pci")
    (tree.root / "sys/bus/pci/drivers/vfio-pci").mkdir(parents=True)
    assert machine.has_driver("vfio-pci")
    assert machine.act(LOAD, guard=str) == Result(LOAD, Outcome.UNCHANGED)


# -- the end that answers --


@pytest.fixture
def kmod(tmp_path: Path, tree: HostTree, monkeypatch: pytest.MonkeyPatch) -> Path:
    """modinfo knows max_vfs; modprobe says what it was asked, and by the lock whether somebody writes."""
    tools, said = tmp_path / "bin", tmp_path / "said"
    lock = tree.root / "run/sriov-bootstrap/state/write.lock"
    tools.mkdir()
    (tools / "modinfo").write_text('#!/bin/sh\necho "max_vfs:Maximum number (uint)"\n')
    (tools / "modprobe").write_text(f'#!/bin/sh\necho "$*" >>{said}\nflock -n {lock} true || echo locked >>{said}\n')
    for tool in tools.iterdir():
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    said.touch()
    return said


def ready_for_reload(tree: HostTree, num_vfs: int = 4) -> None:
    """Two PFs that have 2 VFs, shall have 4, and a modprobe.d that says so."""
    for number, address in enumerate((PF, PF2)):
        tree.add_pf(address, netdev=f"ens{number}")
    tree.configure(RULE.format(num_vfs))
    text = '# Written by sriov-bootstrap (method = "max_vfs"); changes here are replaced.\n'
    tree.write(MODPROBE_FILE, f"{text}options igb max_vfs=4\n")


def helper(tree: HostTree, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, object], str]:
    """Exit code, answer, log."""
    asked_at = time.monotonic()
    code = main(["helper", *words], root=str(tree.root))
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert asked_at <= told.pop("began_at") <= time.monotonic()
    assert out.endswith("}\n")
    return code, told, err


def reload_igb(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> tuple[int, Outcome, str]:
    """Exit code, outcome, log."""
    code, told, err = helper(tree, capsys, "reload", "igb")
    done = msgspec.convert(told, pipe_messages.Answer)
    assert isinstance(done, pipe_messages.Done)
    return code, done.result.outcome, err


def test_the_looker_sees_who_holds_a_node(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.add_process(4711, "/dev/vfio/17", comm="qemu", cmdline=b"qemu\0-name\0guest=instance-1\0")
    code, told, _ = helper(tree, capsys, "holders")
    assert code == 0
    assert msgspec.convert(told, pipe_messages.Answer) == pipe_messages.Looked(Holders({"/dev/vfio/17": (HOLDER,)}))


def test_a_reload_that_is_due_is_made_under_the_write_lock(
    tree: HostTree, kmod: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ready_for_reload(tree)
    assert reload_igb(tree, capsys) == (0, Outcome.CHANGED, "")
    assert kmod.read_text() == "-r -- igb\nlocked\n-- igb\nlocked\n"
    assert HostMachine(root=str(tree.root)).read_jam() is None


def test_a_reload_is_not_made_beside_another_write(
    tree: HostTree, kmod: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ready_for_reload(tree)
    lock = Locks(str(tree.root)).begin_write()
    code, told, said = helper(tree, capsys, "reload", "igb")
    os.close(lock)
    assert (code, told["kind"], kmod.read_text()) == (1, "refused", "")
    assert said.startswith("sriov-bootstrap: ")


@pytest.mark.parametrize(
    ("num_vfs", "driver", "said"),
    [
        pytest.param(4, "ixgbe", "the config does not ask for a reload of ixgbe now", id="another driver"),
        pytest.param(400, "igb", f"{PF}: cannot create 400 VFs: the device offers 7", id="a number that cannot be"),
    ],
)
def test_who_asks_for_more_than_the_config_does_gets_nothing(
    tree: HostTree, kmod: Path, capsys: pytest.CaptureFixture[str], num_vfs: int, driver: str, said: str
) -> None:
    ready_for_reload(tree, num_vfs)
    code, told, log = helper(tree, capsys, "reload", driver)
    assert (code, told["kind"], told["message"]) == (1, "refused", said)
    assert log == f"sriov-bootstrap: {said}\n"
    assert kmod.read_text() == ""


def test_where_all_is_as_desired_there_is_nothing_to_get(
    tree: HostTree, kmod: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ready_for_reload(tree, 0)
    assert helper(tree, capsys, "reload", "igb")[0] == 0  # no VFs for the module either
    before = tree.read(MODPROBE_FILE)
    code, told, _ = helper(tree, capsys, "reload", "igb")
    assert (code, told["message"]) == (1, "the config does not ask for a reload of igb now")
    assert (tree.read(MODPROBE_FILE), kmod.read_text()) == (before, "")


@pytest.mark.parametrize("reload_driver", ["true", "false"])
def test_the_file_comes_first_and_says_what_the_config_says(
    tree: HostTree, kmod: Path, capsys: pytest.CaptureFixture[str], reload_driver: str
) -> None:
    ready_for_reload(tree)
    tree.configure(RULE.format(5).replace("reload_driver = true", f"reload_driver = {reload_driver}"))
    tree.write(MODPROBE_FILE, "options igb max_vfs=99\ninstall igb something else\n")
    assert reload_igb(tree, capsys) == (0, Outcome.CHANGED, "")
    assert tree.read(MODPROBE_FILE).splitlines()[1:] == ["options igb max_vfs=5"]
    assert kmod.read_text() == "", "the reload is a step of its own"


def test_a_file_that_cannot_be_written_is_told_with_its_errno(
    tree: HostTree, kmod: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ready_for_reload(tree, 5)
    (tree.root / MODPROBE_FILE).unlink()
    (tree.root / MODPROBE_FILE).parent.rmdir()
    ended = reload_igb(tree, capsys)
    said = f"{PF}: cannot write /etc/modprobe.d/sriov-bootstrap-igb.conf: ENOENT (No such file or directory)"
    assert (ended, kmod.read_text()) == ((1, Outcome.FAILED, f"sriov-bootstrap: {said}\n"), "")


def test_a_broken_config_asks_for_nothing(tree: HostTree, kmod: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ready_for_reload(tree)
    tree.configure("num_vfs = = 3")
    code, told, _ = helper(tree, capsys, "reload", "igb")
    assert (code, told["kind"], kmod.read_text()) == (1, "refused", "")
    assert "not TOML" in str(told["message"])


def test_a_module_that_a_rule_names_is_loaded_if_its_driver_is_missing(
    tree: HostTree, kmod: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.configure("".join(NAMING.format(number, driver) for number, driver in enumerate(("none", "vfio-pci"))))
    (tree.root / "run/sriov-bootstrap/state").mkdir(parents=True)  # where somebody could hold a lock
    code, told, log = helper(tree, capsys, "load", "vfio-pci")
    said = 'rule "tenant-1": the module vfio-pci is loaded, but there is no PCI driver of that name'
    assert (code, told["kind"], log) == (1, "done", f"sriov-bootstrap: {said}\n")
    assert kmod.read_text() == "-- vfio-pci\n"
    (tree.root / "sys/bus/pci/drivers/vfio-pci").mkdir(parents=True)
    code, told, log = helper(tree, capsys, "load", "vfio-pci")
    done = msgspec.convert(told, pipe_messages.Answer)
    assert isinstance(done, pipe_messages.Done)
    assert (code, done.result, log) == (0, Result(LoadModule("", "vfio-pci"), Outcome.UNCHANGED), "")


def test_an_answer_arrives_although_the_log_takes_nothing(
    tree: HostTree, kmod: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.configure("")
    with contextlib.redirect_stderr(FullDisk()):
        code, told, log = helper(tree, capsys, "load", "vfio-pci")
    assert (code, told["kind"], log) == (1, "refused", "")
    assert kmod.read_text() == ""


@pytest.mark.parametrize("word", ["vfio-pci", "none", "kernel"])
def test_a_module_that_no_rule_names_is_not_loaded(
    tree: HostTree, kmod: Path, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    tree.configure("".join(NAMING.format(number, driver) for number, driver in enumerate(("none", "kernel"))))
    code, told, log = helper(tree, capsys, "load", word)
    said = f"no rule names the driver {word} (vf_driver, or driver of a [[pf.vf]])"
    assert (code, told["kind"], told["message"], log) == (1, "refused", said, f"sriov-bootstrap: {said}\n")
    assert kmod.read_text() == ""


@pytest.mark.parametrize(
    "words",
    [
        ["reload", "../x"],
        ["reload"],
        ["reload", "a", "b"],
        ["what"],
        ["reload", "--", "-r"],
        ["load"],
        ["load", "../x"],
        ["load", "--", "-r"],
        ["load", "a", "b"],
    ],
)
def test_other_words_are_wrong_usage(
    tree: HostTree, kmod: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert main(["helper", *words], root=str(tree.root)) == 2
    assert "helper: unknown command" in capsys.readouterr().err
    assert kmod.read_text() == ""
