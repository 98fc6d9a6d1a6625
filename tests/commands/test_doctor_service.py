"""Our own service on one host: what `doctor` says of a real tree, and of systemd's words."""

import json
import os
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from builders import PF, PF2
from fakes_host import HostTree, rule
from sriov_bootstrap.cli import main
from sriov_bootstrap.core.config import Config
from sriov_bootstrap.core.state import State, load
from sriov_bootstrap.core.surroundings import Jam
from sriov_bootstrap.doctor.service import read as survey_service
from sriov_bootstrap.edges.files import Files
from sriov_bootstrap.edges.locks import Locks
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.render.host import Host

UNIT = "sriov-bootstrap.service"
INSTALLED = f"usr/lib/systemd/system/{UNIT}"


@pytest.fixture
def tree(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> HostTree:
    tree.add_pf(num_vfs=4)
    tree.configure(rule(4))
    tree.write(INSTALLED, (Path(__file__).parents[2] / "units" / UNIT).read_bytes())
    tree.link(f"etc/systemd/system/multi-user.target.wants/{UNIT}", INSTALLED)
    assert main(["--once"], root=str(tree.root)) == 0
    capsys.readouterr()
    return tree


def look(tree: HostTree, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[list[tuple[str, str]], list[str]]:
    main(["doctor", "--json", *words], root=str(tree.root))
    answer = json.loads(capsys.readouterr().out)
    return [(one["code"], one["place"]) for one in answer["findings"] if one["code"][4] == "7"], answer["unseen"]


def found(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    return look(tree, capsys)[0]


def test_a_healthy_host_has_no_findings(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    assert look(tree, capsys) == ([], [])


def test_a_unit_that_is_not_enabled(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    (tree.root / f"etc/systemd/system/multi-user.target.wants/{UNIT}").unlink()
    assert found(tree, capsys) == [("SB-E702", UNIT)]


def test_a_unit_that_is_masked(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    (tree.root / f"etc/systemd/system/{UNIT}").symlink_to("/dev/null")
    assert found(tree, capsys) == [("SB-E702", UNIT)]


def test_the_kill_switches(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("etc/sriov-bootstrap/disabled", "")
    tree.write("proc/cmdline", "sriov_bootstrap=0\n")
    assert found(tree, capsys) == [("SB-E703", UNIT)] * 2


def test_a_config_that_the_last_pass_has_not_read(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    config = tree.root / "etc/sriov-bootstrap/config.toml"
    os.utime(config)
    assert found(tree, capsys) == []
    config.write_text(f"{config.read_text()}# more\n")
    assert found(tree, capsys) == [("SB-W706", str(config))]
    assert main(["--once"], root=str(tree.root)) == 0
    capsys.readouterr()
    assert found(tree, capsys) == []
    more = tree.write("run/sriov-bootstrap/config.d/a.toml", "# nothing\n")
    assert found(tree, capsys) == [("SB-W706", str(more))]


def test_another_config_is_not_held_against_the_last_pass(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    other = tree.write("other.toml", rule(4))
    assert look(tree, capsys, "--config", str(other))[0] == []


def test_a_broken_config_leaves_no_vfs_over(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.configure("[[pf]\n")
    assert [code for code, _ in found(tree, capsys)] == ["SB-E701"]


def test_vfs_whose_rule_is_gone(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.configure(rule(0, address=PF2, more="required = false\n"))
    assert ("SB-W713", PF) in found(tree, capsys)


def test_a_stuck_write(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    locks = Locks(str(tree.root))
    lock = locks.begin_write()
    locks.note_writer(lock, Jam(4711, PF, "set sriov_numvfs from 4 to 0", since=0.0, limit_seconds=80.0))
    try:
        assert found(tree, capsys) == [("SB-E711", PF)]
    finally:
        os.close(lock)


def test_a_pass_that_is_long_ago(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    files = Files(str(tree.root))
    saved, _ = load(files.read_state(), boot_id="b007")
    HostMachine(root=str(tree.root)).save_state(replace(saved, passed_at=time.monotonic() - 2000.0))
    assert found(tree, capsys) == [("SB-E708", UNIT)]


def test_rendered_files_that_the_config_has_outrun(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    path = "etc/udev/rules.d/70-sriov-bootstrap.rules"
    tree.add_layout()
    assert main(["render", "udev", "--write"], root=str(tree.root)) == 0
    capsys.readouterr()
    assert found(tree, capsys) == []
    text = tree.read(path)
    tree.write(path, f"{text}# more\n")
    assert found(tree, capsys) == [("SB-W715", f"/{path}")]
    tree.write(path, "# somebody else's\n")
    assert found(tree, capsys) == []
    (tree.root / path).unlink()
    os.mkfifo(tree.root / path)
    codes, unseen = look(tree, capsys)
    assert codes == []
    assert f"/{path}: is not a regular file" in unseen


def test_a_template_that_cannot_be_filled_is_not_seen(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("etc/udev/rules.d/70-sriov-bootstrap.rules", "# Written by `sriov-bootstrap render udev`\n")
    tree.add_layout()
    tree.write("etc/sriov-bootstrap/templates/udev.rules.j2", "{{ nothing }}\n")
    codes, unseen = look(tree, capsys)
    assert codes == []
    assert any(one.startswith("what render would write: ") for one in unseen)


def test_a_web_config_that_is_broken(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    path = tree.write("etc/web.yaml", "tls: [\n")
    tree.configure(rule(4) + f'[metrics]\nweb_config = "{path}"\n')
    assert ("SB-E714", str(path)) in found(tree, capsys)
    path.write_text("")
    assert "SB-E714" not in [code for code, _ in found(tree, capsys)]


def test_an_unreadable_state_is_said(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("run/sriov-bootstrap/state/state.json", b"\xff\x00")
    codes, unseen = look(tree, capsys)
    assert codes == []
    assert any(one.startswith("state.json was unreadable") for one in unseen)


def test_a_host_that_was_never_looked_at_has_no_findings(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    saved = State(boot_id="b007")
    survey = survey_service.survey_service(
        HostMachine(root=str(tree.root)), Host(Config(), state=saved), has_problems=False
    )
    assert survey.state == saved
