"""How the lab's images are built when something is wrong: cause, remedy, and the next run goes on from what is good.

What is built here is a stand-in: a fake mmdebstrap makes a root file system of a few files. The rest is real.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.building import BuildError, explained
from lab.cache import CONTENTS, cached_folder
from waiting import until

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="images are built by root"), pytest.mark.timeout(600)]

ENOUGH = 100.0  # seconds, beside guests that take both processors
IMAGES = Path(__file__).parents[1] / "lab" / "images.py"
# Its last argument but for the mirror is the folder to fill. BEHAVIOUR is what the test has it do first.
FAKE = """\
#!/bin/sh
set -eu
for word; do case $word in /*) root=$word ;; esac; done
echo "$*" >>"$CALLS"
eval "${BEHAVIOUR:-:}"
mkdir -p "$root/boot" "$root/usr/bin" "$root/usr/lib/modules/1" "$root/etc/dpkg/dpkg.cfg.d" "$root/etc/systemd/system"
mkdir -p "$root/var" "$root/root"
for file in boot/vmlinuz-1 usr/bin/busybox etc/dpkg/dpkg.cfg.d/99mmdebstrap usr/lib/modules/1/ext4.ko; do
    echo content >"$root/$file"
done
cp "$root/usr/lib/modules/1/ext4.ko" "$root/usr/lib/modules/1/virtio_blk.ko"
printf 'ext4.ko:\\nvirtio_blk.ko:\\n' >"$root/usr/lib/modules/1/modules.dep"
"""
MOUNTS_AND_WAITS = 'mkdir -p "$root/dev"; mount -t tmpfs lab-test "$root/dev"; : >"$CALLS.waits"; sleep 300'


@dataclass(frozen=True, slots=True)
class Lab:
    """`images.py` with a cache of its own, and the fake."""

    folder: Path

    @property
    def cache(self) -> Path:
        return self.folder / "sriov-bootstrap-lab"

    @property
    def calls(self) -> list[str]:
        """A line for each time that mmdebstrap was run."""
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def start(self, *names: str, behaviour: str = "") -> subprocess.Popen[str]:
        """Leave a process that builds these images."""
        environment = {
            **os.environ,
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "XDG_CACHE_HOME": str(self.folder),
            "SRIOV_LAB_MIRROR": "http://mirror.invalid/debian",
            "CALLS": str(self.folder / "calls"),
            "BEHAVIOUR": behaviour,
        }
        # Whoever runs the tests in the background ignores SIGINT, and so would the build.
        command = ["env", "--default-signal=INT", sys.executable, str(IMAGES), *names]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def build(self, *names: str, behaviour: str = "") -> tuple[int, str]:
        """Build these images; the status and what it said."""
        process = self.start(*names, behaviour=behaviour)
        said, _ = process.communicate(timeout=ENOUGH)
        assert "Traceback" not in said
        return process.returncode, said

    def start_and_wait(self) -> subprocess.Popen[str]:
        """Leave a build that is in the middle of it, with something mounted."""
        process = self.start("main", behaviour=MOUNTS_AND_WAITS)
        waits = self.folder / "calls.waits"
        until(waits.exists, deadline_seconds=30, what="the fake to wait")
        waits.unlink()
        return process

    @property
    def images(self) -> list[str]:
        return sorted(path.name.partition("-")[0] for path in self.cache.iterdir() if (path / CONTENTS).exists())

    @property
    def leftovers(self) -> list[Path]:
        return list(self.cache.glob("building-*"))


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    fake = tmp_path / "bin" / "mmdebstrap"
    fake.parent.mkdir()
    fake.write_text(FAKE)
    fake.chmod(0o755)
    return Lab(tmp_path)


def test_an_image_is_built_once(lab: Lab) -> None:
    assert lab.build("main")[0] == 0
    assert lab.build("main") == (0, "")
    assert len(lab.calls) == 1
    assert lab.images == ["main"]
    assert lab.leftovers == []


def test_images_are_built_side_by_side_and_one_failure_is_not_the_others(lab: Lab) -> None:
    fails_for_sid = 'case "$*" in *" sid "*) echo "E: Unable to locate package netplan.io"; exit 1 ;; esac'
    status, said = lab.build("main", "sid", behaviour=fails_for_sid)
    assert status == 1
    assert "the mirror lacks a package" in said
    assert lab.images == ["main"]
    assert lab.build("main", "sid")[0] == 0
    assert lab.images == ["main", "sid"]
    assert len(lab.calls) == 3


def test_a_wrong_name_is_told_with_the_right_ones(lab: Lab) -> None:
    status, said = lab.build("main", "mian")
    assert status == 1
    assert said == "lab: there is no image mian: it is one of qemu, main, nics, sid, openstack, verify\n"


# Words of apt 3.0, mmdebstrap 1.5, mke2fs 1.47.
@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("E: Failed to fetch x  Could not resolve 'x'", "the mirror cannot be reached"),
        ("  Could not connect to x:80. - connect (111: Connection refused)", "the mirror cannot be reached"),
        (
            "E: The repository 'x trixie-backports Release' does not have a Release file.",
            "the mirror has no such suite",
        ),
        ("E: Unable to locate package linux-image-amd64", "the mirror lacks a package"),
        ("E: Version '7.3.4-1' for 'linux-headers-7.3' was not found", "the mirror lacks a package"),
        ("E: Release 'trixie-backports' for 'linux-image-amd64' was not found", "the mirror lacks a package"),
        ("Could not connect\nE: Write error - write (28: No space left on device)", "the disk is full"),
        ("E: You don't have enough free space in /x/var/cache/apt/archives/.", "the disk is full"),
        ("mke2fs: Could not allocate block in ext2 filesystem while populating file system", "does not fit"),
        ("Something new\nand more of it", "failed with status 1. It said:\nSomething new\nand more of it"),
    ],
)
def test_a_failure_is_told_with_its_cause_and_what_helps(said: str, cause: str) -> None:
    told = explained("mmdebstrap", 1, said)
    assert told.startswith("lab: mmdebstrap failed")
    assert cause in told
    assert said.splitlines()[-1].strip() in told


def test_after_a_failure_nothing_is_left_and_the_next_run_builds(lab: Lab) -> None:
    status, said = lab.build("main", behaviour="echo 'E: Failed to fetch x  Could not resolve x' >&2; exit 25")
    assert status == 1
    assert said.splitlines()[-2].startswith(
        "lab: mmdebstrap failed: the mirror cannot be reached: look at this machine"
    )
    assert said.splitlines()[-1] == "lab: mmdebstrap said: E: Failed to fetch x  Could not resolve x"
    assert lab.images == []
    assert lab.leftovers == []
    assert lab.build("main")[0] == 0


def test_a_program_that_is_missing_is_named(lab: Lab) -> None:
    (lab.folder / "bin" / "ssh-keygen").symlink_to("/nowhere")
    for name in ("mmdebstrap", "setpriv", "unshare", "sh"):
        path = lab.folder / "bin" / name
        if not path.exists():
            path.symlink_to(f"/usr/bin/{name}")
    environment = {"PATH": str(lab.folder / "bin"), "XDG_CACHE_HOME": str(lab.folder)}
    command = [sys.executable, str(IMAGES), "main"]
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=ENOUGH)
    assert done.stderr.splitlines()[-1] == "lab: ssh-keygen is not on this machine: run tests/lab/setup.sh as root"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_cleans_up_and_leaves_no_mount(lab: Lab, number: signal.Signals) -> None:
    process = lab.start_and_wait()
    process.send_signal(number)
    said, _ = process.communicate(timeout=ENOUGH)
    assert process.returncode == (1 if number == signal.SIGINT else 128 + number)
    assert "Traceback" not in said
    _assert_all_ended(lab)
    assert lab.images == []
    assert lab.build("main")[0] == 0
    assert lab.leftovers == []


def test_a_killed_build_leaves_a_folder_that_the_next_one_removes_and_no_mount(lab: Lab) -> None:
    process = lab.start_and_wait()
    process.kill()
    process.communicate(timeout=ENOUGH)
    _assert_all_ended(lab)
    assert len(lab.leftovers) == 1
    assert lab.build("main")[0] == 0
    assert lab.leftovers == []
    assert lab.images == ["main"]


def test_what_another_build_is_making_stays(lab: Lab) -> None:
    process = lab.start_and_wait()
    assert lab.build("sid")[0] == 0
    assert len(lab.leftovers) == 1
    process.terminate()
    process.communicate(timeout=ENOUGH)


@pytest.mark.parametrize(
    "damage",
    [
        lambda image: os.truncate(image / "disk.ext4", 1024),
        lambda image: (image / "vmlinuz").unlink(),
        lambda image: os.truncate(image / CONTENTS, 0),
    ],
    ids=["short", "missing", "contents"],
)
def test_an_image_that_is_not_whole_is_built_anew(lab: Lab, damage: Callable[[Path], None]) -> None:
    lab.build("main")
    [image] = lab.cache.glob("main-*")
    damage(image)
    status, said = lab.build("main")
    assert status == 0
    assert f"{image} is damaged: it is built anew" in said
    assert (image / "disk.ext4").stat().st_size == json.loads((image / CONTENTS).read_text())["disk.ext4"]


def test_a_full_disk_is_told_before_anything_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(BuildError, match=r"building big takes 1000000000 MB in .*, and \d+ MB are free: make room"):
        cached_folder("big-1", lambda _: pytest.fail("built"), megabytes=10**9)


def test_a_disk_that_fills_up_meanwhile_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def build(scratch: Path) -> None:
        (scratch / "image").mkdir()
        with Path("/dev/full").open("w") as full:
            full.write("x")

    with pytest.raises(BuildError, match="No space left on device: the disk is full: make room"):
        cached_folder("big-1", build)
    assert [path.name for path in (tmp_path / "sriov-bootstrap-lab").iterdir()] == ["big.lock"]


def test_of_what_every_package_has_anew_only_the_newest_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = tmp_path / "sriov-bootstrap-lab"
    others = [cache / "kept-other-1", cache / "kept-main-0"]
    for age, folder in enumerate([*others, cache / "kept-main-1"]):
        (folder / "file").mkdir(parents=True)
        os.utime(folder, (time.time() - age, time.time() - age))
    made = cached_folder("kept-main-2", lambda scratch: (scratch / "image").mkdir(), newest=1)
    assert sorted(path for path in cache.iterdir() if path.is_dir()) == sorted([*others, made])


def test_a_cache_that_cannot_be_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(BuildError, match=r"Not a directory.*or set XDG_CACHE_HOME to another folder"):
        cached_folder("big-1", lambda _: None)


def test_only_root_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(BuildError, match=r"building big takes root .*: run this as root"):
        cached_folder("big-1", lambda _: None)


def test_a_leftover_with_a_mount_in_it_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As builds of before could leave them: removing one would have gone through /dev."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    mounted = tmp_path / "sriov-bootstrap-lab" / "building-big-1" / "a folder"
    mounted.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "lab-test", mounted], check=True)
    try:
        (mounted / "precious").touch()
        with pytest.raises(BuildError, match=r"something mounted in it: `umount -R .*a folder`"):
            cached_folder("big-1", lambda _: None)
        assert (mounted / "precious").exists()
    finally:
        subprocess.run(["umount", mounted], check=True)


def _assert_all_ended(lab: Lab) -> None:
    """Nothing of a build runs on, and nothing that it mounted is mounted."""

    def are_gone() -> bool:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if str(lab.cache) in path.read_text():
                    return False
            except (FileNotFoundError, ProcessLookupError):
                continue
        return True

    until(are_gone, deadline_seconds=20, what="the end of all programs")
    time.sleep(0.1)
    assert str(lab.folder) not in Path("/proc/self/mountinfo").read_text()
