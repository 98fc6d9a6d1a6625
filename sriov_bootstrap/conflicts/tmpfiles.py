"""tmpfiles.d(5): `w` lines, with which systemd-tmpfiles writes to files at boot, or when something runs it."""

import posixpath
import re
from collections.abc import Iterator

from msgspec.structs import replace

from sriov_bootstrap.conflicts.master import Master, Search
from sriov_bootstrap.conflicts.scripts import masters_of_settings
from sriov_bootstrap.conflicts.survey import Format, Source, without_overridden
from sriov_bootstrap.formats.shell import FILE

LINE = re.compile(rf"[wW]\S{{0,4}}\s+\"?(/\S{{1,400}}/{FILE})\"?(?:\s+\S+){{4}}\s+(\S+)\s*")
SETS_NOTHING = re.compile(r"^[ \t]*[xXrRzZmtThHaA]\S{0,4}[ \t][^\n]*", re.MULTILINE)
UNITS = (".service", ".conf")  # whose commands are always run


def in_force(sources: tuple[Source, ...]) -> tuple[Source, ...]:
    """Without those of its folders that another one hides; a file that a command is given counts where it is."""
    return (
        *without_overridden(tuple(source for source in sources if not source.caller)),
        *(source for source in sources if source.caller),
    )


def without_harmless(text: str) -> str:
    """With empty lines in place of those that change owners, modes and their kind, or remove files."""
    return SETS_NOTHING.sub("", text)


def read(search: Search) -> Iterator[Master]:
    """Lines that are understood; the others are mentions. Of those with one path the first counts."""
    first: dict[str, Master] = {}
    for source in in_force(search.survey.sources_of(Format.TMPFILES)):
        is_sure = not source.caller or source.caller.rpartition(":")[0].endswith(UNITS)
        doubt = "" if is_sure else f"only {source.caller} applies it, if that line is run"
        for master in masters_of_settings(source, search, LINE, doubt):
            yield master if source.caller else _as_first(master, source, first)


def _as_first(master: Master, source: Source, first: dict[str, Master]) -> Master:
    """As it is, or as one that systemd-tmpfiles ignores: of those with one path, globs and all, it keeps one."""
    kind, path = source.text.split("\n", master.line)[master.line - 1].split()[:2]
    kept = first.setdefault(posixpath.normpath(path.strip('"')), master)
    if kept.num_vfs == master.num_vfs or "+" in kind:  # several w+ are all applied
        return master
    doubt = f"systemd-tmpfiles ignores it, since {kept.place} has the same path"
    return replace(master, is_certain=False, doubt=doubt, is_lasting=False)
