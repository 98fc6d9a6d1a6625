"""The page of metrics as a file: made by --once and by the daemon, for whoever may read it."""

import re
import stat

import pytest

from fakes_host import HostTree, rule
from service import QUIET, running
from sriov_bootstrap.cli import main
from sriov_bootstrap.edges.metrics import PAGE_BEGIN, PAGE_END

PAGE = "run/sriov-bootstrap/state/metrics.prom"


def test_once_makes_the_page_and_the_textfile_is_the_same(tree: HostTree) -> None:
    tree.add_pf(num_vfs=4)
    textfile = tree.root / "x.prom"
    tree.configure(rule(4) + f'[metrics]\ntextfile = "{textfile}"\n')
    assert main(["--once"], root=str(tree.root)) == 0
    page = tree.root / PAGE
    assert stat.S_IMODE(page.stat().st_mode) == 0o644
    data = page.read_bytes()
    assert data.startswith(PAGE_BEGIN)
    assert data.endswith(PAGE_END)
    assert b"\nsriov_bootstrap_passes_total 1.0\n" in data
    assert b"\nsriov_vf_info{" in data
    (made_at,) = re.findall(rb"^sriov_bootstrap_state_timestamp_seconds (\S+)$", data, flags=re.MULTILINE)
    assert abs(float(made_at) - page.stat().st_mtime) < 60
    assert textfile.read_bytes() == data


def test_per_vf_false_leaves_out_what_each_vf_has(tree: HostTree) -> None:
    tree.add_pf(num_vfs=4)
    textfile = tree.root / "x.prom"
    tree.configure(rule(4) + f'[metrics]\nper_vf = false\ntextfile = "{textfile}"\n')
    assert main(["--once"], root=str(tree.root)) == 0
    assert b"sriov_vf_info" not in (tree.root / PAGE).read_bytes()


@pytest.mark.parametrize(("wanted", "has_page"), [(4, False), (0, True), (9, True)])
def test_a_pass_that_found_all_as_it_was_leaves_the_page_to_the_daemon(
    tree: HostTree, wanted: int, *, has_page: bool
) -> None:
    """It would take twice as long with it."""
    tree.add_pf(num_vfs=4)
    tree.configure(rule(wanted))
    main(["--once"], root=str(tree.root))
    assert (tree.root / PAGE).exists() == has_page


def test_a_page_that_cannot_be_written_is_told_and_fails_no_pass(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.add_pf(num_vfs=4)
    tree.configure(rule(4) + '[metrics]\ntextfile = "/nowhere/x.prom"\n')
    (tree.root / PAGE).mkdir(parents=True)
    assert main(["--once"], root=str(tree.root)) == 0
    told = capsys.readouterr().err
    assert f"{tree.root}/{PAGE} could not be saved: Is a directory: the metrics are not updated" in told
    assert "/nowhere/x.prom: cannot write the metrics textfile: No such file or directory" in told


def test_the_daemon_makes_the_page_and_says_once_what_is_wrong_with_it(tree: HostTree) -> None:
    tree.add_pf(num_vfs=4)
    tree.configure(rule(4) + QUIET + 'textfile = "/nowhere/x.prom"\n')
    with running(tree) as service:
        service.wait_for("READY=1")
        while not (tree.root / PAGE).exists():
            service.pass_by(0.01)
            assert service.process.poll() is None
        assert (tree.root / PAGE).read_bytes().endswith(PAGE_END)
        code, log, _ = service.stop()
    assert code == 0
    assert log.count("<4>/nowhere/x.prom: cannot write the metrics textfile") <= 1
