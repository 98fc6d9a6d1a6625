"""docs/man against the code: a page that lacks an option, or has one that is gone, sends people the wrong way."""

import argparse
import re
import subprocess
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import get_args

import pytest
from msgspec import Struct
from msgspec.structs import fields

from sriov_bootstrap.arguments import make_parser
from sriov_bootstrap.base.errors import ExitCode
from sriov_bootstrap.core.config import Boot, Config, Match, Metrics, OpenStack, PfRule, Services
from sriov_bootstrap.core.drivers import DRIVERS, VfAttribute
from sriov_bootstrap.core.packagings import KNOWN_CONSUMERS, MARKERS
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import PfState
from sriov_bootstrap.core.vf_attributes import VfTable
from sriov_bootstrap.core.vf_operations import OPERATIONS
from sriov_bootstrap.core.vf_tables import LIMITS

MAN = Path(__file__).parents[2] / "docs" / "man"
UNSHOWN = ["run", "check-config", "helper"]  # the daemon; in sriov-bootstrap.toml(5); not for people
COMMAND = (MAN / "sriov-bootstrap.8").read_text()
CONFIG = (MAN / "sriov-bootstrap.toml.5").read_text()


def _section(text: str, name: str) -> str:
    """What stands below `.Sh NAME` or `.Ss NAME`, up to the next of either."""
    found = re.search(rf"^\.S[hs] {re.escape(name)}(?::.*)?\n((?:(?!\.S[hs] ).*\n)*)", text, re.MULTILINE)
    assert found, f"no section {name}"
    return found[1]


def _names(text: str) -> set[str]:
    return set(re.findall(r"^\.Cm (\w+)", text, re.MULTILINE))


def _items(text: str, macro: str) -> set[str]:
    lines = re.findall(rf"^\.It {macro} (.*)$", text, re.MULTILINE)
    return {line.split()[0] for line in lines}


def _parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for child in _children(parser).values():
        yield from _parsers(child)


def _children(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    actions = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]  # noqa: SLF001 - no other way
    return {name: child for action in actions for name, child in action.choices.items()}


def _options() -> set[str]:
    found = {text for one in _parsers(make_parser()) for action in one._actions for text in action.option_strings}  # noqa: SLF001
    assert "--once" in found
    return found


def test_the_options_of_the_page_are_those_of_the_parser() -> None:
    documented = re.findall(r"^\.It (Fl .*)$", _section(COMMAND, "OPTIONS"), re.MULTILINE)
    assert {f"-{one}" for line in documented for one in re.findall(r"Fl (-?[a-z-]+)", line)} == _options()


def test_the_synopsis_has_no_option_that_the_parser_lacks() -> None:
    used = {f"-{one}" for one in re.findall(r"Fl (-?[a-z-]+)", _section(COMMAND, "SYNOPSIS"))}
    assert used <= _options()


def test_the_commands_of_the_page_are_those_of_the_parser() -> None:
    assert _items(_section(COMMAND, "DESCRIPTION"), "Cm") == set(_children(make_parser()))


def test_the_exit_codes_of_the_page_are_those_of_the_code() -> None:
    documented = re.findall(r"^\.It (\d+)$", _section(COMMAND, "EXIT STATUS"), re.MULTILINE)
    assert documented == [str(int(code)) for code in sorted(ExitCode)]


def test_the_page_explains_every_state_and_reason() -> None:
    documented = re.findall(r"^\.It Cm (\w+)$", _section(COMMAND, "STATES"), re.MULTILINE)
    assert documented == [*PfState, *Reason]


def test_the_page_has_an_example_of_each_command_that_people_type() -> None:
    examples = _section(COMMAND, "EXAMPLES")
    assert [name for name in _children(make_parser()) if f"sriov-bootstrap {name}" not in examples] == UNSHOWN


def test_every_command_whose_answer_can_be_3_is_named_there() -> None:
    text = _section(COMMAND, "EXIT STATUS").partition(".It 3\n")[2].partition(".It ")[0]
    assert _names(text) == {"status", "doctor", "release", "render", "verify"}


TABLES = (
    ("PF RULES", PfRule),
    ("SELECTORS", Match),
    ("ATTRIBUTES OF VFS", VfTable),
    ("[services]", Services),
    ("[metrics]", Metrics),
    ("[boot]", Boot),
    ("[openstack]", OpenStack),
)


@pytest.mark.parametrize(("section", "struct"), TABLES, ids=[name for name, _ in TABLES])
def test_the_keys_of_the_page_are_those_of_the_code(section: str, struct: type[Struct]) -> None:
    assert _items(_section(CONFIG, section), "Ic") == set(struct.__struct_fields__)


def test_every_table_has_its_section() -> None:
    assert {f"[{name}]" for name in Config.__struct_fields__} - {"[pf]"} == {
        name for name, _ in TABLES if name[0] == "["
    }


WORDS = [
    (section, word)
    for section, struct in TABLES
    for field in fields(struct)
    for kind in (field.type, *get_args(field.type))
    if isinstance(kind, type) and issubclass(kind, StrEnum)
    for word in kind
]


@pytest.mark.parametrize(("section", "word"), WORDS, ids=[word for _, word in WORDS])
def test_every_word_of_a_key_is_explained(section: str, word: str) -> None:
    assert rf"\(dq{word}\(dq" in _section(CONFIG, section)


@pytest.mark.parametrize("key", LIMITS)
def test_the_limits_of_an_attribute_are_those_of_the_code(key: str) -> None:
    lowest, highest, _ = LIMITS[key]
    if not key.endswith("_rate"):  # limited by the kernel's type alone
        assert f"from {lowest} to {highest}" in _entry(key)


@pytest.mark.parametrize("key", ["trust", "spoofchk", "link_state"])
def test_the_drivers_that_cannot_set_an_attribute_are_named(key: str) -> None:
    """But for those that can set none."""
    cannot = {driver.name for driver in DRIVERS if driver.attributes and not driver.can_set(OPERATIONS[key])}
    assert {*re.findall(r"\w+", _entry(key).rpartition("\nNot on ")[2])} - {"and"} == cannot


@pytest.mark.parametrize(
    ("key", "attribute"), [("query_rss", "query_rss"), ("msix_vectors", "msix"), ("vlan_protocol", "vlan_8021ad")]
)
def test_the_few_drivers_that_can_set_an_attribute_are_named(key: str, attribute: VfAttribute) -> None:
    can = {driver.name for driver in DRIVERS if driver.can_set(attribute)}
    (line,) = [one for one in _entry(key).splitlines() if one.endswith(" only.") or one.startswith("Only ")]
    assert {driver.name for driver in DRIVERS if re.search(rf"\b{driver.name}\b", line)} == can


def _entry(key: str) -> str:
    section = _section(CONFIG, "ATTRIBUTES OF VFS")
    return section.partition(f".It Ic {key}\n")[2].partition(".It ")[0].partition(".El")[0]


def test_every_path_by_which_a_packaging_is_recognized_is_named() -> None:
    assert [marker for marker in MARKERS if f".Pa {marker}\n" not in _section(CONFIG, "[openstack]")] == []


@pytest.mark.parametrize(
    ("key", "table"),
    [(key, table) for table in (Services, Boot) for key in table.__struct_fields__ if key.endswith("_seconds")],
)
def test_the_defaults_of_the_page_are_those_of_the_code(key: str, table: type[Services] | type[Boot]) -> None:
    entry = CONFIG.partition(f".It Ic {key}\n")[2].partition(".It ")[0]
    assert f"Default {getattr(table(), key):g}." in entry


def test_the_page_names_the_default_port() -> None:
    assert f".Ql {Metrics().listen}" in CONFIG


@pytest.mark.parametrize("unit", KNOWN_CONSUMERS)
def test_the_page_names_every_unit_that_is_restarted(unit: str) -> None:
    assert f"\n{unit}\n" in _section(CONFIG, "[services]")


@pytest.mark.parametrize("page", sorted(MAN.iterdir()), ids=lambda page: page.name)
def test_mandoc_has_nothing_to_say(page: Path) -> None:
    """References to manuals that are not installed here are no fault of the page, nor is a stale index of them."""
    said = subprocess.run(["mandoc", "-T", "lint", str(page)], check=False, capture_output=True, text=True).stdout
    assert [line for line in said.splitlines() if "referenced manual not found" not in line] == []
