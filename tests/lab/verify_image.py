"""The guest of `make test-verify`: the main guest's disk, with Debian's libvirt, QEMU, and the kernel's KVM."""

import shutil
from pathlib import Path
from typing import Final

from .cache import HERE, cached_folder, digest, step
from .image import Image, guest_image, make_disk
from .openstack_image import install_onto

SCRIPT: Final = HERE / "verify_packages.sh"
SIZE: Final = "2400M"


def verify_image() -> Image:
    """Return the image for the inputs as they are now, building it and the main one first if need be; as root."""
    base = guest_image()
    key = digest([Path(__file__), HERE / "openstack_image.py", SCRIPT], base.folder.name)
    return Image(cached_folder(f"verify-{key}", lambda scratch: _build(base, scratch), megabytes=4000))


def _build(base: Image, scratch: Path) -> None:
    root, image = scratch / "root", Image(scratch / "image")
    image.folder.mkdir()
    for path in (base.kernel, base.initramfs, base.ssh_key, base.ssh_key.with_suffix(".pub")):
        shutil.copy(path, image.folder)
    with step("verify image: install libvirt, QEMU and KVM onto the main guest's disk"):
        install_onto(base, root, SCRIPT)
    with step("verify image: write the disk"):
        make_disk(root, image, SIZE)
