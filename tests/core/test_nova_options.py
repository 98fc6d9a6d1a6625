import pytest

from sriov_bootstrap.core.nova_options import (
    ALIAS,
    ALIAS_KEYS,
    DEVICE_SPEC,
    ENABLED_FILTERS,
    REPORT_IN_PLACEMENT,
    SPEC_KEYS,
    Name,
    places,
)
from sriov_bootstrap.core.openstack_releases import FIRST_NOVA, NEWEST, OpenStackRelease


@pytest.mark.parametrize(
    ("names", "nova", "read"),
    [
        (DEVICE_SPEC, 14, ["DEFAULT.pci_passthrough_whitelist"]),
        (DEVICE_SPEC, 15, ["pci.passthrough_whitelist", "DEFAULT.pci_passthrough_whitelist"]),
        (DEVICE_SPEC, 25, ["pci.passthrough_whitelist", "DEFAULT.pci_passthrough_whitelist"]),
        (DEVICE_SPEC, 26, ["pci.device_spec", "pci.passthrough_whitelist", "DEFAULT.pci_passthrough_whitelist"]),
        (ALIAS, 14, ["DEFAULT.pci_alias"]),
        (ALIAS, 34, ["pci.alias", "DEFAULT.pci_alias"]),
        (REPORT_IN_PLACEMENT, 25, []),
        (REPORT_IN_PLACEMENT, 26, ["pci.report_in_placement"]),
        (ENABLED_FILTERS, 14, ["DEFAULT.scheduler_default_filters"]),
        (ENABLED_FILTERS, 23, ["filter_scheduler.enabled_filters", "DEFAULT.scheduler_default_filters"]),
        (ENABLED_FILTERS, 24, ["filter_scheduler.enabled_filters"]),
    ],
)
def test_a_release_reads_some_names_of_an_option(names: tuple[Name, ...], nova: int, read: list[str]) -> None:
    assert [".".join(place) for place in places(names, OpenStackRelease(nova))] == read


@pytest.mark.parametrize("names", [DEVICE_SPEC, ALIAS, ENABLED_FILTERS])
def test_each_release_has_a_name_for_what_render_writes(names: tuple[Name, ...]) -> None:
    assert all(places(names, OpenStackRelease(nova)) for nova in range(FIRST_NOVA, NEWEST.nova + 1))


def test_an_alias_has_no_key_before_a_spec_has_it() -> None:
    assert all(SPEC_KEYS[key] <= since for key, since in ALIAS_KEYS.items() if key in SPEC_KEYS)
