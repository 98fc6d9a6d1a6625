"""Which nova is installed, and when it looks at the host's PCI devices: what decides whether new VFs need a restart.

Up to 33, nova-compute scans the host again every minute. Since 34 (2026.2) it keeps its first scan for as long as it
runs: it never sees VFs that are created later, and goes on offering those that are gone. Before 32 it sees new VFs, but
keeps the old data of VFs that are created again. So only 32 and 33 can do without a restart.

A version that is not known counts as the newest, and so does one from the middle of a series: a development version
33.1.0.dev5 is what became 34.
"""

import re

from msgspec import Struct

from sriov_bootstrap.core.openstack_releases import FIRST_NOVA, PCI_SCAN_CACHED_SINCE, VF_DATA_RENEWED_SINCE

# With a candidate's ending, as packagers and pip write it, or a packager's own; a snapshot (+git, .dev) is no release.
RELEASED = re.compile(r"(\d{1,3})(?:\.\d{1,4}){0,3}(?:[~.]?0?(?:a|b|rc)\d{1,3})?(?:\+(?:dfsg|ds)[\d.]*)?")


class NovaVersion(Struct, frozen=True):
    """`text`: as it was found, "" if it was not; `source`: where, for people."""

    text: str = ""
    source: str = ""

    @property
    def nova(self) -> int | None:
        """nova's number; None if it is not known."""
        number = series_of(self.text)
        return number if number is not None and number >= FIRST_NOVA else None

    @property
    def finds_new_vfs(self) -> bool:
        """Whether it finds VFs that are created, or created again, while it runs."""
        return self.nova is not None and VF_DATA_RENEWED_SINCE <= self.nova < PCI_SCAN_CACHED_SINCE

    @property
    def scans_once(self) -> bool:
        """Whether it reads PCI devices only when it starts, or may do so."""
        return self.nova is None or self.nova >= PCI_SCAN_CACHED_SINCE

    @property
    def habit(self) -> str:
        """When it looks at PCI devices, as a clause about nova-compute."""
        if self.nova is None:
            named = f"{self.text} ({self.source}) is no release" if self.text else "its version is not known"
            return f"it may read PCI devices only when it starts, as nova does since 34 (2026.2): {named}"
        if self.nova >= PCI_SCAN_CACHED_SINCE:
            return f"{self} reads PCI devices only when it starts"
        if self.finds_new_vfs:
            return f"{self} finds new VFs itself"
        return f"{self} keeps what it knew of VFs that were created again"

    def __str__(self) -> str:
        """For people: `nova 34.0.0 (dpkg)`."""
        return f"nova {self.text} ({self.source})"


def series_of(text: str) -> int | None:
    """The number of the series that a version was released in; None for all else."""
    found = RELEASED.fullmatch(text)
    return int(found[1]) if found else None
