"""interfaces(5): commands that ifupdown runs when it brings an interface up or down.

An iface has those of the ones that it inherits as well, with its own name, in ifupdown and ifupdown-ng; ifupdown2 runs
its own alone.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.conflicts.master import Master, Search
from sriov_bootstrap.conflicts.paths import MAX_NAME
from sriov_bootstrap.conflicts.scripts import RunContext, Script, follow_commands, follow_script, masters_of_writes
from sriov_bootstrap.conflicts.survey import Format, Source
from sriov_bootstrap.formats.logical_lines import logical_lines
from sriov_bootstrap.formats.shell import UNKNOWN, Write

UP = ("pre-up", "up", "post-up", "if-up")
DOWN = ("down", "pre-down", "post-down")
STARTS = ("auto", "allow-")  # before the names of interfaces that are brought up
MAX_CHILDREN = 64
MAX_GLOB = 1 << 10
PLAIN_NAME = re.compile(r"[\w-]+", re.ASCII)  # of a file that source-directory takes
MAIN = "/etc/network/interfaces"
NOT_SOURCED = f"{MAIN} does not source this file"
NOT_STARTED = "no auto or allow-hotplug brings this interface up at boot"
GOES_DOWN = "it is only run when the interface goes down"
INHERITED = "ifupdown2 does not run what an iface inherits"


class Hook(Struct, frozen=True):
    """One command of an iface, "" for what stands before the first; `word`: when it is run."""

    iface: str
    word: str
    command: str
    line: int


class Family(Struct, frozen=True):
    """`children`: iface -> those that inherit it, by whatever way; `started`: those that are brought up by name."""

    children: Mapping[str, Sequence[str]]
    started: frozenset[str]

    def is_started(self, iface: str) -> bool:
        """Whether it is brought up at boot, or when it appears; `auto /ens*=name` gives patterns, and other names."""
        for name in self.started:
            pattern, _, logical = name.partition("=")
            if iface in {name, logical} or fnmatchcase(iface, pattern.removeprefix("/")):
                return True
        return False

    def is_template(self, iface: str) -> bool:
        """Whether it only exists to be inherited."""
        return iface in self.children and iface not in self.started


def read(search: Search) -> Iterator[Master]:
    """Of all files; one may inherit from another."""
    sources = [source for source in search.survey.sources_of(Format.INTERFACES) if not source.caller]
    family = _family([*_all_lines(sources)])
    patterns = [found for source in sources for found in sourced_files(source.path, source.text)]
    for source in sources:
        if "\0" in source.text or not search.library.concerns_source(source):
            continue
        is_read = source.path == MAIN or sources[0].path != MAIN or _is_sourced(source.path, patterns)
        for master in follow_script(source, search, lambda script: _masters(script, family)):
            yield master if is_read else replace(master, is_certain=False, doubt=master.doubt or NOT_SOURCED)


def _is_sourced(path: str, patterns: Iterable[tuple[str, bool]]) -> bool:
    return any(fnmatchcase(path, pattern) and (not is_folder or is_plain_name(path)) for pattern, is_folder in patterns)


def sourced_files(path: str, text: str) -> Iterator[tuple[str, bool]]:
    """Globs of the files that a file sources, relative to its folder, and whether only plain names count."""
    folder = path.rpartition("/")[0]
    for _, line in logical_lines(text):
        word, *patterns = line.split()
        if word in {"source", "source-directory"}:
            is_folder = word == "source-directory"
            for pattern in patterns:
                place = (pattern if pattern.startswith("/") else f"{folder}/{pattern}").rstrip("/")
                if len(place) <= MAX_GLOB:
                    yield f"{place}/*" if is_folder else place, is_folder


def is_plain_name(path: str) -> bool:
    """Whether source-directory takes a file of that name."""
    return PLAIN_NAME.fullmatch(path.rpartition("/")[2]) is not None


def _all_lines(sources: Iterable[Source]) -> Iterator[list[str]]:
    for source in sources:
        yield from (line.split() for _, line in logical_lines(source.text))


def _family(lines: Sequence[Sequence[str]]) -> Family:
    parents: dict[str, set[str]] = {}
    for words in lines:
        if words[0] == "iface" and len(words) > 1:
            named = {parent for word, parent in itertools.pairwise(words) if word == "inherits"}
            parents.setdefault(words[1], set()).update(named)
    started = frozenset(name for words in lines if words[0].startswith(STARTS) for name in words[1:])
    children: dict[str, dict[str, None]] = {}
    for name, direct in parents.items():
        queue, seen = [*direct], {name}
        while queue:
            parent = queue.pop()
            if parent not in seen:
                seen.add(parent)
                children.setdefault(parent, {})[name] = None
                queue += parents.get(parent, ())
    return Family({parent: tuple(names) for parent, names in children.items()}, started)


def _hooks(source: Source) -> Iterator[Hook]:
    name = ""
    for number, line in logical_lines(source.text):
        word, rest = (*line.split(None, 1), "")[:2]
        if word == "iface":
            name = next(iter(rest.split()), "")
        elif word in UP or word in DOWN:
            yield Hook(name, word, rest, number)


def _masters(script: Script, family: Family) -> Iterator[Master]:
    hooks = [hook for hook in _hooks(script.source) if script.search.library.concerns(hook.command)]
    for words in (UP, DOWN):
        own = [hook for hook in hooks if hook.word in words and not family.is_template(hook.iface)]
        for is_started, doubt in ((True, ""), (False, NOT_STARTED)):
            of_these = [hook for hook in own if (not hook.iface or family.is_started(hook.iface)) is is_started]
            writes = _writes(script, ((hook, hook.iface) for hook in of_these))
            yield from masters_of_writes(script, writes, doubt=doubt or (GOES_DOWN if words is DOWN else ""))
        inherited = [
            (hook, child)
            for hook in hooks
            if hook.word in words
            for child in tuple(family.children.get(hook.iface, ()))[:MAX_CHILDREN]
        ]
        for master in masters_of_writes(script, _writes(script, inherited)):
            yield replace(master, is_certain=False, doubt=master.doubt or INHERITED)


def _writes(script: Script, hooks: Iterable[tuple[Hook, str]]) -> list[Write]:
    found: list[Write] = []
    for hook, name in hooks:
        known = name if name and len(name) <= MAX_NAME else UNKNOWN
        context = RunContext({"IFACE": known})
        found += follow_commands(script, hook.command, first_line=hook.line, context=context).writes
    return found
