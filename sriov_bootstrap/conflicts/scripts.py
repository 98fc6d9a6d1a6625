"""Files with shell in them: rc.local, hooks, cron tables, /etc/network/interfaces, Exec lines of units, udev's RUN."""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from sriov_bootstrap.base.printable import shell_quoted
from sriov_bootstrap.conflicts.master import Entry, Master, count, entries
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Note, Source, visible
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.formats.logical_lines import logical_lines
from sriov_bootstrap.formats.shell import FILE, UNKNOWN, Write, writes
from sriov_bootstrap.formats.steps import Steps, TooMuch

NETDEV = re.compile(r"/sys/class/net/([^/]+)/device/(?:\.\./)*sriov_numvfs")
PCI = re.compile(r"/sys/(?:bus/pci/(?:devices|drivers/[^/]+)|devices/pci\S*?)/([^/]+)/sriov_numvfs")
OF_NETDEV = re.compile(r"/sys/devices/\S*/net/([^/]+)/device/(?:\.\./)*sriov_numvfs")
THERE_AND_BACK = re.compile(r"/virtio[\d*?]+/\.\.(?=/)")  # into a folder of the PF and out again
ADDRESS = re.compile(r"[0-9A-Fa-f*?\[\]]{1,4}:[0-9A-Fa-f*?\[\]]{1,2}:[0-9A-Fa-f*?\[\]]{1,2}\.[0-7*?\[\]]")
OTHER_CLASS = re.compile(r"/sys/class/(?!net/)")
HOOKS = ("pre-up", "up", "post-up", "if-up", "down", "pre-down", "post-down")
WORDS_OF_A_BLOCK = re.compile(r"\b(?:if|then|else|fi|for|do|done|while|case|esac)\b|[{}]")
SCRIPT_PATH = re.compile(r"(?<![\w./=-])(/(?:usr/local|usr/libexec|opt|etc|srv|root|home|var/lib)/[\w./+@-]+)")
OUR_UNITS = "sriov-bootstrap"
CRON_FIELDS = 5
MAX_NAME = 64  # of a netdev: the kernel has 15
MAX_CALLED = 64  # scripts that one file runs
MAX_PATH = 1 << 10
MAX_LINE = 1 << 10  # that is looked at for words of a block


def devices_of(paths: Iterable[str]) -> tuple[Match, ...] | None:
    """Whose sriov_numvfs these are; () where that cannot be told, None where they are of no network device."""
    found: list[Match] = []
    is_unknown = False
    for path in (THERE_AND_BACK.sub("", one) for one in paths):
        named = NETDEV.fullmatch(path) or OF_NETDEV.fullmatch(path)
        address = PCI.fullmatch(path)
        if named and UNKNOWN not in named[1] and len(named[1]) <= MAX_NAME:
            found.append(Match(netdev=named[1]))
        elif address and ADDRESS.fullmatch(address[1]):
            found.append(Match(pci_address=address[1].lower()))
        elif address and address[1] == "*":
            found.append(Match(pci_address="*"))
        elif not OTHER_CLASS.match(path):
            is_unknown = True
    if not found and not is_unknown:
        return None
    return () if is_unknown else tuple(dict.fromkeys(found))


def said_of(devices: tuple[Match, ...], number: str | None) -> str:
    """A write in our own words, for evidence."""
    first = devices[0] if devices else Match()
    folder = f"/sys/class/net/{first.netdev}/device" if first.netdev else "..."
    folder = f"/sys/bus/pci/devices/{first.pci_address}" if first.pci_address else folder
    more = f" and {len(devices) - 1} more" if len(devices) > 1 else ""
    known = count(number or "")
    return f"{'a write to' if known is None else f'echo {known} >'} {folder}/{FILE}{more}"


class Script(Struct, frozen=True):
    """A file with shell in it, on its way through the reader."""

    source: Source
    lines: tuple[str, ...]
    steps: Steps


def followed(source: Source, note: Note, read: Callable[[Script], Iterator[Master]]) -> Iterator[Master]:
    """What `read` finds in one file; `note` is told where that is not all."""
    script = Script(source, tuple(source.text.split("\n")), Steps())
    try:
        yield from read(script)
    except TooMuch:
        script.steps.cut()
    if script.steps.is_cut:
        note(f"{source.path}: too much to follow: not all that it sets is known")


def read_scripts(survey: MastersSurvey, note: Note) -> Iterator[Master]:
    """rc.local, hooks, cron tables, interfaces(5), and the scripts that they and units run."""
    for source in survey.of(Format.SCRIPT):
        if FILE in source.text and "\0" not in source.text:
            yield from followed(source, note, _script)
    for source in survey.of(Format.CRON):
        if FILE in source.text:
            yield from followed(source, note, _cron)
    for source in survey.of(Format.INTERFACES):
        if FILE in source.text:
            yield from followed(source, note, _interfaces)


def _script(script: Script) -> Iterator[Master]:
    for write in writes(script.source.text, steps=script.steps):
        yield from _of(script, write)


def _cron(script: Script) -> Iterator[Master]:
    for number, line in logical_lines(script.source.text):
        for write in writes(_cron_command(script.source, line), first_line=number, steps=script.steps):
            yield from _of(script, write)


def _cron_command(source: Source, line: str) -> str:
    """Without the time, and without the user where there is one."""
    words = line.split(None, CRON_FIELDS + 1)
    skip = 1 if line.lstrip().startswith("@") else CRON_FIELDS
    skip += "/spool/" not in source.path
    return "" if "=" in words[0] else " ".join(line.split()[skip:])


def _interfaces(script: Script) -> Iterator[Master]:
    name = UNKNOWN
    for number, line in logical_lines(script.source.text):
        word, _, rest = line.strip().partition(" ")
        if word == "iface":
            first = next(iter(rest.split(None, 1)), UNKNOWN)
            name = first if len(first) <= MAX_NAME else UNKNOWN
        if word in HOOKS:
            command = rest.replace("$IFACE", name).replace("${IFACE}", name)
            for write in writes(command, first_line=number, steps=script.steps):
                yield from _of(script, write)


def _of(script: Script, write: Write) -> Iterator[Master]:
    devices = devices_of(write.paths)
    if devices is None:
        return
    source = script.source
    doubt = "it stands in a block that is not always run" if write.is_conditional else ""
    if not source.is_run:
        doubt = f"{source.path} is not executable, so nobody runs it now"
    yield Master(
        source.format,
        source.path,
        write.line,
        said_of(devices, write.number),
        devices,
        count(write.number or ""),
        is_certain=not doubt,
        doubt=doubt,
        remedy=_remedy(script, write.line),
    )


def _remedy(script: Script, number: int) -> str:
    source, line = script.source, script.lines[number - 1]
    what = f"line {number} of {source.path}"
    is_whole = line == line.strip() and not line.endswith("\\") and len(line) <= MAX_LINE
    if not is_whole or WORDS_OF_A_BLOCK.search(line):
        done = f"take the command out of {what} with an editor"
    else:
        done = f"delete {what}: sed -i {number}d {shell_quoted(source.path)}"
    return f"{done} (run by {source.caller})" if source.caller else done


# -- units --


def read_units(survey: MastersSurvey, note: Note) -> Iterator[Master]:
    """Exec lines of services that something pulls in. systemd knows no redirection: only a shell's own words count."""
    for source in visible(survey.of(Format.UNIT)):
        if FILE in source.text:
            yield from followed(source, note, lambda script: _unit(script, survey.wanted_units))


def _unit(script: Script, wanted: frozenset[str]) -> Iterator[Master]:
    source = script.source
    said = tuple(entries(source))
    remedy = _unit_remedy(source, said)
    for entry, command in _commands(source, said, wanted, script.steps):
        for write in writes(command, is_shell=False, steps=script.steps):
            devices = devices_of(write.paths)
            if devices is not None:
                yield Master(
                    source.format,
                    source.path,
                    entry.line,
                    f"{entry.key}: {said_of(devices, write.number)}",
                    devices,
                    count(write.number or ""),
                    is_certain=not write.is_conditional,
                    doubt="it stands in a block that is not always run" if write.is_conditional else "",
                    remedy=remedy,
                )


def _unit_remedy(source: Source, said: tuple[Entry, ...]) -> str:
    executed = [one for one in said if one.section == "Service" and one.key.startswith("Exec")]
    if source.folder.endswith(".d") or any(FILE not in one.value for one in executed):
        return f"take the command out of {source.path}, then: systemctl daemon-reload"
    unit = shell_quoted(source.name)
    return f"systemctl disable {unit} (without --now: an ExecStop= of it may destroy VFs), and remove {source.path}"


def _commands(
    source: Source, said: tuple[Entry, ...], wanted: frozenset[str], steps: Steps
) -> Iterator[tuple[Entry, str]]:
    """What the unit runs, once for each of its instances."""
    is_drop_in = source.folder.endswith(".service.d")
    name = source.folder.removesuffix(".d") if is_drop_in else source.name
    if name.startswith(OUR_UNITS) or (is_drop_in and name not in wanted):
        return
    instances = _instances(name, said, wanted)
    for entry in said:
        if entry.section == "Service" and entry.key.startswith("Exec"):
            for instance in instances:
                steps.take(len(entry.value))
                command = re.sub("%[iI]", lambda _, name=instance: name, entry.value)  # type: ignore[misc]
                yield entry, command.replace("%%", "%").replace("$$", "$").lstrip("-@:+!|")


def _instances(name: str, said: tuple[Entry, ...], wanted: frozenset[str]) -> tuple[str, ...]:
    """What stands for %i; none where the unit is switched off: it has an [Install] section, and nobody wants it."""
    prefix, at, _ = name.partition("@")
    if at:
        names = [one for one in sorted(wanted) if one.startswith(f"{prefix}@")]
        return tuple(one.removeprefix(f"{prefix}@").removesuffix(".service") for one in names)
    has_install = any(one.section == "Install" and one.key in {"WantedBy", "RequiredBy", "UpheldBy"} for one in said)
    return ("",) if name in wanted or not has_install else ()


# -- scripts that are run by these --


class Call(Struct, frozen=True):
    """Who runs a script: `place` is the `file:line`."""

    place: str
    source: Source


def called_scripts(survey: MastersSurvey, note: Note) -> dict[str, Call]:
    """Scripts that are run by what was read."""
    called: dict[str, Call] = {}
    known = {source.path for source in survey.sources}
    for source, lines in _running(survey):
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


def _running(survey: MastersSurvey) -> Iterator[tuple[Source, Iterator[tuple[int, str]]]]:
    """Each file, and its lines that run something."""
    for source in visible(survey.of(Format.UNIT)):
        yield source, _executed(source, survey.wanted_units)
    for source in survey.of(Format.SCRIPT, Format.CRON, Format.INTERFACES):
        if "\0" not in source.text and source.is_run:
            yield source, logical_lines(source.text)
    for source in visible(survey.of(Format.UDEV)):
        lines = logical_lines(source.text, may_interrupt=True)
        yield source, ((number, line) for number, line in lines if "RUN" in line)


def _executed(source: Source, wanted: frozenset[str]) -> Iterator[tuple[int, str]]:
    with contextlib.suppress(TooMuch):  # that is said where its writes are looked for
        for entry, command in _commands(source, tuple(entries(source)), wanted, Steps()):
            yield entry.line, command
