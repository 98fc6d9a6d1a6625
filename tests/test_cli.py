"""argv -> verb -> exit code. What needs a process of its own gets one: a signal, a pipe that is closed."""

import contextlib
import importlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from builders import PF
from fakes_host import HostTree, rule
from sriov_bootstrap import __version__
from sriov_bootstrap.arguments import make_parser
from sriov_bootstrap.asked import Arguments
from sriov_bootstrap.base.errors import ExitCode
from sriov_bootstrap.cli import WITHOUT_PARSER, main
from sriov_bootstrap.core.report import Outcome
from sriov_bootstrap.core.state import load
from sriov_bootstrap.edges.locks import PASS_LOCK

RUN = "import sys; from sriov_bootstrap.cli import main; sys.exit(main(sys.argv[2:], root=sys.argv[1]))"


def command(tree: HostTree, *words: str) -> list[str]:
    """-I: the installed package and not the checkout, output buffered as a user has it."""
    return [sys.executable, "-I", "-c", RUN, str(tree.root), *words]


# -- words --


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("", Arguments()),
        ("run", Arguments(verb="run")),
        ("run --log-format json", Arguments(verb="run", log_format="json")),
        ("--log-format json run", Arguments(verb="run", log_format="json")),
        ("--once", Arguments(once=True)),
        ("--once --dry-run --json", Arguments(once=True, dry_run=True, json=True)),
        (
            "release --force --dry-run --json 3b:00.0",
            Arguments(verb="release", force=True, dry_run=True, json=True, pci_address="3b:00.0"),
        ),
        ("--once --force --config a --config b", Arguments(once=True, force=True, config=["a", "b"])),
        ("status", Arguments(verb="status")),
        ("status --json", Arguments(verb="status", json=True)),
        ("--json status", Arguments(verb="status", json=True)),
        ("status --wait", Arguments(verb="status", wait=300.0)),
        ("status --wait=2.5", Arguments(verb="status", wait=2.5)),
        ("check-config", Arguments(verb="check-config", files=[])),
        ("check-config a b --config c", Arguments(verb="check-config", files=["a", "b"], more_config=["c"])),
        ("--config a status --config b", Arguments(verb="status", config=["a"], more_config=["b"])),
        ("init", Arguments(verb="init")),
    ],
)
def test_words_are_understood(words: str, arguments: Arguments) -> None:
    assert told(make_parser().parse_args(words.split(), namespace=Arguments())) == told(arguments)


def told(arguments: Arguments) -> dict[str, object]:
    """All of it, defaults as well."""
    return {name: getattr(arguments, name) for name in Arguments.__annotations__} | vars(arguments)


@pytest.mark.parametrize("words", WITHOUT_PARSER)
def test_the_short_cut_past_the_parser_understands_the_same(words: tuple[str, ...]) -> None:
    assert told(make_parser().parse_args(words, namespace=Arguments())) == told(WITHOUT_PARSER[words])


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("--no-such-option", "unrecognized arguments: --no-such-option"),
        ("--onc", "unrecognized arguments: --onc"),
        ("no-such-command", "invalid choice: 'no-such-command'"),
        ("status --wait=soon", "argument --wait: invalid seconds value: 'soon'"),
        ("status --wait=nan", "argument --wait: invalid seconds value: 'nan'"),
        ("status --wait=-1", "argument --wait: invalid seconds value: '-1'"),
        ("verify vf --timeout inf", "argument --timeout: invalid seconds value: 'inf'"),
        ("--log-format xml", "invalid choice: 'xml'"),
        ("--once status", "--once and status are mutually exclusive"),
        ("--dry-run", "--dry-run and --force only work with --once and release"),
        ("--force run", "--dry-run and --force only work with --once and release"),
        ("--json", "--json only works with --once, status, doctor, release, migrate, verify and openstack"),
        ("--json init", "--json only works with --once, status, doctor, release, migrate, verify and openstack"),
        (
            "render all --apply --root /srv/image",
            "--apply and --root are mutually exclusive: it would change this host",
        ),
        ("init more", "unrecognized arguments: more"),
        ("status --no-such-option", "unrecognized arguments: --no-such-option"),
    ],
)
def test_words_that_make_no_sense_are_wrong_usage(capsys: pytest.CaptureFixture[str], words: str, problem: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words.split(), root="/nonexistent")
    assert caught.value.code == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert problem in err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"sriov-bootstrap {__version__}\n"


def test_help_names_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    out = capsys.readouterr().out
    assert "0  every PF is as desired          2  wrong usage or config       130  interrupted" in out
    assert "1  could not be done, or error     3  some PF is not as desired" in out


def test_exit_codes_are_api() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "ERROR": 1,
        "USAGE": 2,
        "DEGRADED": 3,
        "INTERRUPTED": 130,
    }


# -- errors --


def test_a_broken_config_is_one_line_for_each_mistake_and_a_hint(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.configure(rule(-1) + "[boot]\nwait_for_pf_seconds = -1\n")
    assert main(["--once"], root=str(tree.root)) == ExitCode.USAGE
    out, err = capsys.readouterr()
    path = f"{tree.root}/etc/sriov-bootstrap/config.toml"
    assert out == ""
    assert sorted(err.splitlines()) == [
        "  hint: correct the file, then run: sriov-bootstrap check-config",
        f'sriov-bootstrap: {path}: [[pf]] "tenant-a": num_vfs: -1 is negative',
        f"sriov-bootstrap: {path}: [boot]: wait_for_pf_seconds: -1 is not between 0 and 86400 seconds",
    ]


def test_a_lock_that_cannot_be_had_is_an_error_with_a_hint(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    lock = tree.root / PASS_LOCK
    lock.parent.mkdir(parents=True)
    lock.symlink_to("/nonexistent")
    assert main(["--once"], root=str(tree.root)) == ExitCode.ERROR
    problem = f"sriov-bootstrap: {lock}: cannot be locked: Too many levels of symbolic links\n"
    assert capsys.readouterr() == ("", f"{problem}  hint: run as root\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="gives up root to be refused")
@pytest.mark.parametrize("words", [["--once"], ["--once", "--force"], ["release", PF], ["run"]], ids=" ".join)
def test_who_is_not_root_changes_nothing_and_leaves_nothing_behind(
    tree: HostTree, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """/run/lock is open for everybody on Debian: a lock that such a user left there stopped every pass of root's."""
    tree.add_pf(num_vfs=2)
    tree.configure(rule(4))
    for folder in (one for one in (tree.root, *tree.root.parents) if one.stat().st_mode & 0o055 != 0o055):
        folder.chmod(folder.stat().st_mode | 0o055)  # pytest's own are root's alone
    (tree.root / "run/lock").mkdir()
    (tree.root / "run/lock").chmod(0o1777)
    for name in ("once", "release", "run"):  # a Python in a home of root's is out of that user's reach
        importlib.import_module(f"sriov_bootstrap.commands.{name}")
    os.seteuid(65534)
    try:
        code = main(words, root=str(tree.root))
    finally:
        os.seteuid(0)
    out, err = capsys.readouterr()
    assert (code, out) == (ExitCode.ERROR, "")
    assert err == f"sriov-bootstrap: {words[0]} changes the machine, but you are not root\n  hint: run as root\n"
    assert [path.name for path in (tree.root / "run").rglob("*")] == ["lock"]


def test_what_nobody_expected_is_a_traceback_and_a_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-config", "no\0file"]) == ExitCode.ERROR
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("  Traceback ")
    assert err.endswith(
        f"sriov-bootstrap: unexpected error\n  hint: please report it with the text above; version {__version__}\n"
    )


def test_a_traceback_obeys_nothing_that_it_quotes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """journald takes `<0>` in front of a line for its priority."""

    def fail(*_: object, **__: object) -> int:
        raise RuntimeError("a\n<0>b\x1b[2J")

    monkeypatch.setattr("sriov_bootstrap.commands.check_config.check_config", fail)
    assert main(["check-config"]) == ExitCode.ERROR
    lines = capsys.readouterr().err.split("\n")
    assert r"  <0>b\x1b[2J" in lines
    assert all(map(str.isprintable, lines))


def test_a_reader_that_has_gone_is_nothing_to_complain_about(tree: HostTree) -> None:
    tree.configure(rule(4))
    read_end, write_end = os.pipe()
    os.close(read_end)
    ended = subprocess.run(command(tree, "check-config"), stdout=write_end, stderr=subprocess.PIPE, check=False)
    os.close(write_end)
    assert (ended.returncode, ended.stderr) == (ExitCode.ERROR, b"")


def test_without_an_output_the_work_is_done_all_the_same(tree: HostTree) -> None:
    tree.add_pf(num_vfs=4)
    tree.configure(rule(4))
    argv = ["sh", "-c", 'exec "$@" >&-', "sh", *command(tree, "--once")]
    ended = subprocess.run(argv, stderr=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert (tree.root / "run/sriov-bootstrap/state/state.json").exists()


def test_without_any_stream_a_writer_keeps_its_lock_and_its_answer_arrives(tree: HostTree) -> None:
    tree.add_pf()
    tree.configure(rule(4, more='vf_binding = "kernel"'))
    argv = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command(tree, "--once")]
    assert subprocess.run(argv, check=False).returncode == ExitCode.DEGRADED  # the tree makes no VFs
    saved, _ = load((tree.root / "run/sriov-bootstrap/state/state.json").read_bytes(), boot_id="b007")
    assert [(str(result.action), result.outcome) for result in saved.report.results] == [
        ("set sriov_numvfs from 0 to 4", Outcome.CHANGED)
    ]


@pytest.mark.parametrize(("words", "ending"), [("check-config /nonexistent", 2), ("status", 0)])
def test_without_a_place_for_errors_the_code_is_the_same(tree: HostTree, words: str, ending: int) -> None:
    argv = ["sh", "-c", 'exec "$@" 2>&-', "sh", *command(tree, *words.split())]
    assert subprocess.run(argv, stdout=subprocess.DEVNULL, check=False).returncode == ending


def test_a_place_for_errors_that_is_full_changes_no_code(tree: HostTree) -> None:
    """It ends as `run_and_exit` does: Python's own end has a code for output that is left over."""
    program = RUN.replace("import sys", "import os, sys").replace("sys.exit", "os._exit")
    argv = [sys.executable, "-I", "-c", program, str(tree.root), "check-config", "/nonexistent"]
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=full, check=False)
    assert ended.returncode == ExitCode.USAGE


def test_an_output_that_is_full_is_no_success(tree: HostTree) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(command(tree, "check-config"), stdout=full, stderr=subprocess.PIPE, check=False)
    assert ended.returncode == ExitCode.ERROR
    assert b"No space left on device" in ended.stderr


def test_ctrl_c_is_130_and_says_what_goes_on(tree: HostTree) -> None:
    lock = tree.root / PASS_LOCK
    lock.parent.mkdir(parents=True)
    lock.touch()
    holder = subprocess.Popen(["flock", str(lock), "cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    # A shell that starts the tests in the background has them ignore SIGINT, and whatever they start.
    interruptible = ["env", "--default-signal=INT", *command(tree, "--once")]
    waiting = subprocess.Popen(interruptible, stderr=subprocess.PIPE)
    try:
        wait_until_open(holder.pid, lock)
        wait_until_open(waiting.pid, lock)
        waiting.send_signal(signal.SIGINT)
        _, err = waiting.communicate(timeout=30)
    finally:
        waiting.kill()
        holder.communicate()
    assert waiting.returncode == ExitCode.INTERRUPTED
    assert err == (b"sriov-bootstrap: interrupted\n  hint: a write to the kernel in progress continues on its own\n")


def wait_until_open(pid: int, path: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if any(link.readlink() == path for link in Path(f"/proc/{pid}/fd").iterdir()):
                return
    pytest.fail(f"process {pid} has not opened {path}")


def test_a_pass_with_nothing_to_do_imports_nothing_that_it_does_not_need(tree: HostTree) -> None:
    """Half of what such a pass takes are imports."""
    tree.add_pf(num_vfs=4)
    tree.configure(rule(4))
    names: tuple[str, ...] = (
        "shutil",
        "bz2",
        "lzma",
        "asyncio",
        "jinja2",
        "structlog",
        "dbus_next",
        "prometheus_client",
        "ctypes",
    )
    names += ("argparse", "difflib", "inspect", "socket", "subprocess", "typing_extensions")
    own: tuple[str, ...] = (
        "core.plan_max_vfs",
        "core.vf_tables",
        "core.errnos",
        "core.followup",
        "passes.execute",
        "passes.protocols",
    )
    own += ("machine.jobs", "machine.act", "edges.pf_writes", "edges.vf_drivers", "edges.holders.open_devices")
    own += ("core.eswitch", "core.eswitch_refusals", "edges.devlink", "formats.switch_messages", "machine.eswitch")
    own += ("base.kernel_writes", "edges.metrics", "render.templates", "commands.doctor")
    unneeded = {*names, *(f"sriov_bootstrap.{name}" for name in own)}
    assert all(map(importlib.util.find_spec, unneeded - {*names}))
    code = (
        "import sys; from sriov_bootstrap.cli import main\n"
        f"code = main(['--once'], root={str(tree.root)!r})\n"
        f"print(code, sorted({unneeded!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stderr == "0 []\n", done


@pytest.mark.parametrize(
    ("code", "ending", "out", "err"),
    [
        ("SB-E101", ExitCode.OK, "What to do: ", ""),
        ("SB-E999", ExitCode.USAGE, "", 'sriov-bootstrap: doctor: unknown code "SB-E999": did you mean SB-E719?\n'),
    ],
)
def test_a_process_says_all_before_it_ends_with_its_code(code: str, ending: ExitCode, out: str, err: str) -> None:
    """Its end is not Python's."""
    command = [sys.executable, "-I", "-m", "sriov_bootstrap", "doctor", "explain", code]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == ending
    assert out in done.stdout
    assert done.stdout.endswith("\n") or not out
    assert done.stderr == err
