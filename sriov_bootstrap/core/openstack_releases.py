"""OpenStack's releases, and what came and went with them: tables. nova's options are in nova_options.py.

nova's number is that of its first release in the series; neutron's is five less (nova 26.0.0 and neutron 21.0.0 are
Zed). The notes are those in releasenotes/notes of openstack/nova and openstack/neutron.
"""

from msgspec import Struct

FIRST_NOVA = 14
NEUTRON_BEHIND = 5
KOLLA_BEHIND = 11  # kolla 15.0.0 is Zed
# In order, from nova 14.0.0: the series, and from 2023 the version by which it is better known.
SERIES = (
    *("newton", "ocata", "pike", "queens", "rocky", "stein", "train", "ussuri", "victoria", "wallaby", "xena", "yoga"),
    *("zed", "2023.1 antelope", "2023.2 bobcat", "2024.1 caracal", "2024.2 dalmatian", "2025.1 epoxy"),
    *("2025.2 flamingo", "2026.1 gazpacho", "2026.2 hibiscus"),
)

BANDWIDTHS_SINCE = 19  # neutron: bandwidth-config-sriov-bd8ff8b4d84c8792
HYPERVISORS_SINCE = 19  # neutron: bug 1853840, and for the default bug 1926693
CONF_D_SINCE = 15  # oslo.config 3.20.0 reads /etc/PROJECT/PROJECT.conf.d by default
ML2_SRIOV_UNTIL = 14  # neutron 10.0.0 has no [ml2_sriov] and no ml2_conf_sriov.ini
AGENT_FIREWALL_UNTIL = 31  # neutron 27.0.0: sr-iov-remove-sg-rpc-22f5dc1a515b6dbb
ADDRESS_REGEX_SINCE = 15  # nova: an object as address; and the address of a PF is the PF, too, not its VFs alone
ALIASES_CHECKED_SINCE = 32  # nova-compute checks its aliases when it starts
VF_DATA_RENEWED_SINCE = 32  # bug 2115729: before, nova keeps what it knew of VFs that are created again
PCI_SCAN_CACHED_SINCE = 34  # functools.cache on LibvirtDriver._get_pci_passthrough_devices

# Removed scheduler filters -> the nova that removed them: an unknown name keeps nova-scheduler from starting.
REMOVED_FILTERS = {
    "TypeAffinityFilter": 17,
    "TrustedFilter": 17,
    "ExactCoreFilter": 18,
    "ExactRamFilter": 18,
    "ExactDiskFilter": 18,
    "CoreFilter": 20,  # remove-core-ram-disk-filters-9510cbe5b4e295b6
    "RamFilter": 20,
    "DiskFilter": 20,
    "RetryFilter": 22,  # remove-retry-and-aggregate-filters-f872a85d0b815982
    "AggregateCoreFilter": 22,
    "AggregateRamFilter": 22,
    "AggregateDiskFilter": 22,
    "AvailabilityZoneFilter": 28,
}
ALWAYS = (
    *("ComputeFilter", "ComputeCapabilitiesFilter", "ImagePropertiesFilter"),
    *("ServerGroupAntiAffinityFilter", "ServerGroupAffinityFilter"),
)
# The defaults of [filter_scheduler] enabled_filters, by the nova up to which a filter was one; in their order.
FORMER_DEFAULTS = (
    ("RetryFilter", 19),
    ("AvailabilityZoneFilter", 23),
    ("RamFilter", 15),  # trim-default-sched-filters-e70de3bb4c7b1a1b
    ("DiskFilter", 15),
)


class OpenStackRelease(Struct, frozen=True, order=True):
    """One of OpenStack's releases, by nova's number."""

    nova: int

    @property
    def neutron(self) -> int:
        """neutron's number."""
        return self.nova - NEUTRON_BEHIND

    @property
    def series(self) -> str:
        """`train`, or `2025.1 epoxy`."""
        return SERIES[self.nova - FIRST_NOVA]

    def __str__(self) -> str:
        """For people: `train (nova 20, neutron 15)`."""
        return f"{self.series} (nova {self.nova}, neutron {self.neutron})"


NEWEST = OpenStackRelease(FIRST_NOVA + len(SERIES) - 1)


def parse(text: str | float) -> OpenStackRelease | None:
    """A series (`train`, `epoxy`), its version (2025.1), or nova's number (31, `31.1.0`); "" is the newest."""
    word = str(text).strip().lower()
    if not word:
        return NEWEST
    for number, series in enumerate(SERIES, FIRST_NOVA):
        if word in {series, *series.split()} or word.split(".")[0] == str(number):
            return OpenStackRelease(number)
    return None


def valid_names() -> str:
    """For an error: the valid values."""
    return f"{SERIES[0]} to {SERIES[-1]}, or nova's number, {FIRST_NOVA} to {NEWEST.nova}"


def default_filters(release: OpenStackRelease) -> tuple[str, ...]:
    """What this release's scheduler enables by default."""
    return tuple(name for name, until in FORMER_DEFAULTS if release.nova <= until) + ALWAYS
