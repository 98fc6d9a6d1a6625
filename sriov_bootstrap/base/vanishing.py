"""What may be gone while it is read, in /sys and /proc: what cannot be read is nothing. For the edges alone."""

import os

from sriov_bootstrap.base.printable import text_of
from sriov_bootstrap.base.reading import FLAGS, read_file

PAGE_BYTES = 4096  # an attribute is no longer (Documentation/filesystems/sysfs.rst)


def names_in(folder: str) -> list[str]:
    """What is in a folder, in no order."""
    try:
        return os.listdir(folder)
    except OSError:
        return []


def name_text(name: str) -> str:
    """A name from a folder as it is spelt everywhere else; paths continue with the folder's own spelling."""
    return name if name.isalnum() and name.isascii() else text_of(os.fsencode(name))


def link_of(path: str) -> str:
    """Where a link leads, "" if it is none."""
    try:
        return os.readlink(path)
    except OSError:
        return ""


def link_name(path: str) -> str:
    """The last part of where a link leads: the driver's name for `driver`, the VF's address for `virtfn3`."""
    return link_of(path).rpartition("/")[2]


def attribute(path: str, size: int = PAGE_BYTES) -> bytes:
    """One read(2) of a file in /sys: ENOENT and ENODEV when the device leaves, EINVAL from a netdev."""
    try:
        descriptor = os.open(path, FLAGS | os.O_NOFOLLOW)  # below `render --root` anything may have that name
    except OSError:
        return b""
    try:
        return os.read(descriptor, size)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def attribute_text(path: str) -> str:
    """Without the line's end."""
    return attribute(path).decode(errors="replace").strip()


def content(path: str, limit: int) -> bytes:
    """A regular file of `limit` bytes at the most."""
    try:
        return read_file(path, limit)
    except OSError:
        return b""
