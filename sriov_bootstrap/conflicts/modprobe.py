"""Module parameters: `max_vfs` in modprobe.d and on the kernel command line."""

import re
from collections.abc import Iterator

from sriov_bootstrap.conflicts.master import Master, Search, count
from sriov_bootstrap.conflicts.survey import Format
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.formats.modprobe import Parameter, effective, module_name, parameters, parse

OURS = re.compile(r"/etc/modprobe\.d/sriov-bootstrap-[\w-]+\.conf")


def read(search: Search) -> Iterator[Master]:
    """One number for every PF of a driver. Our own file does not count."""
    texts = effective({source.path: source.text for source in search.survey.sources_of(Format.MODPROBE)})
    others = {path: text for path, text in texts.items() if not OURS.fullmatch(path)}
    command_line = tuple(word for source in search.survey.sources_of(Format.KERNEL) for word in source.text.split())
    given = parameters(parse(others, command_line), "max_vfs")
    last = {parameter.line.place if parameter.line.number else parameter.line: parameter for parameter in given}
    yield from map(_master, last.values())


def _master(given: Parameter) -> Master:
    line, kind, text = given.line, Format.MODPROBE, str(given)
    remedy = f"remove max_vfs from line {line.number} of {line.path}"
    if not line.number:
        kind, text = Format.KERNEL, f"{given.module}.max_vfs={given.number}"
        remedy = f"remove {text} from the kernel command line in the boot loader's config, and reboot"
    driver = Match(driver=module_name(given.module))
    return Master(kind, line.path, line.number, text, (driver,), count(given.value), remedy=remedy)
