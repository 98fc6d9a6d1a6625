import re
from pathlib import Path

import pytest

import sriov_bootstrap
from sriov_bootstrap.core.plurals import quantity, shortlist

SOURCES = Path(sriov_bootstrap.__file__).parent
NOUNS = "VFs|PFs|processes|netdevs|findings|errors|warnings"


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (0, ("VF",), "0 VFs"),
        (1, ("VF",), "1 VF"),
        (7, ("VF",), "7 VFs"),
        (1, ("process", "processes"), "1 process"),
        (2, ("process", "processes"), "2 processes"),
        (0, ("VF is ours", "VFs are ours"), "0 VFs are ours"),
    ],
)
def test_one_thing_is_no_plural(number: int, words: tuple[str, ...], text: str) -> None:
    assert quantity(number, *words) == text


@pytest.mark.parametrize(
    ("names", "between", "text"),
    [
        ("", ", ", ""),
        ("ab", ", ", "a, b"),
        ("abc", ", ", "a, b and 1 more"),
        ("ab", "; ", "a; b"),
        ("abcde", "; ", "a; b; and 3 more"),
    ],
)
def test_of_many_names_the_first_are_said_and_the_others_counted(names: str, between: str, text: str) -> None:
    assert shortlist(names, 2, between) == text


def test_no_message_puts_a_plural_after_a_number_by_itself() -> None:
    """Every number in braces that a plural follows is one that `quantity` should have written."""
    texts = {path: path.read_text() for path in SOURCES.rglob("*") if path.suffix in {".py", ".j2"}}
    assert len(texts) > 100
    found = {str(path): re.findall(rf"[^\n]*}} (?:{NOUNS})\b[^\n]*", text) for path, text in texts.items()}
    assert {path: lines for path, lines in found.items() if lines} == {}
