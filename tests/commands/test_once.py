"""--once whole, from the words to the exit code, on a tree that looks like a host; its writes are real processes."""

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from builders import PF, PF3, vf_address
from fakes_host import HostTree, rule
from fakes_systemd import FakeUnit, fake_systemd
from shells import Shell
from sriov_bootstrap.commands.consent import has_consent
from sriov_bootstrap.commands.once import print_plan, print_report
from sriov_bootstrap.core import repetition, vf_settings
from sriov_bootstrap.core.config import Config
from sriov_bootstrap.core.contest import Contest
from sriov_bootstrap.core.followup import FollowUpReport, UnitOutcome, UnitResult
from sriov_bootstrap.core.report import PassReport, PfReport, PfState
from sriov_bootstrap.core.state import State, dump
from sriov_bootstrap.core.vf_attributes import PfLink, PfLinks, RefusedSetting, VfAttributes, VlanProtocol
from sriov_bootstrap.edges.files import Files
from sriov_bootstrap.machine import vf_attributes
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.passes.read import Loaded

USAGE, DEGRADED = 2, 3
NO_BUS = "unix:path=/nonexistent/system-bus: no bus: the socket does not exist"
REFUSED = """\
0000:3b:00.0: cannot create 32 VFs: the device offers 7
  hint: lower num_vfs in rule "tenant-a" to 7 or "max"
"""


def snapshot(tree: HostTree) -> dict[str, tuple[int, str]]:
    """When each file of /sys and /etc was written, and what."""
    files = [path for folder in ("sys", "etc") for path in (tree.root / folder).rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_mtime_ns, path.read_text()) for path in files}


def test_a_host_that_is_as_desired_is_left_alone(tree: HostTree, shell: Shell) -> None:
    tree.add_pf(num_vfs=4)
    tree.configure(rule(4))
    before = snapshot(tree)
    assert shell.run("--once") == (0, f"{PF} (ens1f0): 4 VFs, as desired\nas desired, nothing changed\n", "")
    assert snapshot(tree) == before


BAD_TABLE = '[[pf.vf]]\nvfs = "all"\nmac = "01:00:00:00:00:01"\n'
MULTICAST = "mac: 01:00:00:00:00:01 is a multicast address, which no interface can have: its first byte must be even"


def test_a_mistake_in_a_table_costs_this_pf_its_attributes_and_nothing_else(tree: HostTree, shell: Shell) -> None:
    tree.add_pf(netdev="", num_vfs=1)
    tree.add_netdev(PF, "ens1f0", flags="0x1002")
    tree.add_pf(PF3, netdev="ens1f1")
    tree.add_vf(PF3, 0, driver="")
    other = rule(1, address=PF3, more='vf_driver = "none"\n').replace("tenant-a", "b")
    tree.configure(rule(1, more='vf_driver = "none"\n') + BAD_TABLE + other)
    problem = f'{tree.root}/etc/sriov-bootstrap/config.toml: [[pf]] "tenant-a": [[pf.vf]] number 1: {MULTICAST}'
    code, out, err = shell.run("--once", "--dry-run")
    assert (code, err) == (DEGRADED, f"sriov-bootstrap: {problem}\n")
    assert f"{PF} (ens1f0): to do: set sriov_drivers_autoprobe to 0, then bring ens1f0 up\n" in out
    code, out, err = shell.run("--once")
    assert (code, err) == (DEGRADED, f"sriov-bootstrap: {problem}\n")
    lines = out.splitlines()
    assert lines[0].startswith(f"{PF}: nothing is set for its VFs: {problem}; set sriov_drivers_autoprobe to 0")
    assert lines[1].startswith("  hint: correct the file, ")
    assert lines[2] == f"{PF3} (ens1f1): 1 VF, as desired; set sriov_drivers_autoprobe to 0 (N s)"
    assert lines[3] == "degraded: 1 of 2 PFs not as desired, changed"


def test_a_mistake_in_a_table_whose_card_is_missing_is_said_too(tree: HostTree, shell: Shell) -> None:
    tree.configure(rule(1, more="required = false\n") + BAD_TABLE)
    code, out, err = shell.run("--once")
    assert (code, out.splitlines()[-1]) == (DEGRADED, "degraded: the config has an error, nothing changed")
    assert err.endswith(f": {MULTICAST}\n")
    assert json.loads(shell.run("--once", "--json")[1])["report"]["table_problems"][0].endswith(MULTICAST)
    assert shell.run("--once", "--dry-run", "--json")[0] == DEGRADED
    code, out, _ = shell.run("status")
    assert code == DEGRADED
    assert f": {MULTICAST}\n" in out
    answer = json.loads(shell.run("status", "--json")[1])
    assert (answer["state"], len(answer["config_problems"])) == ("degraded", 1)
    code, out, _ = shell.run("doctor")
    assert code == DEGRADED
    assert "SB-E701" in out
    assert shell.run("render", "nova-compute")[0] == USAGE


def test_what_has_to_change_is_changed_and_said_and_the_second_run_does_nothing(tree: HostTree, shell: Shell) -> None:
    tree.add_pf(netdev="", num_vfs=1)
    tree.add_netdev(PF, "ens1f0", flags="0x1002")
    tree.configure(rule(1, more='vf_driver = "none"\n'))
    done = "set sriov_drivers_autoprobe to 0 (N s), bring ens1f0 up (N s)"
    assert shell.run("--once") == (0, f"{PF} (ens1f0): 1 VF, as desired; {done}\nas desired, changed\n", "")
    assert (tree.device() / "net/ens1f0/flags").read_text() == "0x1003\n"
    assert (tree.device() / "sriov_drivers_autoprobe").read_text() == "0\n"
    before = snapshot(tree)
    assert shell.run("--once") == (0, f"{PF} (ens1f0): 1 VF, as desired\nas desired, nothing changed\n", "")
    assert snapshot(tree) == before


def test_a_number_that_somebody_has_written_over_is_written_at_once_when_asked(tree: HostTree, shell: Shell) -> None:
    tree.add_pf(num_vfs=1)
    tree.configure(rule(0))
    contests = {PF: Contest(0, 1, times=3, due_at=time.monotonic() + 1000.0)}
    Files(str(tree.root)).save_state(dump(State(boot_id="b007", contests=contests)))
    assert "degraded: contested" in shell.run("status")[1]
    assert "to do: set sriov_numvfs from 1 to 0" in shell.run("--once", "--dry-run")[1]
    shell.run("--once")
    assert (tree.device() / "sriov_numvfs").read_text().strip() == "0"


def test_more_vfs_than_the_device_offers_are_refused(tree: HostTree, shell: Shell) -> None:
    tree.add_pf(num_vfs=4)
    tree.configure(rule(32))
    before = snapshot(tree)
    assert shell.run("--once") == (3, f"{REFUSED}degraded: 1 of 1 PF not as desired, nothing changed\n", "")
    assert snapshot(tree) == before


def test_a_bad_pf_does_not_stop_the_others(tree: HostTree, shell: Shell) -> None:
    tree.add_pf(netdev="", num_vfs=1)
    tree.add_netdev(PF, "ens1f0", flags="0x1002")
    gone = '[[pf]]\nname = "gone"\nmatch = { pci_address = "0000:5e:00.0" }\nnum_vfs = 4\n'
    tree.configure(gone + rule(1))
    code, out, _ = shell.run("--once")
    assert code == 3
    assert out.splitlines() == [
        'no PF matches rule "gone" (pci_address 0000:5e:00.0)',
        "  hint: check that the NIC is seated and its name has not changed: sriov-bootstrap init lists this host's PFs",
        f"{PF} (ens1f0): 1 VF, as desired; bring ens1f0 up (N s)",
        "degraded: 1 of 2 PFs not as desired, changed",
    ]


def test_vfs_that_a_vm_holds_stay(tree: HostTree, shell: Shell) -> None:
    tree.add_pf()
    tree.add_vf(PF, 0, driver="vfio-pci")
    tree.add_process(4711, "/dev/vfio/17", cmdline=b"qemu\0-name\0guest=instance-0000002a\0")
    tree.configure(rule(2))
    before = snapshot(tree)
    user = f"VF 0 {vf_address(PF, 0)} is held by qemu-system-x86 pid 4711 (instance-0000002a)"
    assert shell.run("--once") == (
        3,
        (
            f"{PF}: 1 VF stays instead of 2: {user}\n  hint: this is applied automatically once they are released\n"
            "degraded: 1 of 1 PF not as desired, nothing changed\n"
        ),
        "",
    )
    assert snapshot(tree) == before


def test_a_write_that_the_kernel_took_and_did_nothing_about_is_degraded(tree: HostTree, shell: Shell) -> None:
    folder = tree.add_pf(num_vfs=4)  # a file of this tree takes a number and makes no VFs of it
    tree.configure(rule(0))
    code, out, _ = shell.run("--once")
    assert code == 3
    assert out.splitlines()[0] == (
        f"{PF}: asked for 0 VFs but got 4, and the kernel reported no error; set sriov_numvfs from 4 to 0 (N s)"
    )
    assert (folder / "sriov_numvfs").read_text() == "0\n"


def test_a_write_that_fails_says_the_errno_and_what_to_do(tree: HostTree, shell: Shell) -> None:
    folder = tree.add_pf(num_vfs=4)
    (folder / "sriov_numvfs").unlink()
    tree.configure(rule(0))
    code, out, _ = shell.run("--once")
    assert code == 3
    assert out.splitlines()[:2] == [
        (
            f"{PF}: cannot set sriov_numvfs from 4 to 0: ENOENT (No such file or directory): "
            "no driver is bound to the PF, or it cannot create VFs at run time"
        ),
        '  hint: bind a driver, or use method = "max_vfs" if its module has that parameter',
    ]


def test_without_a_config_there_is_nothing_to_do(tree: HostTree, shell: Shell) -> None:
    tree.add_pf()
    nothing = "nothing to do: no rule in the config (sriov-bootstrap init prints one for this host)\n"
    assert shell.run("--once") == (0, nothing, "")
    assert shell.run("--once", "--dry-run") == (0, f"{nothing}dry run: nothing was changed\n", "")


def test_json_is_the_whole_report(tree: HostTree, shell: Shell) -> None:
    tree.add_pf(num_vfs=4)
    tree.configure(rule(32))
    code, out, err = shell.run("--once", "--json")
    answer = json.loads(out)
    assert (code, err) == (3, "")
    assert answer["restarts"] == {
        "results": [],
        "due_at": None,
        "problem": "",
        "pci_addresses": [],
        "retry_at": None,
        "spared": [],
        "hint": "",
    }
    (pf,) = answer["report"]["pfs"]
    assert (pf["rule"], pf["state"], pf["reason"], pf["num_vfs"]) == ("tenant-a", "degraded", "exceeds_max", 4)


def test_state_that_cannot_be_saved_is_said_and_the_work_is_done(tree: HostTree, shell: Shell) -> None:
    tree.add_pf(num_vfs=4)
    tree.configure(rule(4))
    (tree.root / "run/sriov-bootstrap/state/state.json").mkdir(parents=True)
    code, out, err = shell.run("--once")
    assert (code, out.splitlines()[-1]) == (0, "as desired, nothing changed")
    assert "state.json could not be saved: Is a directory" in err


# -- --dry-run --


def test_a_dry_run_with_nothing_to_do_says_so(tree: HostTree, shell: Shell) -> None:
    tree.add_pf(num_vfs=4)
    tree.configure(rule(4))
    as_desired = f"{PF} (ens1f0): 4 VFs, as desired\ndry run: nothing was changed\n"
    assert shell.run("--once", "--dry-run") == (0, as_desired, "")


TO_DO = (
    "set sriov_drivers_autoprobe to 0, then set sriov_numvfs from 2 to 0, then set sriov_numvfs from 0 to 1, "
    "then bind its VFs"
)


def test_a_dry_run_shows_the_steps_and_the_vfs_that_would_go_and_changes_nothing(tree: HostTree, shell: Shell) -> None:
    tree.add_pf(num_vfs=2)
    tree.configure(rule(1))
    before = snapshot(tree)
    assert shell.run("--once", "--dry-run") == (
        0,
        f"""\
{PF} (ens1f0): to do: {TO_DO}
  vf_binding = "auto": VFs get their driver once they exist, all at the same time
  VF 0 {vf_address(PF, 0)} would be removed
  VF 1 {vf_address(PF, 1)} would be removed
dry run: nothing was changed
""",
        f"sriov-bootstrap: the units that would restart are unknown: {NO_BUS}\n",
    )
    assert snapshot(tree) == before
    assert not (tree.root / "run/sriov-bootstrap").exists()


def test_a_restart_says_what_it_was_for_and_a_unit_that_is_spared_why(capsys: pytest.CaptureFixture[str]) -> None:
    results = (
        UnitResult("a.service", UnitOutcome.DONE, why="it reads VFs once"),
        UnitResult("b.service", UnitOutcome.STOPPING, message="still stopping", why="it reads VFs once"),
        UnitResult("c.service", UnitOutcome.DONE),
    )
    print_report(PassReport(), FollowUpReport(results, spared=("d.service: not restarted",)))
    assert capsys.readouterr().out.splitlines()[1:] == [
        "a.service: restart done: it reads VFs once",
        "b.service: restart stopping: still stopping",
        "c.service: restart done",
        "d.service: not restarted",
    ]


def test_restarts_that_could_not_be_made_are_said_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(PassReport(), FollowUpReport(problem="no library", hint="install it"))
    assert capsys.readouterr().err == "sriov-bootstrap: restarts stay pending: no library\n  hint: install it\n"


def test_a_dry_run_of_another_driver_asks_who_would_restart_and_removes_no_vf(tree: HostTree, shell: Shell) -> None:
    tree.add_pf(num_vfs=2)
    tree.configure(rule(2, more='vf_driver = "vfio-pci"\n'))
    code, out, err = shell.run("--once", "--dry-run")
    assert (code, err.count("the units that would restart are unknown")) == (0, 1)
    assert out.splitlines()[0].endswith("then bind 2 VFs to vfio-pci")
    assert "would be removed" not in out


def test_a_dry_run_says_why_nova_compute_would_not_restart(
    tree: HostTree, shell: Shell, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.add_pf(num_vfs=2)
    tree.configure(rule(1) + '[services]\nnova_restart = "when_needed"\n')
    tree.write("var/lib/dpkg/status", "Package: nova-common\nStatus: install ok installed\nVersion: 3:33.0.2-1\n")
    unit = FakeUnit(left_inactive=1_000_000, process_began=1_000_000)
    folder = tmp_path_factory.mktemp("bus")
    with fake_systemd(folder, {"nova-compute.service": unit, "neutron-sriov-agent.service": unit}) as (systemd, _):
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", systemd.address)
        code, out, _ = shell.run("--once", "--dry-run")
    assert code == 0
    assert out.splitlines()[-3:] == [
        "neutron-sriov-agent.service would restart: the agent reads the VFs of a PF once",
        'nova-compute.service: not restarted (nova_restart = "when_needed"): nova 33.0.2 (dpkg) finds new VFs itself',
        "dry run: nothing was changed",
    ]


def test_a_dry_run_with_force_names_who_would_lose_a_vf(tree: HostTree, shell: Shell) -> None:
    tree.add_pf()
    tree.add_vf(PF, 0, driver="vfio-pci")
    tree.add_process(4711, "/dev/vfio/17")
    tree.configure(rule(2))
    _, out, _ = shell.run("--once", "--dry-run", "--force")
    assert f"  VF 0 {vf_address(PF, 0)} would be removed: held by qemu-system-x86 pid 4711\n" in out


def test_a_dry_run_of_what_is_refused_says_so_and_exits_3(tree: HostTree, shell: Shell) -> None:
    tree.add_pf(num_vfs=4)
    tree.configure(rule(32))
    assert shell.run("--once", "--dry-run") == (3, f"{REFUSED}dry run: nothing was changed\n", "")


def test_a_dry_run_as_json_says_what_would_change(tree: HostTree, shell: Shell) -> None:
    tree.add_pf(num_vfs=2)
    tree.configure(rule(1))
    code, out, _ = shell.run("--once", "--dry-run", "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["report"]["pfs"][0]["will_change_vfs"] is True
    assert (answer["would_restart"], answer["problem"]) == ([], NO_BUS)


def test_vfs_that_differ_are_waited_for_and_set(
    tree: HostTree, shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The kernel's side is a file, as writers are processes of their own."""
    tree.add_pf(num_vfs=1)
    tree.configure(rule(1, more='vf_driver = "none"\n[[pf.vf]]\nvfs = "all"\nvlan = 100\n'))
    asked = tmp_path / "asked"
    vlans = {False: VfAttributes(vlan=0, vlan_qos=0, vlan_protocol=VlanProtocol.DOT1Q)}
    vlans[True] = replace(vlans[False], vlan=100)

    def read(netdevs: Iterable[str]) -> PfLinks:
        return PfLinks({netdev: PfLink(2, vfs={0: vlans[asked.exists()]}) for netdev in netdevs})

    def write(_ifindex: int, wishes: Mapping[int, VfAttributes]) -> tuple[RefusedSetting, ...]:
        asked.write_text(str(wishes[0]))
        return ()

    monkeypatch.setattr(vf_attributes, "read_pf_links", read)
    monkeypatch.setattr(vf_attributes, "set_vf_attributes", write)
    for module in (vf_settings, repetition):
        monkeypatch.setattr(module, "QUIET_SECONDS", 0.2)
    code, out, err = shell.run("--once")
    assert (code, asked.read_text()) == (0, "vlan 100, vlan_qos 0, vlan_protocol 802.1Q")
    assert err in {"", f"{PF}: set attributes of 1 VF\n"}, "progress, on a machine that takes its time"
    done = "set sriov_drivers_autoprobe to 0 (N s), set attributes of 1 VF (N s)"
    assert out == f"{PF} (ens1f0): 1 VF, as desired; {done}\nas desired, changed\n"


def test_a_plan_says_what_would_lose_its_traffic_by_another_mode(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    line = PfReport("a", "4", PfState.PENDING, PF, message="to do: set", eswitch_victims=("ens1f0 is part of bond0",))
    print_plan(HostMachine(root=str(tree.root)), Loaded(Config()), PassReport(pfs=(line,)), as_json=False)
    assert "  would lose its traffic: ens1f0 is part of bond0\n" in capsys.readouterr().out
    assert has_consent(PassReport(pfs=(line,)))
    said = f"{PF}: will lose its traffic by another eswitch mode: ens1f0 is part of bond0\n"
    assert capsys.readouterr().err == said
