"""Files with shell in them: rc.local, hooks, cron tables, /etc/network/interfaces, Exec lines of units, udev's RUN."""

import re
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from sriov_bootstrap.base.printable import shell_quoted
from sriov_bootstrap.conflicts.master import Master, Search, count
from sriov_bootstrap.conflicts.survey import Format, Note, Source
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.formats.logical_lines import logical_lines
from sriov_bootstrap.formats.shell import FILE, UNKNOWN, Write, writes
from sriov_bootstrap.formats.steps import Steps, TooMuch

NETDEV = re.compile(r"/sys/class/net/([^/]+)/device/(?:\.\./)*sriov_numvfs")
PCI = re.compile(r"/sys/(?:bus/pci/(?:devices|drivers/[^/]+)|devices/pci\S*?)/([^/]+)/sriov_numvfs")
OF_NETDEV = re.compile(r"/sys/devices/\S*/net/([^/]+)/device/(?:\.\./)*sriov_numvfs")
THERE_AND_BACK = re.compile(r"/virtio[\d*?]+/\.\.(?=/)")  # into a folder of the PF and out again
ADDRESS = re.compile(r"[0-9A-Fa-f*?\[\]]{1,8}:[0-9A-Fa-f*?\[\]]{1,2}:[0-9A-Fa-f*?\[\]]{1,2}\.[0-7*?\[\]]")
OTHER_CLASS = re.compile(r"/sys/class/(?!net/)")
HOOKS = ("pre-up", "up", "post-up", "if-up", "down", "pre-down", "post-down")
WORDS_OF_A_BLOCK = re.compile(r"\b(?:if|then|else|fi|for|do|done|while|case|esac)\b|[{}]")
CRON_FIELDS = 5
MAX_NAME = 64  # of a netdev: the kernel has 15
MAX_LINE = 1 << 10  # that is looked at for words of a block


def devices_of(paths: Iterable[str]) -> tuple[Match, ...] | None:
    """Whose sriov_numvfs these are; () if that is not known, None if they do not belong to a network device."""
    found: list[Match] = []
    is_unknown = False
    for path in (THERE_AND_BACK.sub("", word) for word in paths):
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


def describe_write(devices: tuple[Match, ...], number: str | None) -> str:
    """A write in our own words, as evidence."""
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


def follow_script(source: Source, note: Note, read: Callable[[Script], Iterator[Master]]) -> Iterator[Master]:
    """What `read` finds in one file; `note` is called if that is not all."""
    script = Script(source, tuple(source.text.split("\n")), Steps())
    try:
        yield from read(script)
    except TooMuch:
        script.steps.cut()
    if script.steps.is_cut:
        note(f"{source.path}: too much to follow: not everything that it sets is known")


def read(search: Search) -> Iterator[Master]:
    """rc.local, hooks, cron tables, interfaces(5), and the scripts that they and units run."""
    for source in search.survey.sources_of(Format.SCRIPT):
        if FILE in source.text and "\0" not in source.text:
            yield from follow_script(source, search.note, _script)
    for source in search.survey.sources_of(Format.CRON):
        if FILE in source.text:
            yield from follow_script(source, search.note, _cron)
    for source in search.survey.sources_of(Format.INTERFACES):
        if FILE in source.text:
            yield from follow_script(source, search.note, _interfaces)


def _script(script: Script) -> Iterator[Master]:
    for write in writes(script.source.text, steps=script.steps):
        yield from _master_of_write(script, write)


def _cron(script: Script) -> Iterator[Master]:
    for number, line in logical_lines(script.source.text):
        for write in writes(_cron_command(script.source, line), first_line=number, steps=script.steps):
            yield from _master_of_write(script, write)


def _cron_command(source: Source, line: str) -> str:
    """Without the time, and without the user if there is one."""
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
                yield from _master_of_write(script, write)


def _master_of_write(script: Script, write: Write) -> Iterator[Master]:
    devices = devices_of(write.paths)
    if devices is None:
        return
    source = script.source
    doubt = "it is in a block that is not always run" if write.is_conditional else ""
    if not source.is_run:
        doubt = f"{source.path} is not executable, so it is not run now"
    yield Master(
        source.format,
        source.path,
        write.line,
        describe_write(devices, write.number),
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
        done = f"remove the command from {what} with an editor"
    else:
        done = f"delete {what}: sed -i {number}d {shell_quoted(source.path)}"
    return f"{done} (run by {source.caller})" if source.caller else done
