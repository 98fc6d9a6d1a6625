"""What is copied out of a guest's disk is whole, or the build fails: debugfs exits with 0 in both cases."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.building import DISK_FULL, BuildError, tool
from lab.bytecode import bytecode
from lab.image import Image
from lab.openstack_image import copying_hook

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="images are built by root")

BANNER = "debugfs 1.47.2 (1-Jan-2025)"
FULL = "rdump: No space left on device while writing file"
# Answers with SAID to requests that begin with FAILS, and to others as if all were well.
FAKE = f"""\
#!/bin/sh
echo "{BANNER}" >&2
case $2 in
"$FAILS "*) echo "$SAID" >&2 ;;
"ls -p "*) echo "/12/040755/0/0/python3.13//" ;;
esac
"""


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that comes first in PATH, with a debugfs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in {"debugfs": FAKE, "dpkg-deb": "#!/bin/sh\n"}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def run_hook(disk: Path, root: Path) -> subprocess.CompletedProcess[str]:
    """Run it as mmdebstrap does."""
    command = ["sh", "-c", copying_hook(disk), "exec", str(root)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(
    "said",
    [
        FULL,
        "rdump: File exists while making directory /x/etc",
        "debugfs: No such file or directory while trying to open disk.ext4\nrdump: Filesystem not open",
    ],
)
@pytest.mark.usefixtures("fakes")
def test_a_copy_fails_where_debugfs_says_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("SAID", said)
    for request, status in {"rdump": 1, "none": 0}.items():
        monkeypatch.setenv("FAILS", request)
        done = run_hook(tmp_path / "a disk", tmp_path)
        assert (done.returncode, done.stdout) == (status, f"{said}\n" if status else "")


def test_a_copy_fails_without_debugfs(tmp_path: Path, fakes: Path) -> None:
    (fakes / "debugfs").write_text("#!/nowhere\n")
    assert run_hook(tmp_path / "a disk", tmp_path).returncode == 1


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """An ext4 with a file of 200 kB."""
    content, made = tmp_path / "content", tmp_path / "a disk"
    (content / "etc").mkdir(parents=True)
    (content / "etc/big").write_bytes(b"x" * 200_000)
    (content / "etc/link").symlink_to("big")
    subprocess.run([tool("mke2fs"), "-q", "-F", "-t", "ext4", "-d", content, made, "4M"], check=True)
    return made


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A folder in which there is less room than that."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "lab-test", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_disk_is_copied_whole(tmp_path: Path, disk: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    done = run_hook(disk, root)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (root / "etc/link").read_bytes() == b"x" * 200_000


def test_a_disk_that_does_not_fit_is_no_copy(disk: Path, small: Path) -> None:
    done = run_hook(disk, small)
    assert done.returncode == 1
    assert "No space left on device" in done.stdout


@pytest.mark.parametrize(
    ("request_word", "said", "told"),
    [
        ("rdump", FULL, DISK_FULL),
        ("dump", "dump: No space left on device while writing file", DISK_FULL),
        ("rdump", "/usr/lib/x86_64-linux-gnu: File not found by ext2_lookup ", "File not found"),
        ("ls", "/usr/lib: File not found by ext2_lookup ", "File not found"),
        ("ls", "debugfs: Bad magic number in super-block while trying to open disk.ext4", "Bad magic number"),
    ],
)
@pytest.mark.usefixtures("fakes")
def test_bytecode_is_not_made_by_half_a_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request_word: str, said: str, told: str
) -> None:
    for name, value in {"XDG_CACHE_HOME": str(tmp_path), "FAILS": request_word, "SAID": said}.items():
        monkeypatch.setenv(name, value)
    package = tmp_path / "a.deb"
    package.touch()
    with pytest.raises(BuildError, match=f"lab: debugfs failed.*(?s:.*){told}"):
        bytecode(Image(tmp_path / "main-1"), package)
    assert list((tmp_path / "sriov-bootstrap-lab").glob("bytecode-*")) == []
