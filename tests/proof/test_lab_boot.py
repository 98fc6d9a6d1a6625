"""A guest that hangs while it boots is booted once more, counted and said: without a guest."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import boot
from lab.answers import greeting_seconds
from lab.boot import BOOT_SECONDS, SILENT_SECONDS, BootError, Boots, HungError, Watch, waited_seconds
from side_by_side import FIRST, SAME_WORK, together, with_own_guest
from sources import ROOT


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Boots:
    """What this test's boots are counted in, not those of the run."""
    own = Boots()
    monkeypatch.setattr(boot, "SEEN", own)
    return own


def test_a_console_that_grows_is_a_boot_that_goes_on(tmp_path: Path, clock: Clock) -> None:
    console = tmp_path / "console"
    watch = Watch(console, now=clock)
    for step in range(1, 4):
        clock.now = step * (SILENT_SECONDS - 1)
        console.write_text("x" * step)
        watch.check()


def test_a_console_that_stops_growing_is_a_silent_guest(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "console").write_text("Linux")
    watch = Watch(tmp_path / "console", now=clock)
    clock.now = SILENT_SECONDS
    watch.check()
    clock.now += 1
    with pytest.raises(HungError, match=f"nothing on the console for {SILENT_SECONDS + 1:.0f} s"):
        watch.check()


def test_a_process_that_waits_for_a_processor_waits_as_long_as_the_thread_that_waits_longest(tmp_path: Path) -> None:
    for thread, waited in {"7": 1_500_000_000, "8": 250_000_000}.items():
        (tmp_path / f"7/task/{thread}").mkdir(parents=True)
        (tmp_path / f"7/task/{thread}/schedstat").write_text(f"52377134492 {waited} 1670334\n")
    (tmp_path / "7/task/9/schedstat").mkdir(parents=True)
    assert waited_seconds(7, tmp_path) == 1.5
    assert waited_seconds(8, tmp_path) == 0


def test_what_a_process_waits_for_a_processor_is_found_out() -> None:
    assert 0 <= waited_seconds(os.getpid()) <= time.monotonic()


PANIC = "[    0.044000] Kernel panic - not syncing: timer doesn't work\r\n[    0.044000] CPU: 0\n"


def test_a_kernel_that_panics_is_not_waited_for(tmp_path: Path, clock: Clock) -> None:
    console = tmp_path / "console"
    watch = Watch(console, now=clock)
    clock.now = 4
    console.write_text(PANIC[:55])  # the line is not whole yet
    watch.check()
    console.write_text(PANIC)
    with pytest.raises(HungError, match=r"^Kernel panic - not syncing: timer doesn't work, 4 s after$"):
        watch.check()


def test_a_panic_of_an_earlier_boot_is_none_of_this_one(tmp_path: Path, clock: Clock) -> None:
    console = tmp_path / "console"
    console.write_text(PANIC)
    Watch(console, now=clock).check()


def test_a_boot_that_never_ends_is_an_error_that_no_second_try_helps(tmp_path: Path, clock: Clock) -> None:
    console = tmp_path / "console"
    watch = Watch(console, now=clock)
    clock.now = BOOT_SECONDS + 1
    console.write_text("A start job is running")
    with pytest.raises(BootError, match="though the console has grown") as caught:
        watch.check()
    assert not isinstance(caught.value, HungError)


def test_an_emulator_that_has_ended_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(BootError, match="QEMU has ended"):
        Watch(tmp_path / "console").check(has_ended=True)


def test_a_guest_that_starts_slowly_may_greet_slowly_and_none_waits_until_it_passes_for_hung() -> None:
    assert [greeting_seconds(waited) for waited in (0, 12, 80)] == [1.5, 1.5, 10]
    assert greeting_seconds(BOOT_SECONDS) < SILENT_SECONDS


def waits(*outcomes: BaseException | None) -> Iterator[BaseException | None]:
    return iter(outcomes)


def test_a_silent_guest_is_booted_once_more_and_said(seen: Boots) -> None:
    left = waits(HungError("nothing on the console for 76 s, 90 s after"), None)
    resets = []

    def wait() -> None:
        if outcome := next(left):
            raise outcome

    def again() -> str:
        resets.append(1)
        return "CPU 0: RIP ffffffff81 HLT 1"

    boot.boot(wait, again)
    assert len(resets) == 1
    assert str(seen).splitlines() == [
        "lab: 1 boots of guests, 1 of them tried again because the guest hung",
        "lab:   nothing on the console for 76 s, 90 s after; CPU 0: RIP ffffffff81 HLT 1",
    ]


def test_a_guest_that_is_silent_twice_is_an_error(seen: Boots) -> None:
    def wait() -> None:
        raise HungError("nothing")

    with pytest.raises(HungError):
        boot.boot(wait, lambda: "")
    assert len(seen.hung) == 1


def test_a_script_that_boots_a_guest_says_which_boots_hung() -> None:
    """Those of tests are told by conftest.py, and boots.py tells each of its own."""
    texts = {path.name: path.read_text() for path in (ROOT / "tests/lab").glob("*.py")}
    scripts = {name for name, text in texts.items() if 'if __name__ == "__main__":' in text and "running_vm(" in text}
    assert scripts >= {"bench.py", "demo.py", "soak.py"}
    assert {name for name in scripts if "with said()" not in texts[name]} == {"boots.py"}


def test_boots_of_several_processes_are_added_up() -> None:
    seen = Boots(2, ["one"])
    seen.add(3, ["another"])
    assert (seen.count, seen.hung) == (5, ["one", "another"])


@pytest.mark.parametrize(
    ("nodeid", "guest"),
    [
        ("tests/lab/nics/test_virtio.py::test_x", "nics"),
        ("tests/lab/openstack/test_agent.py::test_x[lab/y/z]", "openstack"),
        ("tests/lab/test_images.py::test_x[a]", "test_images"),
        ("tests/lab/test_once.py::test_x", ""),
        ("tests/core/test_plan.py::test_x", ""),
    ],
)
def test_tests_with_a_guest_of_their_own_stay_together(nodeid: str, guest: str) -> None:
    assert with_own_guest(nodeid) == guest


@pytest.mark.parametrize(
    ("nodeid", "scope"),
    [
        ("tests/lab/nics/test_virtio.py::test_x", "nics"),
        ("tests/packaging/test_rpm.py::test_x[y]", "dist"),
        ("tests/packaging/test_dist.py::test_x", "dist"),
        ("tests/pages/test_site.py::test_x", "site"),
        ("tests/packaging/test_ansible.py::test_x", "ansible"),
        ("tests/lab/test_lab.py::test_x", "lab"),
        ("tests/lab/test_binding.py::test_x", "unmade"),
        ("tests/lab/test_vf_attributes.py::test_x", "unmade"),
        ("tests/lab/nics/test_binding.py::test_x", "nics"),
        ("tests/lab/test_ansible.py::test_x", "tests/lab/test_ansible.py::test_x"),
        (
            "tests/core/test_plan.py::test_x[tests/packaging/test_rpm.py]",
            "tests/core/test_plan.py::test_x[tests/packaging/test_rpm.py]",
        ),
    ],
)
def test_tests_that_share_what_takes_long_to_make_go_to_one_process(nodeid: str, scope: str) -> None:
    assert together(nodeid) == scope


@pytest.mark.parametrize(("parameter", "scope"), [("vm: Vm", "lab"), ("unmade: Guest", "unmade")])
def test_all_files_whose_tests_take_a_guest_that_is_made_for_them_go_to_one_process(parameter: str, scope: str) -> None:
    takers = [path for path in (ROOT / "tests" / "lab").glob("test_*.py") if parameter in path.read_text()]
    assert {together(f"tests/lab/{path.name}::test_x") for path in takers} == {scope}


def test_no_file_is_named_that_is_gone() -> None:
    assert [name for name in (FIRST, *SAME_WORK) if not (ROOT / name).is_file()] == []
