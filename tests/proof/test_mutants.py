"""`make mutants`: which changes it makes, which tests it takes for them, and what of an earlier run it keeps."""

import json
import sysconfig
from pathlib import Path

import pytest

from mutants.covering import OF_TABLES, Covering, importers, seconds_of
from mutants.mutations import Mutant, mutants, mutated
from mutants.overlay import Outcome, Trial
from mutants.run import EQUIVALENT, Equivalent, Version, candidates, earlier, equivalents, sample, share, summary

PACKAGE = Path(sysconfig.get_path("purelib"), "sriov_bootstrap")
NOW = Version("p1", "t1")


def made_of(source: str) -> list[str]:
    return [mutant.what for mutant in mutants("m.py", source)]


@pytest.mark.parametrize(
    ("body", "made"),
    [
        ("return a == b", ["a == b -> a != b"]),
        ("return a < b", ["a < b -> a >= b", "a < b -> a <= b"]),
        ("return a in b", ["a in b -> a not in b"]),
        ("return a < b < c", []),
        ("return a and b", ["a and b -> a or b"]),
        ("return not a", ["not a -> a"]),
        ("return 7", ["7 -> 8", "7 -> 6"]),
        ("return True", ["True -> False"]),
        ('return "a b"', ["'a b' -> ''"]),
        ('return ""', []),
        ("return None", []),
        ("yield a", ["yield a -> dropped"]),
        ("a.append(b)", ["a.append(b) -> dropped"]),
        ("a += b", ["a += b -> dropped"]),
        ("return f(a, b)", ["f(a, b) -> f(b, a)"]),
        ("return f(a, b.c)", []),
        ("return f(a=b)", ["f(a=b) -> f()"]),
        ("return f(**a)", []),
        ("return zip(a, b.c, strict=True)", []),
        ("return f'{not a} is there'", ["not a -> a"]),
        ("match a:\n        case 0:\n            return b", ["0 -> 1", "0 -> -1"]),
        ("assert a == b", []),
        ("assert_never(a)", []),
        ("...", []),
        ('"""Says what it does."""', []),
        ("a: Literal[7] = b", []),
    ],
)
def test_what_is_changed(body: str, made: list[str]) -> None:
    assert made_of(f"def f(a: Literal['x']) -> Literal[7]:\n    {body}\n") == made


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ('A = {"b": "what to do"}', ["'b' -> ''"]),
        ("@dataclass(frozen=True)\nclass A(Struct, frozen=True):\n    a: int = 0", ["0 -> 1", "0 -> -1"]),
        ("if TYPE_CHECKING:\n    A = 1", []),
        ("import a", []),
    ],
)
def test_what_a_module_has_of_tables_and_classes(source: str, made: list[str]) -> None:
    assert made_of(source) == made


def test_a_mutant_has_its_change_and_no_other() -> None:
    source = "def f(a):\n    # why\n    g(a)\n    return a == 1 or a == 1\n"
    found = list(mutants("m.py", source))
    flips = [mutant for mutant in found if mutant.what == "a == 1 -> a != 1"]
    assert [mutated(source, mutant.index).splitlines()[-1].strip() for mutant in flips] == [
        "return a != 1 or a == 1",
        "return a == 1 or a != 1",
    ]
    assert [mutant.nth for mutant in flips] == [0, 1]
    assert mutated(source, found[0].index) == "def f(a):\n    pass\n    return a == 1 or a == 1"


def test_a_generator_without_its_only_value_is_one_still() -> None:
    assert mutated("def f():\n    yield 7\n", 0) == "def f():\n    yield from ()"


def test_a_run_has_the_same_mutants_when_other_lines_change() -> None:
    source = "\n".join(f"def f{number}(a):\n    return a == {number}" for number in range(20))
    chosen = sample(mutants("m.py", source), 1, 20)
    again = sample(mutants("m.py", f"import a\n\n\n{source}"), 1, 20)
    assert [mutant.key for mutant in again] == [mutant.key for mutant in chosen]
    assert sample(mutants("m.py", source), 2, 20) != chosen


PINS = f"{OF_TABLES}test_of_all_tables"
COVERING = Covering(
    tests={
        "core/a.py": {1: frozenset(), 3: frozenset({"slow", "quick"})},
        "core/b.py": {2: frozenset({"other"})},
        "core/d.py": {1: frozenset()},
    },
    seconds={"slow": 2.0, "quick": 0.1, "other": 0.5, PINS: 0.9},
    importers={
        "core/a.py": frozenset({"core/b.py"}),
        "core/d.py": frozenset({"core/c.py"}),
        "core/c.py": frozenset({"core/a.py"}),
    },
)


@pytest.mark.parametrize(
    ("file", "line", "is_table", "tests"),
    [
        ("core/a.py", 3, False, ["quick", "slow"]),
        ("core/a.py", 4, False, ["quick", "slow"]),  # a line in the middle of a statement is tried as its first
        ("core/a.py", 3, True, ["quick", "other", PINS, "slow"]),  # whoever imports a table depends on it
        ("core/b.py", 9, False, ["other", PINS]),
        ("core/d.py", 1, True, ["quick", PINS, "slow"]),  # nothing but tables, whose importer has nothing else either
        ("core/nowhere.py", 1, False, [PINS]),
    ],
)
def test_which_tests_try_a_mutant(file: str, line: int, *, is_table: bool, tests: list[str]) -> None:
    mutant = Mutant(file, line, 3, "return 7", "7 -> 8", 0, 0, is_table)
    assert COVERING.of(mutant) == tests


@pytest.mark.parametrize(("tests", "seconds"), [(["quick"], 20), (["slow", "other"], 25)])
def test_how_long_a_mutant_may_take(tests: list[str], seconds: int) -> None:
    assert COVERING.limit(tests) == seconds


def test_each_row_of_a_table_is_a_test() -> None:
    rows = [f'<testcase classname="tests.core.test_a" name="test_b[{row}]" time="0.{row}"/>' for row in (1, 2)]
    assert seconds_of(f"<testsuites>{''.join(rows)}</testsuites>") == {
        "tests/core/test_a.py::test_b[1]": 0.1,
        "tests/core/test_a.py::test_b[2]": 0.2,
    }


def test_who_imports_a_module(tmp_path: Path) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core/a.py").write_text("A = 1\n")
    (tmp_path / "core/b.py").write_text("from sriov_bootstrap.core.a import A\n")
    (tmp_path / "c.py").write_text("from sriov_bootstrap.core import a\n")
    assert importers(tmp_path)["core/a.py"] == {"core/b.py", "c.py"}


@pytest.mark.parametrize(
    ("changed", "outcome", "holds"),
    [
        ({}, "survived", True),
        ({"tests": "t2"}, "survived", False),
        ({"tests": "t2"}, "killed", True),
        ({"tests": "t2"}, "hung", True),
        ({"package": "p2"}, "killed", False),
    ],
)
def test_which_results_hold(changed: dict[str, str], outcome: str, *, holds: bool) -> None:
    mutant = {"file": "m.py", "text": "a", "what": "b", "nth": 0}
    line = mutant | {"outcome": outcome, "by": "", "package": "p1", "tests": "t1"}
    assert (("m.py", "a", "b", 0) in earlier([json.dumps(line | changed)], NOW)) is holds


def result(line: int, outcome: Outcome) -> tuple[Mutant, Trial]:
    return Mutant("m.py", line, line, "return 7", "7 -> 8", 0, 0), Trial(outcome)


def test_what_is_said_at_the_end() -> None:
    outcomes = (Outcome.SURVIVED, Outcome.KILLED, Outcome.HUNG, Outcome.EQUIVALENT, Outcome.KILLED)
    results = [result(line, outcome) for line, outcome in enumerate(outcomes, 1)]
    assert share(results) == pytest.approx(0.75)
    assert list(summary(results)) == [
        "5 mutants: 2 killed, 1 hung, 1 survived, 1 equivalent; 75.0% seen, at least 88% wanted",
        "m.py:1\n    return 7\n    7 -> 8",
    ]


def test_an_entry_of_the_equivalent_ones() -> None:
    text = "# why\n\nm.py\n    return 7\n    7 -> 8\n    7 and 8 are the same here\n"
    assert list(equivalents(text)) == [Equivalent("m.py", "return 7", "7 -> 8", "7 and 8 are the same here")]


def test_every_equivalent_mutant_is_one_that_can_be_made() -> None:
    made = {mutant.key[:3] for mutant in candidates(PACKAGE)}
    entries = equivalents(EQUIVALENT.read_text())
    assert [entry for entry in entries if (entry.file, entry.text, entry.what) not in made] == []
