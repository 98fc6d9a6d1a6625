"""The cache of guest images: one folder per content of its inputs, built once."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .initramfs import build_initramfs
from .rootfs import BASE_FILES, build_rootfs

HERE: Final = Path(__file__).parent
BUILDERS: Final = ("image.py", "initramfs.py", "rootfs.py")
KEPT_FOR_SECONDS: Final = 14 * 24 * 3600.0


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


def guest_image() -> Image:
    """Return the image for the inputs as they are now, building it first if need be (a minute; has to run as root)."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sriov-bootstrap-lab"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / _key()
    with _locked(cache / "lock"):
        if not folder.exists():
            _drop_unused(cache)
            with tempfile.TemporaryDirectory(prefix="building-", dir=cache) as scratch:
                _build(Path(scratch))
                (Path(scratch) / "image").rename(folder)
    os.utime(folder)
    return Image(folder)


def _key() -> str:
    inputs = [HERE / name for name in BUILDERS] + sorted(path for path in BASE_FILES.rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for path in inputs:
        digest.update(f"{path.relative_to(HERE)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting for another build of the guest image")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _drop_unused(cache: Path) -> None:
    """Remove what an interrupted build left, and images that nobody has booted for long. Needs the lock."""
    for folder in cache.iterdir():
        if folder.is_dir():
            is_old = time.time() - folder.stat().st_mtime > KEPT_FOR_SECONDS
            if is_old or folder.name.startswith("building-"):
                shutil.rmtree(folder)


def _build(scratch: Path) -> None:
    if os.geteuid() != 0:
        message = (
            "lab: building the guest image takes root (files of many owners); once built it is used from the cache"
        )
        raise PermissionError(message)
    root, folder = scratch / "root", scratch / "image"
    folder.mkdir()
    image = Image(folder)
    with _step("make an ssh key"):
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(image.ssh_key)]
        subprocess.run(keygen, check=True)
    with _step("install Debian into a folder"):
        build_rootfs(root, authorized_key=image.ssh_key.with_suffix(".pub").read_text())
    with _step("write kernel, initramfs and disk"):
        [kernel] = (root / "boot").glob("vmlinuz-*")
        shutil.copy(kernel, image.kernel)
        image.initramfs.write_bytes(build_initramfs(root))
        mke2fs = shutil.which("mke2fs", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") or "mke2fs"
        subprocess.run(
            [mke2fs, "-q", "-F", "-t", "ext4", "-d", str(root), str(image.disk), "1500M"],
            check=True,
            stdout=subprocess.DEVNULL,
        )


@contextmanager
def _step(what: str) -> Iterator[None]:
    started = time.monotonic()
    _say(f"guest image: {what} ...")
    yield
    _say(f"guest image: {what}: {time.monotonic() - started:.0f} s")


def _say(text: str) -> None:
    print(f"lab: {text}", file=sys.stderr, flush=True)
