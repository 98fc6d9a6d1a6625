"""`make bench-verify`, and a line of `make bench`: what `verify host` saves by proving its PFs side by side; no VM.

On a folder that looks like a host, with the lab's stand-in for libvirt (tests/lab/guest/verify/virsh), which boots
nothing: what is timed is all that is ours. A real VM is waited for in addition, for eight at once or for one after the
other.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

sys.path[:1] = [str(Path(__file__).parents[1] / part) for part in ("", "support")]  # a script has its own there

from bench import big_tree  # noqa: E402
from lab.cache import HERE  # noqa: E402
from lab.figures import Line, Seconds, ratio, show  # noqa: E402

PFS: Final = 8
VFS: Final = 2  # of each: one to try, and one to exchange frames with
ROUNDS: Final = 5
TARGET: Final = 0.35
TOGETHER, IN_TURN = "verify together", "verify in turn"
STAND_IN: Final = HERE / "guest" / "verify"
MODPROBE: Final = "#!/bin/sh\necho insmod /lib/modules/none.ko\n"
COPIED: Final = ("kmod", "mount")  # into the initramfs, with their libraries, and never run here
RUN: Final = """\
import sys
from sriov_bootstrap.cli import main
sys.exit(main(["verify", *sys.argv[2:]], root=sys.argv[1]))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    seconds = measure(rounds=parser.parse_args().rounds)
    show(seconds, lines(seconds))
    return 0


def measure(*, pfs: int = PFS, rounds: int = ROUNDS) -> Seconds:
    """All PFs side by side, and one after the other, in turns."""
    seconds: Seconds = {TOGETHER: [], IN_TURN: []}
    with tempfile.TemporaryDirectory(prefix="sriov-bench-") as folder:
        root, programs = Path(folder, "root"), Path(folder, "programs")
        _make_host(root, pfs)
        _make_programs(programs)
        for _ in range(rounds):
            seconds[TOGETHER].append(_timed(root, programs, "host"))
            addresses = [f"{number:04x}:3b:00.0" for number in range(pfs)]
            seconds[IN_TURN].append(sum(_timed(root, programs, "vf", address) for address in addresses))
    return seconds


def lines(seconds: Seconds) -> Iterator[Line]:
    """What docs/benchmarks.md has a target for."""
    what = f"verify host over {PFS} PFs / one PF after the other"
    yield Line("verify", what, ratio(seconds, TOGETHER, IN_TURN), TARGET)


def _make_host(root: Path, pfs: int) -> None:
    big_tree.make(str(root), pfs, VFS, has_netdevs=True)
    links = [device / "iommu_group" for device in root.glob("sys/devices/pci/*")]
    for link in filter(Path.is_symlink, links):
        group = root / "sys/kernel/iommu_groups" / link.readlink().name / "devices"
        group.mkdir(parents=True)
        (group / link.parent.name).symlink_to(link.parent)
    for name, text in {
        f"boot/vmlinuz-{os.uname().release}": "a kernel",
        "proc/sys/kernel/osrelease": os.uname().release,
        "lib/modules/none.ko": "a module",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def _make_programs(folder: Path) -> None:
    folder.mkdir()
    (folder / "modprobe").write_text(MODPROBE)
    (folder / "modprobe").chmod(0o755)
    for name in COPIED:
        shutil.copy("/bin/true", folder / name)


def _timed(root: Path, programs: Path, *words: str) -> float:
    path = f"{programs}:{STAND_IN}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "SRIOV_STAND_IN_TREE": str(root)}
    began = time.perf_counter()
    command = [sys.executable, "-Ic", RUN, str(root), *words]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{words} ended with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
