"""to_toml: the tables of the config as TOML text."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

DOCUMENTATION = r"""
name: to_toml
author: sriov-bootstrap maintainers
version_added: 0.1.0
short_description: The tables of a config as TOML
description:
  - A list becomes an array of tables, a mapping becomes a table.
  - Keys keep their order, so the same variables always give the same text.
options:
  _input:
    description: The tables by name.
    type: dict
    required: true
"""

EXAMPLES = r"""
text: "{{ {'pf': sriov_bootstrap_pf, 'boot': {'wait_for_pf_seconds': 90}} | sriov_bootstrap.host.to_toml }}"
"""

RETURN = r"""
_value:
  description: The text.
  type: str
"""

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(tables: Mapping[str, object]) -> str:
    """The text; TypeError names the key of a value that TOML cannot represent."""
    return "\n".join(block for name, content in tables.items() for block in _blocks(str(name), content))


def _blocks(name: str, content: object) -> Iterator[str]:
    """A table, or one for each entry of a list."""
    if isinstance(content, Mapping):
        yield _block(f"[{_key(name)}]", name, content)
    elif isinstance(content, Sequence) and not isinstance(content, str):
        for number, entry in enumerate(content, 1):
            if not isinstance(entry, Mapping):
                raise TypeError(f"{name}, number {number}: must be a mapping, but is {entry!r}")
            yield _block(f"[[{_key(name)}]]", f"{name}, number {number}", entry)
    else:
        raise TypeError(f"{name}: must be a mapping or a list of mappings, but is {content!r}")


def _block(header: str, where: str, table: Mapping[str, object]) -> str:
    lines = [f"{_key(key)} = {_value(value, f'{where}: {key}')}" for key, value in table.items()]
    return "\n".join([header, *lines, ""])


def _value(value: object, where: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int | float):
        return repr(float(value)) if isinstance(value, float) else str(int(value))
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_key(key)} = {_value(one, f'{where}: {key}')}" for key, one in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, Sequence):
        return f"[{', '.join(_value(one, where) for one in value)}]"
    raise TypeError(f"{where}: TOML cannot represent {value!r}: omit the key")


def _key(key: object) -> str:
    text = str(key)
    return text if BARE_KEY.fullmatch(text) else _text(text)


def _text(text: str) -> str:
    """JSON's escapes are TOML's, except for DEL, which JSON does not escape."""
    return json.dumps(str(text), ensure_ascii=False).replace("\x7f", "\\u007f")


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, object]:
        return {"to_toml": to_toml}
