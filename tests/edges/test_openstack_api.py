"""openstacksdk, as far as it can be seen without a cloud; tests/cloud has the rest."""

import sys

import pytest

from sriov_bootstrap.base.errors import UsageError
from sriov_bootstrap.edges.openstack_api import OpenStackApi


def test_without_openstacksdk_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openstack", None)
    with pytest.raises(UsageError, match="openstacksdk is not installed") as caught:
        OpenStackApi()
    assert "python3-openstacksdk" in caught.value.hint
