"""nova's PCI aliases, by which flavors ask for VFs without a network: refused ones, and those that miss their VFs."""

import json
import re
from collections.abc import Iterator, Mapping

from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.nova_options import ALIAS, ALIAS_KEYS, places
from sriov_bootstrap.core.openstack_releases import ALIASES_CHECKED_SINCE, OpenStackRelease
from sriov_bootstrap.doctor.nova.view import View
from sriov_bootstrap.doctor.openstack.remedies import render_remedy, restart_remedy
from sriov_bootstrap.formats.ini import Entry
from sriov_bootstrap.formats.json_text import dropped_in, hint_at_quotes, load, name_dropped
from sriov_bootstrap.render.ports import Port, resolve_ports

TARGET = "nova-compute"
DEVICE_TYPES = ("type-PCI", "type-PF", "type-VF")
Alias = Mapping[str, object]


def check_aliases(view: View) -> Iterator[Finding]:
    """Refused ones; if there are none, also the rules without a matching one."""
    understood: list[tuple[Entry, Alias]] = []
    refused = False  # or not known
    for entry in view.service.values(*places(ALIAS, view.host.release)):
        if entry.has_reference:
            refused = True
            continue
        alias = _parse(entry.resolved, view.host.release)
        if isinstance(alias, str):
            refused = True
            yield _refused_finding(view, entry, alias)
        else:
            understood.append((entry, alias))
            yield from _dropped_keys(view, entry, alias)
    if view.service.is_known and not refused:
        of_name: dict[str, list[tuple[Entry, Alias]]] = {}
        for entry, alias in understood:
            of_name.setdefault(str(alias["name"]).strip(), []).append((entry, alias))
        for port in resolve_ports(view.host):
            if port.rule.alias and port.device:
                yield from _check_rule(view, port, of_name.get(port.rule.alias, []))


def _refused_finding(view: View, entry: Entry, reason: str) -> Finding:
    cost = "flavors with any alias fail"
    if view.host.release.nova >= ALIASES_CHECKED_SINCE:
        cost = "nova-compute does not start"
    return Finding(
        "SB-E417", entry.place, f"{reason}: {cost}", evidence=entry.text, remedy=render_remedy(view.host, TARGET, entry)
    )


def _dropped_keys(view: View, entry: Entry, alias: Alias) -> Iterator[Finding]:
    if dropped := dropped_in(alias):
        problem = f"{name_dropped(dropped)} in one alias: nova takes the last, and what came before is lost"
        remedy = restart_remedy(view.host, TARGET, f"keep one of each at {entry.place}, or make two aliases of it")
        yield Finding("SB-E420", entry.place, problem, evidence=entry.text, remedy=remedy)


def _parse(text: str, release: OpenStackRelease) -> Alias | str:
    """The alias, or why nova refuses it."""
    try:
        alias = load(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno} of the alias"
        return f"invalid JSON at {where}: {error.msg}{hint_at_quotes(text)}"
    except (ValueError, RecursionError):
        return "JSON that cannot be read"
    if not isinstance(alias, dict):
        return "an alias must be a JSON object"
    problems = (_key_problem(key, value, release) for key, value in alias.items())
    problem = next(filter(None, problems), "") if alias.get("name") else "an alias must have a name"
    return problem or alias


def _key_problem(key: str, value: object, release: OpenStackRelease) -> str:
    if key not in ALIAS_KEYS:
        return f'"{key}" is not a key of an alias'
    if release.nova < ALIAS_KEYS[key]:
        return f"{key} is a key of an alias since {OpenStackRelease(ALIAS_KEYS[key])}, but release is {release}"
    if not isinstance(value, str):
        return f"{key} of an alias must be a string, but is {json.dumps(value)}"
    if key in {"vendor_id", "product_id"} and not re.match(r"[\da-fA-F]{4}$", value):
        return f'{key} "{value}" of an alias must be four hexadecimal digits'
    if key == "device_type" and value not in DEVICE_TYPES:
        return f'device_type "{value}" of an alias is not one of {", ".join(DEVICE_TYPES)}'
    return ""


def _check_rule(view: View, port: Port, named: list[tuple[Entry, Alias]]) -> Iterator[Finding]:
    if not named:
        problem = f'{port.label} has alias = "{port.rule.alias}", but nova-compute has no such alias'
        yield Finding("SB-W418", view.service.label, problem, remedy=render_remedy(view.host, TARGET))
    elif not any(_matches_port(alias, port) for _, alias in named):
        entry = named[0][0]
        problem = (
            f'alias "{port.rule.alias}" does not match the VFs of {port.label}, which are {port.vendor}:{port.device}'
        )
        yield Finding(
            "SB-W418", entry.place, problem, evidence=entry.text, remedy=render_remedy(view.host, TARGET, entry)
        )


def _matches_port(alias: Alias, port: Port) -> bool:
    """With a resource_class, matching is up to placement."""
    ids = {"vendor_id": port.vendor, "product_id": port.device}
    return alias.get("device_type", "type-VF") == "type-VF" and (
        "resource_class" in alias or all(str(alias.get(key, digits)).lower() == digits for key, digits in ids.items())
    )
