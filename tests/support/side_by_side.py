"""How tests are given to processes: any process takes the next; those that share costly things go together."""

import re
from typing import Final

from xdist.scheduler import LoadScopeScheduling

# Folders below lab/, and files, whose tests boot a guest that no other test uses: one process boots it, once.
OWN_GUEST: Final = re.compile(r"(?:^|/)lab/(?:([^/.]+)/|(test_images)\.py)")

# Files whose tests look at the same builds, venv, site, guest or snapshot, by a name for these: one process makes them,
# once.
SAME_WORK: Final = {
    "tests/lab/test_binding.py": "unmade",
    "tests/lab/test_lab.py": "lab",
    "tests/lab/test_verify.py": "verify",
    "tests/lab/test_vf_attributes.py": "unmade",
    "tests/packaging/test_ansible.py": "ansible",
    "tests/packaging/test_dist.py": "dist",
    "tests/packaging/test_rpm.py": "dist",
    "tests/pages/test_installing_page.py": "dist",
    "tests/pages/test_site.py": "site",
}
# The longest test of all: where it came last, one process would work while the others have nothing left.
FIRST: Final = "tests/test_model.py"


def with_own_guest(nodeid: str) -> str:
    """Return the name of the guest that this test shares with some others, "" for the main one or none."""
    found = OWN_GUEST.search(nodeid.partition("::")[0])
    return found[1] or found[2] if found else ""


def together(nodeid: str) -> str:
    """Return the name of what this test shares with some others, or its own."""
    return with_own_guest(nodeid) or SAME_WORK.get(nodeid.partition("::")[0]) or nodeid


class Scheduling(LoadScopeScheduling):  # type: ignore[misc] # xdist has no type information
    """pytest-xdist's own `--dist loadgroup` groups nothing under pytest 9.2, and says nothing."""

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid)
