"""The checks of nova's device_spec, spec by spec: refused, too wide, or matching nothing."""

import json
import re
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.netdev_names import NetdevNames
from sriov_bootstrap.core.nova_options import NOVA_LAST_DOMAIN, SPEC_KEYS
from sriov_bootstrap.core.openstack_releases import OpenStackRelease
from sriov_bootstrap.core.plurals import shortlist
from sriov_bootstrap.core.similar_names import Guesses
from sriov_bootstrap.doctor.nova.device_spec import SELECTORS, DeviceSpec, SpecProblem, parse_boolean
from sriov_bootstrap.doctor.nova.pci_address import ANY
from sriov_bootstrap.doctor.nova.view import LOOKS, Row, View
from sriov_bootstrap.doctor.openstack.remedies import render_remedy, restart_remedy
from sriov_bootstrap.formats.ini import Entry
from sriov_bootstrap.formats.json_text import hint_at_quotes, name_dropped
from sriov_bootstrap.formats.steps import Steps, TooMuch

TARGET = "nova-compute"
AROUND = 24  # characters shown on each side of a mistake
TEXT_TAGS = ("physical_network", "trusted", "resource_class", "traits")
SHOWN = 4
REFUSES_OLD_LIBVIRT = "nova-compute does not start with libvirt before 10.0 or QEMU before 8.2.2"
SKIPPED_DOMAIN = re.compile(rf"domain \S+ is above {NOVA_LAST_DOMAIN:x}")


def check_specs(view: View) -> Iterator[Finding]:
    """A spec that matches everything gets only that finding: the rest follows from it."""
    lines = {entry.place: entry for file in view.service.files for entry in file.entries}
    guesses, names, steps = Guesses(), NetdevNames(view.host.pfs), Steps(LOOKS)
    for line in view.lines:
        if line.problem:
            yield _refused_finding(view, line.entry, line.problem, lines)
    for row in view.rows:
        entry, spec = row.entry, row.spec
        if reason := spec.refusal(view.here):
            yield _spec_finding(view, "SB-E401", entry, f"nova-compute does not start: {reason}")
        yield from _dropped_keys(view, entry, spec)
        yield from _tags(view, entry, spec)
        yield from _migratable(view, entry, spec)
        if spec.is_everything:
            yield _matches_everything(view, entry, spec, guesses)
            continue
        yield from _unknown_keys(view, entry, spec, guesses)
        yield from _whole_pfs(view, row)
        yield from _other_pfs(view, row)
        yield from _matches_nothing(view, row, names, steps)


def _spec_finding(view: View, code: str, entry: Entry, problem: str, *, change: str = "") -> Finding:
    """`change`: what to write instead; without it, what follows from the rules."""
    remedy = restart_remedy(view.host, TARGET, change) if change else _correction(view, entry, entry.place)
    return Finding(code, entry.place, problem, evidence=entry.text, remedy=remedy)


def _correction(view: View, entry: Entry, place: str) -> str:
    """One of our lines is rendered again; another may be for devices without a rule."""
    remedy = render_remedy(view.host, TARGET, entry)
    return f"correct {place}, or {remedy}" if remedy.startswith("remove ") else remedy


def _refused_finding(view: View, entry: Entry, problem: SpecProblem, lines: Mapping[str, Entry]) -> Finding:
    """`lines`: every entry by its place."""
    text = entry.resolved
    if SKIPPED_DOMAIN.fullmatch(problem.reason):  # what is rendered would be refused as well
        change = f"remove that spec from {entry.place}: nova has no devices in such a domain"
        return _spec_finding(view, "SB-E401", entry, f"nova-compute does not start: {problem.reason}", change=change)
    if not problem.line:
        return _spec_finding(view, "SB-E401", entry, f"nova-compute does not start: {problem.reason}")
    line = text.split("\n")[problem.line - 1]
    where = f"column {problem.column} of the value" if problem.line == 1 else f"column {problem.column}"
    start = max(0, problem.column - 1 - AROUND)
    near = line[start : problem.column - 1 + AROUND]
    why = f"{problem.reason}{_json_hint(entry, text, problem, lines)}"
    said = f"invalid JSON at {where}: {why}: nova-compute does not start"
    place = f"{entry.path}:{entry.line + problem.line - 1}"
    remedy = _correction(view, entry, place)
    # A later line may be an option indented by mistake, whose value must not be shown.
    evidence = f"{entry.option}: ...{near}..." if near and problem.line == 1 else entry.text
    return Finding("SB-E401", place, said, evidence=evidence, remedy=remedy)


def _json_hint(entry: Entry, text: str, problem: SpecProblem, lines: Mapping[str, Entry]) -> str:
    after = lines.get(f"{entry.path}:{entry.line + text.count(chr(10)) + 1}")
    if after and after.option.startswith(('"', "{", "[", "}", "]", "'")):
        return f"; line {after.line} continues it without indentation, so nova only reads the first part"
    if hint := hint_at_quotes(text):
        return hint
    if problem.reason.startswith(("Unterminated string", "Invalid control character")) or text.count('"') % 2:
        return "; a quote is missing"
    return ""


def _tags(view: View, entry: Entry, spec: DeviceSpec) -> Iterator[Finding]:
    """Values that nova accepts but compares with a string from the port, which they never equal."""
    for key in TEXT_TAGS:
        value = spec.tags.get(key)
        if value is None or key in spec.unknown:
            continue
        if not isinstance(value, str):
            problem = f"{key} must be a string, but is {json.dumps(value)}: nova compares it with strings"
        elif key == "trusted" and value.lower() not in {"true", "false"}:
            problem = f'trusted must be "true", but is "{value}": no port that asks for it gets these VFs'
        else:
            continue
        right = str(bool(parse_boolean(value))).lower() if key == "trusted" else value
        change = f'write "{key}": "{right}" at {entry.place}'
        if isinstance(value, list | dict):
            change = f'write one string after "{key}" at {entry.place}'
        yield _spec_finding(view, "SB-E402", entry, problem, change=change)


def _dropped_keys(view: View, entry: Entry, spec: DeviceSpec) -> Iterator[Finding]:
    """Of a key that comes twice nova takes the last, and says nothing."""
    if not spec.dropped:
        return
    problem = f"{name_dropped(spec.dropped)} in one object: nova takes the last, and what came before is lost"
    where = next((key for key in spec.dropped if key in {"devname", "address"}), "")
    change = f"keep one of each at {entry.place}"
    if where:
        change = f"make an object for each {where} at {entry.place}: [{{...}}, {{...}}]"
    yield _spec_finding(view, "SB-E420", entry, problem, change=change)


def _migratable(view: View, entry: Entry, spec: DeviceSpec) -> Iterator[Finding]:
    """nova asks whether the key is there, and not what it says, before it decides whether libvirt is new enough."""
    value = spec.tags.get("live_migratable")
    if "live_migratable" in spec.unknown or value is None:
        return
    if parse_boolean(value) is False:
        said = json.dumps(value)
        problem = f"live_migratable: {said} counts as set: {REFUSES_OLD_LIBVIRT}"
        change = f"remove live_migratable from {entry.place} (without it VFs are not live-migratable either)"
        yield _spec_finding(view, "SB-W419", entry, problem, change=change)
    elif spec.tags.get("physical_network"):
        problem = f"nova ignores live_migratable for VFs with a physical_network, but {REFUSES_OLD_LIBVIRT}"
        change = f"remove live_migratable from {entry.place} (with it these VFs are not live-migratable either)"
        yield _spec_finding(view, "SB-W421", entry, problem, change=change)


def _matches_everything(view: View, entry: Entry, spec: DeviceSpec, guesses: Guesses) -> Finding:
    why = f": {_why_unknown(spec.unknown[0], view.host.release, guesses)}" if spec.unknown else ""
    problem = f"it matches every PCI device on this host{why}: nova may give any of them to a VM, even disks and PFs"
    return _spec_finding(view, "SB-E403", entry, problem)


def _unknown_keys(view: View, entry: Entry, spec: DeviceSpec, guesses: Guesses) -> Iterator[Finding]:
    for key in spec.unknown:
        why = _why_unknown(key, view.host.release, guesses)
        problem = f"{why}: nova treats it as a tag, so the spec matches more than intended"
        yield _spec_finding(view, "SB-W404", entry, problem, change=f'correct "{key}" at {entry.place}, or remove it')


def _why_unknown(key: str, release: OpenStackRelease, guesses: Guesses) -> str:
    name = key.removeprefix("address.")
    if name in SPEC_KEYS and name == key:
        return f"{key} exists since {OpenStackRelease(SPEC_KEYS[key])}, but release is {release}"
    fields = ("domain", "bus", "slot", "function")
    known = (
        fields if name != key else tuple(candidate for candidate in SPEC_KEYS if SPEC_KEYS[candidate] <= release.nova)
    )
    near = guesses.nearest(name, known)
    near = near or next((field for field in (*SELECTORS, *fields) if field.startswith(name) and name), "")
    return f'"{name}" is not a key of a spec' + (f": was {near} meant?" if near else "")


def _whole_pfs(view: View, row: Row) -> Iterator[Finding]:
    """One of our PFs, as a whole."""
    found = [function for function in row.named if not function.is_vf and function.port and function.port.vfs != ()]
    if not found:
        return
    names = shortlist([function.pf for function in found], SHOWN)
    chip = next((function.device.product_id for function in view.of_pf[found[0].pf] if function.is_vf), "")
    is_telling = chip and chip != found[0].device.product_id
    which = f' ("product_id": "{chip}" restricts it to VFs)' if is_telling else ""
    problem = f"it matches PF {names} itself: a VM that gets it takes all its VFs away{which}"
    yield _spec_finding(view, "SB-W405", row.entry, problem)


def _other_pfs(view: View, row: Row) -> Iterator[Finding]:
    """A spec that was meant for one of our PFs and also matches another's VFs."""
    found = row.named
    pfs_with_rule = sorted({function.pf for function in found if function.port and function.is_vf})
    others = sorted({function.pf for function in found if not function.port})
    if pfs_with_rule and others:
        mine, foreign = shortlist(pfs_with_rule, SHOWN), shortlist(others, SHOWN)
        problem = f"it is for the VFs of {mine}, but also matches those of {foreign}, which have no rule"
        yield _spec_finding(view, "SB-W409", row.entry, f"{problem}: VMs get them too")


def _matches_nothing(view: View, row: Row, names: NetdevNames, steps: Steps) -> Iterator[Finding]:
    """Only specs clearly meant for a NIC, and not for one that a rule is waiting for."""
    spec = row.spec
    place = spec.place_in(view.here)
    if (
        row.named
        or not row.is_known
        or not (spec.devname or spec.tags.get("physical_network"))
        or spec.refusal(view.here)
    ):
        return
    is_exact = bool(spec.devname or (place and place.single))
    if (is_exact and any(wish.pf is None for wish in view.host.wishes)) or _may_fit(view, spec, steps):
        return
    problem = "it matches no PF and no VF on this host"
    if spec.devname:
        problem = f'no PF or VF has the netdev "{spec.devname}"{names.why_unknown(spec.devname, "nova")}'
    yield _spec_finding(view, "SB-W410", row.entry, problem)


def _may_fit(view: View, spec: DeviceSpec, steps: Steps) -> bool:
    """Whether it may match VFs whose ids and addresses their PF does not reveal; also if it is too much to find out."""
    if spec.product_id == ANY:
        return False
    try:
        steps.take(len(view.vague))
    except TooMuch:
        return True
    return any(spec.matches(replace(function.device, product_id=spec.product_id), view.here) for function in view.vague)
