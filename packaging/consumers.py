"""The consumers of core/packagings.py in the files that repeat them: the order in units/, the list in the manual."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from sriov_bootstrap.core.packagings import KNOWN_CONSUMERS, PACKAGINGS

ROOT = Path(__file__).parents[1]
UNITS = (
    "units/sriov-bootstrap.service",
    "units/sriov-bootstrap-cloud-init.service",
    "units/sriov-bootstrap-bond.service",
)
MANUAL = "docs/man/sriov-bootstrap.toml.5"
UNITS_HEAD = "# Made by `make consumers`:\n"
MANUAL_HEAD = "every known name of nova-compute and of the Neutron SR-IOV agent:\n.Bl -item -compact -offset indent\n"


def main() -> None:
    for path, text in files().items():
        (ROOT / path).write_text(text)


def files() -> dict[str, str]:
    """Path -> what it should say."""
    order = "".join(f"# {titles}\nBefore={' '.join(units)}\n" for titles, units in _orders())
    items = "".join(f".It\n{unit}\n" for unit in KNOWN_CONSUMERS)
    made = {path: _replaced(path, UNITS_HEAD, order, "\n") for path in UNITS}
    return made | {MANUAL: _replaced(MANUAL, MANUAL_HEAD, items, ".El\n")}


def _orders() -> Iterator[tuple[str, tuple[str, ...]]]:
    for units, packagings in groupby(PACKAGINGS, key=lambda one: one.consumers):
        yield ", ".join(one.title for one in packagings), units


def _replaced(path: str, head: str, body: str, tail: str) -> str:
    before, found, rest = (ROOT / path).read_text().partition(head)
    _, end, after = rest.partition(f"\n{tail}")
    if not found or not end:
        raise SystemExit(f"{path}: where the consumers belong cannot be found")
    return f"{before}{head}{body}{tail}{after}"


if __name__ == "__main__":
    main()
