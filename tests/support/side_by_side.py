"""How tests are given to processes: any process takes the next one, but for those that share a guest of their own."""

import re
from typing import Final

from xdist.scheduler import LoadScopeScheduling

# Folders below lab/, and files, whose tests boot a guest that no other test uses: one process boots it, once.
OWN_GUEST: Final = re.compile(r"(?:^|/)lab/(?:([^/.]+)/|(test_images)\.py)")


def with_own_guest(nodeid: str) -> str:
    """Return the name of the guest that this test shares with some others, "" for the main one or none."""
    found = OWN_GUEST.search(nodeid.partition("::")[0])
    return found[1] or found[2] if found else ""


class Scheduling(LoadScopeScheduling):  # type: ignore[misc] # xdist has no type information
    """pytest-xdist's own `--dist loadgroup` groups nothing under pytest 9.2, and says nothing."""

    def _split_scope(self, nodeid: str) -> str:
        return with_own_guest(nodeid) or nodeid
