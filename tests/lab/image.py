"""The guest images: each a disk, a kernel, an initramfs and a key, from the cache or built."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .building import run
from .cache import HERE, cached_folder, digest, files_below, step
from .initramfs import build_initramfs
from .kernel_modules import SOURCES, install_modules
from .rootfs import BASE_FILES, MAIN, Flavour, build_rootfs

BUILDERS: Final = ("image.py", "initramfs.py", "rootfs.py")


@dataclass(frozen=True, slots=True)
class Image:
    """The files of one guest; all are read-only to a VM."""

    folder: Path

    @property
    def disk(self) -> Path:
        """An ext4 file system without a partition table."""
        return self.folder / "disk.ext4"

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def initramfs(self) -> Path:
        return self.folder / "initramfs.cpio"

    @property
    def ssh_key(self) -> Path:
        """The private key that opens root's account in the guest."""
        return self.folder / "ssh_key"

    @property
    def secret(self) -> str:
        """What guest/base/usr/local/lib/lab/answer.py wants to hear first: who has the key knows it."""
        return hashlib.sha256(self.ssh_key.read_bytes()).hexdigest()


def guest_image(flavour: Flavour = MAIN) -> Image:
    """Return the image for the inputs as they are now, building it first if need be (a minute; has to run as root)."""
    inputs = [*(HERE / name for name in BUILDERS), *files_below(BASE_FILES)]
    if flavour.has_test_modules:
        inputs += [HERE / "kernel_modules.py", *files_below(SOURCES)]
    key = digest(inputs, repr(flavour))
    return Image(cached_folder(f"{flavour.name}-{key}", lambda scratch: _build(flavour, scratch)))


def _build(flavour: Flavour, scratch: Path) -> None:
    root, folder = scratch / "root", scratch / "image"
    folder.mkdir()
    image = Image(folder)
    with step(f"{flavour.name} image: make an ssh key"):
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(image.ssh_key)]
        run(keygen)
    with step(f"{flavour.name} image: install Debian into a folder"):
        public_key = image.ssh_key.with_suffix(".pub").read_text()
        build_rootfs(root, flavour, authorized_key=public_key, secret=image.secret)
    if flavour.has_test_modules:
        install_modules(root, *flavour.suites)
    with step(f"{flavour.name} image: write kernel, initramfs and disk"):
        [kernel] = (root / "boot").glob("vmlinuz-*")
        shutil.copy(kernel, image.kernel)
        image.initramfs.write_bytes(build_initramfs(root))
        make_disk(root, image, "1500M")


def make_disk(root: Path, image: Image, size: str) -> None:
    """Write the image's disk with the content of a folder, without mounting it; it is sparse."""
    run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", str(root), str(image.disk), size])
