"""An initramfs as bytes: the newc format of cpio (Documentation/driver-api/early-userspace/buffer-format.rst)."""

import os
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

FOLDER, FILE = 0o040755, 0o100755
TRAILER = "TRAILER!!!"
MAGIC = b"070701"


class ArchiveEntry(Struct, frozen=True):
    """One file: its absolute path in the guest, its mode with its type, and what is in it."""

    path: str
    mode: int
    data: bytes = b""


def entries_for(files: Mapping[str, bytes]) -> tuple[ArchiveEntry, ...]:
    """These files, path -> content, after the folders that they are in."""
    folders = sorted({folder for path in files for folder in _folders_of(path)})
    return (
        *(ArchiveEntry(folder, FOLDER) for folder in folders),
        *(ArchiveEntry(path, FILE, data) for path, data in files.items()),
    )


def _folders_of(path: str) -> Iterator[str]:
    while (path := os.path.dirname(path)) != "/":
        yield path


def archive(entries: Iterable[ArchiveEntry]) -> bytes:
    """The archive, uncompressed: decompressing takes a CPU in software longer than reading."""
    text = bytearray()
    for number, entry in enumerate((*entries, ArchiveEntry(f"/{TRAILER}", 0)), start=1):
        name = entry.path.lstrip("/").encode() + b"\0"
        fields = (number, entry.mode, 0, 0, 1, 0, len(entry.data), 0, 0, 0, 0, len(name), 0)
        text += MAGIC + b"".join(b"%08x" % field for field in fields) + name
        text += bytes(-len(text) % 4) + entry.data
        text += bytes(-len(text) % 4)
    return bytes(text)
