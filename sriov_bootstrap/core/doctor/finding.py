"""The nouns of `doctor`: a finding, and what it says about itself at length."""

from enum import StrEnum

from msgspec import Struct


class Severity(StrEnum):
    """ERROR: it does not work, or will not after the next boot. WARNING: it works, and will surprise somebody."""

    ERROR = "error"
    WARNING = "warning"


class Finding(Struct, frozen=True):
    """One thing that is wrong. `place`: a PCI address, `file:line`, a unit, or "host".

    `evidence`: what was read, and where; `remedy`: what to type, or in which file to change what.
    """

    code: str
    place: str
    problem: str
    evidence: str = ""
    remedy: str = ""

    @property
    def severity(self) -> Severity:
        """As its code says: SB-E101, SB-W102."""
        return Severity.ERROR if self.code.startswith("SB-E") else Severity.WARNING


class Explanation(Struct, frozen=True):
    """The long form of a code. `text`: what it means, what it costs, how it is looked for, and what to do."""

    title: str
    text: str


class Diagnosis(Struct, frozen=True):
    """All findings, and what could not be looked at: each with the reason and what would make it seen."""

    findings: tuple[Finding, ...] = ()
    unseen: tuple[str, ...] = ()
