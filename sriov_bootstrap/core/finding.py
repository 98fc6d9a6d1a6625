"""The nouns of `doctor`: a finding, and what it says about itself at length."""

from enum import StrEnum

import msgspec
from msgspec import Struct

from sriov_bootstrap.base.undecodable import UNDECODABLE
from sriov_bootstrap.core.suspects import Suspect


class Severity(StrEnum):
    """ERROR: it does not work, or will not after the next boot. WARNING: it works, but will surprise someone."""

    ERROR = "error"
    WARNING = "warning"


class Fault(Struct, frozen=True):
    """One thing that is wrong. `place`: a PCI address, `file:line`, a unit, or "host"."""

    code: str
    place: str
    problem: str


class Finding(Fault, frozen=True, kw_only=True):
    """A fault, why we believe so, and what to do. The last two by keyword: a swap would pass every check.

    `evidence`: what was read, and where; `remedy`: what to type, or what to change in which file.
    """

    evidence: str = ""
    remedy: str = ""

    @property
    def severity(self) -> Severity:
        """From its code: SB-E101, SB-W102."""
        return severity_of(self.code)


def severity_of(code: str) -> Severity:
    """SB-E is an error, SB-W a warning."""
    return Severity.ERROR if code.startswith("SB-E") else Severity.WARNING


class Explanation(Struct, frozen=True):
    """The long form of a code. `text`: what it means, what it costs, how it is detected, and what to do."""

    title: str
    text: str


class Diagnosis(Struct, frozen=True):
    """All findings, and what could not be looked at: each with the reason and what would make it visible.

    `suspects`: what else sets VFs of PFs with a rule, for whoever finds one of their numbers overwritten.
    """

    findings: tuple[Finding, ...] = ()
    unseen: tuple[str, ...] = ()
    suspects: dict[str, tuple[Suspect, ...]] = {}


class Inspected(Struct, frozen=True):
    """What the daemon's last look found. `codes`: all that were found since boot, so that their series end in 0."""

    findings: tuple[Finding, ...] = ()
    codes: tuple[str, ...] = ()
    suspects: dict[str, tuple[Suspect, ...]] = {}


def record_inspection(diagnosis: Diagnosis, before: Inspected) -> Inspected:
    """The look after `before`. Of findings only codes and places outlive it: what was read may be a secret.

    Suspects have nothing of a file but numbers.
    """
    kept = tuple(Finding(finding.code, finding.place, "") for finding in diagnosis.findings)
    codes = tuple(sorted({*before.codes, *(finding.code for finding in kept)}))
    return Inspected(kept, codes, diagnosis.suspects)


def load_inspected(data: bytes) -> Inspected:
    """From findings.json; empty if it does not exist or is from another version."""
    try:
        return msgspec.json.decode(data, type=Inspected)
    except UNDECODABLE:
        return Inspected()
