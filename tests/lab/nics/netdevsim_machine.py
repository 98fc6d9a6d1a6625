"""Passes over netdevsim, in the guest: each argument is one thing to do, and prints one line of JSON.

pass:MODE:NUMBER makes a pass with such a rule; crash:N:MODE:NUMBER one that is killed before its N-th step; lose sets
the mode back behind its back; reload has devlink reload the device; read tells what the edge reads.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from sriov_bootstrap.base.errors import KernelError
from sriov_bootstrap.core.actions import Action, BindVfs, SetAutoprobe, SetNumVfs
from sriov_bootstrap.core.config import Config, Match, PfRule
from sriov_bootstrap.core.eswitch_config import EncapMode, Eswitch, EswitchMode, ParamMode
from sriov_bootstrap.core.facts import DevlinkQuestion, RawNetdev, RawPf, RawVf
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.edges.devlink import Devlink
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.passes.apply import apply
from sriov_bootstrap.passes.read import Loaded
from sriov_bootstrap.passes.reconcile import Mode, run_pass

NAME = "netdevsim1"
FOLDER = Path("/sys/bus/netdevsim/devices") / NAME


class NsimMachine(HostMachine):
    """A PF whose address is netdevsim's name; its count is written to it, and its VFs exist nowhere else."""

    dies_before = -1

    def read_pfs(self, only: tuple[str, ...] = (), **_: object) -> tuple[RawPf, ...]:
        number = int((FOLDER / "sriov_numvfs").read_text())
        netdevs = tuple(netdev(name) for name in sorted(os.listdir(FOLDER / "net")))
        texts = {"class": "0x020000", "sriov_totalvfs": "4", "sriov_drivers_autoprobe": "0"}
        vfs = tuple(RawVf(f"{index}", f"{NAME}.{index}", inode=100 * number + index) for index in range(number))
        return (RawPf(NAME, texts, "netdevsim", netdevs, vfs),) if not only or NAME in only else ()

    def count_vfs(self, pci_address: str) -> int:
        return len(self.read_pfs((pci_address,))[0].vfs)

    def act(self, action: Action, *, guard: Callable[[], str]) -> Result:
        if self.dies_before == 0:
            os._exit(9)
        self.dies_before -= 1
        if isinstance(action, SetNumVfs):
            return apply(action, lambda: self.write(action), count_made=lambda: self.count_vfs(NAME))
        if isinstance(action, SetAutoprobe | BindVfs):
            return Result(action, Outcome.UNCHANGED)
        return super().act(action, guard=guard)

    def write(self, action: SetNumVfs) -> None:
        (FOLDER / "sriov_numvfs").write_text(str(action.after))


def netdev(name: str) -> RawNetdev:
    folder = FOLDER / "net" / name
    return RawNetdev(name, flags="0x1003", ifindex=text(folder / "ifindex"), port_name=text(folder / "phys_port_name"))


def text(path: Path) -> str:
    """udev renames representors while they are looked at."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def a_pass(mode: str, number: str, *, dies_before: int = -1) -> dict[str, object]:
    wish = Eswitch(EswitchMode(mode), hw_tc_offload=mode == "switchdev" or None)
    rule = PfRule("sim", Match(pci_address=NAME), int(number), vf_driver="none", pf_up=False, eswitch=wish)
    machine = NsimMachine()
    machine.devlink_bus, machine.dies_before = "netdevsim", dies_before
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
    return {"vfs": len(NsimMachine().read_pfs()[0].vfs)}


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
    a_pass(*rest[1:], dies_before=int(rest[0]))
    os._exit(0)


for argument in sys.argv[1:]:
    print(json.dumps(do(argument)), flush=True)
