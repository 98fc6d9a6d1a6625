"""`make soak`: random real faults in one guest, and what must be true all the while, looked at from outside.

A round is some faults and then quiet: what is broken is mended, the NIC is in, the config is good again, and then all
has to be as it should. Prints every fault; the seed repeats the choice of them, not the moments of the guest.
"""

import argparse
import re
import secrets
import sys
import time
from pathlib import Path
from random import Random
from typing import Final

if __name__ == "__main__":
    sys.path[:1] = [str(Path(__file__).parents[1] / part) for part in ("", "support")]  # a script has its own there
    __package__ = "lab"

from .boot import said
from .building import failures_told
from .consumers import install_all
from .faults import UNOWNED_VFS, WANTED, Faults, Snapshot, config
from .host import AGENT, CONFIG_FILE, DEVICES, NOVA, PF1, PF2, UNIT, Guest
from .vm import Vm, running_vm

FAULTS_A_ROUND: Final = (3, 7)
MAX_RSS_KIB: Final = 80 * 1024
MAX_FILES: Final = 40
MAX_TASKS: Final = 6
BUG: Final = re.compile(r"Traceback|unexpected error|this is a bug")
# Kills come fast here, and systemd would start the service ever more slowly: the waiting is not what is tested.
QUICK: Final = "[Service]\nRestartSec=200ms\nRestartSteps=0\n"
DROP_IN: Final = f"/run/systemd/system/{UNIT}.d/soak.conf"
MEND: Final = f"systemctl start dbus; systemctl start {UNIT}; systemctl start nova-compute neutron-sriov-agent"


class Soak:
    """One soak of a guest that is at rest. `violations` is empty as long as all is well."""

    def __init__(self, guest: Guest, seed: int) -> None:
        self._guest = guest
        self._random = Random(seed)  # noqa: S311 - to be repeated
        self._faults = Faults(guest, self._random)
        self._before: Snapshot = {}
        self._starts: dict[str, int] = {}
        self.count = 0
        self.checks = 0
        self.violations: list[str] = []

    def run(self, *, minutes: float) -> None:
        """Until the time is over, and then to the end of the round."""
        until = time.monotonic() + 60 * minutes
        self._begin()
        try:
            while time.monotonic() < until:
                self._round()
        finally:
            self._end()

    def __str__(self) -> str:
        return f"soak: {self.count} faults, {self.checks} VF checks, {len(self.violations)} violations"

    def _begin(self) -> None:
        self._guest.vm.write(DROP_IN, QUICK)
        self._guest.vm.write(CONFIG_FILE, config(WANTED[PF1], WANTED["hot"]))
        self._guest.check(f"systemctl daemon-reload; systemctl restart {UNIT}", timeout_seconds=300)
        self._faults.make_unowned()
        self._quiet()

    def _end(self) -> None:
        """Leaves no trace for who has the guest next."""
        self._mend()
        if self._faults.is_plugged:
            self._faults.plug()
        autoprobe = f"echo 1 >{DEVICES}/{PF2}/sriov_drivers_autoprobe"
        self._guest.run(f"{autoprobe}; date -s @{time.time():.0f}; rm -f {DROP_IN}; systemctl daemon-reload")

    def _round(self) -> None:
        self._faults.has_touched_vfs = False
        for _ in range(self._random.randint(*FAULTS_A_ROUND)):
            self._say(self._faults.one())
            self.count += 1
            time.sleep(2 * self._random.random() ** 2)  # the faults' own pace: nothing is waited for
            self._check_untouchable()
        self._quiet()

    def _mend(self) -> None:
        for wound in self._faults.wounds:
            self._guest.run(wound)
        self._faults.wounds.clear()
        if self._faults.held:
            self._faults.let_go()
        self._guest.run(MEND, timeout_seconds=300)

    def _quiet(self) -> None:
        """The faults are over: within the deadline all is as it should be."""
        self._check_untouchable()
        self._mend()
        if not self._faults.is_plugged:
            self._faults.plug()
        self._guest.vm.write(CONFIG_FILE, config(WANTED[PF1], WANTED["hot"]))
        self._guest.until(lambda: self._guest.run(f"systemctl reload {UNIT}").rc == 0, "a service that runs")
        try:
            hot = self._guest.until(lambda: self._guest.vm.pfs()[2:], "the NIC that was plugged")[0]
            wanted = {PF1: WANTED[PF1], hot: WANTED["hot"]}
            self._guest.settle(wanted)
        except AssertionError as error:
            self._violation(f"no rest: {error}")
            return
        self._check_untouchable()
        self._check_consumers(hot)
        self._check_service()

    def _check_untouchable(self) -> None:
        """A VF that somebody holds is the one it was, and so are those of the PF that has no rule."""
        now, held = self._faults.snapshot(), self._faults.held
        self.checks += sum(map(len, now.values()))
        if held and now.get(PF1, {}).get(held[0]) != held[1]:
            self._violation(f"the held {held[0]} of {PF1} was destroyed: {now.get(PF1)}")
        if now.get(PF2, {}) != self._faults.unowned or len(self._faults.unowned) != UNOWNED_VFS:
            self._violation(f"the PF without a rule was changed: {self._faults.unowned} -> {now.get(PF2)}")
            self._faults.make_unowned()

    def _check_consumers(self, hot: str) -> None:
        """Each has started after the last change of VFs, and not at all where nothing changed."""
        now = {pf: vfs for pf, vfs in self._faults.snapshot().items() if pf in {PF1, hot}}
        line = f" {PF1}={WANTED[PF1]} {PF2}={UNOWNED_VFS} {hot}={WANTED['hot']}"
        for log in (NOVA, AGENT):
            starts = self._guest.starts(log)
            new = len(starts) - self._starts.get(log, 0)
            if self._before and now != self._before and not (new and starts[-1].endswith(line)):
                self._violation(f"{log}: VFs are new, and it has not seen them: {starts[-2:]}")
            if self._before and not self._faults.has_touched_vfs and new:
                self._violation(f"{log}: {new} restarts for nothing: {starts[-2:]}")
            self._starts[log] = len(starts)
        self._before = now

    def _check_service(self) -> None:
        pid = self._guest.service("MainPID")
        text = self._guest.run(f"grep VmRSS /proc/{pid}/status; ls /proc/{pid}/fd | wc -l").stdout.split()
        rss, files, tasks = int(text[1]), int(text[3]), int(self._guest.service("TasksCurrent"))
        self._say(f"at rest: {rss} KiB, {files} files, {tasks} processes; {self}")
        if rss > MAX_RSS_KIB or files > MAX_FILES or tasks > MAX_TASKS:
            self._violation(f"the daemon grows: {rss} KiB, {files} files, {tasks} processes")
        if found := [one for one in self._guest.journal().splitlines() if BUG.search(one)]:
            self._violation(f"the journal has {found[-1]}")
            self._guest.forget_journal()

    def _violation(self, text: str) -> None:
        self.violations.append(text)
        self._say(f"VIOLATION: {text}")

    def _say(self, text: str) -> None:
        print(f"[{time.monotonic() % 100_000:9.1f}] {text}", flush=True)


def soak(vm: Vm, *, minutes: float, seed: int) -> Soak:
    """Soak a guest that has package and stand-ins."""
    guest = Guest(vm)
    guest.set_up()
    one = Soak(guest, seed)
    print(f"soak: {minutes:g} minutes, seed {seed}", flush=True)
    one.run(minutes=minutes)
    print(one, flush=True)
    return one


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32))
    arguments = parser.parse_args()
    with said(), running_vm() as vm:
        install_all(vm)
        try:
            done = soak(vm, minutes=arguments.minutes, seed=arguments.seed)
        except BaseException:
            print(vm.last_words())
            raise
        if done.violations:
            print(vm.last_words())
            print("\n".join(["violations:", *done.violations, str(done)]))
    return 1 if done.violations else 0


if __name__ == "__main__":
    with failures_told():
        sys.exit(main())
