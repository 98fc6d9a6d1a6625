"""`make bench-peers`: what other programs that set VFs cost, beside the rc.local loop and ours, in the same guest.

What cannot be measured is named with its reason, and fails nothing. docs/comparison.md has the table of one run.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

sys.path[:1] = [str(Path(__file__).parents[1] / part) for part in ("", "support")]  # a script has its own there

from lab.bench import FOLDER, ROUND_SECONDS, prepare  # noqa: E402
from lab.boot import said  # noqa: E402
from lab.building import failures_told  # noqa: E402
from lab.figures import Line, Seconds, collect, ratio, show  # noqa: E402
from lab.peers_image import install_from_pypi, peers_image, versions  # noqa: E402
from lab.qemu import Hardware  # noqa: E402
from lab.vm import Vm, running_vm  # noqa: E402

PROGRAMS: Final = {
    "loop": "rc.local loop",
    "ours": "sriov-bootstrap --once",
    "netplan": "netplan apply --sriov-only",
    "link": "systemd .link, udevadm trigger --settle",
    "networkmanager": "NetworkManager, nmcli connection up; device reapply",
    "os-net-config": "os-net-config-sriov",
    "shim": "sriov-netplan-shim configure",
}
COMPARED_WITH: Final = ("python", "loop")  # an interpreter that does nothing, and what all of them replace
TIMES: Final = 3  # with nothing to do, after each first apply
REASON_LETTERS: Final = 200


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3, help="each takes five to ten minutes")
    parser.add_argument("--pfs", type=int, default=4, help="with 7 VFs each")
    parser.add_argument("--only", nargs="+", choices=PROGRAMS, default=list(PROGRAMS), help="beside the loop")
    arguments = parser.parse_args()
    names = dict.fromkeys([*COMPARED_WITH, *arguments.only])
    seconds: Seconds = {}
    missing: dict[str, str] = {}
    with said(), running_vm(peers_image(), hardware=Hardware(igb_pfs=arguments.pfs)) as vm:
        pfs = prepare(vm)
        install_from_pypi(vm)
        found = versions(vm)
        for _ in range(arguments.rounds):
            for name in names:
                _measure(vm, name, pfs, seconds, missing)
    print("\n" + "\n".join(found))
    show(seconds, lines(seconds))
    for name, reason in missing.items():
        print(f"not measured: {PROGRAMS[name]}: {reason}")
    return 0


def _measure(vm: Vm, name: str, pfs: list[str], seconds: Seconds, missing: dict[str, str]) -> None:
    if name in missing:
        return
    command = f"cd {FOLDER} && python3 -m lab.guest.bench.peers {name} {TIMES} {FOLDER} {' '.join(pfs)}"
    print(f"measuring: {name}", flush=True)
    done = vm.run(command, timeout_seconds=ROUND_SECONDS)
    if done.rc:
        missing[name] = reason(done.stderr)
        print(f"  {done.stderr}", flush=True)
        return
    answer: Seconds = json.loads(done.stdout)
    print(f"  {answer}", flush=True)
    collect(seconds, answer, f"{name} ")


def reason(stderr: str) -> str:
    """Return the last thing that a program said, in one line."""
    said = [line.strip() for line in stderr.splitlines() if line.strip()]
    return said[-1][-REASON_LETTERS:] if said else "it said nothing"


def lines(seconds: Seconds) -> Iterator[Line]:
    """Each program's first apply against the loop's, and having nothing to do against an interpreter."""
    for name, what in PROGRAMS.items():
        if f"{name} first" in seconds:
            first, again = (
                ratio(seconds, f"{name} first", "loop first"),
                ratio(seconds, f"{name} again", "python again"),
            )
            yield Line(f"{name}_first", f"{what}: first apply / rc.local loop", first)
            yield Line(f"{name}_again", "  nothing to do / python3 -c pass", again)


if __name__ == "__main__":
    with failures_told():
        sys.exit(main())
