"""Fixtures of the lab: one guest serves a whole session; and what the guest said when a test fails."""

import os
import subprocess
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from side_by_side import with_own_guest

from .binding import UNMADE, unmake
from .building import BuildError
from .consumers import install_all
from .host import Guest
from .image import guest_image
from .kept import kept
from .qemu import Hardware
from .rootfs import MAIN, NICS, SID
from .vm import Vm, running_vm

T = TypeVar("T")

HERE = Path(__file__).parent
# Of one test with its fixtures, hence of the image and the boot, too.
TIMEOUT_SECONDS = 900
FLAVOURS = {flavour.name: flavour for flavour in (MAIN, NICS, SID)}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.lab)
            if config.pluginmanager.hasplugin("timeout") and not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(TIMEOUT_SECONDS))
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    """The longest first: folders and files with guests of their own, then test_lab.py, which boots one, too."""
    if not item.path.is_relative_to(HERE):
        return 3
    return 0 if with_own_guest(item.nodeid) else 1 if item.path.name == "test_lab.py" else 2


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and item.path.is_relative_to(HERE) and (vm := _guest_of(item)):
        report.sections.append(("the guest", vm.last_words()))
    return report


def _guest_of(item: pytest.Item) -> Vm | None:
    """Return the guest that a test has, by whatever fixture."""
    values = getattr(item, "funcargs", {}).values()
    vms = [vm for value in values if isinstance(vm := getattr(value, "vm", value), Vm)]
    return vms[-1] if vms else None


FLAVOUR = FLAVOURS[os.environ.get("SRIOV_LAB_FLAVOUR", MAIN.name)]
HARDWARE = Hardware(cpus=1 if FLAVOUR is MAIN else 2)  # what two processors can disturb is for the other flavours


@pytest.fixture(scope="module")
def vm(request: pytest.FixtureRequest) -> Iterator[Vm]:
    """A booted guest with two igb PFs and without the package under test; it ends with the last test of the file."""
    with running_vm(prepared(lambda: guest_image(FLAVOUR), request), hardware=HARDWARE) as vm:
        yield vm


def prepared(make: Callable[[], T], request: pytest.FixtureRequest) -> T:
    """Return an image or a guest from the cache, after what the host lacks has been installed."""
    capture: Any = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():  # building one takes minutes, and its progress is for people
        subprocess.run([str(HERE / "setup.sh")], check=True)
        try:
            return make()
        except BuildError as error:
            pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def saved_guest(request: pytest.FixtureRequest) -> Iterator[Guest]:
    """Such a guest with the product at work."""
    with prepared(lambda: kept(guest_image(FLAVOUR), HARDWARE, Guest, at_work), request).running() as guest:
        yield guest


def at_work(guest: Guest) -> None:
    """Give it 7 VFs on both igb, with consumers up and nothing pending."""
    install_all(guest.vm)
    guest.set_up()
    guest.wait_for_inspection()


@pytest.fixture
def guest(saved_guest: Guest) -> Guest:
    """The product at work, the same for each test."""
    saved_guest.restore()
    return saved_guest


@pytest.fixture(scope="session")
def saved_unmade(saved_guest: Guest) -> Guest:
    """A second snapshot beside READY, on the same disk: made once, as the files that want it go to one process."""
    saved_guest.restore()
    unmake(saved_guest)
    saved_guest.save(UNMADE)
    return saved_guest


@pytest.fixture
def unmade(saved_unmade: Guest) -> Guest:
    """No VF, and rules that ask for none."""
    saved_unmade.restore(UNMADE)
    return saved_unmade
