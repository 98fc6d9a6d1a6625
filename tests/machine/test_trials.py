"""What comes after a trial: VFs have their drivers and attributes again, whoever has changed them, or it is said."""

import json
from collections.abc import Mapping

import pytest

from builders import PF, vf_address
from fakes_host import HostTree
from sriov_bootstrap.base.errors import KernelError
from sriov_bootstrap.core.state import Handover
from sriov_bootstrap.core.trials import Trial, Trials, TriedVf, dump_trials
from sriov_bootstrap.core.vf_attributes import PfLink, PfLinks, VfAttributes
from sriov_bootstrap.edges import child
from sriov_bootstrap.edges.virsh import Virsh
from sriov_bootstrap.machine import jobs, trials
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.machine.trials import put_back, sweep

BEFORE = VfAttributes(mac="02:00:00:00:00:01", vlan=100, vlan_qos=3, trust=True)
TAKEN = {"mac": "fa:16:3e:00:00:01", "vlan": 7, "vlan_qos": 0, "trust": False}
NIC = "nic"  # a file with what the PF has for VF 0, which a process of its own sets
TRIAL = Trial("verify-a", PF, "ens1f0", (TriedVf(vf_address(PF, 0), 0, "igbvf", BEFORE),))
RECORD = "run/sriov-bootstrap/state/trials.json"


class HostWithNic(HostMachine):
    """Its PF has what the file says; pauses move its clock alone."""

    paused = 0.0

    def read_pf_links(self, netdevs: tuple[str, ...]) -> PfLinks:
        now = json.loads((self.tree.root / NIC).read_text())
        return PfLinks({netdevs[0]: PfLink(2, vfs={0: VfAttributes(**now), 1: VfAttributes()})})

    def pause(self, seconds: float) -> None:
        self.paused += seconds

    def monotonic(self) -> float:
        return super().monotonic() + self.paused

    tree: HostTree


@pytest.fixture
def tree(tmp_path_factory: pytest.TempPathFactory) -> HostTree:
    tree = HostTree(tmp_path_factory.mktemp("host"))
    tree.add_pf(num_vfs=2)
    tree.write(NIC, json.dumps(TAKEN))
    return tree


@pytest.fixture
def machine(tree: HostTree, monkeypatch: pytest.MonkeyPatch) -> HostMachine:
    """libvirt has no such domain, and the kernel sets what it is asked to."""

    def set_vf_attributes(ifindex: int, wishes: Mapping[int, VfAttributes]) -> None:
        assert ifindex == 2
        now = json.loads(tree.read(NIC))
        tree.write(NIC, json.dumps(now | wishes[0].said))

    monkeypatch.setattr(trials, "set_vf_attributes", set_vf_attributes)
    programs = tree.root / "programs"
    programs.mkdir()
    (programs / "virsh").write_text("#!/bin/sh\necho \"error: failed to get domain '$5'\" >&2; exit 1\n")
    (programs / "virsh").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    machine = HostWithNic(root=str(tree.root))
    machine.tree = tree
    return machine


def test_what_libvirt_has_set_is_as_before_and_nothing_else_is_touched(machine: HostMachine, tree: HostTree) -> None:
    assert put_back(machine, TRIAL) == ()
    now = json.loads(tree.read(NIC))
    assert now == {"mac": BEFORE.mac, "vlan": 100, "vlan_qos": 3, "trust": False}


def test_what_is_as_before_is_not_set(machine: HostMachine, tree: HostTree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.write(NIC, json.dumps(BEFORE.said))
    monkeypatch.setattr(trials, "set_vf_attributes", pytest.fail)
    assert put_back(machine, TRIAL) == ()


def test_a_pf_that_sets_nothing_is_told(machine: HostMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "set_vf_attributes", lambda *_: None)
    (problem,) = put_back(machine, TRIAL)
    assert problem.startswith("VF 0 no longer has ")


def test_a_kernel_that_refuses_is_told_in_its_words(machine: HostMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise KernelError("ens1f0: no")

    monkeypatch.setattr(trials, "set_vf_attributes", refuse)
    assert put_back(machine, TRIAL) == ("ens1f0: attributes of its VFs: ens1f0: no",)


def test_a_vf_whose_driver_stays_away_is_told(machine: HostMachine, tree: HostTree) -> None:
    """The tree's kernel binds nothing."""
    tree.write(NIC, json.dumps(BEFORE.said))
    (tree.device(vf_address(PF, 0)) / "driver").unlink()
    tree.bind(vf_address(PF, 0), "vfio-pci")
    said: list[str] = []
    machine.say = said.append
    assert put_back(machine, TRIAL) == (f"{vf_address(PF, 0)} has vfio-pci instead of igbvf",)
    assert f"waiting for VFs of {PF} to come back from verify-a" in said


def test_a_killed_run_is_put_back_once(machine: HostMachine, tree: HostTree) -> None:
    tree.write(RECORD, dump_trials(Trials(machine.procfs.boot_id(), (TRIAL,))))
    assert sweep(machine) == ()
    assert json.loads(tree.read(NIC))["mac"] == BEFORE.mac
    assert not (tree.root / RECORD).exists()
    assert sweep(machine) == ()


def test_while_a_verify_is_under_way_nothing_is_put_back(machine: HostMachine, tree: HostTree) -> None:
    tree.write(RECORD, dump_trials(Trials(machine.procfs.boot_id(), (TRIAL,))))
    with HostMachine(root=str(tree.root)).locks.hold_verify():
        assert sweep(machine) == ()
    assert json.loads(tree.read(NIC)) == TAKEN


def test_no_verify_begins_while_another_is_cleaned_up_after(
    machine: HostMachine, tree: HostTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its VM has the same name, and its record the same place."""
    seen: list[bool] = []
    monkeypatch.setattr(Virsh, "destroy", lambda *_: seen.append(machine.locks.is_verifying()))
    tree.write(RECORD, dump_trials(Trials(machine.procfs.boot_id(), (TRIAL,))))
    sweep(machine)
    assert seen == [True]


def test_what_cannot_be_put_back_is_a_note_of_the_daemons_pass(
    machine: HostMachine, tree: HostTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "set_vf_attributes", lambda *_: None)
    tree.write(RECORD, dump_trials(Trials(machine.procfs.boot_id(), (TRIAL,))))
    job = jobs.start_pass(machine, jobs.load(machine, None), Handover())
    (note,) = jobs.end_of(child.finish(job, what="the pass", timeout_seconds=60)).state.report.notes
    assert note.startswith("verify was killed, and left something behind: VF 0 no longer has ")
