"""Files that we write: readers see the old text or the new one, never a part. For the edges alone.

The new file is created beside the old one under a name that cannot be guessed, closed to others until it has the owner
of the old one, and never as open as the old one was not.
"""

import contextlib
import os
import stat

from sriov_bootstrap.base.below import Below
from sriov_bootstrap.base.reading import ACL, FLAGS, sync_folder

NEW_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
READABLE = 0o644
# Hashes of the old text, and rights that the kernel takes away from who writes.
NOT_KEPT = ("security.ima", "security.evm", "security.capability", "trusted.")


def replace_file(  # noqa: PLR0913 - each is a word of its own
    path: str,
    data: bytes,
    *,
    root: str = "",
    durable: bool = False,
    keep_owner: bool = False,
    follow: bool = False,
    make: bool = False,
    private: bool = False,
) -> None:
    """Raises OSError, LinkError. `durable`: there after a power cut, too. `make`: with its folders.

    The file is ours and readable for all, unless the old one was not; or, with `keep_owner`, whose it was and as open
    as it was. A security label and POSIX ACLs stay, where that is permitted. `follow`: a link that has the name stays,
    and what it leads to is replaced; otherwise the link is. `private`: readable only by us, whatever was there.
    """
    with Below(root).place(path, follow=follow, make=make) as place:
        _replace(place.folder, place.name, data, durable=durable, keep_owner=keep_owner, private=private)


def remove_file(path: str, *, root: str = "") -> None:
    """A link that has the name, and not what it leads to. Raises OSError, LinkError."""
    with Below(root).place(path, follow=False) as place:
        os.unlink(place.name, dir_fd=place.folder)


def _replace(folder: int, name: str, data: bytes, *, durable: bool, keep_owner: bool, private: bool) -> None:
    temporary = f".sriov-bootstrap.{os.urandom(8).hex()}.tmp"
    descriptor = os.open(temporary, NEW_FLAGS, stat.S_IRUSR | stat.S_IWUSR, dir_fd=folder)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if not private:
                _dress(descriptor, folder, name, keep_owner=keep_owner)
            if durable:
                os.fsync(descriptor)
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise
    if durable:
        sync_folder(folder)


def _dress(descriptor: int, folder: int, name: str, *, keep_owner: bool) -> None:
    """The owner first, the mode last: in between, no one has more access than at the end."""
    before = _status(folder, name)
    if before is None:
        os.fchmod(descriptor, READABLE)
        return
    if keep_owner and (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, before.st_uid, before.st_gid)
    mode = stat.S_IMODE(before.st_mode) & (0o777 if keep_owner else READABLE)
    if not _keep_attributes(descriptor, folder, name):
        mode &= ~stat.S_IRWXG  # with an ACL these bits are its mask, and say nothing of the group
    os.fchmod(descriptor, mode)


def _status(folder: int, name: str) -> os.stat_result | None:
    """Of the regular file that is to be replaced."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _keep_attributes(descriptor: int, folder: int, name: str) -> bool:
    """Label, ACL and what else is noted there. False if there is an ACL that could not be kept."""
    kept = _attributes(folder, name)
    if ACL not in kept:  # one that the folder gives to each new file
        with contextlib.suppress(OSError):
            os.removexattr(descriptor, ACL)
    is_kept = True
    for key, value in kept.items():
        try:
            os.setxattr(descriptor, key, value)
        except OSError:
            is_kept = is_kept and key != ACL
    return is_kept


def _attributes(folder: int, name: str) -> dict[str, bytes]:
    try:
        descriptor = os.open(name, FLAGS | os.O_NOFOLLOW, dir_fd=folder)
    except OSError:
        return {}
    try:
        names = [attribute for attribute in os.listxattr(descriptor) if not attribute.startswith(NOT_KEPT)]
        return {attribute: os.getxattr(descriptor, attribute) for attribute in names}
    except OSError:
        return {}
    finally:
        os.close(descriptor)
