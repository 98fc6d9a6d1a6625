"""The guest of `make bench-peers`: the one with the newer kernel, and other programs that set VFs."""

import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Final

from .image import Image, guest_image
from .rootfs import NICS, Flavour
from .vm import Vm

PEERS: Final = Flavour(
    "peers",
    kernel_suite=NICS.kernel_suite,
    packages=(
        *("network-manager", "netplan.io"),
        *("python3-oslo.concurrency", "python3-oslo.utils", "python3-pbr", "python3-netaddr"),  # for os-net-config
    ),
    masked=("NetworkManager.service", "netplan-configure.service", "NetworkManager-wait-online.service"),
)
VENV: Final = Path(__file__).parents[2] / "build" / "peers" / "venv"  # of packaging/locks/peers.txt
FROM_PYPI: Final = ("os_net_config", "sriov_netplan_shim")
ARCHIVE: Final = "/root/peers.tar"


def peers_image() -> Image:
    """Return the image, building it first if need be (two minutes; has to run as root)."""
    return guest_image(PEERS)


def install_from_pypi(vm: Vm) -> None:
    """What Debian does not have: pure Python, and the guest has all that it imports."""
    [packages] = VENV.glob("lib/python3.*/site-packages")
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "peers.tar"
        with tarfile.open(archive, "w") as tar:
            for name in FROM_PYPI:
                for path in (packages / name, *packages.glob(f"{name}-*.dist-info")):
                    tar.add(path, path.name)
        vm.push(archive, ARCHIVE)
    target = vm.check("python3 -c 'import sysconfig; print(sysconfig.get_path(\"purelib\"))'").strip()
    vm.check(f"mkdir -p {target} && tar -C {target} --no-same-owner -xf {ARCHIVE}")


def versions(vm: Vm) -> list[str]:
    """Return a line for each program that is compared."""
    query = "dpkg-query --show --showformat '${Package} ${Version}\\n' network-manager netplan.io systemd"
    freeze = [str(VENV / "bin" / "python"), "-c", _VERSIONS, *FROM_PYPI]
    ours = subprocess.run(freeze, check=True, capture_output=True, text=True).stdout
    return [*vm.check(query).splitlines(), *ours.splitlines()]


_VERSIONS: Final = "import sys; from importlib.metadata import version; [print(n, version(n)) for n in sys.argv[1:]]"
