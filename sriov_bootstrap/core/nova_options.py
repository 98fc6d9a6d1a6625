"""nova's options for VFs, and the keys of a device_spec and of an alias, by release: tables.

The notes are those in releasenotes/notes of openstack/nova; `since` 0 means before the oldest release known here.
"""

from msgspec import Struct

from sriov_bootstrap.core.openstack_releases import NEWEST, OpenStackRelease

OptionPlace = tuple[str, str]  # section, option
NOVA_LAST_DOMAIN = 0xFFFF  # nova/pci/devspec.py, MAX_DOMAIN: it skips devices above


class Name(Struct, frozen=True):
    """One name of an option; `since`, `until`: the first and the last nova that reads it."""

    section: str
    option: str
    since: int = 0
    until: int = NEWEST.nova

    @property
    def place(self) -> OptionPlace:
        """Its place in a file."""
        return self.section, self.option

    def is_read_by(self, release: OpenStackRelease) -> bool:
        """Whether that release reads it."""
        return self.since <= release.nova <= self.until


# Each option with all its names, the current one first. Of the first two nova adds up the values under all names.
DEVICE_SPEC = (
    Name("pci", "device_spec", 26),  # deprecate-passthrough_whitelist-config-name-0530d502c960d753
    Name("pci", "passthrough_whitelist", 15),  # add-pci-config-to-pci-group-5648cc0f307f24f8
    Name("DEFAULT", "pci_passthrough_whitelist"),
)
ALIAS = (
    Name("pci", "alias", 15),  # add-pci-config-to-pci-group-5648cc0f307f24f8
    Name("DEFAULT", "pci_alias"),
)
REPORT_IN_PLACEMENT = (Name("pci", "report_in_placement", 26),)  # bp-pci-device-tracking-in-placement-75ee1d20a57662f2
ENABLED_FILTERS = (
    Name("filter_scheduler", "enabled_filters", 15),  # add-scheduler-config-to-scheduler-group-c83bc770e67ac115
    Name("DEFAULT", "scheduler_default_filters", until=23),
)

NEVER_EXISTED = {"dev_spec": "device_spec"}  # in an example of nova's documentation -> what was meant

# Key -> the nova that introduced it.
SPEC_KEYS = {
    "vendor_id": 0,
    "product_id": 0,
    "address": 0,
    "devname": 0,
    "physical_network": 0,
    "trusted": 18,  # sriov-trusted-vfs
    "remote_managed": 25,  # off-path backends, nova 25.0.0
    "resource_class": 26,  # bp-pci-device-tracking-in-placement-75ee1d20a57662f2
    "traits": 26,
    "managed": 31,  # nova.conf [pci] device_spec, 31.0.0
    "live_migratable": 31,
    "one_time_use": 32,  # nova.conf [pci] device_spec, 32.0.0
}
ALIAS_KEYS = {
    "name": 0,
    "capability_type": 0,
    "product_id": 0,
    "vendor_id": 0,
    "device_type": 0,
    "numa_policy": 17,  # share-pci-between-numa-nodes
    "resource_class": 27,  # bp-pci-device-tracking-in-placement-antelope-082310a2b0337e0e
    "traits": 27,
    "live_migratable": 31,
}


def places(names: tuple[Name, ...], release: OpenStackRelease) -> tuple[OptionPlace, ...]:
    """Those that this release reads, the current one first."""
    return tuple(name.place for name in names if name.is_read_by(release))
