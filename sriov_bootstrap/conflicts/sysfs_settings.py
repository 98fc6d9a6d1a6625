"""Programs that write to /sys out of their own files: systemd-tmpfiles (tmpfiles.d(5)) and tuned."""

import re
from collections.abc import Iterator

from sriov_bootstrap.conflicts.master import Master, Search, count
from sriov_bootstrap.conflicts.paths import devices_of
from sriov_bootstrap.conflicts.scripts import describe_write
from sriov_bootstrap.conflicts.survey import Format, Source
from sriov_bootstrap.formats.shell import FILE

TMPFILES = re.compile(rf"[wW]\S{{0,4}}\s+\"?(/sys/\S{{1,400}}/{FILE})\"?(?:\s+\S+){{4}}\s+(\S+)\s*")
TUNED = re.compile(rf"(/sys/\S{{1,400}}/{FILE})\s*=\s*(\S+)\s*")
ACTIVE = "/etc/tuned/active_profile"
MAX_LINE = 1 << 10


def read(search: Search) -> Iterator[Master]:
    """Lines that are understood; the others are mentions."""
    for source in search.survey.sources_of(Format.OTHER):
        pattern = TMPFILES if source.folder == "tmpfiles.d" else TUNED
        for number, line in enumerate(source.text.split("\n") if FILE in source.text else (), 1):
            found = pattern.fullmatch(line[:MAX_LINE].strip())
            devices = devices_of((found[1],), search.survey.rdma) if found else None
            if found and devices is not None:
                num_vfs = count(found[2])
                doubt = _doubt(source, search)
                yield Master(
                    source.format,
                    source.path,
                    number,
                    describe_write(devices, () if num_vfs is None else (num_vfs,)),
                    devices,
                    num_vfs,
                    is_certain=not doubt,
                    doubt=doubt,
                    remedy=f"remove line {number} from {source.path}",
                )


def _doubt(source: Source, search: Search) -> str:
    """Of a profile of tuned that is not the active one; that may include it."""
    active = next((other.text.split() for other in search.survey.sources_of(Format.OTHER) if other.path == ACTIVE), ())
    is_profile = source.name == "tuned.conf" or source.folder == "tuned.conf"
    return "" if not active or not is_profile or source.path.split("/")[-2] in active else f"{ACTIVE} names another one"
