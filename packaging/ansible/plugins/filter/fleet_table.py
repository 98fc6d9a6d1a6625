"""fleet_table: what every host of a fleet says of itself, as one table."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

DOCUMENTATION = r"""
name: fleet_table
author: sriov-bootstrap maintainers
version_added: 0.1.0
short_description: The PFs of a fleet as a table
description:
  - Takes the answers of C(sriov-bootstrap status --json) and C(sriov-bootstrap doctor --json).
  - A host that did not answer has its line, too.
options:
  _input:
    description: For each host a mapping with C(host), and the registered results C(status) and C(doctor).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
lines: "{{ [{'host': inventory_hostname, 'status': one, 'doctor': two}] | sriov_bootstrap.host.fleet_table }}"
"""

RETURN = r"""
_value:
  description: The lines of the table, what is wrong below it, and the sums.
  type: list
  elements: str
"""

COLUMNS = ("HOST", "RULE", "PF", "NETDEV", "WANTED", "VFS", "IN USE", "PENDING", "FINDINGS", "STATE")
GOOD = frozenset({"ok", "optional"})
Row = tuple[str, ...]


def fleet_table(hosts: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lines: the table, a blank one, what is wrong on which host, the sums."""
    rows = [COLUMNS, *(row for one in hosts for row in _rows(one))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    words = [f"{one['host']}: {text}" for one in hosts for text in _words(one)]
    return [*table, *(["", *words] if words else []), "", _sums(hosts)]


def answer(result: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON that a command has printed; {} when it has printed none."""
    try:
        found = json.loads(result.get("stdout") or "")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _rows(one: Mapping[str, Any]) -> Iterator[Row]:
    status, findings = answer(one["status"]), _findings(one)
    if "pfs" not in status:
        yield (str(one["host"]), *["-"] * (len(COLUMNS) - 2), _silence(one["status"]))
        return
    restart = "restart" if status.get("pending_restart") else ""
    for pf in status["pfs"]:
        waiting = ("pass" if pf.get("state") == "pending" else "", restart)
        yield (
            str(one["host"]),
            *(str(pf.get(key) or "-") for key in ("rule", "pci_address", "netdev")),
            str(pf.get("desired" if pf.get("pci_address") else "requested", "-")),
            *(str(pf.get(key, "-")) for key in ("num_vfs", "vfs_in_use")),
            ", ".join(filter(None, waiting)) or "-",
            findings,
            ": ".join(str(pf[key]) for key in ("state", "reason") if pf.get(key)),
        )
    if not status["pfs"]:
        yield (str(one["host"]), *["-"] * (len(COLUMNS) - 3), findings, str(status.get("state", "-")))


def _findings(one: Mapping[str, Any]) -> str:
    """Their number on the host; "?" where doctor has not answered."""
    found = answer(one["doctor"]).get("findings")
    return "?" if found is None else str(len(found))


def _silence(status: Mapping[str, Any]) -> str:
    """Why there is no answer, in one line."""
    if status.get("unreachable"):
        return "unreachable"
    if "No such file" in str(status.get("msg", "")):
        return "not installed"
    text = str(status.get("stderr") or status.get("msg") or "").strip()
    return f"no answer: {text.splitlines()[-1]}" if text else "no answer"


def _words(one: Mapping[str, Any]) -> Iterator[str]:
    status, doctor = answer(one["status"]), answer(one["doctor"])
    yield from status.get("config_problems", ())
    yield from (pf["message"] for pf in status.get("pfs", ()) if pf.get("message"))
    for finding in doctor.get("findings", ()):
        yield f"{finding.get('code')} {finding.get('place')}: {finding.get('problem')}"


def _sums(hosts: Sequence[Mapping[str, Any]]) -> str:
    answers = [answer(one["status"]) for one in hosts]
    pfs = [pf for status in answers for pf in status.get("pfs", ())]
    silent = sum("pfs" not in status for status in answers)
    wanted, there, used = (sum(pf.get(key, 0) for pf in pfs) for key in ("desired", "num_vfs", "vfs_in_use"))
    good = sum(pf.get("state") in GOOD for pf in pfs)
    return (
        f"{len(hosts)} hosts, {silent} without an answer; {good} of {len(pfs)} PFs as desired;"
        f" VFs: {wanted} wanted, {there} there, {used} in use"
    )


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, object]:
        return {"fleet_table": fleet_table}
