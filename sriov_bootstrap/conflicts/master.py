"""The noun: one line of one file that sets VFs. Only what was understood is kept: the rest may be secret."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from sriov_bootstrap.conflicts.library import Library
from sriov_bootstrap.conflicts.survey import DeviceLinks, Format, MastersSurvey, Note, Source
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.vf_attributes import VfTable
from sriov_bootstrap.formats.kernel_number import kernel_number
from sriov_bootstrap.formats.located import Word
from sriov_bootstrap.formats.logical_lines import logical_lines

MAX_EVIDENCE = 200
MAX_COUNT = 0xFFFF


class Master(Struct, frozen=True):
    """`devices`: any of these, as in our own config; empty: not known which. `num_vfs` None: the number is not known.

    `possible`: it is one of these; only where it is not known. `is_lasting` False: something that is done after it, by
    the same file, sets another number.
    `text`: what it says about VFs, as evidence, and nothing else.
    `is_certain` False: whether it acts depends on what only the host knows at that moment; `doubt` says on what.
    `remedy`: what to type, or which line or key to remove.
    `is_mention`: nothing is known but that the file mentions VFs.
    `made`: who writes the file, and from what, where that is another program; "" for what administrators write.
    `besides`: what else it sets of the PF, and `vfs` of its VFs: whoever removes it has to take that over. `eswitch`:
    what it sets of the PF's switch, by the keys of [pf.eswitch].
    `runner`: the user who runs it, "" for root; it is never certain then. `by_sudo`: that user has sudo do it, or may.
    """

    format: Format
    path: str
    line: int
    text: str
    devices: tuple[Match, ...] = ()
    num_vfs: int | None = None
    is_certain: bool = True
    doubt: str = ""
    remedy: str = ""
    possible: tuple[int, ...] = ()
    besides: tuple[str, ...] = ()
    vfs: tuple[VfTable, ...] = ()
    is_lasting: bool = True
    is_mention: bool = False
    made: str = ""
    eswitch: tuple[tuple[str, str], ...] = ()
    runner: str = ""
    by_sudo: bool = False

    @property
    def place(self) -> str:
        """`file:line`."""
        return f"{self.path}:{self.line}" if self.line else self.path

    @property
    def evidence(self) -> str:
        """`text`, made printable."""
        start = self.text[: 2 * MAX_EVIDENCE]
        text = " ".join("".join(char if char.isprintable() else " " for char in start).split())
        return text if len(text) <= MAX_EVIDENCE else f"{text[:MAX_EVIDENCE]}..."


def whole_number(text: str) -> int | None:
    """A number as the kernel and many others read it, with base 0: decimal, 0x10 or 010; None if it is not one."""
    return kernel_number(text.strip())


def count(text: str) -> int | None:
    """A number of VFs as the kernel reads it, which has 16 bits; None if it is not one.

    Blanks around it are not allowed; a shell and udev, which are in between, drop them.
    """
    number = whole_number(text)
    return number if number is not None and number <= MAX_COUNT else None


def setting(key: str, value: str, *, sign: str = "=") -> str:
    """Key and value as evidence if the value is a number; otherwise only the key, whatever the value."""
    return f"{key}{sign}{'' if count(value) is None else count(value)}".rstrip()


class Search(Struct, frozen=True):
    """What a reader gets: the files that were read, this host's PFs, and a callback for what was too much."""

    survey: MastersSurvey
    pfs: tuple[PfFacts, ...]
    note: Note
    library: Library
    links: DeviceLinks = DeviceLinks()


class KeyValue(Struct, frozen=True):
    """One `key = value` of an ini file; `source` and `line`: where, and `header`: the line of its section."""

    section: str
    key: str
    value: str
    source: Source
    line: int
    header: int = 0


def key_values(source: Source) -> Iterator[KeyValue]:
    """The entries of an ini file as systemd reads it."""
    section, header = "", 0
    for number, line in logical_lines(source.text, "#;", may_interrupt=True):
        stripped = line.strip()
        if stripped.startswith("[") and stripped.endswith("]"):
            section, header = stripped[1:-1], number
        elif "=" in stripped:
            key, _, value = stripped.partition("=")
            yield KeyValue(section, key.strip(), value.strip(), source, number, header)


def without_keys(path: str, keys: Iterable[str], *, after: str) -> str:
    """The remedy for a file with keys."""
    return f"remove {' and '.join(keys)} from {path}, then: {after}"


def line_of(word: object) -> int:
    """The line of a text in a YAML file; 0 if unknown."""
    return word.line if isinstance(word, Word) else 0
