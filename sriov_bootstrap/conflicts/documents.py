"""YAML and JSON files: anything not of the shape that its program expects is skipped.

Their texts are `Word`s, which know their line.
"""

import re
from collections import deque
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from sriov_bootstrap.conflicts.master import MAX_COUNT, line_of
from sriov_bootstrap.conflicts.survey import Source
from sriov_bootstrap.formats.located import Table

MAX_NODES = 20_000
SHOWN = 8
# Of the formats: any other key may be a secret word.
KEYS = frozenset(
    {
        *("network", "version", "ethernets", "vlans", "match", "set-name", "link", "virtual-function-count"),
        *("network_config", "type", "name", "numvfs", "members", "interfaces", "num_vfs", "pciaddress", "spec"),
        *("embedded-switch-mode", "macaddress", "driver", "device", "vfid", "device_type"),
        *("ethernet", "sr-iov", "total-vfs", "vfs", "identifier"),
    }
)
MERGE = re.compile(r"^[^#\n]{0,256}?(?:^|[\s{,])<<[ \t]*:[ \t]", re.MULTILINE)
INTEGER = re.compile(  # of YAML 1.1, as PyYAML's resolver has it, without sign and sexagesimal
    r"\+?(?:0b([01_]{1,40})|0x([0-9a-fA-F_]{1,20})|(0[0-7_]{0,20})|([1-9][0-9_]{0,20}))"
)
DECIMAL = re.compile(r"[+ ]*([0-9]{1,20}) *", re.ASCII)


class Key(Struct, frozen=True):
    """A key in a file."""

    source: Source
    key: str
    value: str
    line: int


def every_table(document: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - YAML gives anything
    """Every mapping in a document; one repeated by an alias comes once."""
    queue, seen = deque([document]), set[int]()
    while queue and len(seen) < MAX_NODES:
        value = queue.popleft()
        if not isinstance(value, dict | list) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            yield value
            queue += value.values()
        else:
            queue += value


def has_merge(source: Source) -> bool:
    """Whether it has `<<`, which is no key of YAML 1.2: PyYAML takes in the mapping that is named, others refuse it."""
    return "<<" in source.text and MERGE.search(source.text) is not None


def dropped_notes(path: str, document: Any) -> list[str]:  # noqa: ANN401 - YAML gives anything
    """What the file's own reader drops without a word: of a key that comes twice, it takes the last."""
    lost = [item for table in every_table(document) if isinstance(table, Table) for item in table.dropped.items()]
    named = [(line, key if key in KEYS else "a key") for key, line in lost]
    return [
        f"{path}:{line}: {key} comes again below in the same mapping, and only the last one counts"
        for line, key in sorted(named)[:SHOWN]
    ]


def table_of(value: Any, key: str) -> dict[str, Any]:  # noqa: ANN401
    """The table below `key`; {} where there is none."""
    inner = value.get(key) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def text_of(table: dict[str, Any], key: str) -> str:
    """The text below `key`; "" where there is none."""
    value = table.get(key)
    return value if isinstance(value, str) else ""


def texts_of(table: dict[str, Any], key: str) -> list[str]:
    """The same, if the value may be one text or a list of them."""
    value = table.get(key)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else [text_of(table, key)]


def key_of(source: Source, table: dict[str, Any], key: str) -> Key:
    """The key, and where it is."""
    value = text_of(table, key)
    return Key(source, key, value, line_of(table.get(key)))


def yaml_number(value: Any) -> int | None:  # noqa: ANN401 - YAML gives anything
    """What int() makes of what PyYAML makes of it; None if that fails, or is no number of VFs."""
    if not isinstance(value, str):
        return None
    if getattr(value, "is_plain", True) and (found := INTEGER.fullmatch(value)):
        base, digits = next((base, text) for base, text in zip((2, 16, 8, 10), found.groups(), strict=True) if text)
        digits = digits.replace("_", "")
        number = int(digits, base) if digits else MAX_COUNT + 1
    else:
        number = int(found[1]) if (found := DECIMAL.fullmatch(value)) else MAX_COUNT + 1
    return number if number <= MAX_COUNT else None
