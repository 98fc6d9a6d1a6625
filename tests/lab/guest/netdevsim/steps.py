"""Passes over a netdevsim, in the guest: each argument is one thing to do, and prints one line of JSON.

pass:MODE:NUMBER makes a pass with such a rule; crash:N:MODE:NUMBER one that is killed amid its N-th row of steps; lose
sets the mode back behind its back; reload has devlink reload the device; read tells what the edge reads.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

import msgspec

from lab.guest.netdevsim.machine import NsimMachine, number_of_vfs
from sriov_bootstrap.base.errors import KernelError
from sriov_bootstrap.core.config import Config, Match, PfRule
from sriov_bootstrap.core.eswitch_config import EncapMode, Eswitch, EswitchMode, ParamMode
from sriov_bootstrap.core.facts import DevlinkQuestion
from sriov_bootstrap.core.report import Result
from sriov_bootstrap.edges.devlink import Devlink
from sriov_bootstrap.passes.protocols import GuardedAction
from sriov_bootstrap.passes.read import Loaded
from sriov_bootstrap.passes.reconcile import Mode, run_pass

NAME = "netdevsim1"


class MortalMachine(NsimMachine):
    """It dies in that row of steps, counted from 0, if that is said: after the first result."""

    dies_in = -1

    def act_in_turn(self, steps: Sequence[GuardedAction]) -> Iterator[Result]:
        results = super().act_in_turn(steps)
        if self.dies_in == 0:
            next(results, None)
            os._exit(9)
        self.dies_in -= 1
        return results


def a_pass(mode: str, number: str, *, dies_in: int = -1) -> dict[str, object]:
    wish = Eswitch(EswitchMode(mode), hw_tc_offload=mode == "switchdev" or None)
    rule = PfRule("sim", Match(pci_address=NAME), int(number), vf_driver="none", pf_up=False, eswitch=wish)
    machine = MortalMachine(NAME)
    machine.dies_in = dies_in
    report = run_pass(machine, Loaded(Config(pf=(rule,))), mode=Mode.APPLY)
    [line] = report.pfs
    steps = [f"{result.action}: {result.outcome} {result.message}".strip() for result in report.results]
    return {
        "state": line.state,
        "message": line.message,
        "mode": line.eswitch_mode,
        "vfs": line.num_vfs,
        "representors": line.representors,
        "steps": steps,
    }


def change(code: Callable[[Devlink], None]) -> dict[str, object]:
    with Devlink(bus="netdevsim") as devlink:
        try:
            code(devlink)
        except KernelError as error:
            return {"errno": error.errno, "message": error.message}
        question = DevlinkQuestion(NAME, ("max_macs", "test1", "nothing"), tc_offload=True)
        return {"told": msgspec.to_builtins(devlink.read((question,)))}


def reload_device() -> dict[str, object]:
    subprocess.run(["devlink", "dev", "reload", f"netdevsim/{NAME}"], check=True)
    return {"vfs": number_of_vfs(NAME)}


CHANGES: dict[str, Callable[[Devlink], None]] = {
    "read": lambda _: None,
    "lose": lambda devlink: devlink.set_eswitch(NAME, mode=EswitchMode.LEGACY),
    "param": lambda devlink: devlink.set_param(NAME, "max_macs", 16, ParamMode.DRIVERINIT),
    "encap": lambda devlink: devlink.set_eswitch(NAME, encap=EncapMode.BASIC),
}


def do(word: str) -> object:
    what, *rest = word.split(":")
    if what == "pass":
        return a_pass(*rest)
    if what == "reload":
        return reload_device()
    if what != "crash":
        return change(CHANGES[what])
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    a_pass(*rest[1:], dies_in=int(rest[0]))
    os._exit(0)


for argument in sys.argv[1:]:
    print(json.dumps(do(argument)), flush=True)
