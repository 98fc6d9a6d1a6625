"""Pages as transcripts: what stands below a command of ours is what it prints, on a host made for that section.

Every block that begins with a prompt is one. Other programs cannot run in a test: their commands are read past,
with what stands below them. In what is printed, `...` stands for anything, and seconds are not compared.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from fakes_host import HostTree
from sriov_bootstrap.cli import main

# A config has comments: only these words make a line a prompt.
OTHERS = "apt|cat|curl|grep|ip|journalctl|lspci|modprobe|openstack|reboot|sed|systemctl|update-grub|virsh"
PROMPT = re.compile(rf"^# (sriov-bootstrap|{OTHERS})\b(.*)$")


class Entry(Struct, frozen=True):
    """One command of a page and what stands below it; `section`: the heading above."""

    section: str
    command: str
    output: str


def entries(page: str) -> list[Entry]:
    return list(_entries(page))


def _entries(page: str) -> Iterator[Entry]:
    section, command, lines, is_block = "", "", [""], False
    for line in [*page.splitlines(), "end"]:
        is_code = line.startswith("    ") or (not line and is_block)
        prompt = PROMPT.match(line.removeprefix("    ")) if is_code else None
        if command and (prompt or not is_code):
            yield Entry(section, command, "\n".join(lines).strip())
            command = ""
        if prompt:
            command, lines = prompt[0].removeprefix("# "), []
        elif is_code:
            lines.append(line.removeprefix("    "))
        elif line.startswith("#"):
            section = line.lstrip("# ")
        is_block = is_code


def ours(page: str) -> list[Entry]:
    """Those that run here."""
    return [entry for entry in entries(page) if entry.command.split()[0] == "sriov-bootstrap"]


def run(tree: HostTree, command: str) -> int:
    """The exit code. `> FILE` at the end is not ours to do; a config that is named is below the tree's root."""
    words = command.partition(" >")[0].replace("--config /", f"--config {tree.root}/")
    return main(words.split()[1:], root=str(tree.root))


def redirected(command: str) -> str:
    """The file that the answer goes to, below the tree's root; "" where it is printed."""
    return command.partition(" > /")[2].strip()


def said(text: str, root: Path) -> str:
    """What was printed, as a page has it: no folder of a test, no seconds, no progress, no empty lines."""
    text = re.sub(r"^.*: \d+ s so far$", "", text, flags=re.MULTILINE)
    text = re.sub(r"\d+\.\d s\)", "N s)", text.replace(str(root), ""))
    return re.sub(r"\n\n+", "\n", text).strip()


def assert_printed(entry: Entry, printed: str, root: Path) -> None:
    wanted = ".*".join(re.escape(part) for part in said(entry.output, root).split("..."))
    assert re.fullmatch(wanted, said(printed, root), re.DOTALL), f"{entry.command} prints:\n{printed}"
