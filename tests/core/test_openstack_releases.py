"""OpenStack's releases."""

import pytest

from sriov_bootstrap.core import openstack_releases
from sriov_bootstrap.core.openstack_releases import NEWEST, OpenStackRelease


@pytest.mark.parametrize(
    ("said", "nova"),
    [
        ("", 34),
        ("newton", 14),
        ("Train", 20),
        ("zed", 26),
        ("2023.1", 27),
        ("antelope", 27),
        ("2025.1 epoxy", 31),
        (2025.1, 31),
        (26, 26),
        ("31.0.1", 31),
        ("hibiscus", 34),
        ("mitaka", None),
        (13, None),
        (35, None),
        ("2026.3", None),
        ("1", None),
    ],
)
def test_a_release_has_a_name_a_version_and_a_number(said: str | float, nova: int | None) -> None:
    assert openstack_releases.parse(said) == (OpenStackRelease(nova) if nova else None)


def test_neutron_counts_five_less() -> None:
    assert str(OpenStackRelease(26)) == "zed (nova 26, neutron 21)"
    assert str(NEWEST) == "2026.2 hibiscus (nova 34, neutron 29)"
    assert openstack_releases.valid_names() == "newton to 2026.2 hibiscus, or nova's number, 14 to 34"


@pytest.mark.parametrize(
    ("nova", "first", "count"),
    [(15, "RetryFilter", 9), (16, "RetryFilter", 7), (20, "AvailabilityZoneFilter", 6), (24, "ComputeFilter", 5)],
)
def test_the_defaults_of_the_scheduler_became_fewer(nova: int, first: str, count: int) -> None:
    filters = openstack_releases.default_filters(OpenStackRelease(nova))
    assert (filters[0], len(filters)) == (first, count)
    assert not set(filters) & {name for name, gone in openstack_releases.REMOVED_FILTERS.items() if gone <= nova}
