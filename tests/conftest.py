"""What holds for every test: the installed package is tested, the real host out of reach, nothing survives."""

import gc
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import fuzzing
import sources
import sriov_bootstrap
from fakes_host import HostTree
from guards import HostGuard, children, pending_tasks, was_killed
from lab import boot
from side_by_side import FIRST, Scheduling
from sriov_bootstrap.edges.systemd import library  # noqa: F401 - loads dbus-next, which Python 3.15 alone does not

GUARD = HostGuard()
GUARD.install()

# How fast inputs are drawn says how busy the machine is.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


def pytest_configure() -> None:
    """Refuse to test the checkout: what users get is the wheel, with its package data and nothing else of the tree."""
    tested = Path(sriov_bootstrap.__file__)
    if not tested.is_relative_to(sys.prefix):
        pytest.exit(f"{tested} is not the installed package: run `make wheel`, then .venv/bin/pytest", 2)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(FIRST))


def pytest_collection_finish() -> None:
    """All that is there by now stays: nobody looks through it again, neither Python for garbage nor we for tasks."""
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:  # noqa: ANN401 - xdist's own producer of lines
    return Scheduling(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401 - a process of pytest-xdist
    """Take over what a process of this run has drawn, and the boots it has seen; one that crashed has no output."""
    output = getattr(node, "workeroutput", {})
    fuzzing.add(output.get("drawn", {}))
    boot.SEEN.add(*output.get("boots", (0, [])))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["drawn"] = fuzzing.drawn()
        output["boots"] = (boot.SEEN.count, boot.SEEN.hung)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many inputs and steps were drawn, and how guests have booted."""
    if text := fuzzing.summary():
        terminalreporter.write_line(text)
    if boot.SEEN.count:
        terminalreporter.write_line(str(boot.SEEN))


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    """A host with nothing in it yet; a file whose tests all need more of it has a `tree` that adds to this one."""
    return HostTree(tmp_path)


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the wheel and the source distribution of this checkout are."""
    return sources.build(tmp_path_factory.mktemp("dist") / "tree", 0o022, 1_600_000_000)


@pytest.fixture(autouse=True)
def _host_is_out_of_reach(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Python's own access is refused by the guard; children find no bus at the address they inherit."""
    if request.node.get_closest_marker("lab"):
        yield
        return
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/system-bus")
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    GUARD.is_armed = True
    try:
        yield
    finally:
        GUARD.is_armed = False


@pytest.fixture(autouse=True)
def _nothing_survives(request: pytest.FixtureRequest) -> Iterator[None]:
    """The lab keeps its VM from one test to the next; every other test cleans up after itself."""
    if request.node.get_closest_marker("lab"):
        yield
        return
    threads_before, children_before = set(threading.enumerate()), children()
    GUARD.saw_socket = False
    yield
    assert not set(threading.enumerate()) - threads_before, "a thread survived the test"
    left = children() - children_before
    assert not [pid for pid in left if not was_killed(int(pid))], "a child process survived the test"
    if GUARD.saw_socket:  # every event loop opens a pair of sockets: where there was none, there are no tasks
        assert not pending_tasks(), "a task survived the test"
