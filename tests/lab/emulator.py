"""The QEMU that every guest runs on: 11.1 or newer, this machine's own or one unpacked into the cache.

11.1, because before it the VFs of the emulated 82576 take 2 s each to probe and never get carrier, and virtio-net has
no `sriov-pf`. It is in trixie's backports. Nothing is installed on this machine: the packages are unpacked and run by
their own loader, so their libraries need not fit this machine's.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .building import BuildError, run_isolated
from .cache import HERE, cached_folder, digest, step
from .mirror import sources

PROGRAM: Final = "qemu-system-x86_64"
NEEDED: Final = (11, 1)
SUITE: Final = "trixie"
SUITES: Final = (SUITE, f"{SUITE}-backports")


@dataclass(frozen=True, slots=True)
class Emulator:
    """The words that start it, and what they need in the environment."""

    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)

    def version(self) -> tuple[int, int]:
        """Return major and minor; (0, 0) when it does not run."""
        try:
            done = subprocess.run([*self.command, "--version"], check=False, capture_output=True, text=True, timeout=60)
        except OSError:
            return 0, 0
        found = re.search(r"version (\d+)\.(\d+)", done.stdout)
        return (int(found[1]), int(found[2])) if found else (0, 0)


def emulator() -> Emulator:
    """Return the QEMU to use, unpacking it first if need be (half a minute; has to run as root)."""
    own = Emulator((PROGRAM,))
    if shutil.which(PROGRAM) and own.version() >= NEEDED:
        return own
    key = digest([HERE / "emulator.py"])
    return _unpacked(cached_folder(f"qemu-{key}", _unpack))


def _unpacked(root: Path) -> Emulator:
    """Return the QEMU in that tree; what it looks for by absolute paths has to be named."""
    [libraries] = root.glob("usr/lib/*-linux-gnu")
    [loader] = root.glob("usr/lib*/ld-linux-*.so.*")
    firmware = [word for name in ("qemu", "seabios") for word in ("-L", str(root / "usr/share" / name))]
    command = (str(loader), "--library-path", str(libraries), str(root / "usr/bin" / PROGRAM), *firmware)
    return Emulator(command, {"QEMU_MODULE_DIR": str(libraries / "qemu")})


def _unpack(scratch: Path) -> None:
    root = scratch / "image"
    command = ["mmdebstrap", "--mode=root", "--variant=extract", "--include=qemu-system-x86"]
    command += [f'--aptopt=APT::Default-Release "{SUITES[-1]}"', '--aptopt=APT::Install-Recommends "0"']
    command += ["--aptopt=Acquire::Languages none", "--dpkgopt=path-exclude=/usr/share/doc/*"]
    with step(f"unpack QEMU {'.'.join(map(str, NEEDED))} or newer"):
        run_isolated([*command, SUITE, str(root), *sources(*SUITES)])
    found = _unpacked(root).version()
    if found < NEEDED:
        raise BuildError(
            f"lab: {SUITES[-1]} has QEMU {found[0]}.{found[1]}, and the lab takes {NEEDED[0]}.{NEEDED[1]}:"
            " set SRIOV_LAB_MIRROR to a mirror that is up to date"
        )
