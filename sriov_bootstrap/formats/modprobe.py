"""modprobe.d(5), modules.alias and modules.dep, understood as far as a NIC's driver is concerned.

What counts is what libkmod does (libkmod-config.c, libkmod-util.c), which the manual tells in part. A file hides all of
its name in lower folders before it is opened: empty, a link to /dev/null, or unreadable. A backslash takes the end of
its line away and puts nothing there, in comments too; before any other character it falls away. `#` begins a comment
only as the first character of such a joined line, so `options igb debug=1 # max_vfs=8` does set max_vfs. An `install`
line runs instead of the load, and `options` count within it, so that both may give a parameter.
"""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from msgspec import Struct

# Highest first: a file hides those of its name in the folders after it (kmod, libkmod/libkmod-config.c).
FOLDERS = ("/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d")
GLOBS = tuple(f"{folder}/*{ending}" for folder in FOLDERS for ending in (".conf", ".alias"))
CMDLINE = "/proc/cmdline"
COUNTS = ("max_vfs", "num_vfs", "num_vf")  # parameters with a number of VFs
DOES_NOTHING = re.compile(r":|(?:[^/]*/)+(?:true|false)")
NUMBERS = re.compile(r"[\dxXa-fA-F,:.;-]{,64}")
ALIAS_PREFIX = len("pci:v00008086")
ALIAS_DEVICE = len("pci:v00008086d000010CA")


ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class ModprobeLine(Struct, frozen=True):
    """One line, after those that it joins; `number` 0: of the kernel's command line."""

    path: str
    number: int
    words: tuple[str, ...]

    @property
    def place(self) -> str:
        """`file:line`."""
        return f"{self.path}:{self.number}" if self.number else self.path

    def __str__(self) -> str:
        """What it does to which module, for evidence: behind that there may be any command with any argument."""
        return " ".join(self.words[: 3 if self.words[0] == "install" else 2])


class Parameter(Struct, frozen=True):
    """A line that gives a module a parameter; `module` as that line spells it."""

    line: ModprobeLine
    module: str
    value: str
    name: str = "max_vfs"

    @property
    def number(self) -> str:
        """The value, where it is made of numbers: what else is put there is not shown."""
        return self.value if NUMBERS.fullmatch(self.value) else "..."

    def __str__(self) -> str:
        """The line without what else stands in it: an `install` line may run anything with any argument."""
        between = " ... " if self.line.words[0] == "install" else " "
        return f"{self.line.words[0]} {self.module}{between}{self.name}={self.number}"


def module_name(text: str) -> str:
    """The kernel takes `-` for `_` in a module's name, and in a parameter's."""
    return text.replace("-", "_")


def effective(texts: dict[str, str]) -> dict[str, str]:
    """Without the files that others hide, by their names, whatever their folders. `texts`: in the order of FOLDERS."""
    by_name: dict[str, str] = {}
    for path in texts:
        by_name.setdefault(path.rpartition("/")[2], path)
    return {path: texts[path] for _, path in sorted(by_name.items())}


def parse(texts: dict[str, str], command_line: tuple[str, ...]) -> tuple[ModprobeLine, ...]:
    """Every line that says something; what the kernel's command line says of modules as if it stood in a file."""
    found = [line for path, text in texts.items() for line in _lines(path, text)]
    for word in command_line:
        name, _, value = word.strip('"').partition("=")
        if name in {"modprobe.blacklist", "module_blacklist"}:
            found += [ModprobeLine(CMDLINE, 0, ("blacklist", module)) for module in value.split(",") if module]
        elif module_name((parts := name.rpartition("."))[2]) in COUNTS and parts[0]:
            found.append(ModprobeLine(CMDLINE, 0, ("options", parts[0], f"{parts[2]}={value}")))
    return tuple(found)


def _lines(path: str, text: str) -> Iterator[ModprobeLine]:
    carried, began = list[str](), 1
    for number, line in enumerate(f"{text}\n".split("\n"), 1):
        is_joined = (len(line) - len(line.rstrip("\\"))) % 2 == 1
        carried.append(line[:-1] if is_joined else line)
        if is_joined:
            continue
        words = tuple(ESCAPE.sub(r"\1", "".join(carried)).split())
        if words and not words[0].startswith("#"):
            yield ModprobeLine(path, began, words)
        carried, began = [], number + 1


def blocking_line(lines: tuple[ModprobeLine, ...], module: str) -> ModprobeLine | None:
    """The line that keeps udev from loading this module."""
    return next((line for line in lines if _blocks(line.words, module_name(module))), None)


def _blocks(words: tuple[str, ...], module: str) -> bool:
    match words:
        case ("blacklist", name, *_):
            return module_name(name) == module
        case ("install", name, command, *_):
            return module_name(name) == module and DOES_NOTHING.fullmatch(command) is not None
    return False


def parameters(lines: tuple[ModprobeLine, ...], name: str) -> Iterator[Parameter]:
    """Every time that a module is given this one; the last of a line wins, unless the module refuses one before it."""
    start = rf"(?<![\w.-]){_spelling(name)}=[\"']?"
    given = {"options": re.compile(rf"{start}([^\s\"']*)"), "install": re.compile(rf"{start}([^\s\"';&|]*)")}
    for line in lines:
        if line.words[0] in given:
            for value in given[line.words[0]].findall(" ".join(line.words[2:])):
                yield Parameter(line, line.words[1], value, name)


def aliases(lines: tuple[ModprobeLine, ...]) -> dict[str, str]:
    """Another name of a module -> its own, as `alias` lines have them, without patterns."""
    found = (line.words for line in lines if line.words[0] == "alias" and len(line.words) > len(("alias", "name")))
    return {module_name(name): module for _, name, module, *_ in found if not any(sign in name for sign in "*?[:")}


def modules_for(modules_alias: str, modalias: str) -> tuple[str, ...]:
    """The modules that drive a PCI device with this modalias, by modules.alias of the running kernel."""
    if len(modalias) < ALIAS_DEVICE:
        return ()
    starts = tuple(
        f"alias {modalias[:ALIAS_PREFIX]}d{rest}" for rest in ("*", modalias[ALIAS_PREFIX + 1 : ALIAS_DEVICE])
    )
    candidates = (line.split() for line in modules_alias.splitlines() if line.startswith(starts))
    found = [row[2] for row in candidates if len(row) == 3 and fnmatchcase(modalias, row[1])]  # noqa: PLR2004
    return tuple(dict.fromkeys(found))


def is_in_tree(modules_dep: str, module: str) -> bool | None:
    """Whether the running kernel's own module of that name is the one that loads; None where it cannot be told."""
    pattern = re.compile(rf"^(?:/lib/modules/[^/\n]+/)?(\w+)/(?:\S*/)?{_spelling(module)}\.ko[.\w]*:", re.MULTILINE)
    found = pattern.search(modules_dep)
    return found[1] == "kernel" if found else None


def _spelling(module: str) -> str:
    return "[-_]".join(re.escape(part) for part in re.split("[-_]", module))
