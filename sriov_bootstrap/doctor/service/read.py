"""Reads what `doctor` wants to know of our own service: the edges as the eyes of its checks."""

import os

from msgspec.structs import replace

from sriov_bootstrap.base.errors import ConfigError, SriovBootstrapError
from sriov_bootstrap.conflicts.read import wanted_units
from sriov_bootstrap.core import decode
from sriov_bootstrap.doctor.service.now import now_of
from sriov_bootstrap.doctor.service.survey import HOLDERS_UNIT, LOAD_UNIT, RELOAD_UNIT, UNIT, ServiceSurvey
from sriov_bootstrap.edges.text_files import TextFiles
from sriov_bootstrap.formats.unit_files import FOLDERS
from sriov_bootstrap.machine.filling import MARK, outdated_files
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.render.host import Host


def survey_service(machine: HostMachine, host: Host, *, has_problems: bool) -> ServiceSurvey:
    """Needs no root. `has_problems`: the config is broken, so nothing can be compared with it."""
    saved, jam, switches, has_udevd = host.state, machine.read_jam(), machine.switches(), machine.procfs.has_udevd()
    survey = _add_units(
        ServiceSurvey(
            state=saved,
            now=now_of(saved, machine.monotonic(), jam=jam, switches=switches, has_udevd=has_udevd),
            unit=host.units.get(UNIT, {}),
        ),
        machine,
    )
    if has_problems:
        return replace(survey, state=None)
    return _add_files(survey, machine, host)


def _add_units(survey: ServiceSurvey, machine: HostMachine) -> ServiceSurvey:
    sources = machine.text_files()
    return replace(
        survey,
        is_installed=any(UNIT in sources.names(folder) for folder in FOLDERS),
        is_wanted=UNIT in wanted_units(sources),
        masked=tuple(unit for unit in (UNIT, HOLDERS_UNIT, RELOAD_UNIT, LOAD_UNIT) if _is_masked(sources, unit)),
    )


def _is_masked(sources: TextFiles, unit: str) -> bool:
    return any(sources.link(f"{folder}/{unit}") == "/dev/null" for folder in FOLDERS[:2])


def _add_files(survey: ServiceSurvey, machine: HostMachine, host: Host) -> ServiceSurvey:
    files = {file.path: file.checksum for file in decode.effective(machine.read_config())}
    named = {name for rule in host.config.pf for name in rule.driver_names}
    old, unseen = _outdated_files(machine, host)
    problems, hidden = _access_problems(host)
    return replace(
        survey,
        not_loaded=tuple(sorted(name for name in named if not machine.has_driver(name))),
        config_files=None if machine.files.has_named_config else files,
        outdated=old,
        access_problems=problems,
        unseen=(*survey.unseen, *unseen, *hidden),
        library=_library_problem(machine) if host.config.pf and host.config.services.restart else None,
    )


def _library_problem(machine: HostMachine) -> tuple[str, str] | None:
    """For no units no bus is asked: all that can fail is loading what would ask it."""
    try:
        machine.unit_states(())
    except SriovBootstrapError as error:
        return error.message, error.hint
    return None


def _outdated_files(machine: HostMachine, host: Host) -> tuple[tuple[str, ...], tuple[str, ...]]:
    sources = machine.text_files()

    def is_ours(path: str) -> bool:
        text = sources.file(path)
        return text is not None and MARK in text.text.partition("\n")[0]

    try:
        return outdated_files(machine, host, is_ours), tuple(sources.problems)
    except SriovBootstrapError as error:
        return (), (*sources.problems, f"what render would write: {error.message}")


def _access_problems(host: Host) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is wrong with the web-config file, and what the caller may not read of it."""
    if not (path := host.config.metrics.web_config):
        return (), ()
    from sriov_bootstrap.machine.web_access import WebAccess

    try:
        WebAccess(path).read()
    except ConfigError as error:
        if os.geteuid() and any("Permission denied" in problem for problem in error.problems):
            return (), tuple(f"{problem}: run doctor as root" for problem in error.problems)
        return error.problems, ()
    return (), ()
