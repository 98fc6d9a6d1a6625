"""The exporter as a process: sockets and credentials of a service manager, a page that others write."""

from pathlib import Path

from exporting import exporting, put_page
from service import scrape
from sriov_bootstrap.exporter.page import PageProblem, own_metrics
from sriov_bootstrap.exporter.refusals import Refusal

COUNTS = dict.fromkeys(Refusal, 0)
TEXT = b"sriov_pf_present 1.0\n"
NOT_LOADED = {
    *("msgspec", "prometheus_client", "structlog", "dbus_next", "pyudev", "jinja2", "yaml", "bcrypt", "argparse"),
    *("sriov_bootstrap.core", "sriov_bootstrap.daemon.loop", "sriov_bootstrap.machine.host_machine"),
}


def test_it_serves_what_was_written_last_and_ends_when_it_is_told(tmp_path: Path) -> None:
    put_page(tmp_path, TEXT)
    with exporting(tmp_path) as exporter:
        assert scrape(exporter.port) == TEXT + own_metrics(COUNTS)
        put_page(tmp_path, TEXT * 2)
        assert scrape(exporter.port) == TEXT * 2 + own_metrics(COUNTS)
        assert exporter.stop() == (0, "")
    assert not NOT_LOADED & exporter.modules
    assert not {one for one in exporter.modules if one.startswith("sriov_bootstrap.core.")}


def test_it_serves_before_there_is_a_page_and_says_so(tmp_path: Path) -> None:
    with exporting(tmp_path) as exporter:
        assert scrape(exporter.port) == own_metrics(COUNTS, PageProblem.MISSING)
        code, log = exporter.stop()
    assert code == 0
    assert log.startswith(f"<4>{tmp_path}/run/sriov-bootstrap/state/metrics.prom: does not exist: ")


def test_a_successor_goes_on_at_the_same_socket(tmp_path: Path) -> None:
    put_page(tmp_path, TEXT)
    with exporting(tmp_path) as exporter:
        exporter.process.kill()
        exporter.process.wait()
        assert exporter.listener.fileno() >= 0  # systemd keeps it, and who connects meanwhile waits


def test_without_a_credential_nobody_is_served(tmp_path: Path) -> None:
    with exporting(tmp_path, None) as exporter:
        code, log = exporter.ended()
    assert code == 1
    assert "no access rules for the metrics" in log


def test_with_a_credential_that_is_none_nobody_is_served(tmp_path: Path) -> None:
    with exporting(tmp_path, b"{}") as exporter:
        code, log = exporter.ended()
    assert code == 1
    assert "the access rules for the metrics are not valid" in log


def test_without_a_socket_there_is_nothing_to_do(tmp_path: Path) -> None:
    with exporting(tmp_path, sockets=0) as exporter:
        code, log = exporter.ended()
    assert code == 1
    assert "no socket was passed" in log
