"""Lists of modules to load at boot: a line is the name of a module, and some readers take options behind it.

initramfs-tools hands the whole line to modprobe, and so does kmod's init script, which only runs without systemd.
systemd-modules-load takes a line for a name (modules-load.d(5)), and loads nothing if there is more in it.
"""

from collections.abc import Iterator

from sriov_bootstrap.conflicts.master import Master, Search
from sriov_bootstrap.conflicts.module_counts import doubt_about, module_counts
from sriov_bootstrap.conflicts.survey import Format, Source
from sriov_bootstrap.formats.modprobe import COUNTS, ModprobeLine, Parameter, parameters

INITRAMFS = "/etc/initramfs-tools/modules"
DEBIAN = "/etc/modules"
OF_INIT = "only kmod's init script takes options from here, and systemd-modules-load runs in its place"
NO_OPTIONS = "systemd-modules-load takes no options, so it loads nothing for this line"
MAX_LINE = 1 << 12


def read(search: Search) -> Iterator[Master]:
    """Lines with a number of VFs."""
    for source in search.survey.sources_of(Format.MODULE_LIST):
        for line in _lines(source):
            for name in COUNTS:
                for given in [*parameters((line,), name)][-1:]:
                    yield from _masters(given, search)


def _masters(given: Parameter, search: Search) -> Iterator[Master]:
    path, number = given.line.path, given.line.number
    reader = {INITRAMFS: "", DEBIAN: OF_INIT}.get(path, NO_OPTIONS)
    rebuild = f", then: {search.survey.initramfs}" if search.survey.initramfs and not reader else ""
    for counted in module_counts(given, search.pfs):
        doubt = reader or doubt_about(counted, given)
        yield Master(
            Format.MODULE_LIST,
            path,
            number,
            f"{given.module} {given.name}={given.number}",
            (counted.device,),
            counted.num_vfs,
            is_certain=not doubt,
            doubt=doubt,
            remedy=f"remove {given.name} from line {number} of {path}{rebuild}",
        )


def _lines(source: Source) -> Iterator[ModprobeLine]:
    for number, line in enumerate(source.text.split("\n"), 1):
        words = line[:MAX_LINE].split()
        if len(words) > 1 and not words[0].startswith(("#", ";")):
            yield ModprobeLine(source.path, number, ("options", *words))
