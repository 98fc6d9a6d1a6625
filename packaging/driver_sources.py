"""Checks the table of drivers against a kernel's source: driver_sources.py TREE.

For a new kernel, or a new row: what a row says of a driver is read by hand, but that each function is there, and that a
driver has the operations that its row lists and no others, is checked here.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from sriov_bootstrap.core.driver_sources import SOURCES, KernelSource
from sriov_bootstrap.core.drivers import DRIVERS, Driver, VfAttribute

OPERATIONS: dict[str, VfAttribute] = {  # include/linux/netdevice.h, struct net_device_ops
    "ndo_set_vf_mac": "mac",
    "ndo_set_vf_vlan": "vlan",
    "ndo_set_vf_rate": "max_rate",
    "ndo_set_vf_spoofchk": "spoofchk",
    "ndo_set_vf_trust": "trust",
    "ndo_set_vf_link_state": "link_state",
    "ndo_set_vf_rss_query_en": "query_rss",
    "ndo_get_vf_stats": "stats",
}


def main() -> int:
    if len(sys.argv) != 2 or not (tree := Path(sys.argv[1])).is_dir():  # noqa: PLR2004 - the program and TREE
        sys.exit("usage: driver_sources.py TREE, where TREE is the directory of a kernel's source")
    rows = [driver for driver in DRIVERS if SOURCES[driver.name].file.startswith("drivers/")]
    problems = [f"{driver.name}: {problem}" for driver in rows for problem in _problems(tree, driver)]
    print(*problems, f"{len(rows)} rows, {len(problems)} problems", sep="\n")
    return 1 if problems else 0


def _problems(tree: Path, driver: Driver) -> Iterator[str]:
    source = SOURCES[driver.name]
    if not (tree / source.file).is_file():
        yield f"no file {source.file}"
        return
    for name in filter(None, (*source.cells.values(), source.role)):
        text, function = _look_up(tree, source, name)
        if not re.search(rf"^(?:\w.*[ *])?{function}\(", text, re.MULTILINE):
            yield f"no function {name}"
    if driver.no_eswitch and "eswitch_mode_set" in _look_up(tree, source, "")[0]:
        yield "there is an eswitch_mode_set, unlike no_eswitch in its row"
    if source.operations:
        text, name = _look_up(tree, source, source.operations)
        table = re.search(rf"net_device_ops {name}\s*= {{(.*?)\n}};", text, re.DOTALL)
        yield from _operation_problems(driver, source, table[1]) if table else [f"no net_device_ops {name}"]


def _operation_problems(driver: Driver, source: KernelSource, table: str) -> Iterator[str]:
    for operation, attribute in OPERATIONS.items():
        found = re.search(rf"\.{operation}\s*=\s*(\w+)", table)
        if bool(found) is not driver.can_set(attribute):
            yield f"{operation} is {'there' if found else 'missing'}, unlike {attribute} in its row"
        elif found and found[1] not in {source.cells[attribute], source.cells[attribute].rpartition(":")[2]}:
            yield f"{operation} is {found[1]}, not {source.cells[attribute]}"


def _look_up(tree: Path, source: KernelSource, name: str) -> tuple[str, str]:
    """The text in which a name should be found, and that name."""
    elsewhere, _, bare = name.rpartition(":")
    paths = [tree / elsewhere] if elsewhere else sorted((tree / source.file).parent.rglob("*.[ch]"))
    return "\n".join(path.read_text(errors="replace") for path in paths), bare


if __name__ == "__main__":
    sys.exit(main())
