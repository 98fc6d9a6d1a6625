"""What a guest gets on top of the image: the package under test, and stand-ins for the services that use VFs."""

import os
from pathlib import Path
from typing import Final

from .bytecode import bytecode
from .vm import Vm

CONSUMER_FILES: Final = Path(__file__).parent / "guest" / "consumers"
DIST: Final = Path(__file__).parents[2] / "dist"
BYTECODE: Final = "/root/bytecode.tar"
ENABLED: Final = ("nova-compute.service", "neutron-sriov-agent.service")


def newest_package() -> Path:
    """Return the package under test: what `make` says, or the last one that was built."""
    if named := os.environ.get("SRIOV_BOOTSTRAP_DEB"):
        return Path(named)
    packages = sorted(DIST.glob("sriov-bootstrap_*_all.deb"), key=lambda path: path.stat().st_mtime)
    if not packages:
        raise FileNotFoundError(f"no sriov-bootstrap_*_all.deb in {DIST}: run `make deb` first")
    return packages[-1]


def install_all(vm: Vm) -> None:
    """Install the package under test and the stand-ins."""
    install_package(vm, newest_package())
    install_consumers(vm)


def install_package(vm: Vm, package: Path, *, in_one_step: bool = False) -> None:
    """Install it the way an operator does; what it depends on is in the image, so dpkg never asks a network.

    In two steps, with bytecode from this machine between them, unless it is the installation that is looked at.
    """
    remote = f"/root/{package.name}"
    vm.push(package, remote)
    if in_one_step:
        _dpkg(vm, f"--install {remote}")
        return
    _dpkg(vm, f"--unpack {remote}")
    place_bytecode(vm, package)
    _dpkg(vm, "--configure sriov-bootstrap")


def _dpkg(vm: Vm, words: str) -> None:
    vm.check(f"DEBIAN_FRONTEND=noninteractive dpkg {words}", timeout_seconds=300)


def place_bytecode(vm: Vm, package: Path) -> None:
    """Spare the guest half a minute of its installation, which comes next or is under way."""
    vm.push(bytecode(vm.image, package), BYTECODE)
    vm.check(f"tar -C / -xf {BYTECODE}")


def install_consumers(vm: Vm) -> None:
    """Install and start the stand-ins; lab-consumer says what they log."""
    vm.push(CONSUMER_FILES / "lab-consumer", "/usr/local/sbin/lab-consumer")
    for unit in CONSUMER_FILES.glob("*.service"):
        vm.push(unit, f"/usr/lib/systemd/system/{unit.name}")  # as packages do, so that they can be masked
    vm.check(
        f"chmod 755 /usr/local/sbin/lab-consumer; systemctl enable --now {' '.join(ENABLED)}"
    )  # and a daemon-reload
