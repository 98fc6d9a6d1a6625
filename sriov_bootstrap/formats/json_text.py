"""JSON as Python's own json.loads takes it, which is nova's parser; of a key that comes twice, the first is dropped."""

import json
from collections.abc import Iterable
from typing import Any


class JsonObject(dict[str, Any]):
    """An object, as a dict of what its reader takes. `dropped`: key -> the first value that another one replaces."""

    def __init__(self, pairs: Iterable[tuple[str, Any]]) -> None:
        """Of equal values nothing is lost."""
        super().__init__()
        self.dropped: dict[str, Any] = {}
        for key, value in pairs:
            if key in self and self[key] != value:
                self.dropped.setdefault(key, self[key])
            self[key] = value


def load(text: str) -> Any:  # noqa: ANN401 - JSON gives anything
    """Its objects are JsonObjects. Raises what json.loads does."""
    return json.loads(text, object_pairs_hook=JsonObject)


def dropped_in(value: object) -> dict[str, Any]:
    """Of an object from `load`, and of those right in it: `address.bus`; {} for anything else."""
    if not isinstance(value, JsonObject):
        return {}
    inner = {
        f"{key}.{name}": lost
        for key, inside in value.items()
        if isinstance(inside, JsonObject)
        for name, lost in inside.dropped.items()
    }
    return value.dropped | inner


def name_dropped(dropped: dict[str, Any]) -> str:
    """`devname ("ens1f0") and physical_network ("physnet1") come twice`: with the values that are lost."""
    named = [f"{key} ({json.dumps(value)})" for key, value in dropped.items()]
    return f"{named[0]} comes twice" if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]} come twice"


def hint_at_quotes(text: str) -> str:
    """What its quotes have to do with it if this is not JSON, to append to the parser's words; "" if nothing."""
    if text.strip()[:2] in {"'{", "'[", '"{', '"['}:
        return "; the quotes around it are part of the value: remove them"
    if "'" in text and '"' not in text:
        return "; JSON needs double quotes, also where nova's documentation has single ones"
    return ""
