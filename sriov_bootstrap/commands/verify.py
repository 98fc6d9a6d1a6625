"""verify: proof that VFs work. Each subject has a function here, and what it proves is in verify/."""

from collections.abc import Callable

from msgspec import Struct

from sriov_bootstrap.base.errors import ExitCode
from sriov_bootstrap.base.printable import printable, to_json
from sriov_bootstrap.commands.terminal import progress_printer
from sriov_bootstrap.core.facts import PfFacts, VfFacts
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.passes.read import load_config, read_facts
from sriov_bootstrap.verify.choice import Choice, choose, choose_all


class VerifyAsk(Struct, frozen=True):
    """What was asked for: a PF or VF, or a rule; "" for any."""

    device: str = ""
    rule: str = ""
    as_json: bool = False


def verify_vf(machine: HostMachine, ask: VerifyAsk) -> int:
    """0 if there is a VF to try, 3 if all are in use."""
    return _print(_choose_vfs(machine, ask, is_for_all=False), as_json=ask.as_json)


def verify_host(machine: HostMachine, ask: VerifyAsk) -> int:
    """The same for each PF that a rule has."""
    return _print(_choose_vfs(machine, ask, is_for_all=True), as_json=ask.as_json)


SUBJECTS: dict[str, Callable[[HostMachine, VerifyAsk], int]] = {"vf": verify_vf, "host": verify_host}


def _choose_vfs(machine: HostMachine, ask: VerifyAsk, *, is_for_all: bool) -> tuple[Choice, ...]:
    machine.say = progress_printer()
    config = load_config(machine, None).config
    pfs: tuple[PfFacts, ...] = read_facts(machine, config)
    groups = machine.pci.read_groups() or {}

    def is_alone(vf: VfFacts) -> bool:
        return len(groups.get(vf.iommu_group, ("", {}))[1]) <= 1

    if is_for_all:
        return choose_all(config, pfs, is_alone)
    return (choose(config, pfs, ask.device, ask.rule, is_alone),)


def _print(choices: tuple[Choice, ...], *, as_json: bool) -> int:
    addresses = {id(choice): choice.vf.pci_address if choice.vf else "" for choice in choices}
    if as_json:
        found = [{"rule": it.rule, "pf": it.pf.pci_address, "vf": addresses[id(it)]} for it in choices]
        print(to_json({"choices": found}).decode())
    for choice in () if as_json else choices:
        print(f"{choice}: {printable(choice.why) or addresses[id(choice)]}")
    return ExitCode.OK if all(choice.vf for choice in choices) else ExitCode.DEGRADED
