"""What a guest gets on top of the image: the package under test, and stand-ins for the services that use VFs."""

import os
from pathlib import Path
from typing import Final

from .vm import Vm

CONSUMER_FILES: Final = Path(__file__).parent / "guest" / "consumers"
DIST: Final = Path(__file__).parents[2] / "dist"
ENABLED: Final = ("nova-compute.service", "neutron-sriov-agent.service")


def newest_package() -> Path:
    """Return the package under test: what `make` says, or the last one that was built."""
    if named := os.environ.get("SRIOV_BOOTSTRAP_DEB"):
        return Path(named)
    packages = sorted(DIST.glob("sriov-bootstrap_*_all.deb"), key=lambda path: path.stat().st_mtime)
    if not packages:
        raise FileNotFoundError(f"no sriov-bootstrap_*_all.deb in {DIST}: run `make deb` first")
    return packages[-1]


def install_package(vm: Vm, package: Path) -> None:
    """Install it the way an operator does; what it depends on is in the image, so dpkg never asks a network."""
    remote = f"/root/{package.name}"
    vm.push(package, remote)
    vm.check(f"DEBIAN_FRONTEND=noninteractive dpkg -i {remote}", timeout_seconds=300)


def install_consumers(vm: Vm) -> None:
    """Install and start the stand-ins; lab-consumer says what they log."""
    vm.push(CONSUMER_FILES / "lab-consumer", "/usr/local/sbin/lab-consumer")
    for unit in CONSUMER_FILES.glob("*.service"):
        vm.push(unit, f"/usr/lib/systemd/system/{unit.name}")  # as packages do, so that they can be masked
    vm.check("chmod 755 /usr/local/sbin/lab-consumer && systemctl daemon-reload")
    vm.check(f"systemctl enable --now {' '.join(ENABLED)}")
