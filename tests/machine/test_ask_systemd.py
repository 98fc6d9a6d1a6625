"""One conversation with a systemctl that says what it is told."""

from pathlib import Path

import pytest

from sriov_bootstrap.machine import ask_systemd


def ask(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> tuple[dict[str, dict[str, str]], str]:
    tool = folder / "systemctl"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")
    return ask_systemd.ask_systemd(["a.service", "b.service"])


def test_all_units_are_asked_about_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = """\
[ "$1 $3 $4 $5" = "show -- a.service b.service" ] || exit 3
printf 'Names=a.service\\nResult=watchdog\\ngarbage\\n\\nNames=b.service\\nActiveState=active\\n'
echo a warning >&2
"""
    a, b = {"Names": "a.service", "Result": "watchdog"}, {"Names": "b.service", "ActiveState": "active"}
    assert ask(tmp_path, monkeypatch, script) == ({"a.service": a, "b.service": b}, "")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (
            "echo Failed to connect to bus: Host is down >&2; exit 1",
            "systemctl show: Failed to connect to bus: Host is",
        ),
        ("exit 3", "systemctl show: exit code 3"),
        ("exec sleep 60", "systemctl show: no answer after 0.2 s"),
    ],
)
def test_a_systemd_that_does_not_answer_is_not_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str
) -> None:
    monkeypatch.setattr(ask_systemd, "SECONDS", 0.2)
    units, note = ask(tmp_path, monkeypatch, script)
    assert units == {}
    assert note.startswith(f"what systemd says about units: {words}")


def test_what_was_said_before_it_failed_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    units, note = ask(tmp_path, monkeypatch, "echo Names=a.service; exit 1")
    assert (units, bool(note)) == ({"a.service": {"Names": "a.service"}}, True)


def test_without_systemctl_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    units, note = ask_systemd.ask_systemd(["a.service"])
    assert units == {}
    assert note.startswith("what systemd says about units: systemctl show: systemctl: No such file")
