"""verify: proof that VFs work. Each subject has a function here, and what it proves is in verify/."""

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.base.errors import ExitCode, UsageError
from sriov_bootstrap.base.printable import printable, to_json
from sriov_bootstrap.commands.interruption import ended_by_signals
from sriov_bootstrap.commands.terminal import in_colour, progress_printer, table_cells, write_note
from sriov_bootstrap.core.vf_attributes import MAX_VLAN
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.machine.proving import ProofWish, prepare, prove
from sriov_bootstrap.machine.trials import clean_up
from sriov_bootstrap.passes.read import Loaded, load_config, read_facts
from sriov_bootstrap.verify.choice import IsAlone, choose, choose_all
from sriov_bootstrap.verify.domain import is_ipv4
from sriov_bootstrap.verify.stages import StageOutcome, StageResult, Verification

MARKS = {StageOutcome.PASSED: ("ok", "32"), StageOutcome.FAILED: ("FAILED", "31"), StageOutcome.SKIPPED: ("-", "")}
COLUMNS = ("RULE", "PF", "NETDEV", "VF", "SECONDS", "RESULT")


class VerifyAsk(Struct, frozen=True):
    """What was asked for: a PF or VF, or a rule, "" for any; `timeout` 0 and `vlan` 0 are none."""

    device: str = ""
    rule: str = ""
    vlan: int = 0
    gateway: str = ""
    timeout: float = 0.0
    as_json: bool = False


def verify_vf(machine: HostMachine, ask: VerifyAsk) -> int:
    """0 if a VF works in a VM, 3 if not, or if none is free."""
    found = _verify(machine, ask, is_for_all=False)
    if ask.as_json:
        print(to_json({"verifications": found}).decode())
    for verification in () if ask.as_json else found:
        _print_stages(verification)
    return _code(found)


def verify_host(machine: HostMachine, ask: VerifyAsk) -> int:
    """The same for one VF of each PF that a rule has."""
    found = _verify(machine, ask, is_for_all=True)
    if ask.as_json:
        print(to_json({"verifications": found}).decode())
        return _code(found)
    for cells in table_cells([COLUMNS, *map(_row, found)]):
        print("  ".join(cells).rstrip())
    for verification in found:
        for stage in verification.failures:
            print(f"\n{verification}: {printable(stage.said)}\n  hint: {printable(stage.remedy)}")
    return _code(found)


SUBJECTS: dict[str, Callable[[HostMachine, VerifyAsk], int]] = {"vf": verify_vf, "host": verify_host}


def _verify(machine: HostMachine, ask: VerifyAsk, *, is_for_all: bool) -> tuple[Verification, ...]:
    _refuse_invalid(ask)
    machine.require_root("verify")
    machine.say = progress_printer()
    loaded = load_config(machine, None)
    wish = ProofWish(ask.vlan, ask.gateway, ask.timeout)
    with ended_by_signals(), machine.locks.hold_verify():
        for problem in clean_up(machine):
            machine.say("")
            write_note(f"sriov-bootstrap: {problem}")
        libvirt = machine.virsh.ask()
        with machine.pass_lock():  # no pass plans for VFs that are recorded as tried a moment later
            pfs = read_facts(machine, loaded.config)
            is_alone = _read_groups(machine)
            if is_for_all:
                choices = choose_all(loaded.config, pfs, is_alone)
            else:
                choices = (choose(loaded.config, pfs, ask.device, ask.rule, is_alone),)
            proofs, host = prepare(machine, choices, wish, libvirt)
        found = prove(machine, proofs, host, wish)
    machine.say("")
    _note_success(machine, loaded, found)
    return found


def _refuse_invalid(ask: VerifyAsk) -> None:
    if not 0 <= ask.vlan <= MAX_VLAN:
        raise UsageError((f"verify: --vlan {ask.vlan} is not between 0 and {MAX_VLAN}",))
    if ask.gateway and not is_ipv4(ask.gateway):
        raise UsageError((f'verify: --gateway "{ask.gateway}" is not an IPv4 address',))


def _read_groups(machine: HostMachine) -> IsAlone:
    groups = machine.pci.read_groups() or {}
    return lambda vf: len(groups.get(vf.iommu_group, ("", {}))[1]) <= 1


def _note_success(machine: HostMachine, loaded: Loaded, found: tuple[Verification, ...]) -> None:
    """For the metrics: when a VF of each rule was last proved, in state.json, and on the page at once."""
    from sriov_bootstrap.machine.jobs import publish

    rules = {proof.rule: machine.time() for proof in found if proof.is_proved and proof.rule}
    if not rules:
        return
    with machine.pass_lock():
        saved = machine.load_state()[0]
        machine.save_state(replace(saved, verified_at=saved.verified_at | rules), is_of_pass=False)
    publish(machine, loaded)  # with no lock held: the textfile may be on a slow disk, and every pass would wait for it


def _code(found: tuple[Verification, ...]) -> int:
    return ExitCode.OK if all(verification.is_proved for verification in found) else ExitCode.DEGRADED


def _print_stages(verification: Verification) -> None:
    print(verification)
    for stage in verification.stages:
        word, colour = MARKS[stage.outcome]
        mark = in_colour(word.ljust(6), colour) if colour else word.ljust(6)
        print(f"  {stage.stage.replace('_', ' '):<8}  {mark}  {printable(stage.said)}".rstrip())
        if stage.remedy:
            print(f"    hint: {printable(stage.remedy)}")
    print(_verdict(verification))


def _verdict(verification: Verification) -> str:
    if verification.is_proved:
        return f"{verification.vf} works in a VM ({verification.seconds:.0f} s)"
    return f"not proved: {', '.join(_name(stage) for stage in verification.failures)}"


def _name(stage: StageResult) -> str:
    return stage.stage.replace("_", " ")


def _row(verification: Verification) -> tuple[str, ...]:
    result = "ok" if verification.is_proved else f"FAILED: {', '.join(map(_name, verification.failures))}"
    seconds = f"{verification.seconds:.0f}" if verification.seconds else "-"
    texts = (verification.rule, verification.pf, verification.netdev or "-", verification.vf or "-", seconds, result)
    return tuple(map(printable, texts))
