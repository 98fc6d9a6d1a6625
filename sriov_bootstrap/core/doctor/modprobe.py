"""modprobe.d(5), modules.alias and modules.dep, understood as far as a NIC's driver is concerned."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from msgspec import Struct

# Highest first: a file hides those of its name in the folders after it (kmod, libkmod/libkmod-config.c).
FOLDERS = ("/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d")
CMDLINE = "/proc/cmdline"
DOES_NOTHING = re.compile(r"(?:/\w+)*/(?:true|false)$|^:$")
ALIAS_PREFIX = len("pci:v00008086")
ALIAS_DEVICE = len("pci:v00008086d000010CA")


class Line(Struct, frozen=True):
    """One line: `place` is `file:line`."""

    place: str
    words: tuple[str, ...]


def module_name(text: str) -> str:
    """The kernel takes `-` for `_` in a module's name."""
    return text.replace("-", "_")


def effective(texts: dict[str, str]) -> dict[str, str]:
    """Without the files that others hide. `texts` come in the order of FOLDERS."""
    by_name: dict[str, str] = {}
    for path in texts:
        by_name.setdefault(path.rpartition("/")[2], path)
    return {path: texts[path] for path in by_name.values()}


def parse(texts: dict[str, str], command_line: tuple[str, ...]) -> tuple[Line, ...]:
    """Every line that says something; what the kernel's command line says of modules as if it stood in a file."""
    found = [line for path, text in texts.items() for line in _lines(path, text)]
    for word in command_line:
        name, _, value = word.partition("=")
        if name in {"modprobe.blacklist", "module_blacklist"}:
            found += [Line(CMDLINE, ("blacklist", one)) for one in value.split(",") if one]
        elif name.endswith(".max_vfs"):
            found.append(Line(CMDLINE, ("options", name.removesuffix(".max_vfs"), f"max_vfs={value}")))
    return tuple(found)


def _lines(path: str, text: str) -> Iterator[Line]:
    """A backslash at the end of a line joins the next one to it."""
    carried, began = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        began = began if carried else number
        carried += line
        if line.endswith("\\"):
            carried = f"{carried[:-1]} "
            continue
        if (words := tuple(carried.split())) and not words[0].startswith("#"):
            yield Line(f"{path}:{began}", words)
        carried = ""


def blocking(lines: tuple[Line, ...], module: str) -> Line | None:
    """The line that keeps udev from loading this module."""
    for line in lines:
        match line.words:
            case ("blacklist", name, *_) if module_name(name) == module_name(module):
                return line
            case ("install", name, command, *_) if module_name(name) == module_name(module):
                if DOES_NOTHING.search(command):
                    return line
            case _:
                pass
    return None


def parameters(lines: tuple[Line, ...], module: str, name: str) -> Iterator[tuple[str, str]]:
    """Place and value of every `options MODULE NAME=VALUE`."""
    for line in lines:
        if line.words[:1] == ("options",) and module_name("".join(line.words[1:2])) == module_name(module):
            for word in line.words[2:]:
                if word.startswith(f"{name}="):
                    yield line.place, word.removeprefix(f"{name}=")


def claiming(modules_alias: str, modalias: str) -> tuple[str, ...]:
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
    pattern = re.compile(rf"^(?:/lib/modules/[^/]+/)?(\w+)/(?:\S*/)?{_spelled(module)}\.ko[.\w]*:", re.MULTILINE)
    found = pattern.search(modules_dep)
    return found[1] == "kernel" if found else None


def _spelled(module: str) -> str:
    return "[-_]".join(re.escape(part) for part in re.split("[-_]", module))
