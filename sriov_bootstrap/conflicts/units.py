"""systemd services: their Exec lines."""

import re
from collections.abc import Iterator

from sriov_bootstrap.base.printable import shell_quoted
from sriov_bootstrap.conflicts.master import KeyValue, Master, Search, count, key_values
from sriov_bootstrap.conflicts.scripts import Script, describe_write, devices_of, follow_script
from sriov_bootstrap.conflicts.survey import Format, Source, without_overridden
from sriov_bootstrap.formats.shell import FILE, writes
from sriov_bootstrap.formats.steps import Steps

OUR_UNITS = "sriov-bootstrap"


def read(search: Search) -> Iterator[Master]:
    """Exec lines of services that something pulls in. systemd has no redirection: it only counts in a shell."""
    for source in without_overridden(search.survey.sources_of(Format.UNIT)):
        if FILE in source.text:
            yield from follow_script(source, search.note, lambda script: _unit(script, search.survey.wanted_units))


def _unit(script: Script, wanted: frozenset[str]) -> Iterator[Master]:
    source = script.source
    said = tuple(key_values(source))
    remedy = _unit_remedy(source, said)
    for entry, command in commands(source, said, wanted, script.steps):
        for write in writes(command, is_shell=False, steps=script.steps):
            devices = devices_of(write.paths)
            if devices is not None:
                yield Master(
                    source.format,
                    source.path,
                    entry.line,
                    f"{entry.key}: {describe_write(devices, write.number)}",
                    devices,
                    count(write.number or ""),
                    is_certain=not write.is_conditional,
                    doubt="it is in a block that is not always run" if write.is_conditional else "",
                    remedy=remedy,
                )


def _unit_remedy(source: Source, said: tuple[KeyValue, ...]) -> str:
    executed = [entry for entry in said if entry.section == "Service" and entry.key.startswith("Exec")]
    if source.folder.endswith(".d") or any(FILE not in entry.value for entry in executed):
        return f"remove the command from {source.path}, then: systemctl daemon-reload"
    unit = shell_quoted(source.name)
    return f"systemctl disable {unit} (without --now: its ExecStop= may destroy VFs), and remove {source.path}"


def commands(
    source: Source, said: tuple[KeyValue, ...], wanted: frozenset[str], steps: Steps
) -> Iterator[tuple[KeyValue, str]]:
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


def _instances(name: str, said: tuple[KeyValue, ...], wanted: frozenset[str]) -> tuple[str, ...]:
    """The values of %i; none if the unit is disabled: it has an [Install] section, but nothing pulls it in."""
    prefix, at, _ = name.partition("@")
    if at:
        names = [unit for unit in sorted(wanted) if unit.startswith(f"{prefix}@")]
        return tuple(unit.removeprefix(f"{prefix}@").removesuffix(".service") for unit in names)
    has_install = any(
        entry.section == "Install" and entry.key in {"WantedBy", "RequiredBy", "UpheldBy"} for entry in said
    )
    return ("",) if name in wanted or not has_install else ()
