"""release and --force whole, from the words to the exit code, on a tree that looks like a host."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from builders import PF, vf_address
from fakes_host import rule
from shells import Shell
from sriov_bootstrap.base.errors import ExitCode

VF = f"VF 0 {vf_address(PF, 0)}"
USER = "held by qemu-system-x86 pid 4711"
RUN = "import sys; from sriov_bootstrap.cli import main; sys.exit(main(sys.argv[2:], root=sys.argv[1]))"


def leave_over(shell: Shell, *, held: bool = False) -> Path:
    """Two VFs that a rule has adopted, which is gone since; a VM has one of them."""
    folder = shell.tree.add_pf()
    shell.tree.add_vf(PF, 0, driver="vfio-pci")
    shell.tree.add_vf(PF, 1)
    (folder / "sriov_numvfs").write_text("2\n")
    shell.tree.configure(rule(2))
    assert shell.run("--once")[0] == 0
    shell.tree.configure("")
    if held:
        shell.tree.add_process(4711, "/dev/vfio/17")
    return folder


def test_status_says_what_is_left_over_and_how_to_remove_it(shell: Shell) -> None:
    leave_over(shell)
    code, out, _ = shell.run("status")
    assert code == 0
    assert f"note: {PF} (ens1f0): 2 VFs are ours, but no rule asks for them any more: sriov-bootstrap release" in out
    (left,) = json.loads(shell.run("status", "--json")[1])["leftovers"]
    assert (left["pci_address"], [vf["index"] for vf in left["vfs"]]) == (PF, [0, 1])


def test_a_dry_run_says_what_would_go_and_changes_nothing(shell: Shell) -> None:
    folder = leave_over(shell)
    code, out, _ = shell.run("release", "--dry-run", PF)
    assert (code, out) == (
        0,
        (
            f"{PF} (ens1f0): to do: set sriov_numvfs from 2 to 0\n"
            f"  {VF} would be removed: bound to vfio-pci, but not in use\n  VF 1 {vf_address(PF, 1)} would be removed\n"
            "dry run: nothing was changed\n"
        ),
    )
    assert (folder / "sriov_numvfs").read_text() == "2\n"


def test_a_vf_that_a_vm_holds_stays(shell: Shell) -> None:
    folder = leave_over(shell, held=True)
    message = (
        f"{PF}: 2 VFs stay instead of 0: {VF} is {USER}\n  hint: stop what uses it and run this again, or add --force\n"
    )
    summary = "degraded: 1 of 1 PF not as desired, nothing changed\n"
    assert shell.run("release", PF) == (3, message + summary, "")
    assert shell.run("release", "--dry-run", PF)[0] == 3
    assert (folder / "sriov_numvfs").read_text() == "2\n"


@pytest.mark.parametrize("words", [("release", "--force", PF), ("--once", "--force")])
def test_force_says_whom_it_costs_a_vf_and_asks_nobody_where_nobody_is(shell: Shell, words: tuple[str, ...]) -> None:
    folder = leave_over(shell, held=True)
    shell.tree.configure("" if "release" in words else rule(0))
    code, _, err = shell.run(*words)
    assert code == 3  # a file of this tree takes the number, and no VF goes
    assert f"{PF} (ens1f0): {VF} will be destroyed: {USER}\n" in err
    assert "[y/N]" not in err
    assert (folder / "sriov_numvfs").read_text() == "0\n"


@pytest.mark.parametrize(
    ("answer", "number"), [("y\n", "0\n"), ("Yes\n", "0\n"), ("\n", "2\n"), ("n\n", "2\n"), ("\x04", "2\n")]
)
@pytest.mark.parametrize("words", [("release", "--force", PF), ("--once", "--force")])
def test_force_asks_on_a_terminal_and_takes_silence_for_no(
    shell: Shell, words: tuple[str, ...], answer: str, number: str
) -> None:
    folder = leave_over(shell, held=True)
    shell.tree.configure("" if "release" in words else rule(0))
    ours, theirs = os.openpty()
    try:
        argv = [sys.executable, "-I", "-c", RUN, str(shell.tree.root), *words]
        asked = subprocess.Popen(argv, stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs)
        os.write(ours, answer.encode())
        assert asked.wait(30) == ExitCode.DEGRADED
    finally:
        os.close(ours)
        os.close(theirs)
    assert (folder / "sriov_numvfs").read_text() == number


def test_as_json_it_is_the_whole_report(shell: Shell) -> None:
    leave_over(shell, held=True)
    code, out, _ = shell.run("release", "--json", PF)
    answer = json.loads(out)
    assert (code, answer["report"]["pfs"][0]["reason"], answer["restarts"]["results"]) == (3, "in_use", [])


def test_a_pf_without_vfs_has_nothing_to_release(shell: Shell) -> None:
    shell.tree.add_pf()
    shell.tree.configure("")
    assert shell.run("release", "3b:00.0") == (0, f"{PF} (ens1f0): nothing to do: it has no VFs\n", "")


@pytest.mark.parametrize(
    ("config", "address", "problem"),
    [
        pytest.param("", "ens1f0", "ens1f0: not a PCI address", id="a name"),
        pytest.param("", "0000:5e:00.0", "0000:5e:00.0: no device with SR-IOV has this PCI address", id="absent"),
        pytest.param(rule(4), PF, f'{PF}: rule "tenant-a" still asks for VFs on it', id="a rule asks"),
        pytest.param("", PF, f"{PF}: its 4 VFs are not of our making", id="not ours"),
        pytest.param("x", PF, "", id="broken config"),
    ],
)
def test_what_is_not_ours_to_remove_is_refused(shell: Shell, config: str, address: str, problem: str) -> None:
    folder = shell.tree.add_pf(num_vfs=4)
    shell.tree.configure(config)
    code, out, err = shell.run("release", "--force", address)
    assert (code, out) == (ExitCode.USAGE, "")
    assert err.startswith(f"sriov-bootstrap: {problem}")
    assert "\n  hint: " in err
    assert (folder / "sriov_numvfs").read_text() == "4\n"
