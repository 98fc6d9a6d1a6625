"""The commands of units, where scripts are looked for: of most units it is found out fast that they run none."""

import re
from collections.abc import Callable, Iterator

from sriov_bootstrap.conflicts.called_files import may_hand_on
from sriov_bootstrap.conflicts.called_folders import MAY_RUN, has_any
from sriov_bootstrap.conflicts.calls import Call, HostFiles, Settled
from sriov_bootstrap.conflicts.chunks import Chunk
from sriov_bootstrap.conflicts.runners import user_shown
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.conflicts.tool_files import TextContext
from sriov_bootstrap.conflicts.unit_instances import Unit, units_of, with_specifiers

BEFORE_COMMAND = r"(?:then|do|else|exec|sudo|if|nohup|which|command|-v)[ \t]"
EXEC = re.compile(
    r"^[ \t]*(Exec\w+|Environment|StandardInput|LoadCredential)[ \t]*=[ \t]*([^\n]*(?:(?<=\\)\n[^\n]*){0,64})",
    re.MULTILINE,
)
# A program and words that are none of a shell and no paths, as most units have it; or one that makes or ends something.
PLAIN = re.compile(
    r"[-@:+!|]*(/[\w./+-]+)(?:[ \t]+(?:[\w=:,.+%@-]+|\$\{?MAINPID\}?))*[ \t]*"
    r"|[-@:+!|]*/(?:usr/)?bin/(?:kill|mkdir|rm|rmdir|touch|chown|chmod)"
    r"(?:[ \t]+(?:[\w=:,.+%@/-]+|\$\{?MAINPID\}?))*[ \t]*"
)
LEADS_ON = re.compile(BEFORE_COMMAND)
SETS_VARIABLES = "Environment"  # may name files
MAX_INSTANCES = 64


def is_idle(source: Source, context: TextContext, host: HostFiles, done: Settled) -> bool:
    """Whether all that a unit does is to run programs that are not there, or known for nothing to read.

    Most are, and of a thousand units it has to be found out fast.
    """
    entries = EXEC.findall(source.text)
    for key, value in entries:
        if key == SETS_VARIABLES:
            is_idle = "/" not in value and "." not in value
        else:
            plain = None if "%" in value else PLAIN.fullmatch(value)
            path = plain[1] if plain else ""
            is_idle = plain is not None and (not path or path in done.idle or not host.is_there(path))
        if not is_idle:
            return False
    return not _may_lead_on("\n".join([value for _, value in entries]), context)


def _may_lead_on(text: str, context: TextContext) -> bool:
    """Whether more than the program that a plain command begins with may be run, or read."""
    return may_hand_on(text, context) or has_any(text, MAY_RUN) or LEADS_ON.search(text) is not None


def plain_calls(
    chunk: Chunk, context: TextContext, host: HostFiles, done: Settled
) -> tuple[tuple[str, Call], ...] | None:
    """The program of a command that hands nothing on, if it may be one to read; None if the command may do more."""
    plain = PLAIN.fullmatch(chunk.text)
    if plain is None or _may_lead_on(chunk.text, context):
        return None
    path = plain[1]
    if not path or path in done.paths or path in done.idle or not host.is_there(path):
        return ()
    return ((path, Call(f"{chunk.source.path}:{chunk.line}", chunk.source)),)


def runners_of(unit: Unit) -> tuple[str, ...]:
    """Who runs its commands: "", which is root, unless it runs none, and the users of its instances, up to a bound."""
    root = () if unit.sole_user else ("",)
    return tuple(dict.fromkeys((*root, *(user_shown(unit.users[name].name) for name in [*unit.users][:MAX_INSTANCES]))))


def exec_lines(unit: Unit, source: Source, runner: str = "") -> Iterator[tuple[int, str]]:
    """Only where they are: what they do is found out by those who follow it. `runner`: of those that this one runs."""
    line, at = 1, 0
    for found in EXEC.finditer(source.text):
        line, at = line + source.text.count("\n", at, found.start(2)), found.start(2)
        if found[1] == SETS_VARIABLES and "/" not in found[2] and "." not in found[2]:
            continue
        for instance in unit.instances[:MAX_INSTANCES] if "%" in found[2] else unit.instances[:1]:
            if unit.runner(found[1], found[2], instance) == runner:
                yield line, with_specifiers(found[2].lstrip("-@:+!|"), unit.name, instance)


def unit_runners(survey: MastersSurvey, concerns: Callable[[Source], bool]) -> dict[str, str]:
    """`file:line` of a command -> the user who runs it, if that is not root; in units that are started or not."""
    sources = survey.sources_of(Format.UNIT)
    names = survey.wanted_units.union(source.name for source in sources)
    return {
        f"{entry.source.path}:{entry.line}": runner
        for unit in units_of(sources, names, concerns)
        for instance in unit.users
        for entry in unit.commands
        if (runner := unit.runner(entry.key, entry.value, instance))
    }
