"""The checks of nova's device_spec against our rules: whose VFs VMs get, and for which network."""

import json
from collections.abc import Iterable, Iterator, Mapping

from sriov_bootstrap.core import pci_address
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.nova_options import DEVICE_SPEC, places
from sriov_bootstrap.core.plurals import quantity
from sriov_bootstrap.doctor.neutron.networks import misspellings
from sriov_bootstrap.doctor.nova.view import LOOKS, Candidate, Row, View
from sriov_bootstrap.doctor.openstack.remedies import render_remedy
from sriov_bootstrap.doctor.openstack.survey import OpenStackSurvey
from sriov_bootstrap.formats.steps import Steps, TooMuch
from sriov_bootstrap.render.nova import is_for_nova
from sriov_bootstrap.render.ports import Port, resolve_ports

TARGET = "nova-compute"


def check_rules(view: View, survey: OpenStackSurvey) -> Iterator[Finding]:
    """All of them."""
    misspelt, rivals = misspellings(view.host, survey), _Rivals(view)
    networks = {json.dumps(row.spec.tags.get("physical_network")) for row in view.rows} - {"null", '""'}
    for port in resolve_ports(view.host):
        vfs = [function for function in view.of_pf.get(port.pci_address, ()) if function.is_vf and function.is_expected]
        if not is_for_nova(port):
            yield from _unwanted_offers(
                view, "SB-E408", vfs, f"{port.label} has neither a physical_network nor an alias, but"
            )
            continue
        if port.nova_problem:
            yield _skipped_finding(port)
            continue
        excluded = [vf for vf in vfs if vf.index in port.rule.exclude_vfs]
        yield from _unwanted_offers(view, "SB-E407", excluded, f"{port.label} has them in exclude_vfs, but")
        offered = [vf for vf in vfs if vf.index not in port.rule.exclude_vfs]
        yield from _wrong_network(view, misspelt, port, offered, rivals)
        yield from _never_offered(view, networks, port, offered)


def _skipped_finding(port: Port) -> Finding:
    problem = f"nova never gives out a VF of {port.label}: {port.nova_problem}"
    evidence = (
        f"its domain is {pci_address.domain(port.pci_address):x}; nova logs that it skips them, with debug = true"
    )
    remedy = "disable VMD for that slot in the firmware setup, or take physical_network and alias out of the rule"
    return Finding("SB-E411", port.pci_address, problem, evidence=evidence, remedy=remedy)


def _specs_that_take(view: View, vfs: Iterable[Candidate]) -> list[tuple[Row, list[Candidate]]]:
    """By spec, the VFs that it takes. A spec that matches everything has a finding of its own."""
    found: dict[int, tuple[Row, list[Candidate]]] = {}
    for vf in vfs:
        row = view.taken.get(vf.device.address)
        if row and not row.spec.is_everything:
            found.setdefault(id(row), (row, []))[1].append(vf)
    return list(found.values())


def _unwanted_offers(view: View, code: str, vfs: list[Candidate], why: str) -> Iterator[Finding]:
    for row, taken in _specs_that_take(view, vfs):
        problem = f"{why} nova gives {_name_vfs(taken)} to VMs"
        yield Finding(
            code, row.entry.place, problem, evidence=row.entry.text, remedy=render_remedy(view.host, TARGET, row.entry)
        )


def _wrong_network(
    view: View, misspelt: Mapping[str, str], port: Port, vfs: list[Candidate], rivals: "_Rivals"
) -> Iterator[Finding]:
    """A misspelt name is reported once, for all files together."""
    right = port.rule.physical_network
    for row, taken in _specs_that_take(view, vfs):
        wrong = row.spec.tags.get("physical_network") or ""
        if wrong == right or (isinstance(wrong, str) and misspelt.get(wrong) == right):
            continue
        given = f'as VFs of "{wrong}"' if wrong else "without a physical_network"
        wanted = f'has "{right}"' if right else "has no physical_network"
        why = rivals.why_first(row, taken[0], right)
        problem = f"nova gives out {_name_vfs(taken)} {given}, but {port.label} {wanted}{why}"
        yield Finding(
            "SB-E406",
            row.entry.place,
            problem,
            evidence=row.entry.text,
            remedy=render_remedy(view.host, TARGET, row.entry),
        )


class _Rivals:
    """Specs that would be right if they came first. Others' files decide how many there are: within a budget."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._steps = Steps(LOOKS)
        self._order = {id(row): number for number, row in enumerate(view.rows)}
        self._of_network: dict[str, list[Row]] = {}
        for row in view.rows:
            network = row.spec.tags.get("physical_network")
            if isinstance(network, str) and network and row.is_known:
                self._of_network.setdefault(network, []).append(row)

    def why_first(self, row: Row, vf: Candidate, network: str) -> str:
        """Why the spec that has the right network for this VF does not count, to be appended; "" if there is none."""
        beaten = self._find(row, vf, network)
        if not beaten:
            return ""
        mine, theirs = row.entry, beaten.entry
        why = f"{mine.path} is read before {theirs.path}"
        if mine.path == theirs.path:
            why = f"{mine.place} comes before it"
            if mine.option != theirs.option:
                why = f"in one file, nova puts each {mine.option} before the first {theirs.option}"
        return f'; {theirs.place} has "{network}" and does not count: {why}, and the first spec that matches wins'

    def _find(self, row: Row, vf: Candidate, network: str) -> Row | None:
        try:
            for rival in self._of_network.get(network, ()):
                self._steps.take(1)
                is_later = self._order[id(rival)] > self._order[id(row)]
                if is_later and rival.spec.matches(vf.device, self._view.here):
                    return rival
        except TooMuch:
            self._steps.cut()
        return None


def _never_offered(view: View, networks: set[str], port: Port, vfs: list[Candidate]) -> Iterator[Finding]:
    """Not where a line is refused, since then nova does not start, nor where not everything was seen."""
    left = [vf for vf in vfs if vf.is_known and vf.device.address not in view.taken]
    if not left or not view.service.is_known or view.unseen or any(line.problem or line.is_open for line in view.lines):
        return
    if port.rule.physical_network and networks and json.dumps(port.rule.physical_network) not in networks:
        return  # SB-E501 or SB-W503
    section, option = places(DEVICE_SPEC, view.host.release)[0]
    problem = f"nova never gives out {_name_vfs(left)} of {port.label}: no {option} in [{section}] matches them"
    evidence = "; ".join(f"{line.entry.place}: {line.entry.text}" for line in view.lines[:3]) or f"no {option} at all"
    yield Finding("SB-E411", port.pci_address, problem, evidence=evidence, remedy=render_remedy(view.host, TARGET))


def _name_vfs(vfs: list[Candidate]) -> str:
    if len(vfs) == 1:
        return f"VF {vfs[0].index} ({vfs[0].device.address})"
    return f"{quantity(len(vfs), 'VF')} ({vfs[0].device.address} to {vfs[-1].device.address})"
