"""Files with shell in them: rc.local, hooks, cron tables, /etc/network/interfaces, Exec lines of units, udev's RUN."""

import re
from collections.abc import Iterable, Iterator

from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.doctor.logical_lines import logical_lines
from sriov_bootstrap.core.doctor.masters.master import Entry, Master, count, entries
from sriov_bootstrap.core.doctor.masters.shell import FILE, UNKNOWN, Write, writes
from sriov_bootstrap.core.doctor.masters_survey import Format, MastersSurvey, Source, visible
from sriov_bootstrap.printable import shell_quoted

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


def devices_of(paths: Iterable[str]) -> tuple[Match, ...] | None:
    """Whose sriov_numvfs these are; () where that cannot be told, None where they are of no network device."""
    found: list[Match] = []
    is_unknown = False
    for path in (THERE_AND_BACK.sub("", one) for one in paths):
        named = NETDEV.fullmatch(path) or OF_NETDEV.fullmatch(path)
        address = PCI.fullmatch(path)
        if named and UNKNOWN not in named[1]:
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


def read_scripts(survey: MastersSurvey) -> Iterator[Master]:
    """rc.local, hooks, cron tables, interfaces(5), and the scripts that they and units run."""
    for source in survey.of(Format.SCRIPT):
        if "\0" not in source.text:
            for write in writes(source.text):
                yield from _of(source, write)
    for source in survey.of(Format.CRON):
        for number, line in logical_lines(source.text):
            for write in writes(_cron_command(source, line), first_line=number):
                yield from _of(source, write, text=line.strip())
    for source in survey.of(Format.INTERFACES):
        yield from _interfaces(source)


def _cron_command(source: Source, line: str) -> str:
    """Without the time, and without the user where there is one."""
    words = line.split(None, CRON_FIELDS + 1)
    skip = 1 if line.lstrip().startswith("@") else CRON_FIELDS
    skip += "/spool/" not in source.path
    return "" if "=" in words[0] else " ".join(line.split()[skip:])


def _interfaces(source: Source) -> Iterator[Master]:
    name = UNKNOWN
    for number, line in logical_lines(source.text):
        word, _, rest = line.strip().partition(" ")
        if word == "iface":
            name = rest.split()[0] if rest.split() else UNKNOWN
        if word in HOOKS:
            command = rest.replace("$IFACE", name).replace("${IFACE}", name)
            for write in writes(command, first_line=number):
                yield from _of(source, write, text=line.strip())


def _of(source: Source, write: Write, *, text: str = "") -> Iterator[Master]:
    devices = devices_of(write.paths)
    if devices is None:
        return
    doubt = "it stands in a block that is not always run" if write.is_conditional else ""
    if not source.is_run:
        doubt = f"{source.path} is not executable, so nobody runs it now"
    yield Master(
        source.format,
        source.path,
        write.line,
        text or write.text,
        devices,
        count(write.number or ""),
        is_certain=not doubt,
        doubt=doubt,
        remedy=_remedy(source, write.line, text or write.text),
    )


def _remedy(source: Source, line: int, text: str) -> str:
    what = f"line {line} of {source.path}"
    if WORDS_OF_A_BLOCK.search(text) or source.text.split("\n")[line - 1 :][:1] != [text]:
        done = f"take the command out of {what} with an editor"
    else:
        done = f"delete {what}: sed -i {line}d {shell_quoted(source.path)}"
    return f"{done} (run by {source.caller})" if source.caller else done


# -- units --


def read_units(survey: MastersSurvey) -> Iterator[Master]:
    """Exec lines of services that something pulls in. systemd knows no redirection: only a shell's own words count."""
    for source in visible(survey.of(Format.UNIT)):
        for entry, command in _commands(source, survey.wanted_units):
            for write in writes(command, is_shell=False):
                devices = devices_of(write.paths)
                if devices is not None:
                    yield Master(
                        source.format,
                        source.path,
                        entry.line,
                        entry.text,
                        devices,
                        count(write.number or ""),
                        is_certain=not write.is_conditional,
                        doubt="it stands in a block that is not always run" if write.is_conditional else "",
                        remedy=_unit_remedy(source),
                    )


def _unit_remedy(source: Source) -> str:
    executed = [one for one in entries(source) if one.section == "Service" and one.key.startswith("Exec")]
    if source.folder.endswith(".d") or any(FILE not in one.value for one in executed):
        return f"take the command out of {source.path}, then: systemctl daemon-reload"
    unit = shell_quoted(source.name)
    return f"systemctl disable {unit} (without --now: an ExecStop= of it may destroy VFs), and remove {source.path}"


def _commands(source: Source, wanted: frozenset[str]) -> Iterator[tuple[Entry, str]]:
    """What the unit runs, once for each of its instances."""
    is_drop_in = source.folder.endswith(".service.d")
    name = source.folder.removesuffix(".d") if is_drop_in else source.name
    if name.startswith(OUR_UNITS) or (is_drop_in and name not in wanted):
        return
    said = tuple(entries(source))
    instances = _instances(name, said, wanted)
    for entry in said:
        if entry.section == "Service" and entry.key.startswith("Exec"):
            for instance in instances:
                command = re.sub("%[iI]", instance, entry.value).replace("%%", "%").replace("$$", "$")
                yield entry, command.lstrip("-@:+!|")


def _instances(name: str, said: tuple[Entry, ...], wanted: frozenset[str]) -> tuple[str, ...]:
    """What stands for %i; none where the unit is switched off: it has an [Install] section, and nobody wants it."""
    prefix, at, _ = name.partition("@")
    if at:
        names = [one for one in sorted(wanted) if one.startswith(f"{prefix}@")]
        return tuple(one.removeprefix(f"{prefix}@").removesuffix(".service") for one in names)
    has_install = any(one.section == "Install" and one.key in {"WantedBy", "RequiredBy", "UpheldBy"} for one in said)
    return ("",) if name in wanted or not has_install else ()


# -- scripts that are run by these --


def called_scripts(survey: MastersSurvey) -> dict[str, str]:
    """Scripts that are run by what was read -> the `file:line` that runs them."""
    called: dict[str, str] = {}
    for source in visible(survey.of(Format.UNIT)):
        for entry, command in _commands(source, survey.wanted_units):
            _note(called, command, f"{source.path}:{entry.line}")
    for source in survey.of(Format.SCRIPT, Format.CRON, Format.INTERFACES):
        if "\0" not in source.text and source.is_run:
            for number, line in logical_lines(source.text):
                _note(called, line, f"{source.path}:{number}")
    for source in visible(survey.of(Format.UDEV)):
        for number, line in logical_lines(source.text, may_interrupt=True):
            if "RUN" in line:
                _note(called, line, f"{source.path}:{number}")
    known = {source.path for source in survey.sources}
    return {path: caller for path, caller in called.items() if path not in known}


def _note(called: dict[str, str], command: str, caller: str) -> None:
    for path in SCRIPT_PATH.findall(command):
        called.setdefault(path, caller)
