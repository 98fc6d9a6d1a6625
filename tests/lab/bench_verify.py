"""`make bench-verify`, and a line of `make bench`: what `verify host` saves by proving its PFs side by side.

The VMs are the lab's stand-in (guest/verify/virsh), which boots nothing: what is timed is all that is ours, and the
VFs' way to vfio and back.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

sys.path[:1] = [str(Path(__file__).parents[1] / part) for part in ("", "support")]  # a script has its own there

from lab.building import failures_told  # noqa: E402
from lab.cache import HERE  # noqa: E402
from lab.consumers import install_package, newest_package  # noqa: E402
from lab.figures import Line, Seconds, collect, ratio, show  # noqa: E402
from lab.host import address_rule  # noqa: E402
from lab.image import guest_image  # noqa: E402
from lab.qemu import Hardware  # noqa: E402
from lab.vm import Vm, running_vm  # noqa: E402

PFS: Final = 8
TARGET: Final = 0.35
STAND_IN: Final = HERE / "guest" / "verify" / "virsh"
CONFIG: Final = "/etc/sriov-bootstrap/config.toml"
ROUND_SECONDS: Final = 900
PREPARE: Final = """\
chmod +x /usr/local/bin/virsh
modprobe vfio-pci
touch /boot/vmlinuz-$(uname -r)
systemctl stop 'sriov-bootstrap*'
sriov-bootstrap --once
udevadm settle
"""
# By the guest's own clock.
TIMED: Final = "bash -c 'TIMEFORMAT=%R; time (set -e; {}) >/dev/null 2>&1' 2>&1"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3, help="each takes five minutes")
    arguments = parser.parse_args()
    with running_vm(guest_image(), hardware=Hardware(igb_pfs=PFS)) as vm:
        install_package(vm, newest_package())
        seconds = measure(vm, arguments.rounds)
    show(seconds, lines(seconds))
    return 0


def measure(vm: Vm, rounds: int) -> Seconds:
    """Two VFs on each PF; all PFs side by side, and one after the other, in turns."""
    pfs = vm.pfs()
    vm.write(CONFIG, "\n".join(address_rule(pf, 2, vf_driver="kernel") for pf in pfs))
    vm.push(STAND_IN, "/usr/local/bin/virsh")
    vm.check(PREPARE, timeout_seconds=ROUND_SECONDS)
    seconds: Seconds = {}
    ways = {
        "verify together": "sriov-bootstrap verify host",
        "verify in turn": "; ".join(f"sriov-bootstrap verify vf {pf}" for pf in pfs),
    }
    for _ in range(rounds):
        for name, command in ways.items():
            print(f"measuring: {name}", flush=True)
            found = float(vm.check(TIMED.format(command), timeout_seconds=ROUND_SECONDS))
            print(f"  {found}", flush=True)
            collect(seconds, {name: [found]})
    return seconds


def lines(seconds: Seconds) -> Iterator[Line]:
    """What docs/benchmarks.md has a target for."""
    what = f"verify host over {PFS} PFs / one PF after the other"
    yield Line("verify", what, ratio(seconds, "verify together", "verify in turn"), TARGET)


if __name__ == "__main__":
    with failures_told():
        sys.exit(main())
