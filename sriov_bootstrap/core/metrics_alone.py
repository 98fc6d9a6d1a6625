"""What a broken config still says of the metrics endpoint.

An endpoint that is open although the config protects it or switches it off is a breach; one that is closed hides the
metric that tells of the broken config. So what [metrics] says is taken wherever it is certain, whatever else is wrong;
and it is uncertain only where a file that cannot be understood, or a key that is lost, may be about the endpoint.
"""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from sriov_bootstrap.core.config import Metrics
from sriov_bootstrap.core.decode import MAX_FILE_BYTES, ConfigFile, check_table, effective, parse

KEYS = {"listen", "web_config"}  # who may see the metrics; no other table has such keys
WORDS = re.compile(rb"\b(?:metrics|listen|web_config)\b")


def metrics_alone(files: Iterable[ConfigFile]) -> Metrics | None:
    """[metrics] of these files, merged as decode() does. None: what they say of the endpoint is uncertain.

    A file that cannot be used may also be the rest of one that was about it, as long as it hides a file that is.
    """
    files, said = tuple(files), dict[str, Any]()
    for file in effective(files):
        problems, document = parse(file)
        hidden = (other for other in files if other.is_drop_in and file.is_drop_in and other.name == file.name)
        if problems and any(map(_may_be_about_it, (file, *hidden))):
            return None
        table = document.pop("metrics", {})
        if check_table(file.path, "metrics", table) or _has_lost_key(document):
            return None
        said |= table
    return msgspec.convert(said, Metrics)


def _may_be_about_it(file: ConfigFile) -> bool:
    """Of a file that is no TOML, or not trusted: its text may be broken anywhere, so a word is enough."""
    text = file.untrusted if file.problem else file.data
    if text is None or len(text) > MAX_FILE_BYTES or b"\0" in text:  # UTF-16 too, as some editors save it
        return True
    if text and not text.endswith(b"\n"):  # as a crash leaves a file: what is missing may be about it
        return True
    lines = text.splitlines()
    return any(WORDS.search(line.partition(b"#")[0]) for line in lines)


def _has_lost_key(document: dict[str, Any]) -> bool:
    """Whether a key of the endpoint is elsewhere, as below a header that is misspelt. Tables may be nested deeply."""
    rest: list[Any] = [document]
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            if KEYS & value.keys():
                return True
            rest += value.values()
        elif isinstance(value, list):
            rest += value
    return False
