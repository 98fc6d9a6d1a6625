"""The guest of the OpenStack lab: the main guest's disk, with Debian's own agent, libvirt and nova-compute unit."""

import shlex
import shutil
from pathlib import Path
from typing import Final

from .building import run_isolated, tool
from .cache import HERE, cached_folder, digest, step
from .image import Image, guest_image, make_disk

SCRIPT: Final = HERE / "openstack_packages.sh"
SIZE: Final = "2400M"


def openstack_image() -> Image:
    """Return the image for the inputs as they are now, building it and the main one first if need be; as root."""
    base = guest_image()
    key = digest([Path(__file__), SCRIPT], base.folder.name)
    return Image(cached_folder(f"openstack-{key}", lambda scratch: _build(base, scratch), megabytes=4000))


def _build(base: Image, scratch: Path) -> None:
    root, image = scratch / "root", Image(scratch / "image")
    image.folder.mkdir()
    for path in (base.kernel, base.initramfs, base.ssh_key, base.ssh_key.with_suffix(".pub")):
        shutil.copy(path, image.folder)
    with step("openstack image: install the agent and libvirt onto the main guest's disk"):
        install_onto(base, root, SCRIPT)
    with step("openstack image: write the disk"):
        make_disk(root, image, SIZE)


def install_onto(base: Image, root: Path, script: Path) -> None:
    """Fill `root` with that disk, and let the hook `script` install there.

    mmdebstrap makes nothing here but what surrounds an installation: mounts, and no service that starts.
    """
    command = ["mmdebstrap", "--mode=root", "--variant=custom"]
    command += ["--skip=check/qemu,setup,update,cleanup", f"--customize-hook={script}"]
    run_isolated([*command, f"--setup-hook={copying_hook(base.disk)}", "", str(root)])


def copying_hook(disk: Path) -> str:
    """Return a line of shell that copies all files of an ext4 into the folder $1.

    debugfs exits with 0 when it cannot write, too: a copy is whole if it says nothing but its name and version.
    """
    dump = shlex.join([tool("debugfs"), "-R"])
    return f"""! {dump} "rdump / $1" {shlex.quote(str(disk))} 2>&1 | grep -v '^debugfs [0-9]'"""
