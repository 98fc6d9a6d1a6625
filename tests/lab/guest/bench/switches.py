"""Runs in the guest: four netdevsim devices with four VFs each get into switchdev mode, three ways in turns.

`pass` is what a pass does from its first step to its last, and `whole pass` with what it reads before and after;
`batch` is `devlink -b FILE`, and `shell` one `devlink` after the other. Prints the seconds as one JSON object.

usage: switches.py ROUNDS
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from lab.guest.netdevsim.machine import BUS, MOST_VFS, NsimMachine, folder_of
from sriov_bootstrap.core.config import Config, Match, PfRule
from sriov_bootstrap.core.eswitch_config import Eswitch, EswitchMode
from sriov_bootstrap.core.report import Result
from sriov_bootstrap.passes.protocols import GuardedAction
from sriov_bootstrap.passes.read import Loaded
from sriov_bootstrap.passes.reconcile import Mode, run_pass

NAMES = tuple(f"netdevsim{number}" for number in range(1, 5))
RULES = tuple(
    PfRule(
        name, Match(pci_address=name), MOST_VFS, vf_driver="none", pf_up=False, eswitch=Eswitch(EswitchMode.SWITCHDEV)
    )
    for name in NAMES
)
MODES = {mode: [f"dev eswitch set netdevsim/{name} mode {mode}" for name in NAMES] for mode in EswitchMode}

Seconds = dict[str, float]


class TimedMachine(NsimMachine):
    """It knows when its first step began, and its last one ended."""

    began = ended = 0.0

    def act_in_turn(self, steps: Sequence[GuardedAction]) -> Iterator[Result]:
        self.began = self.began or time.monotonic()
        for result in super().act_in_turn(steps):
            self.ended = time.monotonic()
            yield result


def a_pass() -> Seconds:
    machine = TimedMachine(*NAMES)
    began = time.monotonic()
    report = run_pass(machine, Loaded(Config(pf=RULES)), mode=Mode.APPLY)
    whole = time.monotonic() - began
    found = [(line.state, line.eswitch_mode, line.representors) for line in report.pfs]
    assert found == [("ok", "switchdev", MOST_VFS)] * len(NAMES), found
    return {"pass": machine.ended - machine.began, "whole pass": whole}


def batch(mode: EswitchMode) -> None:
    subprocess.run(["devlink", "-b", "-"], input="".join(f"{line}\n" for line in MODES[mode]), text=True, check=True)


def in_batch() -> Seconds:
    began = time.monotonic()
    batch(EswitchMode.SWITCHDEV)
    return {"batch": time.monotonic() - began}


def in_shell() -> Seconds:
    script = "set -e; " + "; ".join(f"devlink {line}" for line in MODES[EswitchMode.SWITCHDEV])
    began = time.monotonic()
    subprocess.run(["/bin/sh", "-c", script], check=True)
    return {"shell": time.monotonic() - began}


def in_legacy_mode() -> None:
    """And quiet: udev is busy with each netdev that comes or goes."""
    batch(EswitchMode.LEGACY)
    subprocess.run(["udevadm", "settle"], check=True)


def main(rounds: int) -> None:
    for number, name in enumerate(NAMES, 1):
        (BUS / "new_device").write_text(f"{number} 1")
        (folder_of(name) / "sriov_numvfs").write_text(str(MOST_VFS))
    seconds: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        for way in (a_pass, in_batch, in_shell):
            in_legacy_mode()
            for name, found in way().items():
                seconds.setdefault(name, []).append(found)
        if not number:
            seconds.clear()  # what is imported once counts for no pass
    print(json.dumps(seconds))


main(int(sys.argv[1]))
