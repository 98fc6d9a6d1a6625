"""systemd services: their Exec lines."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.base.printable import shell_quoted
from sriov_bootstrap.conflicts.master import KeyValue, Master, Search, count
from sriov_bootstrap.conflicts.scripts import RunContext, Script, follow_commands, follow_script, masters_of_writes
from sriov_bootstrap.conflicts.started_units import STARTERS, doubt_of_starter, started_on_failure
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source, is_drop_in_folder
from sriov_bootstrap.conflicts.unit_instances import STOPS, TO_FILE, Unit, units_of, with_specifiers
from sriov_bootstrap.core.plurals import shortlist
from sriov_bootstrap.formats import unit_files
from sriov_bootstrap.formats.shell import UNKNOWN, Place, Reading, Write
from sriov_bootstrap.formats.shell_commands import is_target
from sriov_bootstrap.formats.unit_conditions import (
    COMMAND_LINE,
    UnitCondition,
    has_word,
    judge_start,
    unit_conditions,
)

RUNNING = "/proc/cmdline"
RC_LOCAL = re.compile(r"[-@:+!]*(?:/etc|/etc/rc\.d)/rc\.local(?:\s+start)?\s*")  # as systemd's own rc-local.service
OTHER_TIMES = {
    "ExecReload": "ExecReload= is only run when the unit is reloaded",
    "ExecStop": "ExecStop= is only run when the unit stops",
    "ExecStopPost": "ExecStopPost= is only run when the unit stops",
}
ENDS_AT_ONCE = "a oneshot unit without RemainAfterExit=yes runs its ExecStop= at once"
EARLY = ", and has to run before sriov-bootstrap.service; what [pf.eswitch] replaces of it goes as well"
SHOWN = 4


class UnitRun(Struct, frozen=True):
    """What is written at once. `doubt`: why it may not be; `evidence`: what says that it is. `runner`: by whom."""

    writes: tuple[Write, ...]
    doubt: str = ""
    evidence: str = ""
    runner: str = ""


def read(search: Search) -> Iterator[Master]:
    """Exec lines of services that something pulls in. systemd has no redirection: it only counts in a shell."""
    survey = search.survey
    files = {source.path: source.text for source in survey.sources_of(Format.ENVIRONMENT)}
    sources = survey.sources_of(Format.UNIT)
    for unit in units_of(sources, survey.wanted_units, search.library.concerns_source):
        if all(RC_LOCAL.fullmatch(entry.value) for entry in unit.commands):
            continue  # which is read as what it is, and mended there
        yield from follow_script(unit.sources[0], search, lambda script, unit=unit: _unit(script, unit, files))  # type: ignore[misc]


def _unit(script: Script, unit: Unit, files: Mapping[str, str]) -> Iterator[Master]:
    readings: list[Reading] = []
    runs: list[UnitRun] = []
    keys: dict[tuple[str, int], str] = {}
    for instance in unit.instances:
        context, targets = _context(unit, instance, files, script), tuple(_output_targets(unit, instance))
        started, starts, first = dict[str, list[Write]]({"": []}), unit.starts(instance), len(runs)
        start = _judge_start(unit, instance, script.search.survey)
        for entry in unit.commands:
            script.steps.take(len(entry.value))
            runner = unit.runner(entry.key, entry.value, instance)
            part = Script(entry.source, script.search, script.steps, runner)
            found = [
                follow_commands(part, command, first_line=entry.line, is_shell=False, context=context)
                for command in commands_of(entry, unit.name, instance, context.environment)
            ]
            readings += found
            printed = [write for reading in found for write in _writes_of_output(reading, targets)]
            keys |= {(write.place.path, write.place.line): "output of the command" for write in printed}
            keys[entry.source.path, entry.line] = entry.key
            done = {runner: [write for reading in found for write in reading.writes]}
            done.setdefault("", []).extend(printed)  # systemd opens that file itself, as root
            for user, writes in done.items():
                if run := _run_apart(entry.key, starts, writes, is_after=any(started.values())):
                    runs.append(replace(run, runner=user, doubt=run.doubt or start.doubt))
                else:
                    started.setdefault(user, []).extend(writes)
        runs[first:first] = [replace(start, writes=tuple(started[user]), runner=user) for user in started]
    remedy = _remedy_of_unit(unit, readings, script.search)
    text = "\n".join(entry.value for entry in unit.commands)
    for run in runs:
        part = replace(script, runner=run.runner, command=text)
        for master in masters_of_writes(part, run.writes, unit.sources, keys, remedy, doubt=run.doubt):
            yield replace(master, text=f"{master.text}{run.evidence}")


def _run_apart(key: str, starts: frozenset[str], writes: Sequence[Write], *, is_after: bool) -> UnitRun | None:
    """What an entry writes that is no part of the start; None for one that is. `is_after`: the start writes, too."""
    if key in STOPS and key in starts and all(map(_removes, writes)):
        return UnitRun(tuple(writes), ENDS_AT_ONCE if is_after else "")  # it was meant to last
    return None if key in starts else UnitRun(tuple(writes), OTHER_TIMES.get(key, ""))


def _removes(write: Write) -> bool:
    return {count(text.strip()) for text in write.numbers} == {0}


def _context(unit: Unit, instance: str, files: Mapping[str, str], script: Script) -> RunContext:
    """What its commands find: systemd.exec(5)."""
    said = {key: unit.last_value(key, instance) for key in ("WorkingDirectory", "StandardInput")}
    folder = said["WorkingDirectory"].removeprefix("-")
    feed = None
    if said["StandardInput"].startswith("file:"):
        feed = script.search.library.take_input(said["StandardInput"].removeprefix("file:"))
    elif said["StandardInput"] == "data":
        feed = "".join(f"{line}\n" for line in unit_files.service_values(unit.texts(instance), "StandardInputText"))
    return RunContext(unit.environment(instance, files), folder if folder.startswith("/") else "", feed)


def _judge_start(unit: Unit, instance: str, survey: MastersSurvey) -> UnitRun:
    """What decides whether the unit is started, of a run that writes nothing yet."""
    verdict = judge_start(unit_conditions(unit.texts(instance)), lambda condition: _judge_condition(condition, survey))
    doubt = verdict.doubt or _doubt_of_start(unit, instance, survey)
    if not doubt and any(entry.key == "ExecCondition" for entry in unit.commands):
        doubt = "its ExecCondition= decides whether it is started"
    evidence = f" ({verdict.condition} holds)" if verdict.condition and verdict.holds else ""
    return UnitRun((), doubt, evidence)


def _doubt_of_start(unit: Unit, instance: str, survey: MastersSurvey) -> str:
    name = unit.name.replace("@.", f"@{instance}.")
    if name in survey.wanted_units:
        return doubt_of_starter(name, survey)
    failing = started_on_failure(survey).get(name)
    return f"it is only started when {failing} fails" if failing else ""


def _judge_condition(condition: UnitCondition, survey: MastersSurvey) -> bool | None:
    if condition.kind == COMMAND_LINE:
        running = next((source for source in survey.sources_of(Format.KERNEL) if source.path == RUNNING), None)
        return has_word(running.text.split(), condition.value) if running else None
    return survey.conditions.get((condition.kind, condition.value))


def _output_targets(unit: Unit, instance: str) -> Iterator[tuple[KeyValue, str]]:
    """StandardOutput= and StandardError= that name a number of VFs, with its path."""
    for entry in unit.outputs:
        path = with_specifiers(TO_FILE.sub("", entry.value), unit.name, instance)
        if is_target(path):
            yield entry, path


def _writes_of_output(reading: Reading, targets: Iterable[tuple[KeyValue, str]]) -> Iterator[Write]:
    """What a command puts out goes to the one, and to the other anything."""
    for entry, path in targets:
        is_output = entry.key == "StandardOutput"
        numbers = reading.output if is_output else (UNKNOWN,)
        if numbers != ("",):
            place = Place(entry.source.path, entry.line)
            yield Write(place, (path,), numbers, is_conditional=not is_output, is_alone=False)


def commands_of(entry: KeyValue, name: str, instance: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """What an Exec line runs, as a shell would be told to."""
    return unit_files.commands(with_specifiers(entry.value, name, instance), environment)


def _remedy_of_unit(unit: Unit, readings: list[Reading], search: Search) -> Callable[[Write, Source], str]:
    """To disable it if it does nothing else, wherever the command stands that it runs; "" for others' files if not."""
    others = sorted({name for reading in readings for _, name in reading.others})
    own = {source.path for source in unit.sources}
    disabling = "" if others or is_drop_in_folder(unit.sources[0].folder) else _remedy_to_disable(unit, search.survey)

    def _remedy(write: Write, source: Source) -> str:
        if disabling or source.path not in own:
            return disabling
        stays = f"; what else it runs stays: {shortlist(others, SHOWN)}" if others else ""
        early = EARLY if "devlink" in others else ""
        place = f"line {write.place.line} of {source.path}"
        return f"remove the command that sets VFs from {place}, then: systemctl daemon-reload{stays}{early}"

    return _remedy


def _remedy_to_disable(unit: Unit, survey: MastersSurvey) -> str:
    """With all that starts it: whoever requires a unit that is not there does not start."""
    names = [unit.name.replace("@.", f"@{instance}.") for instance in unit.instances]
    starters = [f"{name.removesuffix('.service')}{ending}" for name in names for ending in STARTERS]
    disabled = [
        name for name in (*names, *starters) if UNKNOWN not in name and (name in names or name in survey.wanted_units)
    ]
    places = dict.fromkeys(place for name in names for place in survey.pulled_by.get(name, ()))
    also = f", and what starts it from {shortlist(tuple(places), SHOWN)}" if places else ""
    named = " ".join(map(shell_quoted, disabled[:SHOWN])) or shell_quoted(unit.name)
    stops = any(entry.key in STOPS for entry in unit.commands)
    why = f"{'without --now: its ExecStop= may destroy VFs; ' if stops else ''}it does nothing else"
    return f"systemctl disable {named} ({why}), and remove {unit.sources[0].path}{also}"
