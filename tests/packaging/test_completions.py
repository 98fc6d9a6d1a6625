"""The completions that the package installs, in the shells themselves."""

import argparse
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sriov_bootstrap.arguments import make_parser
from sriov_bootstrap.cli import VERBS

FOLDER = Path(__file__).parents[2] / "packaging" / "completions"
BASH = """\
source {file}
COMP_WORDS=({words}) COMP_CWORD={last}
_shtab_sriov_bootstrap
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def _bash(line: str) -> set[str]:
    words = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    script = BASH.format(file=FOLDER / "sriov-bootstrap.bash", words=quoted, last=len(words) - 1)
    ended = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, check=True)
    return {one.strip() for one in ended.stdout.splitlines() if one.strip()}


def _fish(line: str) -> set[str]:
    script = f"source {FOLDER / 'sriov-bootstrap.fish'}; complete -C '{line}'"
    ended = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, check=True)
    return {one.partition("\t")[0] for one in ended.stdout.splitlines()}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sriov-bootstrap st", {"status"}),
        ("sriov-bootstrap status --j", {"--json"}),
        ("sriov-bootstrap render kernel", {"kernel-cmdline"}),
        ("sriov-bootstrap doctor ex", {"explain"}),
        ("sriov-bootstrap hel", set()),
        *((f"sriov-bootstrap {verb}", {verb}) for verb in sorted({*VERBS} - {"helper"})),
    ],
)
def test_a_word_is_completed(line: str, words: set[str]) -> None:
    assert _bash(line) == words
    assert _fish(line) == words


def test_zsh_can_read_its_own() -> None:
    assert shutil.which("zsh"), "make setup installs it"
    subprocess.run(["zsh", "-n", str(FOLDER / "sriov-bootstrap.zsh")], check=True)


def _options() -> set[str]:
    parser = make_parser()
    (verbs,) = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]  # noqa: SLF001 - no other way
    parsers = [parser, *verbs.choices.values()]
    return {text for one in parsers for action in one._actions for text in action.option_strings}  # noqa: SLF001


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_option_and_command_is_there_and_no_other(shell: str) -> None:
    text = (FOLDER / f"sriov-bootstrap.{shell}").read_text()
    if shell == "fish":
        there = {f"--{one}" for one in re.findall(r" -l ([a-z-]+)", text)}
    else:
        there = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
    assert there == {one for one in _options() if one.startswith("--")}, "make completions writes it anew"
