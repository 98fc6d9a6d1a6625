"""Conditions of units: which there are, and whether a unit is started by them."""

import pytest

from sriov_bootstrap.formats.unit_conditions import has_word, is_told_by_files, judge_start, unit_conditions


def doubt_of(*lines: str, there: tuple[str, ...] = ("/a", "/b")) -> str:
    conditions = unit_conditions(["[Unit]\n" + "\n".join(lines) + "\n[Service]\nConditionPathExists=/none\n"])
    known = {path: path in there for path in ("/a", "/b", "/none")}
    return judge_start(conditions, lambda condition: known.get(condition.value)).doubt


@pytest.mark.parametrize(
    ("lines", "doubt"),
    [
        ([], ""),
        (["ConditionPathExists=/a"], ""),
        (["ConditionPathExists = ! /none"], ""),
        (["ConditionPathExists=/none"], "ConditionPathExists=/none does not hold now, so the unit is not started"),
        (["AssertPathExists=!/a"], "AssertPathExists=!/a does not hold now, so the unit is not started"),
        (["ConditionHost=cmp1"], "whether ConditionHost=cmp1 holds at boot cannot be told here"),
        (["ConditionHost=a b"], "whether ConditionHost=... holds at boot cannot be told here"),
        (
            ["ConditionHost=x", "ConditionPathExists=/none"],
            "ConditionPathExists=/none does not hold now, so the unit is not started",
        ),
        (["ConditionPathExists=|/none", "ConditionPathExists=|/a"], ""),
        (
            ["ConditionPathExists=|/none", "ConditionHost=|x"],
            "whether ConditionHost=|x holds at boot cannot be told here",
        ),
        (
            ["ConditionPathExists=|!/a", "ConditionPathExists=|/none"],
            "ConditionPathExists=|!/a does not hold now, so the unit is not started",
        ),
        (
            ["ConditionPathExists=|/a", "ConditionPathExists=!/b"],
            "ConditionPathExists=!/b does not hold now, so the unit",
        ),
        (["ConditionPathExists=/none", "ConditionHost=", "ConditionPathExists=/a"], ""),
        (["# ConditionPathExists=/none", "Conditional=1", "Description=Condition", "ConditionPathExists"], ""),
    ],
)
def test_whether_a_unit_is_started(lines: list[str], doubt: str) -> None:
    assert doubt_of(*lines).startswith(doubt)
    assert bool(doubt_of(*lines)) is bool(doubt)


def test_drop_ins_add_conditions_and_drop_them() -> None:
    unit, more, none = "[Unit]\nConditionPathExists=/a\n", "[Unit]\nConditionHost=x\n", "[Unit]\nConditionHost=\n"
    assert [condition.value for condition in unit_conditions([unit, more])] == ["/a", "x"]
    assert unit_conditions([unit, more, none]) == ()
    assert unit_conditions(["[Service]\nType=oneshot\n"]) == ()


@pytest.mark.parametrize(
    ("line", "is_told"),
    [
        ("ConditionPathExists=/etc/a", True),
        ("ConditionPathExistsGlob=/etc/a/*", True),
        ("AssertFileNotEmpty=!/etc/a", True),
        ("ConditionPathExists=/run/done", False),
        ("ConditionPathIsDirectory=/run", False),
        ("ConditionPathExists=/tmp/done", False),
        ("ConditionPathExists=relative", False),
        ("ConditionPathIsMountPoint=/srv", False),
        ("ConditionVirtualization=no", False),
    ],
)
def test_what_the_file_system_tells(line: str, *, is_told: bool) -> None:
    (condition,) = unit_conditions([f"[Unit]\n{line}\n"])
    assert is_told_by_files(condition) is is_told


@pytest.mark.parametrize(
    ("wanted", "has"), [("quiet", True), ("a=1", True), ("a", True), ("a=2", False), ("1", False), ("b", False)]
)
def test_words_of_the_kernel_command_line(wanted: str, *, has: bool) -> None:
    assert has_word(["quiet", "a=1"], wanted) is has
