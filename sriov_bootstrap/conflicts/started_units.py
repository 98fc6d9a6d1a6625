"""What makes systemd start units: other units, udev rules, timers, and commands in scripts."""

import itertools
import re
from collections.abc import Iterable, Iterator

from sriov_bootstrap.conflicts.runners import texts_by_runner
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source, without_overridden
from sriov_bootstrap.formats.logical_lines import logical_lines
from sriov_bootstrap.formats.shell import UNKNOWN

PULLS = re.compile(
    r"^[ \t]*(Wants|Requires|BindsTo|Upholds|OnSuccess|Unit|Service)[ \t]*=[ \t]*(\S[^\n]*)", re.MULTILINE
)
ON_FAILURE = re.compile(r"^[ \t]*OnFailure[ \t]*=[ \t]*(\S[^\n]*)", re.MULTILINE)
UDEV_PULLS = re.compile(r'ENV\{SYSTEMD_WANTS\}\s*\+?=\s*"([^"]*)"')
NAME_OF_EVENT = re.compile(r"%k|\$name|\$env\{INTERFACE\}|%E\{INTERFACE\}")
KERNEL = re.compile(r'\bKERNEL\s*==\s*"([\w.-]+)"')
STARTERS = (".timer", ".path", ".socket")
MAX_PULLED = 64  # by one line
UNIT_ENDINGS = (".service", *STARTERS, ".target")
STARTING = (Format.SCRIPT, Format.CRON, Format.INTERFACES, Format.UDEV, Format.UNIT)
STARTS_UNIT = re.compile(
    r"\bsystemctl\b((?:[ \t]+-[\w=-]+){0,8})[ \t]+((?:re|try-re|reload-or-re)?start|(?:re)?enable)\b([^;&|\n`)]{1,512})"
)
STARTERS_WORDS = ("systemctl", "service ", "service\t", "invoke-rc.d")
UNIT_WORD = re.compile(r"(?<=[ \t\"'])[\w$%{\\][\w@.:$%{}\\-]*")
STARTS_SERVICE = re.compile(r"\b(?:service|invoke-rc\.d)[ \t]+([\w.-]{1,64})[ \t]+(?:re)?start\b")
IS_THERE = re.compile(r"^[ \t]*(?:PathExists|PathExistsGlob|DirectoryNotEmpty)[ \t]*=", re.MULTILINE)
SOON = re.compile(
    r"^[ \t]*(?:On(?:Boot|Startup|Active)Sec[ \t]*=|OnCalendar[ \t]*=[ \t]*(?:minutely|hourly|(?:\*-\*-\*[ \t]+)?\*:))",
    re.MULTILINE,
)
VARIABLE = re.compile(r"\$\$?\{?\w+\}?|%[a-zA-Z](?:\{\w+\})?|\{\}")
MAX_LINE = 1 << 12


def pulled_by_settings(survey: MastersSurvey) -> tuple[tuple[str, str], ...]:
    """Units, each with the `file:line` of a unit or udev rule that starts it."""
    return (*_pulled_by_units(survey), *_pulled_by_rules(survey))


def units_pulled(survey: MastersSurvey, by_settings: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Unit -> the `file:line` of what starts it: units, udev rules, commands. Timers start what has their name.

    `by_settings`: what `pulled_by_settings` says, which stays the same when more scripts are read.
    """
    found: dict[str, list[str]] = {}
    for unit, place in itertools.chain(by_settings, _pulled_by_commands(survey)):
        found.setdefault(unit, []).append(place)
    for unit in sorted(survey.wanted_units):
        stem, dot, kind = unit.rpartition(".")
        if f"{dot}{kind}" in STARTERS:
            found.setdefault(f"{stem}.service", [])
    return {unit: tuple(places) for unit, places in found.items()}


def started_on_failure(survey: MastersSurvey) -> dict[str, str]:
    """Unit -> the unit that starts it when it fails itself."""
    return {
        unit: source.name
        for source in survey.sources_of(Format.UNIT)
        if "OnFailure" in source.text
        for units in ON_FAILURE.findall(source.text)
        for unit in units.split()[:MAX_PULLED]
    }


def doubt_of_starter(name: str, survey: MastersSurvey) -> str:
    """Why a unit may not be started at boot that is started by nothing but its socket, path or timer; "" if it is."""
    if name in survey.linked_units or survey.pulled_by.get(name) != ():
        return ""
    stem = name.rpartition(".")[0]
    names = {f"{stem}{ending}" for ending in STARTERS} & survey.wanted_units
    texts = {source.name: source.text for source in survey.sources_of(Format.UNIT) if source.name in names}
    if len(texts) != 1:
        return ""
    ((starter, text),) = texts.items()
    if starter.endswith(".socket"):
        return f"it is only started when something connects to {starter}"
    if starter.endswith(".path"):
        return "" if IS_THERE.search(text) else f"it is only started when what {starter} watches changes"
    return "" if SOON.search(text) else f"{starter} starts it at its time, not at boot"


def _pulled_by_units(survey: MastersSurvey) -> Iterator[tuple[str, str]]:
    for source in without_overridden(survey.sources_of(Format.UNIT)):
        for match in PULLS.finditer(source.text):
            place = f"{source.path}:{source.text.count(chr(10), 0, match.start()) + 1}"
            for unit in match[2].split()[:MAX_PULLED]:
                yield (_of_instance(unit, source) if "%" in unit else unit), place


def _of_instance(unit: str, source: Source) -> str:
    """As the instance of a template names it, or a drop-in of one."""
    name = source.folder if source.folder.endswith(".d") else source.name
    instance = name.partition("@")[2].rpartition(".")[0].removesuffix(".service")
    return unit.replace("%i", instance).replace("%I", instance)


def _pulled_by_rules(survey: MastersSurvey) -> Iterator[tuple[str, str]]:
    for source in without_overridden(survey.sources_of(Format.UDEV)):
        for number, line in logical_lines(source.text, may_interrupt=True) if "SYSTEMD_WANTS" in source.text else ():
            name = next(iter(KERNEL.findall(line)), UNKNOWN)
            for units in UDEV_PULLS.findall(line):
                for unit in NAME_OF_EVENT.sub(lambda _, name=name: name, units).split()[:MAX_PULLED]:  # type: ignore[misc]
                    yield unit, f"{source.path}:{number}"


def _pulled_by_commands(survey: MastersSurvey) -> Iterator[tuple[str, str]]:
    """By commands of scripts and their kind, of cron tables, of units and of udev rules: by none that a user runs."""
    for source in survey.sources_of(*STARTING):
        if any(word in source.text for word in STARTERS_WORDS):
            text = texts_by_runner(source).get("", "")
            yield from ((unit, f"{source.path}:{line}") for line, unit in _units_of_commands(text))


def _units_of_commands(text: str) -> Iterator[tuple[int, str]]:
    """Line and unit of each command that starts one."""
    for number, line in logical_lines(text):
        if not any(word in line for word in STARTERS_WORDS):
            continue
        for options, verb, words in STARTS_UNIT.findall(line[:MAX_LINE]):
            if verb.endswith("start") or "--now" in f"{options} {words}".split():
                yield from ((number, _unit_name(word)) for word in UNIT_WORD.findall(words)[:MAX_PULLED])
        yield from ((number, f"{name}.service") for name in STARTS_SERVICE.findall(line[:MAX_LINE]))


def _unit_name(word: str) -> str:
    """Of a word of systemctl; a variable in it is not known."""
    name = VARIABLE.sub(UNKNOWN, word)
    return name if name.endswith(UNIT_ENDINGS) else f"{name}.service"
