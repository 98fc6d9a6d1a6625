"""fleet_table: the status of every host of a fleet, as one table."""

import errno
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

DOCUMENTATION = r"""
name: fleet_table
author: sriov-bootstrap maintainers
version_added: 0.1.0
short_description: The PFs of a fleet as a table
description:
  - Takes the output of C(sriov-bootstrap status --json) and C(sriov-bootstrap doctor --json).
  - A host that did not answer also gets a line.
positional: variables
options:
  _input:
    description: The names of the hosts.
    type: list
    elements: str
    required: true
  variables:
    description: C(hostvars), with the registered results of both commands as C(fleet_status) and C(fleet_doctor).
    type: dict
    required: true
"""

EXAMPLES = r"""
lines: "{{ ansible_play_hosts_all | sriov_bootstrap.host.fleet_table(hostvars) }}"
"""

RETURN = r"""
_value:
  description: The lines of the table, the problems found, and the totals.
  type: list
  elements: str
"""

COLUMNS = ("HOST", "RULE", "PF", "NETDEV", "WANTED", "VFS", "IN USE", "PENDING", "FINDINGS", "STATE")
GOOD = frozenset({"ok", "optional"})
Row = tuple[str, ...]


class Host:
    """The parsed results that were registered for one host."""

    def __init__(self, name: str, variables: Mapping[str, Any]) -> None:
        """`variables` lack the result of a command that was not run."""
        self.name = name
        self.result = variables.get("fleet_status") or {}
        self.status = answer(self.result)
        self.findings = answer(variables.get("fleet_doctor") or {}).get("findings")

    @property
    def pfs(self) -> list[dict[str, Any]]:
        """One for each line of the table."""
        return list(self.status.get("pfs", ()))


def fleet_table(names: Sequence[str], variables: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The lines: the table, a blank line, the problems by host, the totals."""
    hosts = [Host(name, variables[name]) for name in names]
    rows = [COLUMNS, *(row for host in hosts for row in _rows(host))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    words = [f"{host.name}: {text}" for host in hosts for text in _words(host)]
    return [*table, *(["", *words] if words else []), "", _sums(hosts)]


def answer(result: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON printed by a command; {} if it printed none."""
    try:
        found = json.loads(result.get("stdout") or "")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _rows(host: Host) -> Iterator[Row]:
    if "pfs" not in host.status:
        yield (host.name, *["-"] * (len(COLUMNS) - 2), _silence(host.result))
        return
    findings = "?" if host.findings is None else str(len(host.findings))
    restart = "restart" if host.status.get("pending_restart") else ""
    for pf in host.pfs:
        waiting = ("pass" if pf.get("state") == "pending" else "", restart)
        yield (
            host.name,
            *(str(pf.get(key) or "-") for key in ("rule", "pci_address", "netdev")),
            str(pf.get("desired" if pf.get("pci_address") else "requested", "-")),
            *(str(pf.get(key, "-")) for key in ("num_vfs", "vfs_in_use")),
            ", ".join(filter(None, waiting)) or "-",
            findings,
            ": ".join(str(pf[key]) for key in ("state", "reason") if pf.get(key)),
        )
    if not host.pfs:
        yield (host.name, *["-"] * (len(COLUMNS) - 3), findings, str(host.status.get("state", "-")))


def _silence(status: Mapping[str, Any]) -> str:
    """Why there is no answer, in one line."""
    if status.get("unreachable"):
        return "unreachable"
    text = str(status.get("stderr") or "").strip()
    if status.get("rc") == errno.ENOENT and not text:  # Ansible's own message for it differs by version
        return "not installed"
    text = text or str(status.get("msg") or "").strip()
    return f"no answer: {text.splitlines()[-1]}" if text else "no answer"


def _words(host: Host) -> Iterator[str]:
    yield from host.status.get("config_problems", ())
    yield from (pf["message"] for pf in host.pfs if pf.get("message"))
    for finding in host.findings or ():
        yield f"{finding.get('code')} {finding.get('place')}: {finding.get('problem')}"


def _sums(hosts: Sequence[Host]) -> str:
    pfs = [pf for host in hosts for pf in host.pfs]
    silent = sum("pfs" not in host.status for host in hosts)
    wanted, there, used = (sum(pf.get(key, 0) for pf in pfs) for key in ("desired", "num_vfs", "vfs_in_use"))
    good = sum(pf.get("state") in GOOD for pf in pfs)
    return (
        f"{len(hosts)} hosts, {silent} without an answer; {good} of {len(pfs)} PFs as desired;"
        f" VFs: {wanted} wanted, {there} present, {used} in use"
    )


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, object]:
        return {"fleet_table": fleet_table}
