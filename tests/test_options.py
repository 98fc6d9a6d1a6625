"""Every option that a verb takes has an effect there: each is given once, and something else happens than without it.

Where it would have none it is refused: nobody is left to think that it counted.
"""

import argparse
import re
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest
from msgspec import Struct

from builders import PF, vf_address
from fakes_host import HostTree, rule
from service import running
from sriov_bootstrap.arguments import make_parser, misuse
from sriov_bootstrap.asked import Arguments
from sriov_bootstrap.base.errors import ExitCode
from sriov_bootstrap.cli import VERBS, main
from sriov_bootstrap.machine.host_machine import HostMachine

NO_QUESTIONS = {"--help", "-h", "--version"}  # they answer by themselves, whatever else is there
VF = vf_address(PF, 0)
MAC = "52:54:00:12:34:56"
FORMS = (
    "",
    "run",
    "--once",
    "status",
    "doctor",
    "doctor explain SB-E101",
    f"release {PF}",
    "check-config",
    "init",
    "migrate",
    "render nova-compute",
    "render kernel-cmdline",
    f"render libvirt {VF}",
    "render --list",
    "helper holders",
    "verify vf",
    "verify host",
    "verify openstack",
    "verify openstack --check",
    "verify openstack --server --image i --flavor f",
    "openstack attach-port vm",
    "openstack detach-port vm",
)
ACTING = {"--dry-run", "--force", "--json"}
CLOUD = {"--cloud", "--config", "--host", "--json", "--nova-log", "--status"}  # tests/cloud shows what they do
RENDERING = {"--config", "--diff", "--write", "--root"}
TRYING = {"--vlan", "--gateway", "--timeout"}
TAKEN = {
    "": {"--config", "--log-format"},
    "run": {"--config", "--log-format"},
    "--once": {"--config", *ACTING},
    "status": {"--config", "--json", "--wait"},
    "doctor": {"--config", "--json"},
    "doctor explain SB-E101": {"--json"},
    f"release {PF}": {"--config", *ACTING},
    "check-config": {"--config"},
    "init": set(),
    "migrate": {"--config", "--json"},
    "render nova-compute": RENDERING,
    "render kernel-cmdline": {*RENDERING, "--apply"},
    f"render libvirt {VF}": {*RENDERING, "--mac", "--vlan"},
    "render --list": set(),
    "helper holders": set(),
    "verify vf": {"--config", "--json", "--rule", *TRYING},
    "verify host": {"--config", "--json", *TRYING},
    "verify openstack": {*CLOUD, "--check", "--network", "--vnic-type", "--switchdev", "--delete-leftovers"},
    "verify openstack --check": CLOUD,
    "verify openstack --server --image i --flavor f": {
        *CLOUD,
        *("--network", "--vnic-type", "--switchdev", "--delete-leftovers", "--timeout"),
    },
    "openstack attach-port vm": {
        *("--cloud", "--json", "--network", "--physical-network", "--vnic-type", "--switchdev"),
    },
    "openstack detach-port vm": {"--cloud", "--json", "--port"},
}
VALUES_OF_VM = {"--vlan": "5000"}
VALUES = {
    "--config": "{root}/broken.toml",
    "--gateway": "nobody",
    "--log-format": "json",
    "--mac": MAC,
    "--root": "{root}/srv/image",
    "--rule": "nonsense",
    "--timeout": "7",
    "--vlan": "7",
    "--cloud": "nonsense",
    "--host": "compute-9",
    "--status": "{root}/status.json",
    "--nova-log": "{root}/nova-compute.log",
    "--network": "nonsense",
    "--physical-network": "nonsense",
    "--vnic-type": "macvtap",
    "--port": "nonsense",
    "--image": "nonsense",
    "--flavor": "nonsense",
}


class Spelling(Struct, frozen=True):
    """An option beside a verb, before it or after it."""

    form: str
    option: str
    is_before: bool

    @property
    def words(self) -> list[str]:
        value = VALUES_OF_VM.get(self.option, "") if self.form in {"verify vf", "verify host"} else ""
        value = value or VALUES.get(self.option, "")
        option = [self.option, *([value] if value else [])]
        form = self.form.split()
        return [*option, *form] if self.is_before else [*form, *option]

    def __str__(self) -> str:
        return " ".join(self.words) or "nothing"

    def is_taken(self) -> bool:
        try:
            arguments = make_parser().parse_args(self.words, namespace=Arguments())
        except SystemExit:
            return False
        return not misuse(arguments)


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:  # noqa: SLF001 - no other way
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            yield from action.choices.values()


OPTIONS = sorted({name for one in parsers(make_parser()) for action in one._actions for name in action.option_strings})  # noqa: SLF001
SPELLINGS = [
    Spelling(form, option, is_before)
    for form, option, is_before in product(FORMS, OPTIONS, (True, False))
    if option not in {*NO_QUESTIONS, *form.split()} and (form or option != "--once")
]


@pytest.fixture(autouse=True)
def _no_refusals_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """argparse says them while a spelling is tried."""


@pytest.mark.parametrize("form", FORMS)
def test_an_option_is_taken_where_it_counts_and_refused_everywhere_else(form: str) -> None:
    taken = {one.option for one in SPELLINGS if one.form == form and one.is_taken()}
    assert taken == TAKEN[form]


def test_every_verb_is_walked() -> None:
    assert {form.split()[0] for form in FORMS if form and form[0] != "-"} == {*_verbs()} == {*VERBS}


def _verbs() -> Iterator[str]:
    for action in make_parser()._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            yield from action.choices


class Stage:
    """Hosts that are all the same, and what a command does on one: its end, its words, and the files that it wrote."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder = folder
        self._capsys = capsys
        self._count = 0

    def host(self, form: str) -> HostTree:
        """A PF with two VFs, one of them held by a VM; three are asked for, or where it is about a release none."""
        self._count += 1
        tree = HostTree(self._folder / str(self._count))
        tree.add_pf()
        tree.add_vf(PF, 0, driver="vfio-pci")
        tree.add_vf(PF, 1)
        (tree.device() / "sriov_numvfs").write_text("2\n")
        tree.write("proc/cpuinfo", "processor : 0\nvendor_id : GenuineIntel\n")
        tree.write("etc/os-release", "ID=debian\n")
        tree.write("usr/sbin/update-grub", "")
        tree.write("bin/update-grub", "#!/bin/sh\n").chmod(0o755)
        tree.write("broken.toml", rule(-1))
        (tree.root / "srv/image").mkdir(parents=True)
        if form.startswith("release"):
            tree.configure(rule(2))
            main(["--once"], root=str(tree.root))  # which makes them ours
        tree.configure("" if form.startswith("release") else rule(3, more='physical_network = "physnet2"\n'))
        tree.add_process(4711, "/dev/vfio/17")
        return tree

    def outcome(self, tree: HostTree, words: list[str]) -> tuple[object, ...]:
        before = files(tree)
        self._capsys.readouterr()
        words = [word.format(root=tree.root) for word in words]
        if {"run"} & {*words} or not {"--once", *_verbs()} & {*words}:
            with running(tree, *words) as service:
                service.wait_for("READY=1")
                code, log, _ = service.stop()
            said: tuple[str, ...] = (log,)
        else:
            code, said = main(words, root=str(tree.root)), tuple(self._capsys.readouterr())
        written = {name: text for name, text in files(tree).items() if before.get(name) != text}
        return code, *(plain(text, tree) for text in said), written


def files(tree: HostTree) -> dict[str, str]:
    """What is on disk, but for what counts passes and seconds."""
    found = [path for folder in ("etc", "sys", "srv") for path in (tree.root / folder).rglob("*")]
    return {str(path.relative_to(tree.root)): path.read_text() for path in found if path.is_file()}


def plain(text: str, tree: HostTree) -> str:
    """Without what differs from one run to the next."""
    return re.sub(r"\d+(-\d+)*T[\d:.]+Z|\d+\.\d{1,}(?![\d:])", "N", text.replace(str(tree.root), ""))


@pytest.fixture
def stage(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Stage:
    """No pause takes time: a folder never has the VFs that are waited for."""
    skipped = [0.0]
    real = HostMachine.monotonic
    monkeypatch.setattr(HostMachine, "pause", lambda _, seconds: skipped.append(skipped.pop() + seconds))
    monkeypatch.setattr(HostMachine, "monotonic", lambda machine: real(machine) + skipped[0])
    monkeypatch.setenv("PATH", f"{tmp_path}/2/bin:/usr/sbin:/usr/bin:/sbin:/bin")  # where --apply finds its command
    return Stage(tmp_path, capsys)


LOCAL = [form for form in FORMS if TAKEN[form] and "openstack" not in form]  # what others do, a cloud has to show
EFFECTS = [
    one
    for one in SPELLINGS
    if one.form in LOCAL
    and one.option in TAKEN[one.form]
    and one.is_taken()
    and (one.form not in {"verify vf", "verify host"} or one.option != "--timeout")  # nothing here lasts that long
]


@pytest.mark.parametrize("spelling", EFFECTS, ids=str)
def test_with_the_option_something_else_happens_than_without(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, spelling: Spelling
) -> None:
    without = stage.outcome(stage.host(spelling.form), spelling.form.split())
    tree = stage.host(spelling.form)
    if spelling.option == "--wait":  # while it waits the VM goes away
        monkeypatch.setattr(time, "sleep", ends_with(lambda: tree.configure(rule(2))))
    assert stage.outcome(tree, spelling.words) != without


def ends_with(change: Callable[[], None]) -> Callable[[float], None]:
    return lambda _: change()


@pytest.mark.parametrize("form", LOCAL)
def test_without_an_option_the_same_happens_again(stage: Stage, form: str) -> None:
    """Else the test above would prove nothing."""
    first, second = (stage.outcome(stage.host(form), form.split()) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("--log-format json status", "--log-format only works with run: nothing else writes a log"),
        ("--log-format json --once", "--log-format only works with run: nothing else writes a log"),
        ("status --log-format json", "unrecognized arguments: --log-format json"),
        ("--config a init", "--config does not work with init, which reads no config"),
        ("--config a helper holders", "--config does not work with helper, which reads no config"),
        ("doctor --config a explain", "--config does not work with doctor explain, which reads no config"),
        ("render --list --config a", "--config does not work with render --list, which reads no config"),
        ("render --list --diff", "--list must be the only argument"),
        ("render --list --root /srv/image", "--list must be the only argument"),
        (f"render nova-compute --mac {MAC}", "VF, --mac and --vlan only work with libvirt"),
        (f"render nova-compute {VF}", "VF, --mac and --vlan only work with libvirt"),
        ("render all --vlan 7", "VF, --mac and --vlan only work with libvirt"),
        ("verify vf --cloud c", "--cloud only works with verify openstack"),
        ("verify openstack --vlan 7", "--vlan and --gateway only work with verify vf and verify host"),
        ("verify openstack --rule r", "PF, VF and --rule only work with verify vf"),
        ("verify openstack --image i", "--image only works with --server"),
        ("verify openstack --check --network n", "--network does not work with --check, which changes nothing"),
        ("verify openstack --server --image i", "--server needs --image and --flavor"),
        ("verify openstack --server --image i --flavor f --timeout -1", "--timeout: invalid seconds value: '-1'"),
        ("verify openstack --nova-log l --status s", "--nova-log is of this host, and does not work with --status"),
        ("verify openstack --config c --status s", "--config does not work with --status, which reads no config"),
        ("openstack --port p attach-port vm", "--port only works with detach-port"),
        ("openstack --network n detach-port vm", "--network only works with attach-port"),
    ],
)
def test_a_refusal_says_where_the_option_counts(capsys: pytest.CaptureFixture[str], words: str, problem: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words.split(), root="/nonexistent")
    assert caught.value.code == ExitCode.USAGE
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize("words", [["-v", "--once"], ["--verbose", "--once"], ["--once", "-v"]], ids=" ".join)
def test_what_0_1_0_took_without_an_effect_is_passed_over(tree: HostTree, words: list[str]) -> None:
    tree.add_pf(num_vfs=4)
    tree.configure(rule(4))
    assert main(words, root=str(tree.root)) == ExitCode.OK
