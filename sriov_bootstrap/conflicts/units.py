"""systemd services: their Exec lines."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.base.printable import shell_quoted
from sriov_bootstrap.conflicts.master import KeyValue, Master, Search, count, key_values
from sriov_bootstrap.conflicts.scripts import RunContext, Script, follow_commands, follow_script, masters_of_writes
from sriov_bootstrap.conflicts.started_units import MAX_PULLED, STARTERS, doubt_of_starter, started_on_failure
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source, is_drop_in_folder
from sriov_bootstrap.conflicts.unit_sources import is_shared, sources_by_unit
from sriov_bootstrap.core.plurals import shortlist
from sriov_bootstrap.formats import unit_files
from sriov_bootstrap.formats.shell import UNKNOWN, Place, Reading, Write
from sriov_bootstrap.formats.shell_commands import is_target
from sriov_bootstrap.formats.unit_conditions import (
    COMMAND_LINE,
    UnitCondition,
    has_word,
    is_told_by_files,
    judge_start,
    unit_conditions,
)

RUNNING = "/proc/cmdline"
OUR_UNITS = "sriov-bootstrap"
RC_LOCAL = re.compile(r"[-@:+!]*(?:/etc|/etc/rc\.d)/rc\.local(?:\s+start)?\s*")  # as systemd's own rc-local.service
STARTS = ("ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost")  # in this order
STOPS = ("ExecStop", "ExecStopPost")
OTHER_TIMES = {
    "ExecReload": "ExecReload= is only run when the unit is reloaded",
    "ExecStop": "ExecStop= is only run when the unit stops",
    "ExecStopPost": "ExecStopPost= is only run when the unit stops",
}
ENDS_AT_ONCE = "a oneshot unit without RemainAfterExit=yes runs its ExecStop= at once"
INSTALLS = re.compile(r"^[ \t]*(?:WantedBy|RequiredBy|UpheldBy)[ \t]*=[ \t]*\S", re.MULTILINE)
EARLY = ", and has to run before sriov-bootstrap.service; what [pf.eswitch] replaces of it goes as well"
YES = frozenset({"yes", "true", "on", "1", "y", "t"})
OUTPUTS = frozenset({"StandardOutput", "StandardError"})
TO_FILE = re.compile(r"(?:file|append|truncate):")
SHOWN = 4


class UnitRun(Struct, frozen=True):
    """What is written at once. `doubt`: why it may not be; `evidence`: what says that it is."""

    writes: tuple[Write, ...]
    doubt: str = ""
    evidence: str = ""


class Unit(Struct, frozen=True):
    """A service with its drop-ins, weakest first. `instances`: the values of %i, ("",) if it is no template."""

    name: str
    sources: tuple[Source, ...]
    instances: tuple[str, ...]

    @property
    def commands(self) -> tuple[KeyValue, ...]:
        """Its Exec lines; an empty one drops those of its key before it."""
        kept: list[KeyValue] = []
        for entry in (entry for source in self.sources for entry in key_values(source)):
            if entry.section == "Service" and entry.key.startswith("Exec"):
                kept = kept if entry.value else [before for before in kept if before.key != entry.key]
                kept += [entry] if entry.value else []
        return tuple(sorted(kept, key=lambda entry: (*STARTS, *STOPS, entry.key).index(entry.key)))

    def starts(self, instance: str) -> frozenset[str]:
        """The keys of what is run when it is started: what ends at once is stopped at once, unless it remains."""
        ends = self.last_value("Type", instance) == "oneshot"
        remains = self.last_value("RemainAfterExit", instance).lower() in YES
        return frozenset((*STARTS, *(STOPS if ends and not remains else ())))

    @property
    def outputs(self) -> tuple[KeyValue, ...]:
        """The last StandardOutput= and StandardError=, if they are files."""
        last = {entry.key: entry for source in self.sources for entry in key_values(source) if entry.key in OUTPUTS}
        return tuple(entry for entry in last.values() if TO_FILE.match(entry.value))

    def texts(self, instance: str) -> tuple[str, ...]:
        """Of its files, as that instance finds them."""
        return tuple(with_specifiers(source.text, self.name, instance) for source in self.sources)

    def last_value(self, option: str, instance: str) -> str:
        """Of an option of [Service]; "" if it is not given, or empty in the end."""
        return (unit_files.service_values(self.texts(instance), option) or [""])[-1]

    def environment(self, instance: str, files: Mapping[str, str]) -> dict[str, str]:
        """What its commands find, out of its Environment= and of the files that were read."""
        texts = self.texts(instance)
        return unit_files.environment(texts, unit_files.texts_of_files(unit_files.environment_files(texts), files))


def read(search: Search) -> Iterator[Master]:
    """Exec lines of services that something pulls in. systemd has no redirection: it only counts in a shell."""
    survey = search.survey
    files = {source.path: source.text for source in survey.sources_of(Format.ENVIRONMENT)}
    sources = survey.sources_of(Format.UNIT)
    for unit in units_of(sources, survey.wanted_units, search.library.concerns_source):
        if all(RC_LOCAL.fullmatch(entry.value) for entry in unit.commands):
            continue  # which is read as what it is, and mended there
        yield from follow_script(unit.sources[0], search, lambda script, unit=unit: _unit(script, unit, files))  # type: ignore[misc]


def units_of(sources: tuple[Source, ...], wanted: frozenset[str], concerns: Callable[[Source], bool]) -> Iterator[Unit]:
    """Those that are started, and of which some file concerns us."""
    by_unit = sources_by_unit(sources, concerns)
    shared = {name for name in by_unit if is_shared(name)}
    instances: dict[str, list[str]] = {}
    for unit in sorted(unit for unit in wanted if "@" in unit and unit.endswith(".service")):
        prefix, _, instance = unit.removesuffix(".service").partition("@")
        instances.setdefault(prefix, []).append(instance)
    for name, own in by_unit.items():
        with_others = unit_files.shared_names(name)[:MAX_PULLED] if shared else ()
        found = [*own, *(source for other in with_others for source in by_unit.get(other, ()))]
        if name in shared or name.startswith(OUR_UNITS) or not any(map(concerns, found)):
            continue
        files = tuple(sorted(found, key=lambda source: is_drop_in_folder(source.folder)))
        prefix, at, instance = name.removesuffix(".service").partition("@")
        if at:
            mine = [other for other in instances.get(prefix, ()) if instance in {"", other}]
        else:
            mine = [""] if name in wanted or _is_static(files) else []
        if mine:
            yield Unit(name, files, tuple(mine))


def _is_static(files: tuple[Source, ...]) -> bool:
    """Whether it cannot be enabled, so that others start it: it has no [Install] section that says by whom."""
    return not is_drop_in_folder(files[0].folder) and not any(INSTALLS.search(source.text) for source in files)


def environment_paths(units: Iterable[Unit]) -> tuple[str, ...]:
    """The files that their EnvironmentFile= name."""
    found: dict[str, None] = {}
    for unit in units:
        for instance in unit.instances:
            found |= dict.fromkeys(unit_files.environment_files(unit.texts(instance)))
    return tuple(found)[:MAX_PULLED]


def conditions_to_look_at(units: Iterable[Unit]) -> tuple[UnitCondition, ...]:
    """Those of which the file system tells whether they hold."""
    found: dict[UnitCondition, None] = {}
    for unit in units:
        for instance in unit.instances:
            found |= dict.fromkeys(filter(is_told_by_files, unit_conditions(unit.texts(instance))))
    return tuple(found)[:MAX_PULLED]


def with_specifiers(text: str, name: str, instance: str) -> str:
    """With the specifiers that the name gives: systemd.unit(5)."""
    if "%" not in text:
        return text
    whole = name.replace("@.", f"@{instance}.")
    values = {
        "i": instance,
        "I": instance.replace("-", "/").replace("\\x2d", "-"),
        "n": whole,
        "N": whole.removesuffix(".service"),
        "p": name.partition("@")[0].removesuffix(".service"),
        "%": "%",
    }
    return re.sub("%([iInNp%])", lambda found: values[found[1]], text)


def _unit(script: Script, unit: Unit, files: Mapping[str, str]) -> Iterator[Master]:
    readings: list[Reading] = []
    runs: list[UnitRun] = []
    keys: dict[tuple[str, int], str] = {}
    for instance in unit.instances:
        context, targets = _context(unit, instance, files, script), tuple(_output_targets(unit, instance))
        started, starts, first = list[Write](), unit.starts(instance), len(runs)
        for entry in unit.commands:
            script.steps.take(len(entry.value))
            part = Script(entry.source, script.search, script.steps)
            found = [
                follow_commands(part, command, first_line=entry.line, is_shell=False, context=context)
                for command in commands_of(entry, unit.name, instance, context.environment)
            ]
            readings += found
            printed = [write for reading in found for write in _writes_of_output(reading, targets)]
            keys |= {(write.place.path, write.place.line): "output of the command" for write in printed}
            keys[entry.source.path, entry.line] = entry.key
            writes = [*(write for reading in found for write in reading.writes), *printed]
            if entry.key in STOPS and entry.key in starts and all(map(_removes, writes)):
                runs.append(UnitRun(tuple(writes), ENDS_AT_ONCE if started else ""))  # it was meant to last
            elif entry.key in starts:
                started += writes
            else:
                runs.append(UnitRun(tuple(writes), OTHER_TIMES.get(entry.key, "")))
        runs.insert(first, _run_of_start(tuple(started), unit, instance, script.search.survey))
    remedy = _remedy_of_unit(unit, readings, script.search)
    for run in runs:
        for master in masters_of_writes(script, run.writes, unit.sources, keys, remedy, doubt=run.doubt):
            yield replace(master, text=f"{master.text}{run.evidence}")


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


def _run_of_start(writes: tuple[Write, ...], unit: Unit, instance: str, survey: MastersSurvey) -> UnitRun:
    """With what decides whether the unit is started."""
    verdict = judge_start(unit_conditions(unit.texts(instance)), lambda condition: _judge_condition(condition, survey))
    doubt = verdict.doubt or _doubt_of_start(unit, instance, survey)
    if not doubt and any(entry.key == "ExecCondition" for entry in unit.commands):
        doubt = "its ExecCondition= decides whether it is started"
    return UnitRun(writes, doubt, f" ({verdict.condition} holds)" if verdict.condition and verdict.holds else "")


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
