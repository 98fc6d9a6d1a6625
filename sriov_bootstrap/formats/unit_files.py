"""Unit files of systemd, as far as it takes to know what a service starts: systemd.unit(5), systemd.service(5)."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from msgspec import Struct

from sriov_bootstrap.formats.logical_lines import logical_lines
from sriov_bootstrap.formats.oslo_files import split, substitute

FOLDERS = (  # the first one that has the unit wins
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
PULLED_IN = (".wants", ".requires", ".upholds")  # folders of links to the units that a unit pulls in
SETTING = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
LINE = re.compile(r"([A-Za-z_]\w*)\s*=(.*)", re.DOTALL)  # of an environment file, where blanks may stand before the =
BRACED = re.compile(r"\$\$|\$\{([A-Za-z_]\w*)\}")
BARE = re.compile(r"\$([A-Za-z_]\w*)")
USER_LINES = re.compile(r"^[ \t]*(?:\[|User|DynamicUser|PermissionsStartOnly|Ambient)[^\n]*", re.MULTILINE)
YES = frozenset({"yes", "true", "on", "1", "y", "t"})
DYNAMIC = "(dynamic)"  # a user without a name that is known
FULL_PRIVILEGES = re.compile(r"[-@:|]*(?:\+|!(?!!))")  # !! counts where the kernel has no ambient capabilities
WRITES, SETS_SWITCHES = "CAP_DAC_OVERRIDE", "CAP_NET_ADMIN"  # what sriov_numvfs asks of who is not root, and devlink
EVERY_CAPABILITY = frozenset({WRITES, SETS_SWITCHES, "another"})
NOTHING: Mapping[str, str] = {}


def drop_in_patterns(unit: str) -> tuple[str, ...]:
    """Globs of its drop-ins, the weakest first: a name that comes again replaces the one before."""
    names = (*shared_names(unit), unit)
    return tuple(f"{folder}/{name}.d/*.conf" for name in names for folder in reversed(FOLDERS))


def shared_names(unit: str) -> tuple[str, ...]:
    """Of folders with drop-ins that a service has in common with others: all, and those whose names begin like its."""
    parts = unit.removesuffix(".service").split("-")
    return ("service", *("-".join(parts[:number]) + "-.service" for number in range(1, len(parts))))


def in_order(found: Mapping[str, str]) -> tuple[str, ...]:
    """The texts of drop-ins, found in the order of the patterns, in the order in which systemd applies them.

    One that is empty, or a link to /dev/null, has the text "": thus it masks what it replaces.
    """
    by_name = {path.rpartition("/")[2]: text for path, text in found.items()}
    return tuple(text for _, text in sorted(by_name.items()))


def exec_start(texts: Iterable[str], environment: Mapping[str, str] = NOTHING) -> tuple[str, ...]:
    """The words that start it, out of the unit and then its drop-ins; () if there are none."""
    words = split((service_values(texts, "ExecStart") or [""])[-1]) or ("",)
    program, *rest = _as_run(words, environment)
    return (program, *rest) if program else ()


def _expand(word: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """`$NAME` alone is as many words as its value has; `${NAME}` is a part of its word; no other `$NAME` is one."""
    if bare := BARE.fullmatch(word):
        return split(environment.get(bare[1], ""))
    return (substitute(BRACED, word, lambda found: environment.get(found[1], "") if found[1] else "$"),)


def commands(value: str, variables: Mapping[str, str] = NOTHING) -> tuple[str, ...]:
    """The commands of an Exec line, as a shell would be told to run them; of variables, systemd knows no others."""
    found: list[list[str]] = [[]]
    for word in split(value):
        if word == ";":
            found.append([])
        else:
            found[-1].append(word)
    return tuple(shlex.join(_as_run(words, variables)) for words in found if words)


class ServiceUser(Struct, frozen=True):
    """Who runs the commands of a service, "" for root; `is_for_start`: only those of ExecStart=.

    `capabilities`: what of root's that user has nevertheless.
    """

    name: str = ""
    is_for_start: bool = False
    capabilities: frozenset[str] = frozenset()

    def runner(self, key: str, value: str) -> str:
        """Who runs the command of an Exec line, "" for root, and for who can do all the same: systemd.service(5)."""
        is_roots = FULL_PRIVILEGES.match(value) or (self.is_for_start and key != "ExecStart")
        return "" if is_roots or _needs(value) <= self.capabilities else self.name


def _needs(command: str) -> frozenset[str]:
    """The capabilities that it takes to set VFs, or a switch, by this command: a script may do both."""
    writes, sets_switches = "sriov_" in command, "devlink" in command
    if writes == sets_switches:
        return frozenset({WRITES, SETS_SWITCHES})
    return frozenset({WRITES if writes else SETS_SWITCHES})


def service_user(texts: Iterable[str]) -> ServiceUser:
    """As User= says it, or DynamicUser=, with AmbientCapabilities=: systemd.exec(5)."""
    said = {"User": "", "DynamicUser": "", "PermissionsStartOnly": ""}
    capabilities: list[str] = []
    # Most units have such a line, so the others are passed over fast where no backslash joins them.
    short = (text if "\\" in text else "\n".join(USER_LINES.findall(text)) for text in texts)
    for line in (line for text in short for line in section_lines(text, "[Service]")):
        key, _, value = line.partition("=")
        if key.strip() in said:
            said[key.strip()] = value.strip()
        elif key.strip() == "AmbientCapabilities":
            capabilities.append(value.strip())
    name = said["User"] or (DYNAMIC if said["DynamicUser"].lower() in YES else "")
    is_for_start = said["PermissionsStartOnly"].lower() in YES
    return ServiceUser(name, is_for_start, frozenset(_merged_capabilities(capabilities)))


def _merged_capabilities(values: Iterable[str]) -> set[str]:
    """What the values of one option leave: each adds; `~` takes away, at first from all; an empty one drops them."""
    held = set[str]()
    for value in values:
        is_inverted = value.startswith("~")
        named = set(value.removeprefix("~").upper().split())
        if not named or not held:
            held = set(EVERY_CAPABILITY - named) if is_inverted else named
        elif is_inverted:
            held -= named
        else:
            held |= named
    return held


def _as_run(words: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    """Without the prefixes of the program, and the name that `@` gives it."""
    program = words[0].lstrip("@-:+!|")
    prefixes = words[0].removesuffix(program)
    rest = words[2 if "@" in prefixes else 1 :]
    return [program, *(rest if ":" in prefixes else (part for word in rest for part in _expand(word, variables)))]


def environment_files(texts: Iterable[str]) -> tuple[str, ...]:
    """Globs of the files that its EnvironmentFile= name; systemd takes absolute ones alone."""
    named = (value.removeprefix("-") for value in service_values(texts, "EnvironmentFile"))
    return tuple(path for path in named if path.startswith("/"))


def texts_of_files(globs: Iterable[str], files: Mapping[str, str]) -> list[str]:
    """The texts of these files, among those that were read; of a glob by name."""
    found: list[str] = []
    for glob in globs:
        is_glob = any(sign in glob for sign in "*?[")
        paths = [path for path in sorted(files) if fnmatchcase(path, glob)] if is_glob else [glob]
        found += [files.get(path, "") for path in paths]
    return found


def environment(texts: Iterable[str], files: Iterable[str]) -> dict[str, str]:
    """What its Environment= say, and then the texts of its files, which win: systemd.exec(5)."""
    words = [word for value in service_values(texts, "Environment") for word in split(value)]
    said = {found[1]: found[2] for word in words if (found := SETTING.fullmatch(word))}
    lines = [line for text in files for line in _lines(text)]
    return said | {found[1]: _unquote(found[2].strip()) for line in lines if (found := LINE.fullmatch(line))}


def _unquote(value: str) -> str:
    """Without the quotes around all of it; blanks need none there."""
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def service_values(texts: Iterable[str], option: str) -> list[str]:
    """The values of one option of [Service]; an empty one drops those before it."""
    values: list[str] = []
    for text in texts:
        for line in section_lines(text, "[Service]"):
            key, _, value = line.partition("=")
            if key.strip() == option:
                if not value.strip():
                    values.clear()
                else:
                    values.append(value.strip())
    return values


def section_lines(text: str, header: str) -> Iterator[str]:
    """The lines of one section."""
    section = ""
    for line in _lines(text):
        if line.startswith("["):
            section = line
        elif section == header:
            yield line


def _lines(text: str) -> Iterator[str]:
    return (line.strip() for _, line in logical_lines(text, "#;", may_interrupt=True))
