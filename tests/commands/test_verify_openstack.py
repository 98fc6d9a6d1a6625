"""verify openstack before it asks a cloud: which hosts are meant. tests/cloud has the rest."""

import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from fakes_host import HostTree, rule
from sriov_bootstrap.base.errors import ExitCode
from sriov_bootstrap.cli import main

STATUS = '{"pfs": []}'


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("--host a --host b", "several hosts need the status --json of each: --status FILE"),
        ("--status {place}/a.json", "each --status FILE needs its --host NAME, in the same order"),
        ("--host a --status {place}/absent", "absent: cannot be read: No such file or directory"),
        ("--host a --status {place}/bad", "bad: not the output of status --json"),
        ("--status {place}/empty", "empty: has no file NAME.json"),
        ("--host c --status {place}", "c.json: cannot be read: No such file or directory"),
        ("--status {place}", "ports and servers are made for one host at a time"),
    ],
)
def test_hosts_that_cannot_be_meant_are_wrong_usage(
    tmp_path: Path, tree: HostTree, capsys: pytest.CaptureFixture[str], words: str, problem: str
) -> None:
    place = tmp_path / "statuses"
    (place / "empty").mkdir(parents=True)
    for name in ("a.json", "b.json"):
        (place / name).write_text(STATUS)
    (place / "bad").write_text("{}")
    code = main(["verify", "openstack", *words.format(place=place).split()], root=str(tree.root))
    assert code == ExitCode.USAGE
    assert problem in capsys.readouterr().err


def test_without_openstacksdk_this_host_is_looked_at_and_no_more(
    tree: HostTree, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.add_pf(num_vfs=2)
    tree.configure(rule(2))
    monkeypatch.setitem(sys.modules, "openstack", None)
    assert main(["verify", "openstack", "--check"], root=str(tree.root)) == ExitCode.USAGE
    assert "openstacksdk is not installed" in capsys.readouterr().err
    assert main(["openstack", "attach-port", "vm"], root=str(tree.root)) == ExitCode.USAGE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("words", [("verify", "openstack", "--check"), ("openstack", "attach-port", "vm")])
def test_a_signal_is_an_interruption_for_as_long_as_the_verb_is_at_work(
    tree: HostTree, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], number: signal.Signals
) -> None:
    before = signal.getsignal(number)
    library = SimpleNamespace(connect=lambda **_: os.kill(os.getpid(), number))
    monkeypatch.setitem(sys.modules, "openstack", library)
    assert main(words, root=str(tree.root)) == ExitCode.INTERRUPTED
    assert signal.getsignal(number) is before
