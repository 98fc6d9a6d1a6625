"""What programs rely on, written down a line each: the keys of a schema, and those of answers as they are printed."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

WORDS = {"state", "reason", "outcome", "severity", "type"}  # of these keys the values are part of the contract
NAMES = (
    (re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]"), "PCI_ADDRESS"),
    (re.compile(r"SB-[EW]\d{3}"), "CODE"),
    (re.compile(r"\S+\.service"), "UNIT"),
)
TYPES = {bool: "boolean", int: "number", float: "number", str: "string", type(None): "null"}


def schema_lines(schema: dict[str, Any]) -> list[str]:
    """`pfs[].state  ok | pending`, with the default where there is one, and `!` behind a key that has to be there.

    Nothing has the name of a class: that may change.
    """
    return list(dict.fromkeys(_Schema(schema).lines("", schema)))


class _Schema:
    def __init__(self, schema: dict[str, Any]) -> None:
        self._definitions = schema.get("$defs", {})

    def lines(self, path: str, node: dict[str, Any]) -> Iterator[str]:
        """Of a value, and of all that is in it."""
        node = self._resolved(node)
        choices = self._choices(node)
        default = node.get("default", [])
        shown = "" if isinstance(default, dict | list) else f" = {default!r}"
        if words := sorted(word for one in choices for word in _words(one)):
            yield f"{path}  {' | '.join(words)}{shown}"
        for one in choices:
            yield from self._within(path, one)

    def _within(self, path: str, node: dict[str, Any]) -> Iterator[str]:
        values = node.get("properties", {})
        tag = next((f"({one['enum'][0]})" for one in values.values() if len(one.get("enum", ())) == 1), "")
        lead = f"{path}{tag}." if path else ""
        for key, value in values.items():
            yield from self.lines(f"{lead}{key}{'!' if key in node.get('required', ()) else ''}", value)
        for inner, mark in ((node.get("additionalProperties"), ".*"), (node.get("items"), "[]")):
            if isinstance(inner, dict):
                yield from self.lines(path + mark, inner)

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        """With what it refers to; a schema that describes it as well has that in an allOf."""
        for inner in (node, *node.get("allOf", ())):
            if "$ref" in inner:
                meant: dict[str, Any] = self._definitions[inner["$ref"].rpartition("/")[2]]
                return node | meant
        return node

    def _choices(self, node: dict[str, Any]) -> list[dict[str, Any]]:
        if "anyOf" not in node:
            return [node]
        return [one for inner in node["anyOf"] for one in self._choices(self._resolved(inner))]


def _words(node: dict[str, Any]) -> list[str]:
    if "enum" in node:
        return list(node["enum"])
    return [] if node.get("type") in {"object", "array"} else [node.get("type", "anything")]


def answer_lines(answers: Iterable[object]) -> list[str]:
    """The same of what was printed: all keys of all answers, and of some keys every value."""
    seen: dict[str, set[str]] = {}

    def walk(path: str, value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{path}.{_named(key)}".lstrip("."), inner)
        elif isinstance(value, list):
            seen.setdefault(f"{path}[]", set())
            for inner in value:
                walk(f"{path}[]", inner)
        else:
            is_word = path.rpartition(".")[2] in WORDS and isinstance(value, str)
            seen.setdefault(path, set()).add(str(value) if is_word else TYPES[type(value)])

    for answer in answers:
        walk("", answer)
    return [f"{path}  {' | '.join(sorted(seen[path]))}".rstrip() for path in sorted(seen)]


def _named(key: str) -> str:
    """A key that is data says what it is."""
    return next((name for pattern, name in NAMES if pattern.fullmatch(key)), key)
