import pytest

from sriov_bootstrap.edges.templates import read_template


def test_the_templates_are_in_the_package() -> None:
    assert read_template("config.toml.j2").startswith("#:schema {{ schema }}\n# /etc/sriov-bootstrap/config.toml: ")


def test_a_template_that_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        read_template("no-such.j2")
