"""openstacksdk, as far as it can be seen without a cloud; tests/cloud has the rest."""

import sys
from collections.abc import Mapping
from types import SimpleNamespace
from typing import NoReturn

import pytest
import yaml

from sriov_bootstrap.base.errors import UsageError
from sriov_bootstrap.edges.openstack_api import OpenStackApi


def test_without_openstacksdk_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openstack", None)
    with pytest.raises(UsageError, match="openstacksdk is not installed") as caught:
        OpenStackApi()
    assert "python3-openstacksdk" in caught.value.hint


def test_a_file_that_is_not_yaml_is_named_by_its_line_and_quoted_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Releases of openstacksdk that do not skip such a file let PyYAML's own exception out."""

    def connect(**_: Mapping[str, object]) -> NoReturn:
        yaml.safe_load("clouds:\n  site:\n    auth:\n      password: !hunter2\n")
        raise AssertionError

    monkeypatch.setitem(sys.modules, "openstack", SimpleNamespace(connect=connect))
    with pytest.raises(UsageError, match="not YAML: line 4") as caught:
        OpenStackApi("site")
    assert "hunter2" not in str(caught.value)
