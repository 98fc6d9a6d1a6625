"""A config file of nova or neutron, parsed as oslo.config does (oslo_config.iniparser, cfg.ConfigParser).

- A comment is a line that begins with # or ;. Anything after a value belongs to the value.
- An indented line continues the value before it; an empty line ends that.
- `=` or `:`, whichever comes first, ends the name. Quotes around the whole first line of a value are removed.
- An option may be repeated: one with several values keeps them all, any other only the last.

Where oslo.config gives up, and the service with it, this notes a problem and reads on: the rest is worth checking.
"""

import re
from functools import cached_property

from msgspec import Struct

SHOWN = 100  # characters of a value
NAME = re.compile(r"[\w.-]{1,64}")
# As cfg.ConfigOpts.Template: `$name` and `${name}` are references, `$$` is one dollar, so is $ before anything else.
DOLLAR = re.compile(r"\$(?:(?P<escaped>\$)|[_a-z][._a-z0-9]*|\{[_a-z][._a-z0-9]*\})", re.IGNORECASE)


class Entry(Struct, frozen=True, dict=True):
    """An option as it stands in a file; `section` as it is written there."""

    section: str
    option: str
    value: str
    line: int
    path: str

    @cached_property
    def place(self) -> str:
        """`file:line`."""
        return f"{self.path}:{self.line}"

    @property
    def has_reference(self) -> bool:
        """Whether oslo.config puts another option's value in: what it comes to only oslo.config knows."""
        return any(not found["escaped"] for found in DOLLAR.finditer(self._template))

    @property
    def resolved(self) -> str:
        """The value as its service gets it, where it has no reference."""
        return DOLLAR.sub(lambda found: "$" if found["escaped"] else found[0], self._template)

    @property
    def _template(self) -> str:
        return self.value.replace(r"\$", "$$")

    @cached_property  # a long value gives many findings
    def text(self) -> str:
        """Name and value, for evidence: of an option that is known to hold no secret.

        The first line of the value alone: a line that begins with a blank by mistake belongs to it, whatever it is.
        """
        first, more, _ = self.value.partition("\n")
        return f"{_shorten(f'{self.option} = {first}')}{' ...' if more else ''}"

    @property
    def name(self) -> str:
        """For evidence of any other option: what it is set to may be a password."""
        return f"{self.option} = ..." if NAME.fullmatch(self.option) else ""


class IniProblem(Struct, frozen=True):
    """What keeps oslo.config from reading a file. Not the line: what is out of place may be a password."""

    line: int
    text: str


class IniFile(Struct, frozen=True):
    """One file. `path`: where it is on this host."""

    path: str
    entries: tuple[Entry, ...] = ()
    problems: tuple[IniProblem, ...] = ()

    def values(self, section: str, option: str) -> tuple[Entry, ...]:
        """All of this option, first to last."""
        wanted = fold(section)
        return tuple(entry for entry in self.entries if entry.option == option and fold(entry.section) == wanted)


def fold(section: str) -> str:
    """How oslo.config compares the names of sections: `[PCI]` is `[pci]`, but `[default]` is not `[DEFAULT]`."""
    return section if section == "DEFAULT" else section.lower()


def parse_ini(path: str, text: str) -> IniFile:
    """Any text: never raises."""
    reader = _IniReader(path)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate(lines, 1):
        reader.take(number, line.rstrip())
    reader.end_value()
    return IniFile(path, tuple(reader.entries), tuple(reader.problems))


class _IniReader:
    """One file on its way through the lines."""

    def __init__(self, path: str) -> None:
        self.entries: list[Entry] = []
        self.problems: list[IniProblem] = []
        self._path = path
        self._section = ""
        self._option = ""
        self._value: list[str] = []
        self._begun = 0

    def take(self, number: int, line: str) -> None:
        """One line without its end."""
        if "\ufffd" in line:  # what could not be decoded; Python refuses the whole file
            self.problems.append(IniProblem(number, "bytes that are not UTF-8"))
        if line.startswith((" ", "\t")):
            self._continue(number, line)
            return
        self.end_value()
        if line.startswith("["):
            self._begin_section(number, line)
        elif line and not line.startswith(("#", ";")):
            self._begin_value(number, line)

    def end_value(self) -> None:
        """What was begun is complete."""
        if self._option and self._section:
            value = "\n".join(self._value)
            self.entries.append(Entry(self._section, self._option, value, self._begun, self._path))
        elif self._option:
            self.problems.append(IniProblem(self._begun, "an option before the first [section]"))
        self._option = ""

    def _continue(self, number: int, line: str) -> None:
        if self._option:
            self._value.append(line.lstrip())
        else:
            self.problems.append(IniProblem(number, "is indented, but there is no value to continue"))

    def _begin_section(self, number: int, line: str) -> None:
        self._section = line[1:-1]
        if not line.endswith("]"):
            self.problems.append(IniProblem(number, "a section must end with ] and nothing after it"))
            self._section = re.split(r"[]\s#;]", line[1:])[0]
        elif not self._section:
            self.problems.append(IniProblem(number, "a section without a name"))

    def _begin_value(self, number: int, line: str) -> None:
        ends = [place for place in (line.find("="), line.find(":")) if place >= 0]
        if not ends:
            self.problems.append(IniProblem(number, 'contains neither "=" nor ":"'))
            return
        option, value = line[: min(ends)].strip(), line[min(ends) + 1 :].strip()
        if not option:
            self.problems.append(IniProblem(number, "an option without a name"))
        if value and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        self._option, self._value, self._begun = option, [value], number


def _shorten(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
