"""sysfsutils: what its service writes below /sys at boot, as debian/sysfsutils.init reads it.

/etc/sysfs.conf, then sysfs.d by name; without the former, systemd does not start the service. A line is `attribute =
value`, and `=` may be a blank; any other line, but for `mode` and `owner`, ends all. A shell expands the attribute.
"""

import re
from collections.abc import Iterator

from msgspec.structs import replace

from sriov_bootstrap.base.printable import shell_quoted
from sriov_bootstrap.conflicts.master import Master, Search, count
from sriov_bootstrap.conflicts.paths import devices_of
from sriov_bootstrap.conflicts.sequence import UNKNOWN_NUMBER, NumberStep, lasting_places
from sriov_bootstrap.conflicts.survey import Format, Source
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.formats.shell import FILE

ASSIGNMENT = re.compile(r"\s*([^=\s]*)\s*([^=\s]*)\s*=\s*(.*)")
PATH = re.compile(r"[\w/:.*?\[\]+-]{1,160}")
MAIN = "/etc/sysfs.conf"
MAX_LINE = 1 << 12


def read(search: Search) -> Iterator[Master]:
    """Every line that sets a number; of several for one PF the kernel may refuse all but the first."""
    found = tuple(_masters(search))
    steps = [
        NumberStep(master.devices, (UNKNOWN_NUMBER if master.num_vfs is None else master.num_vfs,), bool(master.doubt))
        for master in found
    ]
    lasting = lasting_places(steps, search.pfs)
    yield from (replace(master, is_lasting=at in lasting) for at, master in enumerate(found))


def _masters(search: Search) -> Iterator[Master]:
    sources = search.survey.sources_of(Format.SYSFS)
    doubt = "" if any(source.path == MAIN for source in sources) else f"without {MAIN} the service is not started"
    for source in sources:
        for number, line in enumerate(source.text.split("\n"), 1):
            words = _words(line)
            if not words:
                continue
            if len(words) == 2:  # noqa: PLR2004 - attribute and value
                path = f"/sys/{words[0].lstrip('/')}"
                if path.endswith(FILE) and (devices := devices_of((path,), search.links)) is not None:
                    yield _master(source, number, (words[0], words[1]), devices, doubt)
            elif len(words) == 1 or words[0] not in {"mode", "owner"}:
                doubt = doubt or f"line {number} of {source.path}, before it, is a mistake at which all ends"


def _words(line: str) -> list[str]:
    text = line[:MAX_LINE].partition("#")[0]
    found = ASSIGNMENT.fullmatch(text)
    return " ".join(found.groups()).split() if found else text.split()


def _master(source: Source, number: int, said: tuple[str, str], devices: tuple[Match, ...], doubt: str) -> Master:
    attribute, value = said
    known = count(value)
    shown = attribute if PATH.fullmatch(attribute) else f".../{FILE}"
    return Master(
        Format.SYSFS,
        source.path,
        number,
        shown if known is None else f"{shown} = {known}",
        devices,
        known,
        is_certain=not doubt,
        doubt=doubt,
        remedy=f"delete line {number} of {source.path}: sed -i {number}d {shell_quoted(source.path)}",
    )
