"""tuned: what the profile that is chosen, and those that it includes, write to /sys, and the scripts that they run.

Any section may have `script = NAME`, a path below the profile's folder (tuned/profiles/loader.py); it is run with
`start` when the profile is applied, at each boot.
"""

import posixpath
import re
from collections.abc import Iterator

from msgspec.structs import replace

from sriov_bootstrap.conflicts.master import Master, Search, key_values
from sriov_bootstrap.conflicts.scripts import (
    Script,
    follow_commands,
    follow_script,
    masters_of_settings,
    masters_of_writes,
)
from sriov_bootstrap.conflicts.survey import Format, Source
from sriov_bootstrap.formats.shell import FILE

LINE = re.compile(rf"(/\S{{1,400}}/{FILE})\s*=\s*(\S+)\s*")
CHOICES = frozenset({"/etc/tuned/active_profile", "/etc/tuned/post_loaded_profile"})
PROFILE_FOLDER = "${i:PROFILE_DIR}"
NAMES = re.compile(r"[\s,;]+")
MAX_INCLUDED = 64  # profiles, one within the other


def read(search: Search) -> Iterator[Master]:
    """Of all profiles: one that is not chosen may be, and is a doubt."""
    sources = search.survey.sources_of(Format.TUNED)
    chosen = _chosen_profiles(sources)
    for source in sources:
        if source.path not in CHOICES:
            is_chosen = not chosen or source.folder in chosen
            doubt = "" if is_chosen else "/etc/tuned/active_profile names another one"
            yield from _masters(source, search, doubt)


def script_paths(source: Source) -> Iterator[tuple[int, str]]:
    """Line and path of each script of a profile."""
    for entry in key_values(source):
        if entry.key == "script" and entry.value:
            folder = source.path.rpartition("/")[0]
            named = entry.value.replace(PROFILE_FOLDER, folder)
            yield entry.line, posixpath.normpath(posixpath.join(folder, named))


def _chosen_profiles(sources: tuple[Source, ...]) -> set[str]:
    """Their names; none if it is not said which."""
    includes: dict[str, set[str]] = {}
    for source in sources:
        said = (entry.value for entry in key_values(source) if (entry.section, entry.key) == ("main", "include"))
        includes.setdefault(source.folder, set()).update(name for value in said for name in NAMES.split(value))
    chosen = {name for source in sources if source.path in CHOICES for name in source.text.split()}
    for _ in range(MAX_INCLUDED):
        included = {name for profile in chosen for name in includes.get(profile, ())}
        if included <= chosen:
            break
        chosen |= included
    return chosen


def _masters(source: Source, search: Search, doubt: str) -> Iterator[Master]:
    yield from masters_of_settings(source, search, LINE, doubt)
    for master in follow_script(source, search, _scripts):
        yield replace(master, is_certain=master.is_certain and not doubt, doubt=doubt or master.doubt)


def _scripts(script: Script) -> Iterator[Master]:
    for line, path in script_paths(script.source):
        if script.search.library.concerns(path):
            reading = follow_commands(script, f"{path} start", first_line=line, is_shell=False)
            yield from masters_of_writes(script, reading.writes)
