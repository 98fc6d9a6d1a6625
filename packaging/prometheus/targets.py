#!/usr/bin/env python3
"""Inventory -> targets for Prometheus: the compute hosts known to Ansible or nova, as a file for file_sd_configs.

    ansible-inventory --list | targets.py --group compute --label rack >compute.json
    openstack aggregate list --long -f json | targets.py --label rack >compute.json

The same text, served as application/json, works for http_sd_configs. Only the standard library is needed. A host in
several aggregates gets one label value with all their names, sorted, so that no sum counts it twice.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

PORT = 10049
Labels = dict[str, str]


class InventoryError(Exception):
    """The input is not an inventory of either kind."""


def main() -> int:
    arguments = parse()
    try:
        hosts = dict(sorted(read(sys.stdin.read(), arguments)))
    except InventoryError as error:
        print(f"targets: {error}", file=sys.stderr)
        return 1
    if not hosts:
        print("targets: no hosts in the inventory: an empty list would end every series of the fleet", file=sys.stderr)
        return 1
    targets = [
        {"targets": [address if has_port(address) else f"{bracketed(address)}:{arguments.port}"], "labels": labels}
        for address, labels in hosts.values()
    ]
    json.dump(targets, sys.stdout, indent=2)
    print()
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--group", default="all", help="a group of the Ansible inventory, including its child groups")
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="NAME[=KEY]",
        help="a label, taken from the host variable or aggregate property NAME, or KEY if given",
    )
    parser.add_argument(
        "--port", type=int, default=PORT, help="the port of metrics.listen on the hosts (default: %(default)s)"
    )
    return parser.parse_args()


def read(text: str, arguments: argparse.Namespace) -> Iterator[tuple[str, tuple[str, Labels]]]:
    """(name, (address, labels)) of each host."""
    try:
        inventory = json.loads(text)
    except ValueError as error:
        raise InventoryError(f"not JSON: {error}") from error
    wanted = [(name, key or name) for name, _, key in (one.partition("=") for one in arguments.label)]
    if isinstance(inventory, dict) and isinstance(inventory.get("_meta"), dict):
        return of_ansible(inventory, arguments.group, wanted)
    if isinstance(inventory, list) and all(isinstance(one, dict) and "Hosts" in one for one in inventory):
        return of_aggregates(inventory, wanted)
    raise InventoryError(
        "neither output of `ansible-inventory --list` nor of `openstack aggregate list --long -f json`"
        " (older clients omit the hosts)"
    )


def of_ansible(
    inventory: dict[str, Any], group: str, wanted: list[tuple[str, str]]
) -> Iterator[tuple[str, tuple[str, Labels]]]:
    variables = inventory["_meta"].get("hostvars", {})
    if group not in inventory:
        raise InventoryError(f'there is no group "{group}"')
    for host in members(inventory, group, set()):
        own = variables.get(host, {})
        labels = {name: str(own[key]) for name, key in wanted if key in own}
        yield host, (str(own.get("ansible_host", host)), {"instance": host} | labels)


def members(inventory: dict[str, Any], group: str, seen: set[str]) -> Iterator[str]:
    """The hosts of a group and of its child groups."""
    if group in seen:
        return
    seen.add(group)
    about = inventory.get(group, {})
    yield from about.get("hosts", [])
    for child in about.get("children", []):
        yield from members(inventory, child, seen)


def of_aggregates(
    aggregates: list[dict[str, Any]], wanted: list[tuple[str, str]]
) -> Iterator[tuple[str, tuple[str, Labels]]]:
    values: dict[str, dict[str, set[str]]] = {}
    for aggregate in aggregates:
        properties = aggregate.get("Properties") or {}
        found = {"aggregate": aggregate["Name"], "zone": aggregate.get("Availability Zone")}
        found |= {name: properties.get(key) for name, key in wanted}
        for host in aggregate["Hosts"]:
            for name, value in found.items():
                if value:
                    values.setdefault(host, {}).setdefault(name, set()).add(str(value))
    for host, labels in values.items():
        yield host, (host, {"instance": host} | {name: ",".join(sorted(some)) for name, some in labels.items()})


def has_port(address: str) -> bool:
    name, _, port = address.rpartition(":")
    return bool(name) and port.isdigit() and (":" not in name or name.endswith("]"))


def bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address and not address.startswith("[") else address


if __name__ == "__main__":
    sys.exit(main())
