"""`make bench-switchdev`, and lines of `make bench`: a pass that sets modes, compared with devlink, in the lab VM.

netdevsim makes representors at once and has no firmware to wait for, so what is compared is all that is ours.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

sys.path[:1] = [str(Path(__file__).parents[1] / part) for part in ("", "support")]  # a script has its own there

from lab.boot import said  # noqa: E402
from lab.building import failures_told  # noqa: E402
from lab.cache import HERE  # noqa: E402
from lab.consumers import install_package, newest_package  # noqa: E402
from lab.figures import Line, Seconds, collect, ratio, show  # noqa: E402
from lab.image import guest_image  # noqa: E402
from lab.rootfs import NICS  # noqa: E402
from lab.vm import Vm, running_vm  # noqa: E402

FOLDER: Final = "/root/bench"
PROGRAMS: Final = ("netdevsim/machine.py", "bench/switches.py")  # in guest/
ROUNDS: Final = 9
ROUND_SECONDS: Final = 900
TARGET: Final = 1.3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    with said(), running_vm(guest_image(NICS)) as vm:
        install_package(vm, newest_package())
        vm.check("systemctl stop sriov-bootstrap 'sriov-bootstrap-metrics*'")
        seconds = measure(vm, rounds=rounds)
    show(seconds, lines(seconds))
    return 0


def measure(vm: Vm, *, rounds: int = ROUNDS) -> Seconds:
    """In a guest with the package, in which nothing of it runs."""
    for program in PROGRAMS:
        vm.push(HERE / "guest" / program, f"{FOLDER}/lab/guest/{program}")
    vm.check("modprobe netdevsim")
    command = f"cd {FOLDER} && python3 -m lab.guest.bench.switches {rounds}"
    seconds: Seconds = {}
    collect(seconds, json.loads(vm.check(command, timeout_seconds=ROUND_SECONDS)), "switchdev ")
    vm.check("modprobe --remove netdevsim")
    return seconds


def lines(seconds: Seconds) -> Iterator[Line]:
    """What docs/benchmarks.md has a target for."""
    what = "switchdev for 4 VFs x 4 netdevsim devices, steps of a pass / devlink -batch"
    yield Line("switchdev", what, ratio(seconds, "switchdev pass", "switchdev batch"), TARGET)
    what = "  the same / one devlink after the other"
    yield Line("switchdev_shell", what, ratio(seconds, "switchdev pass", "switchdev shell"))
    what = "  the whole pass, with what it reads / devlink -batch"
    yield Line("switchdev_whole", what, ratio(seconds, "switchdev whole pass", "switchdev batch"))


if __name__ == "__main__":
    with failures_told():
        sys.exit(main())
