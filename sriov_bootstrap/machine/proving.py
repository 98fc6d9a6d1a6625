"""Proofs, side by side: each starts its VM, looks at what it reports until that is all, and puts its VFs back.

Who starts it holds the verify lock, and has recorded the VFs while no pass was under way.
"""

import os
import secrets
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.core.pci_address import parts
from sriov_bootstrap.core.trials import Trial, TriedVf
from sriov_bootstrap.core.vf_attributes import VfAttributes
from sriov_bootstrap.edges import child
from sriov_bootstrap.edges.templates import read_template
from sriov_bootstrap.edges.virsh import LibvirtAnswer, words_of
from sriov_bootstrap.machine.trials import attributes_now, end_trial, forget, record
from sriov_bootstrap.verify import guest
from sriov_bootstrap.verify.choice import Choice
from sriov_bootstrap.verify.domain import Vm, domain_name, mac_for
from sriov_bootstrap.verify.initramfs import archive, entries_for
from sriov_bootstrap.verify.report import GuestReport, last_words, parse_report
from sriov_bootstrap.verify.stages import Accelerator, ProofStage, StageResult, Verification, fail
from sriov_bootstrap.verify.verdicts import (
    KERNEL_PACKAGE,
    Equipment,
    Observation,
    judge_after,
    judge_back,
    judge_before,
)

if TYPE_CHECKING:
    from sriov_bootstrap.machine.host_machine import HostMachine

LIMIT_SECONDS = {Accelerator.KVM: 180.0, Accelerator.TCG: 900.0}  # until the guest has reported all
GRACE_SECONDS = 180.0  # after which libvirt ends the VM even if this process does not
POLL_SECONDS = 0.2
BRIDGE = "0x0604"
ARCHITECTURE = "x86_64"
KERNEL, INITRAMFS = "kernel", "initramfs"
INTERFACE = "libvirt-interface.xml.j2"


class ProofWish(Struct, frozen=True):
    """What the VMs get: `vlan` 0 is none; `limit_seconds` 0 is the usual limit."""

    vlan: int = 0
    gateway: str = ""
    limit_seconds: float = 0.0


class VmProof:
    """One of them, as it goes on."""

    def __init__(self, choice: Choice, vm: Vm, trial: Trial, before: tuple[StageResult, ...]) -> None:
        self.choice = choice
        self.vm = vm
        self.trial = trial
        self.stages = before
        self.launched: child.Child | None = None
        self.said = b""
        self.seen = Observation()
        self.began_at = 0.0
        self.is_over = any(stage.has_failed for stage in before)

    @property
    def words(self) -> str:
        """What it is doing, for who watches."""
        report = self.seen.report
        if self.is_over:
            return "done"
        if not report.booted:
            return "the VM boots"
        return "frames are sent" if report.links else "the VM has booted, and looks at its VF"


def prepare(
    machine: "HostMachine", choices: tuple[Choice, ...], wish: ProofWish, libvirt: LibvirtAnswer
) -> tuple[list[VmProof], Equipment]:
    """What can be told before a VM is started; the VFs of the others are recorded as tried from now on.

    Called while no pass is under way, so that `libvirt` has been asked before. SriovBootstrapError if they cannot be
    recorded.
    """
    host = _read_equipment(machine, choices, libvirt)
    proofs = [_prepare(machine, choice, host, wish) for choice in choices]
    trials = tuple(proof.trial for proof in proofs if not proof.is_over)
    if trials:
        record(machine, trials)
    return proofs, host


def prove(machine: "HostMachine", proofs: list[VmProof], host: Equipment, wish: ProofWish) -> tuple[Verification, ...]:
    """All of them, side by side. However it ends, every VM is ended, and every VF that nobody else has is as before."""
    limit = wish.limit_seconds or LIMIT_SECONDS[host.accelerator]
    waiting = [proof for proof in proofs if not proof.is_over]
    try:
        _write_guest(machine, waiting)
        for proof in waiting:
            if not proof.is_over:
                _start(machine, proof, limit)
        while not all(proof.is_over for proof in waiting):
            for proof in waiting:
                _observe(machine, proof, limit)
            _tell(machine, proofs, limit)
            machine.pause(POLL_SECONDS)
    finally:
        for proof in waiting:
            _end(machine, proof)
        forget(machine, [proof.trial for proof in waiting if proof.launched is None or _finish(machine, proof)])
    return tuple(_result(proof, host) for proof in proofs)


def _read_equipment(machine: "HostMachine", choices: tuple[Choice, ...], libvirt: LibvirtAnswer) -> Equipment:
    groups = machine.pci.read_groups()
    processor, problem = os.uname().machine, ""
    if processor != ARCHITECTURE:
        problem = f"verify only makes VMs for {ARCHITECTURE}, and this host is {processor}"
    return Equipment(
        groups=None if groups is None else {number: _members(found) for number, (_, found) in groups.items()},
        machine_problem=problem,
        libvirt_problem=libvirt.problem,
        kernel_problem=_problem_of(lambda: machine.guest_files.kernel_path(machine.procfs.kernel_release())),
        module_problems=_module_problems(machine, choices),
        has_kvm=machine.has_kvm,
        taken_names=libvirt.domains,
    )


def _members(classes: dict[str, str]) -> tuple[str, ...]:
    return tuple(address for address, kind in classes.items() if not kind.startswith(BRIDGE))


def _problem_of(ask: Callable[[], object]) -> str:
    try:
        ask()
    except SriovBootstrapError as error:
        return error.message
    return ""


def _module_problems(machine: "HostMachine", choices: Iterable[Choice]) -> dict[str, str]:
    """PCI address of a VF -> why there is no driver for it. VFs of one kind are asked about once."""
    aliases = {vf.pci_address: _modalias(machine, vf.pci_address) for choice in choices if (vf := choice.vf)}
    problems = {alias: _problem_of(partial(machine.guest_files.modules_for, alias)) for alias in {*aliases.values()}}
    return {address: problems[alias] for address, alias in aliases.items() if problems[alias]}


def _modalias(machine: "HostMachine", vf: str) -> str:
    return machine.pci.read_text(vf, "modalias")


def _prepare(machine: "HostMachine", choice: Choice, host: Equipment, wish: ProofWish) -> VmProof:
    name = domain_name(choice.pf.pci_address)
    nonce = secrets.token_hex(8)
    vfs = tuple(vf for vf in (choice.vf, choice.second) if vf)
    folder = f"{machine.trial_files.folder}/{name}"
    vm = Vm(
        name,
        host.accelerator,
        nonce,
        {vf.pci_address: mac_for(nonce, number) for number, vf in enumerate(vfs)},
        wish.vlan,
        wish.gateway,
        f"{machine.trial_files.folder}/{KERNEL}",
        f"{machine.trial_files.folder}/{INITRAMFS}",
        f"{folder}.console",
        f"{folder}.report",
    )
    tried = tuple(TriedVf(vf.pci_address, vf.index, vf.driver, incarnation=vf.incarnation) for vf in vfs)
    trial = Trial(name, choice.pf.pci_address, choice.pf.netdev, tried)
    before = attributes_now(machine, trial)
    trial = replace(trial, vfs=tuple(replace(vf, attributes=before.get(vf.number)) for vf in trial.vfs))
    return VmProof(choice, vm, trial, tuple(judge_before(choice, host, name)))


def _write_guest(machine: "HostMachine", proofs: list[VmProof]) -> None:
    """One kernel and one initramfs for all of them. What is missing for that, or no room, fails each."""
    if not proofs:
        return
    machine.say("making the initramfs from this host's own files")
    try:
        _save_guest(machine, proofs)
    except SriovBootstrapError as error:
        for proof in proofs:
            proof.stages = (*proof.stages[:-1], fail(ProofStage.KERNEL, error.message, error.hint or KERNEL_PACKAGE))
            proof.is_over = True


def _save_guest(machine: "HostMachine", proofs: Iterable[VmProof]) -> None:
    sources = machine.guest_files
    python, files = sources.interpreter(guest.__file__)
    aliases = {_modalias(machine, vf) for proof in proofs for vf in proof.vm.macs}
    modules = {alias: sources.modules_for(alias) for alias in sorted(aliases)}
    files |= sources.read({path for paths in modules.values() for path in paths})
    files[guest.MODULES] = "".join(f"{alias} {' '.join(paths)}\n" for alias, paths in modules.items()).encode()
    with open(guest.__file__, encoding="ascii") as program:
        first, _, rest = program.read().partition("\n")
    files["/init"] = f"{first.replace(guest.INTERPRETER, python)}\n{rest}".encode()
    machine.trial_files.save(KERNEL, sources.kernel(machine.procfs.kernel_release()))
    machine.trial_files.save(INITRAMFS, archive(entries_for(files)))


def _start(machine: "HostMachine", proof: VmProof, limit_seconds: float) -> None:
    path = machine.trial_files.save(f"{proof.vm.name}.xml", proof.vm.xml(_interfaces(proof.vm)).encode())
    proof.began_at = machine.monotonic()
    limit = limit_seconds + GRACE_SECONDS
    proof.launched = child.launch(machine.virsh.words_to_create(path, proof.vm.name, limit_seconds=limit))


def _interfaces(vm: Vm) -> str:
    """The same text as that of `render libvirt`; a site's own template of it does not count here."""
    from sriov_bootstrap.render.templates import render

    template = read_template(INTERFACE)
    contexts = ({"address": parts(vf), "mac": mac, "vlan": vm.vlan} for vf, mac in vm.macs.items())
    return "".join(render(template, context) for context in contexts)


def _observe(machine: "HostMachine", proof: VmProof, limit_seconds: float) -> None:
    if proof.is_over or proof.launched is None:
        return
    has_ended = child.has_ended(proof.launched)  # before what it said is read: it says nothing more
    proof.said += child.said_by(proof.launched)
    report = parse_report(machine.trial_files.read(f"{proof.vm.name}.report"), proof.vm.nonce)
    passed = machine.monotonic() - proof.began_at
    is_late = passed > limit_seconds
    on_pf = proof.seen.on_pf or _read_pf(machine, proof, report)
    said = words_of(proof.said) if has_ended and not report.booted else ""
    proof.seen = Observation(report, said, on_pf, passed, is_late=is_late)
    has_stopped = b"event 'lifecycle'" in proof.said and b"Stopped" in proof.said
    proof.is_over = report.is_complete or has_ended or has_stopped or is_late


def _read_pf(machine: "HostMachine", proof: VmProof, report: GuestReport) -> VfAttributes | None:
    """What the PF has for the VF while the guest has it: asked once."""
    return attributes_now(machine, proof.trial).get(proof.trial.vfs[0].number) if report.devices else None


def _tell(machine: "HostMachine", proofs: list[VmProof], limit_seconds: float) -> None:
    busy = [proof for proof in proofs if not proof.is_over]
    if not busy:
        return
    passed = max(proof.seen.seconds for proof in busy)
    lead = f"{len(proofs) - len(busy)} of {len(proofs)} done; " if len(proofs) > 1 else ""
    machine.say(f"{lead}{busy[0].choice}: {busy[0].words}: {passed:.0f} s of at most {limit_seconds:.0f} s")


def _end(machine: "HostMachine", proof: VmProof) -> None:
    """The VM ends with the virsh that has created it."""
    if proof.launched is None:
        return
    console = machine.trial_files.read(f"{proof.vm.name}.console")
    proof.seen = replace(proof.seen, console="" if proof.seen.report.booted else last_words(console))
    child.end(proof.launched.pid)
    os.close(proof.launched.fd)


def _finish(machine: "HostMachine", proof: VmProof) -> bool:
    """Whether nobody has to come for its VM or its VFs once more."""
    machine.say(f"{proof.choice}: putting its VFs back")
    back = end_trial(machine, proof.trial)
    judged = judge_after(proof.choice, proof.vm, proof.seen)
    proof.stages = (*proof.stages, *judged, judge_back(back.problems, back.left_alone))
    return back.is_over


def _result(proof: VmProof, host: Equipment) -> Verification:
    choice = proof.choice
    return Verification(
        rule=choice.rule,
        pf=choice.pf.pci_address,
        netdev=choice.pf.netdev,
        vf=choice.vf.pci_address if choice.vf else "",
        second=choice.second.pci_address if choice.second else "",
        accelerator=host.accelerator if proof.launched else "",
        seconds=proof.seen.seconds,
        stages=proof.stages,
    )
