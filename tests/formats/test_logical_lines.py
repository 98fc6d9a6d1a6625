import pytest

from sriov_bootstrap.formats.logical_lines import logical_lines


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("a\n\n \n b\n", [(1, "a"), (4, " b")]),
        ("# a \\\n  ; b\nc", [(3, "c")]),
        ("a \\\n\tb\\\nc\nd", [(1, "a  \tb c"), (4, "d")]),
        ("a \\\n\nb", [(1, "a  "), (3, "b")]),
        ("\\\n\\\na", [(1, "  a")]),
        ("\\\n\na", [(3, "a")]),
        ("a\\", [(1, "a ")]),
        ("\\", []),
    ],
)
def test_lines_are_joined_and_counted(text: str, lines: list[tuple[int, str]]) -> None:
    assert list(logical_lines(text, "#;")) == lines
    assert list(logical_lines(text, "#;", may_interrupt=True)) == lines


@pytest.mark.parametrize(("may_interrupt", "lines"), [(True, [(1, "a b")]), (False, [(1, "a  # c"), (3, "b")])])
def test_whether_a_comment_is_one_within_a_line(*, may_interrupt: bool, lines: list[tuple[int, str]]) -> None:
    assert list(logical_lines("a\\\n # c\nb", may_interrupt=may_interrupt)) == lines
