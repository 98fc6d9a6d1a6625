"""The cache of guest images: one folder per content of its inputs, built once."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
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
    return cached_image(digest([*(HERE / name for name in BUILDERS), *files_below(BASE_FILES)]), _build)


def cached_image(key: str, build: Callable[[Path], None]) -> Image:
    """Return the image of that key; `build` makes the folder `image` in the folder that it is given, if need be."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sriov-bootstrap-lab"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / key
    with _locked(cache / "lock"):
        if not folder.exists():
            _check_user()
            _drop_unused(cache)
            with tempfile.TemporaryDirectory(prefix="building-", dir=cache) as scratch:
                build(Path(scratch))
                (Path(scratch) / "image").rename(folder)
    os.utime(folder)
    return Image(folder)


def digest(inputs: Iterable[Path], *words: str) -> str:
    """Return a key for the content of these files, and these words."""
    key = hashlib.sha256("\0".join(words).encode())
    for path in inputs:
        key.update(f"{path.relative_to(HERE)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return key.hexdigest()[:16]


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


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


def _check_user() -> None:
    if os.geteuid() != 0:
        message = (
            "lab: building the guest image takes root (files of many owners); once built it is used from the cache"
        )
        raise PermissionError(message)


def _build(scratch: Path) -> None:
    root, folder = scratch / "root", scratch / "image"
    folder.mkdir()
    image = Image(folder)
    with step("make an ssh key"):
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(image.ssh_key)]
        subprocess.run(keygen, check=True)
    with step("install Debian into a folder"):
        build_rootfs(root, authorized_key=image.ssh_key.with_suffix(".pub").read_text())
    with step("write kernel, initramfs and disk"):
        [kernel] = (root / "boot").glob("vmlinuz-*")
        shutil.copy(kernel, image.kernel)
        image.initramfs.write_bytes(build_initramfs(root))
        make_disk(root, image, "1500M")


def make_disk(root: Path, image: Image, size: str) -> None:
    """Write the image's disk with the content of a folder, without mounting it; it is sparse."""
    command = [tool("mke2fs"), "-q", "-F", "-t", "ext4", "-d", str(root), str(image.disk), size]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def tool(name: str) -> str:
    """Return where a program is that a user's PATH may not have."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") or name


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is being done, and how long it took."""
    started = time.monotonic()
    _say(f"guest image: {what} ...")
    yield
    _say(f"guest image: {what}: {time.monotonic() - started:.0f} s")


def _say(text: str) -> None:
    print(f"lab: {text}", file=sys.stderr, flush=True)
