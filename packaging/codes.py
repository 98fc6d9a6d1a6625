"""docs/doctor.md, the codes of doctor with their long form: codes.py > docs/doctor.md."""

import sys
from collections.abc import Iterator

from sriov_bootstrap.core.finding import severity_of
from sriov_bootstrap.doctor.codes import CODES

HEAD = """\
# What `doctor` finds

<!-- Made by `make codes`: change codes.py of an area in sriov_bootstrap/doctor or sriov_bootstrap/conflicts -->

    sriov-bootstrap doctor                     # exit code 0, or 3 when there are findings
    sriov-bootstrap doctor --json              # the same for programs
    sriov-bootstrap doctor explain SB-E101     # what stands below

It changes nothing and needs no root; what it could not see it says. `SB-E` is an error: it does not work, or will not
after the next boot. `SB-W` is a warning: it works, and will surprise somebody. The daemon looks 60 s after each pass:
`sriov_bootstrap_findings{code,severity}`. Codes are API: none is ever given another meaning.
"""
AREAS = {
    "1": "Firmware, kernel, IOMMU",
    "2": "NIC, driver, VFs",
    "3": "Two masters",
    "4": "nova-compute",
    "5": "neutron",
    "6": "The scheduler",
    "7": "sriov-bootstrap itself",
}


def main() -> None:
    sys.stdout.write(page())


def page() -> str:
    """The whole page."""
    return HEAD + "".join(_areas())


def _areas() -> Iterator[str]:
    for digit, title in AREAS.items():
        yield f"\n## {title}\n"
        for code in sorted((one for one in CODES if one[4] == digit), key=lambda one: one[4:]):
            yield f"\n### {code}: {CODES[code].title}\n\n{severity_of(code).capitalize()}. {CODES[code].text}"


if __name__ == "__main__":
    main()
