"""doctor: what is wrong with this host on the way from the firmware to the agent, why, and what to type."""

import msgspec

from sriov_bootstrap import __version__
from sriov_bootstrap.base.errors import ExitCode
from sriov_bootstrap.base.printable import to_json
from sriov_bootstrap.commands.terminal import in_colour
from sriov_bootstrap.core.finding import Diagnosis, Severity
from sriov_bootstrap.core.plurals import quantity
from sriov_bootstrap.doctor import diagnose
from sriov_bootstrap.doctor.codes import CODES
from sriov_bootstrap.doctor.examination import examine
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.machine.jobs import load

COLOURS = {Severity.ERROR: "31", Severity.WARNING: "33"}


def doctor(machine: HostMachine, *, as_json: bool) -> int:
    """0 if nothing is wrong, 3 if there are findings. Changes nothing."""
    diagnosis = examine(machine, load(machine, None))  # a broken config is a finding here
    if as_json:
        _print_json(diagnosis)
    else:
        _print(diagnosis)
    return ExitCode.DEGRADED if diagnosis.findings else ExitCode.OK


def explain(code: str, *, as_json: bool) -> int:
    """`doctor explain CODE`; without a code, all of them, one line each."""
    if not code:
        if as_json:
            print(msgspec.json.encode(CODES).decode())
        else:
            print(*(f"{each_code}  {CODES[each_code].title}" for each_code in sorted(CODES)), sep="\n")
        return ExitCode.OK
    explanation = diagnose.explain(code)
    if as_json:
        print(msgspec.json.encode(explanation).decode())
    else:
        print(f"{explanation.title}\n\n{explanation.text}", end="")
    return ExitCode.OK


def _print_json(diagnosis: Diagnosis) -> None:
    findings = [{**msgspec.to_builtins(finding), "severity": finding.severity} for finding in diagnosis.findings]
    print(to_json({"version": __version__, "findings": findings, "unseen": diagnosis.unseen}).decode())


def _print(diagnosis: Diagnosis) -> None:
    for finding in diagnosis.findings:
        print(f"{in_colour(finding.code, COLOURS[finding.severity])}  {finding.place}: {finding.problem}")
        if finding.evidence:
            print(f"         evidence: {finding.evidence}")
        if finding.remedy:
            print(f"         remedy:   {finding.remedy}")
    for text in diagnosis.unseen:
        print(f"not seen: {text}")
    print(_summary(diagnosis))


def _summary(diagnosis: Diagnosis) -> str:
    counts = {
        severity: sum(finding.severity is severity for finding in diagnosis.findings)
        for severity in (Severity.ERROR, Severity.WARNING)
    }
    said = ", ".join(quantity(number, word) for word, number in counts.items() if number)
    return f"{said}; more of each: sriov-bootstrap doctor explain CODE" if said else "no findings"
