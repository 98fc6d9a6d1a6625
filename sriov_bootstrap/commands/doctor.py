"""doctor: what is wrong with this host on the way from the firmware to the agent, why, and what to type."""

import msgspec
from msgspec.structs import replace

from sriov_bootstrap import __version__
from sriov_bootstrap.base.errors import ExitCode
from sriov_bootstrap.base.printable import printable, to_json
from sriov_bootstrap.commands.terminal import coloured
from sriov_bootstrap.core.config import Config
from sriov_bootstrap.core.counted import counted
from sriov_bootstrap.core.finding import Diagnosis, Severity
from sriov_bootstrap.doctor import diagnose
from sriov_bootstrap.doctor.codes import CODES
from sriov_bootstrap.doctor.openstack.read import survey_openstack
from sriov_bootstrap.doctor.openstack.units import UNITS
from sriov_bootstrap.doctor.read import survey_host
from sriov_bootstrap.doctor.service.survey import UNIT
from sriov_bootstrap.edges.limits import limited
from sriov_bootstrap.machine.ask_systemd import ask_systemd
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.machine.jobs import load
from sriov_bootstrap.machine.read_host import read_host
from sriov_bootstrap.passes.reconcile import Loaded
from sriov_bootstrap.render.host import Host

COLOURS = {Severity.ERROR: "31", Severity.WARNING: "33"}


def doctor(config_paths: tuple[str, ...], *, as_json: bool, root: str = "") -> int:
    """0 when nothing is wrong, 3 when there are findings. Changes nothing."""
    machine = HostMachine(root=root, config_paths=config_paths)
    diagnosis = look(machine, load(machine, None), root)  # a broken config is a finding here
    if as_json:
        _print_json(diagnosis)
    else:
        _print(diagnosis)
    return ExitCode.DEGRADED if diagnosis.findings else ExitCode.OK


def look(machine: HostMachine, loaded: Loaded, root: str) -> Diagnosis:
    """Reads and judges; the daemon does the same after its passes."""
    with limited("doctor's look"):
        host = _read_host(machine, loaded.config, root)
        on_host = survey_host(machine, host, loaded.problems, root)
        return _shown(diagnose.diagnose(host, on_host, survey_openstack(machine, host, root)))


def _shown(diagnosis: Diagnosis) -> Diagnosis:
    """Findings quote files and names of others: one printable line each, whoever prints, saves or sends them."""
    return Diagnosis(
        tuple(
            replace(one, **{key: printable(getattr(one, key)) for key in ("place", "problem", "evidence", "remedy")})
            for one in diagnosis.findings
        ),
        tuple(map(printable, diagnosis.unseen)),
    )


def _read_host(machine: HostMachine, config: Config, root: str) -> Host:
    """With what more than one look is about, read once. systemd knows of this host alone, and not of a tree."""
    state, note = machine.load_state()
    units, unasked = ({}, "") if root else ask_systemd((UNIT, *UNITS))
    unseen = tuple(filter(None, (note, unasked)))
    return replace(read_host(machine, config, root), state=state, units=units, unseen=unseen)


def explain(code: str, *, as_json: bool) -> int:
    """`doctor explain CODE`; without a code: all of them, a line each."""
    if not code:
        if as_json:
            print(msgspec.json.encode(CODES).decode())
        else:
            print(*(f"{one}  {CODES[one].title}" for one in sorted(CODES)), sep="\n")
        return ExitCode.OK
    explanation = diagnose.explain(code)
    if as_json:
        print(msgspec.json.encode(explanation).decode())
    else:
        print(f"{explanation.title}\n\n{explanation.text}", end="")
    return ExitCode.OK


def _print_json(diagnosis: Diagnosis) -> None:
    findings = [{**msgspec.to_builtins(one), "severity": one.severity} for one in diagnosis.findings]
    print(to_json({"version": __version__, "findings": findings, "unseen": diagnosis.unseen}).decode())


def _print(diagnosis: Diagnosis) -> None:
    for finding in diagnosis.findings:
        print(f"{coloured(finding.code, COLOURS[finding.severity])}  {finding.place}: {finding.problem}")
        if finding.evidence:
            print(f"         evidence: {finding.evidence}")
        if finding.remedy:
            print(f"         remedy:   {finding.remedy}")
    for text in diagnosis.unseen:
        print(f"not seen: {text}")
    print(_summary(diagnosis))


def _summary(diagnosis: Diagnosis) -> str:
    counts = {
        one: sum(finding.severity is one for finding in diagnosis.findings)
        for one in (Severity.ERROR, Severity.WARNING)
    }
    said = ", ".join(counted(number, word) for word, number in counts.items() if number)
    return f"{said}; more of each: sriov-bootstrap doctor explain CODE" if said else "no findings"
