"""An image that diskimage-builder makes with our element, from the main guest's disk; it has the stand-ins."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from .building import ISOLATED
from .cache import HERE
from .consumers import CONSUMER_FILES, ENABLED, newest_package
from .image import Image, guest_image, make_disk

REPOSITORY: Final = HERE.parents[1]
ELEMENTS: Final = REPOSITORY / "packaging" / "diskimage-builder"
ROOT_ELEMENTS: Final = HERE / "elements"
TOOLS: Final = REPOSITORY / "build" / "images" / "bin"
SIZE: Final = "1500M"
CLOUD_INIT_OFF: Final = "etc/cloud/cloud-init.disabled"


def build_tree(folder: Path, config: str) -> Path:
    """Run disk-image-create for a host with this config; the folder with what it has built."""
    files = folder / "files"
    _write_consumers(files)
    (folder / "10-image.toml").write_text(config)
    variables = {
        "ELEMENTS_PATH": f"{ELEMENTS}:{ROOT_ELEMENTS}",
        "PATH": f"{TOOLS}:{os.environ['PATH']}",
        "DIB_NO_TIMESTAMP": "1",
        "DIB_IMAGE_CACHE": str(folder / "cache"),
        "DIB_LOCKFILES": str(folder / "locks"),
        "DIB_SRIOV_BOOTSTRAP_PACKAGE": str(newest_package().absolute()),
        "DIB_SRIOV_BOOTSTRAP_CONFIG": str(folder / "10-image.toml"),
        "LAB_DISK": str(guest_image().disk),
        "LAB_FILES": str(files),
    }
    run_builder(folder, variables)
    tree = folder / "tree"
    tree.mkdir()
    subprocess.run(["tar", "-x", "--numeric-owner", "-C", tree, "-f", folder / "host.tar"], check=True)
    for name in ("proc", "sys"):  # disk-image-create leaves them out
        (tree / name).mkdir()
    (tree / CLOUD_INIT_OFF).unlink()
    return tree


def run_builder(folder: Path, variables: dict[str, str]) -> None:
    """Run disk-image-create there, which makes host.tar; build.log is what it says.

    Isolated, so that what it mounts and starts ends with us. Otherwise the mounts would stay, and removing the folder
    would go through them into this machine.
    """
    command = [*ISOLATED, "disk-image-create", "-n", "-t", "tar", "-o", "host", "lab-host", "sriov-bootstrap"]
    with (folder / "build.log").open("wb") as log:
        done = subprocess.run(
            command, check=False, cwd=folder, env={**os.environ, **variables}, stdout=log, stderr=subprocess.STDOUT
        )
    assert done.returncode == 0, (folder / "build.log").read_text()


def make_image(tree: Path, folder: Path) -> Image:
    """Make what was built bootable, with the main guest's kernel and key."""
    base, image = guest_image(), Image(folder)
    for path in (base.kernel, base.initramfs, base.ssh_key):
        shutil.copy(path, folder)
    make_disk(tree, image, SIZE)
    return image


def _write_consumers(root: Path) -> None:
    """The stand-ins of consumers.py, as an image has them."""
    units, wants = root / "usr/lib/systemd/system", root / "etc/systemd/system/multi-user.target.wants"
    for folder in (units, wants, root / "usr/local/sbin"):
        folder.mkdir(parents=True)
    shutil.copy(CONSUMER_FILES / "lab-consumer", root / "usr/local/sbin")
    (root / "usr/local/sbin/lab-consumer").chmod(0o755)
    for name in ENABLED:
        shutil.copy(CONSUMER_FILES / name, units)
        (wants / name).symlink_to(f"/usr/lib/systemd/system/{name}")
