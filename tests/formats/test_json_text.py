"""Of a key that comes twice, what is lost."""

from typing import Any

import pytest

from sriov_bootstrap.formats.json_text import dropped_in, hint_at_quotes, load, name_dropped


@pytest.mark.parametrize(
    ("text", "dropped"),
    [
        ('{"a": 1, "b": 2}', {}),
        ('{"a": 1, "a": 2}', {"a": 1}),
        ('{"a": 1, "a": 1}', {}),
        ('{"a": 1, "a": 2, "a": 1}', {"a": 1}),
        ('{"a": {"b": 1, "b": 2}}', {"a.b": 1}),
        ('{"a": {"b": 1}, "a": {"b": 2, "b": 3}}', {"a": {"b": 1}, "a.b": 2}),
        ('[{"a": 1, "a": 2}]', {}),
        ("1", {}),
    ],
)
def test_what_is_dropped(text: str, dropped: dict[str, Any]) -> None:
    assert dropped_in(load(text)) == dropped


@pytest.mark.parametrize(
    ("dropped", "words"),
    [
        ({"a": "x"}, 'a ("x") comes twice'),
        ({"a": 1, "b": None}, "a (1) and b (null) come twice"),
        ({"a": 1, "b": 2, "c": [3]}, "a (1), b (2) and c ([3]) come twice"),
    ],
)
def test_how_it_is_named(dropped: dict[str, Any], words: str) -> None:
    assert name_dropped(dropped) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{'address': '0000:3b:00.0'}", "JSON needs double quotes"),
        ("""'{"address": "0000:3b:00.0"}'""", "the quotes around it are part of the value"),
        ('"{}"', "the quotes around it are part of the value"),
        (" '[]'", "the quotes around it are part of the value"),
        ('{"address": "it\'s"', ""),
        ("{", ""),
    ],
)
def test_what_its_quotes_have_to_do_with_it(text: str, words: str) -> None:
    hint = hint_at_quotes(text)
    assert words in hint
    assert bool(hint) is bool(words)
