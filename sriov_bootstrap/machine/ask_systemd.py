"""`systemctl show`: what systemd says about units, in one call for everything that doctor wants to know."""

from collections.abc import Iterable

from sriov_bootstrap.base.errors import StuckError
from sriov_bootstrap.base.printable import one_line
from sriov_bootstrap.edges import child
from sriov_bootstrap.formats.unit_state import PROPERTIES, parse_units

SECONDS = 10.0


def ask_systemd(units: Iterable[str]) -> tuple[dict[str, dict[str, str]], str]:
    """Properties by unit name, and why not all of them could be read; "" if they could."""
    argv = ["systemctl", "show", f"--property={','.join(PROPERTIES)}", "--", *units]
    try:
        done = child.run(argv, timeout_seconds=SECONDS)
    except StuckError:
        return {}, f"what systemd says about units: systemctl show: no answer after {SECONDS:g} s"
    said = one_line(done.stderr) or f"exit code {done.returncode}"
    note = f"what systemd says about units: systemctl show: {said}" if done.returncode else ""
    return parse_units(done.stdout.decode(errors="replace")), note
