"""The Debian mirror that guest packages come from: this machine's own."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from .building import BuildError

FORMAT: Final = "$(RELEASE)\t$(ORIGIN)\t$(REPO_URI)"  # of `apt-get indextargets`


def debian_mirror() -> str:
    """Return the mirror's address; BuildError where this machine's apt has none, as on Ubuntu, and none is named."""
    if chosen := os.environ.get("SRIOV_LAB_MIRROR"):
        return chosen
    is_debian = "ID=debian" in Path("/etc/os-release").read_text().splitlines()
    if mirror := mirror_among(_targets(), is_debian=is_debian):
        return mirror
    raise BuildError(
        "lab: the guests are Debian, and this machine's apt has no mirror of it (Ubuntu's has none):"
        " set SRIOV_LAB_MIRROR=URL to a mirror of Debian"
    )


def mirror_among(targets: str, *, is_debian: bool) -> str | None:
    """Return the mirror of Debian among lines of FORMAT.

    It is the first with a whole release ("trixie" or "stable", not "trixie-security") that says that it is Debian's:
    third parties have releases of the same names, and apt may list theirs first. Where none says so, as a company's
    copy may not, the first will do on Debian.
    """
    rows = [line.split("\t") for line in targets.splitlines()]
    whole = [(origin, uri) for release, origin, uri in rows if not set(release) & set("-/") and "cdrom:" not in uri]
    of_debian = [uri for origin, uri in whole if origin == "Debian"]
    others = [uri for _, uri in whole] if is_debian else []
    return next(iter((*of_debian, *others)), None)


def sources(*suites: str) -> list[str]:
    """Return lines of sources.list for these suites; BuildError as debian_mirror."""
    mirror = debian_mirror()
    return [f"deb {mirror} {suite} main" for suite in suites]


def _targets() -> str:
    if not shutil.which("apt-get"):
        return ""
    command = ["apt-get", "indextargets", "--format", FORMAT, "Created-By: Packages"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
