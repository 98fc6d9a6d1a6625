"""The Debian mirror that guest packages come from: this machine's own."""

import os
import subprocess
from pathlib import Path

from .building import BuildError


def debian_mirror() -> str | None:
    """Return the mirror's address; None means that mmdebstrap's default has to do (a host that is not Debian)."""
    if chosen := os.environ.get("SRIOV_LAB_MIRROR"):
        return chosen
    if "ID=debian" not in Path("/etc/os-release").read_text().splitlines():
        return None
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for line in targets.splitlines():
        release, _, uri = line.partition(" ")
        if not set(release) & set("-/"):  # "trixie" or "stable", not "trixie-security"
            return uri
    return None


def sources(*suites: str) -> list[str]:
    """Return lines of sources.list for these suites; BuildError where this machine names no mirror of Debian."""
    mirror = debian_mirror()
    if not mirror:
        raise BuildError("lab: this machine's apt names no mirror of Debian: set SRIOV_LAB_MIRROR=URL")
    return [f"deb {mirror} {suite} main" for suite in suites]
