"""The guest's initramfs: busybox and the few modules between the kernel and its root disk.

Our own, because Debian's runs udev before the root is mounted, which an emulated CPU pays with several seconds at every
boot, and may carry igb, which has to be loaded by the guest's real udev.
"""

import lzma
from pathlib import Path
from typing import Final

ROOT_MODULES: Final = ("ext4", "virtio_blk")
# In 6.12 ext4 takes its checksums from the crypto API at run time, so that modules.dep does not name this one. In 7.3
# it calls a library, and there is no such module.
CHECKSUM_MODULE: Final = "crc32c_generic"

INIT: Final = """\
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs none /dev
for module in {modules}; do /bin/busybox insmod /modules/$module; done
until [ -b /dev/vda ]; do /bin/busybox usleep 10000; done
/bin/busybox mount -t ext4 -o rw,noatime /dev/vda /root
/bin/busybox mount -o move /dev /root/dev
exec /bin/busybox switch_root /root /sbin/init
"""


def build_initramfs(root: Path) -> bytes:
    """Return a cpio archive for the kernel in `root`; uncompressed, because the guest would be slow to unpack it."""
    [modules] = (root / "usr" / "lib" / "modules").iterdir()
    paths = _in_load_order(modules / "modules.dep")
    init = INIT.format(modules=" ".join(_plain_name(path) for path in paths))
    archive = b"".join(_entry(name, mode=0o040755) for name in ("bin", "dev", "modules", "root"))
    # The kernel opens /dev/console for init before devtmpfs is mounted; without the node a failing init is mute.
    archive += _entry("dev/console", mode=0o020600, device=(5, 1))
    archive += _entry("bin/busybox", (root / "usr" / "bin" / "busybox").read_bytes(), mode=0o100755)
    archive += _entry("init", init.encode(), mode=0o100755)
    for path in paths:
        content = (modules / path).read_bytes()
        archive += _entry(f"modules/{_plain_name(path)}", lzma.decompress(content) if path.endswith(".xz") else content)
    return archive + _entry("TRAILER!!!", mode=0)


def _in_load_order(modules_dep: Path) -> list[str]:
    """Return module files, each after those it needs; modules.dep(5) lists those in the opposite order."""
    needs = dict(line.split(":", 1) for line in modules_dep.read_text().splitlines())
    by_name = {_plain_name(path).removesuffix(".ko"): path for path in needs}
    ordered: dict[str, None] = {}
    for name in (*({CHECKSUM_MODULE} & by_name.keys()), *ROOT_MODULES):
        path = by_name[name]
        ordered.update(dict.fromkeys([*reversed(needs[path].split()), path]))
    return list(ordered)


def _plain_name(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".xz")


def _entry(name: str, content: bytes = b"", *, mode: int = 0o100644, device: tuple[int, int] = (0, 0)) -> bytes:
    """Format: Documentation/driver-api/early-userspace/buffer-format.rst, "newc"."""
    encoded = name.encode() + b"\0"
    # Inode, mode, uid, gid, links, mtime, size, device of the file, device it stands for, name size, checksum.
    fields = (0, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(encoded), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    return _padded(header) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
