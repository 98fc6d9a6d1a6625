"""Template text + context -> text."""

import pytest
from jinja2 import UndefinedError
from jinja2.exceptions import SecurityError

from sriov_bootstrap.render.templates import render


def test_blocks_leave_no_empty_lines_and_nothing_is_escaped() -> None:
    template = "{% for name in names %}\n  {{ name }} & co\n{% endfor %}\n"
    assert render(template, {"names": ["a", "<b>"]}) == "  a & co\n  <b> & co\n"


def test_a_name_that_is_missing_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="'name' is undefined"):
        render("{{ name }}", {})


def test_a_template_gets_no_further_than_its_values() -> None:
    with pytest.raises(SecurityError):
        render("{{ name.__class__.__mro__ }}", {"name": "x"})
