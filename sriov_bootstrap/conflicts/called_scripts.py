"""Scripts that are run by what was read: units, other scripts, cron tables, interfaces, udev rules."""

import re
from collections.abc import Iterator

from msgspec import Struct

from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Note, Source, without_overridden
from sriov_bootstrap.conflicts.units import Unit, units_of, with_specifiers
from sriov_bootstrap.formats.logical_lines import logical_lines

SCRIPT_PATH = re.compile(r"(?<![\w./=-])(/(?:usr/local|usr/libexec|opt|etc|srv|root|home|var/lib)/[\w./+@-]+)")
MAX_CALLED = 64  # scripts that one file runs
MAX_PATH = 1 << 10


class Call(Struct, frozen=True):
    """What runs a script: `place` is the `file:line`."""

    place: str
    source: Source


def called_scripts(survey: MastersSurvey, note: Note) -> dict[str, Call]:
    """Scripts that are run by what was read."""
    called: dict[str, Call] = {}
    known = {source.path for source in survey.sources}
    for source, lines in _commands_by_source(survey):
        named = ((found[1], number) for number, line in lines for found in SCRIPT_PATH.finditer(line))
        new: dict[str, Call] = {}
        for path, number in named:
            if path in known or path in called or path in new or len(path) > MAX_PATH:
                continue
            if len(new) == MAX_CALLED:
                note(f"{source.path}: runs more than {MAX_CALLED} scripts: the others were not read")
                break
            new[path] = Call(f"{source.path}:{number}", source)
        called |= new
    return called


def _commands_by_source(survey: MastersSurvey) -> Iterator[tuple[Source, Iterator[tuple[int, str]]]]:
    """Each file, and its lines that run something."""
    for unit in units_of(survey.sources_of(Format.UNIT), survey.wanted_units, lambda _: True):
        for source in unit.sources:
            yield source, iter(_exec_lines(unit, source))
    for source in survey.sources_of(Format.SCRIPT, Format.CRON, Format.INTERFACES):
        if "\0" not in source.text and source.is_run:
            yield source, logical_lines(source.text)
    for source in without_overridden(survey.sources_of(Format.UDEV)):
        lines = logical_lines(source.text, may_interrupt=True)
        yield source, ((number, line) for number, line in lines if "RUN" in line)


def _exec_lines(unit: Unit, source: Source) -> list[tuple[int, str]]:
    return [
        (entry.line, with_specifiers(entry.value, unit.name, instance))
        for entry in unit.commands
        if entry.source is source
        for instance in unit.instances
    ]
