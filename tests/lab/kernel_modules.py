"""Kernel modules that Debian does not ship: netdevsim, which it does not switch on, and our slowvf."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .building import run, run_isolated
from .cache import HERE, cached_folder, digest, files_below, step
from .mirror import sources

SOURCES: Final = HERE / "modules"
BUILT: Final = ("netdevsim/netdevsim.ko", "slowvf/slowvf.ko")
# What the headers do not bring along: they are unpacked, not installed, so nothing is there because it is essential.
TOOLS: Final = (
    *("base-files", "bash", "binutils", "coreutils", "dash", "findutils", "gcc", "grep", "make", "mawk", "sed", "tar"),
    "xz-utils",
)


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel package: modules are built for this version of it and for no other."""

    release: str  # as of uname -r: 7.3.4+deb13-amd64
    version: str  # as of dpkg: 7.3.4-1~bpo13+1

    @classmethod
    def installed_in(cls, root: Path) -> "Kernel":
        [folder] = (root / "usr" / "lib" / "modules").iterdir()
        query = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show", "-f", "${Version}"]
        return cls(folder.name, run([*query, f"linux-image-{folder.name}"]))

    @property
    def packages(self) -> tuple[str, str]:
        """What is built from."""
        [series] = re.findall(r"^\d+\.\d+", self.release)
        return f"linux-headers-{self.release}={self.version}", f"linux-source-{series}={self.version}"


def install_modules(root: Path, *suites: str) -> None:
    """Install the modules for the kernel that is in that root file system, building them first if need be.

    They are cached by themselves: a guest is built anew more often than they are, and they take two minutes.
    """
    kernel = Kernel.installed_in(root)
    key = digest([HERE / "kernel_modules.py", *files_below(SOURCES)], kernel.release, kernel.version)
    built = cached_folder(f"modules-{key}", lambda scratch: _build(kernel, suites, scratch))
    updates = root / "usr" / "lib" / "modules" / kernel.release / "updates"
    updates.mkdir(exist_ok=True)
    for path in built.glob("*.ko"):
        shutil.copy(path, updates)
    run(["chroot", str(root), "depmod", kernel.release])


def _build(kernel: Kernel, suites: tuple[str, ...], scratch: Path) -> None:
    root, folder = scratch / "root", scratch / "image"
    folder.mkdir()
    with step(f"modules for {kernel.release}: unpack compiler, headers and source"):
        include = ",".join((*TOOLS, *kernel.packages))
        command = ["mmdebstrap", "--mode=root", "--variant=extract", f"--include={include}"]
        command += ["--aptopt=Acquire::Languages none", "--aptopt=APT::Install-Recommends false"]
        command += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "info", "locale", "man")]
        command += ["--skip=check/qemu", suites[0], str(root), *sources(*suites)]
        run_isolated(command)
    with step(f"modules for {kernel.release}: build netdevsim and slowvf"):
        shutil.copytree(SOURCES, root / "build")
        script = f'mount -t proc proc "$0/proc"; exec chroot "$0" sh -c "cd /build; exec ./build.sh {kernel.release}"'
        run_isolated(["sh", "-ec", script, str(root)], {"PATH": os.environ["PATH"], "LC_ALL": "C"})
    for name in BUILT:
        shutil.copy(root / "build" / name, folder)
