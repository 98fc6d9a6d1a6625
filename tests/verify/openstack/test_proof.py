"""How nova is asked for a server on a host. tests/cloud has the rest."""

import pytest

from sriov_bootstrap.verify.openstack.proof import on_host


@pytest.mark.parametrize(
    ("newest", "asked"),
    [
        ((2, 1), ({"availability_zone": ":compute-1"}, "")),
        ((2, 73), ({"availability_zone": ":compute-1"}, "")),
        ((2, 74), ({"host": "compute-1"}, "2.74")),
        ((2, 104), ({"host": "compute-1"}, "2.74")),
    ],
)
def test_the_host_is_named_as_its_nova_takes_it(newest: tuple[int, int], asked: tuple[dict[str, str], str]) -> None:
    assert on_host("compute-1", newest) == asked
