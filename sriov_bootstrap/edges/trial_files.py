"""What `verify` leaves in /run while it is under way: its record, and what its VMs are made of and write.

All of it is below the folder that only root can write to. QEMU's user has to read a part of it, and nothing there is
secret.
"""

import contextlib

from sriov_bootstrap.base.below import Below
from sriov_bootstrap.base.errors import LinkError, SriovBootstrapError
from sriov_bootstrap.base.replacing import remove_file, replace_file

STATE = "/run/sriov-bootstrap/state"
RECORD = f"{STATE}/trials.json"
FOLDER = f"{STATE}/verify"
MAX_BYTES = 4 << 20
ROOM = "make room in /run: a kernel with its initramfs takes 40 MB"


class TrialFiles:
    """Those below `root`, "" for the real ones."""

    def __init__(self, root: str = "") -> None:
        """Reads nothing yet."""
        self._root = root
        self._below = Below(root)

    @property
    def folder(self) -> str:
        """Where the VMs' files are, for libvirt."""
        return f"{self._root}{FOLDER}"

    def read_trials(self) -> bytes:
        """trials.json, b"" if there is none."""
        return self._read(RECORD)

    def save_trials(self, data: bytes) -> None:
        """Replaces trials.json. SriovBootstrapError if it cannot be written: nothing may begin then."""
        self._write(RECORD, data)

    def save(self, name: str, data: bytes) -> str:
        """Writes a file for the VMs; returns its path. SriovBootstrapError if it cannot be written."""
        self._write(f"{FOLDER}/{name}", data)
        return f"{self.folder}/{name}"

    def read(self, name: str) -> bytes:
        """What a VM has written there so far, b"" if nothing."""
        return self._read(f"{FOLDER}/{name}")

    def remove_all(self) -> None:
        """The record last: as long as it is there, somebody comes to clean up."""
        with contextlib.suppress(OSError, LinkError):
            for name in self._below.names(FOLDER):
                remove_file(f"{FOLDER}/{name}", root=self._root)
        with contextlib.suppress(OSError, LinkError):
            remove_file(RECORD, root=self._root)

    def _read(self, path: str) -> bytes:
        try:
            return self._below.read(path, MAX_BYTES)
        except (OSError, LinkError):
            return b""

    def _write(self, path: str, data: bytes) -> None:
        try:
            replace_file(path, data, root=self._root, make=True)
        except OSError as error:
            message = f"{self._root}{path}: cannot be written: {error.strerror}"
            raise SriovBootstrapError(message, hint=ROOM) from error
