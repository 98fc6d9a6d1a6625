"""The JSON Schema of the config, for editors: schema.py > sriov_bootstrap/templates/config.schema.json.

The types define what is allowed, the manual explains it, and neither is written twice.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import msgspec

from sriov_bootstrap.core.config import MAX_NUM_VFS, Config
from sriov_bootstrap.core.drivers import MODULE
from sriov_bootstrap.core.vf_tables import GUID, LIMITS, MAC

MANUAL = Path(__file__).parents[1] / "docs" / "man" / "sriov-bootstrap.toml.5"
ITEM = re.compile(r"^\.It Ic (\w+)\n(.*?)(?=^\.(?:It|El|S[hs])\b)", re.MULTILINE | re.DOTALL)
ESCAPES = {r"\(dq": '"', r"\&": "", r"\-": "-"}
NUM_VFS = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": MAX_NUM_VFS},
        {"type": "string", "pattern": "^(max|[1-9]?[0-9]%|100%)$"},
    ]
}
SECTIONS = {
    "PfRule": "PF RULES",  # it has a key mtu, as VFs have
    "Match": "SELECTORS",
    "VfTable": "ATTRIBUTES OF VFS",  # both have a key mac
    "Eswitch": "THE SWITCH IN A NIC",
    "DevlinkParam": "THE SWITCH IN A NIC",
}
NUMBERS = r"[0-9]{1,5}( *- *[0-9]{1,5})?"
PATTERNS = {
    "vfs": f"^(all| *{NUMBERS} *(, *{NUMBERS} *)*)$",
    "mac": f"^(stable|{MAC})$",
    "driver": f"^({MODULE})$",
    "node_guid": f"^({GUID})$",
    "port_guid": f"^({GUID})$",
}


def main() -> None:
    sys.stdout.write(schema(MANUAL.read_text()))


def schema(manual: str) -> str:
    found: dict[str, Any] = msgspec.json.schema(Config)
    everywhere = _meanings(manual)
    for name, definition in found["$defs"].items():
        own = SECTIONS.get(name)
        meanings = everywhere | (_meanings(manual.partition(f".Sh {own}\n")[2].partition("\n.Sh ")[0]) if own else {})
        definition.pop("description", None)  # it is for readers of the code
        for key, value in definition.get("properties", {}).items():
            _without_null(value)
            if key in meanings:
                definition["properties"][key] = _described(value, meanings[key])
    rule = found["$defs"]["PfRule"]["properties"]
    rule["num_vfs"] |= NUM_VFS
    del rule["mtu"]["default"]  # it is not one of the values
    table = found["$defs"]["VfTable"]["properties"]
    for key, (lowest, highest, _) in LIMITS.items():
        table[key] |= {"minimum": lowest, "maximum": highest}
    for key, pattern in PATTERNS.items():
        table[key] |= {"pattern": re.sub("a-f", "A-Fa-f", pattern)}
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "sriov-bootstrap.toml(5)"}
    return json.dumps(head | found, indent=1) + "\n"


def _meanings(manual: str) -> dict[str, str]:
    return {key: plain(text) for key, text in ITEM.findall(manual)}


def plain(mdoc: str) -> str:
    """mdoc(7) -> plain text."""
    words = []
    for line in mdoc.splitlines():
        macro, _, rest = line.partition(" ") if line.startswith(".") else ("", "", line)
        if macro in {".Bl", ".El", ".It", ".Pp"}:
            continue
        text = re.sub(r"^(\S+) (\d)\b", r"\1(\2)", rest) if macro == ".Xr" else re.sub(r"\b(?:Pa|Ql) ", "", rest)
        words.append(f"({text})" if macro == ".Pq" else text)
    text = re.sub(r" ([.,:;])(?=[ )]|$)", r"\1", " ".join(words))
    for escape, character in ESCAPES.items():
        text = text.replace(escape, character)
    return re.sub(r":$", ".", text.strip())  # a list follows in the manual


def _without_null(value: dict[str, Any]) -> None:
    """TOML has none: such a key is left out."""
    kinds = [kind for kind in value.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        del value["anyOf"], value["default"]
        value |= kinds[0]


def _described(value: dict[str, Any], meaning: str) -> dict[str, Any]:
    """Older editors ignore what is beside a $ref, so the $ref goes into an allOf."""
    if "$ref" in value:
        return {"description": meaning, "allOf": [{"$ref": value.pop("$ref")}], **value}
    return {"description": meaning, **value}


if __name__ == "__main__":
    main()
