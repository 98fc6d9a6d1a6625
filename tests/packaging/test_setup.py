"""packaging/setup.sh and the Makefile: .venv is whole, whatever a run was killed in, or it is made again.

Every program that would install something is a stand-in that writes down what it is asked for.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sources import ROOT

CREATE, INSTALL_UV, INSTALL = STEPS = ["-m venv", "-m pip", "packaging/uv.py pip"]
# Of a folder without anything in it, so that nothing of this machine counts.
REAL = (
    *("cat", "chmod", "cp", "cut", "dirname", "grep", "id", "install", "ls", "mkdir", "mktemp", "rm", "sed", "sh"),
    *("sha256sum", "tr"),
)
HERE_ALREADY = (
    *("make", "dpkg-buildpackage", "lintian", "dbus-daemon", "systemd-analyze", "udevadm", "mandoc", "openssl", "curl"),
    *("zsh", "fish", "jsonnet", "rpmbuild", "rpmlint", "unzip", "apt-cache", "dpkg-deb"),
)
# As a venv's: it has pip once ensurepip is through. KILLED_AT is what setup.sh is killed in.
PYTHON = """\
#!/bin/sh
case $* in
--version) echo "Python $VERSION"; exit ;;
"-c import pip") [ -e .venv/pip ]; exit ;;
-c*) exit ;;
esac
echo "$*" >>"$CALLS"
case $* in "-m venv --clear .venv") rm -rf .venv && mkdir -p .venv/bin && cp "$PYTHON" .venv/bin/python ;; esac
case $* in "${KILLED_AT:-nothing}"*) kill -KILL "$PPID"; exit 1 ;; esac
case $* in "-m venv"*) : >.venv/pip ;; esac
"""
FAKES = {
    **dict.fromkeys(HERE_ALREADY, "#!/bin/sh\n"),
    "python3": PYTHON,
    "dpkg-query": "#!/bin/sh\necho installed\n",
    "ldconfig": "#!/bin/sh\necho libudev.so.1\n",
    "apt-get": "#!/bin/sh\n: >prometheus_1_amd64.deb\n",
    "tar": "#!/bin/sh\necho '#!/bin/sh'\n",
}


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def taken(path: Path) -> list[str]:
    """Return the lines of a file, and empty it."""
    lines = path.read_text().splitlines() if path.exists() else []
    path.write_text("")
    return lines


@dataclass
class Checkout:
    """A tree with setup.sh."""

    folder: Path
    version: str = "3.13.5"

    @property
    def venv(self) -> Path:
        return self.folder / ".venv"

    @property
    def stamp(self) -> Path:
        return self.venv / ".setup"

    @property
    def lock(self) -> Path:
        return self.folder / "packaging/locks/dev.txt"

    def set_up(self, *, killed_at: str = "") -> subprocess.CompletedProcess[str]:
        binaries = self.folder / "bin"
        environment = {
            "PATH": str(binaries),
            "TMPDIR": str(self.folder),
            "CALLS": str(self.folder / "calls"),
            "PYTHON": str(binaries / "python3"),
            "VERSION": self.version,
            "KILLED_AT": killed_at,
        }
        script = self.folder / "packaging/setup.sh"
        return subprocess.run([script], check=False, env=environment, capture_output=True, text=True)

    def steps(self) -> list[str]:
        """Return what was done since the last time."""
        return [" ".join(line.split()[:2]) for line in taken(self.folder / "calls")]

    def assert_whole(self) -> None:
        """The next run finds all there, and says nothing."""
        assert sorted(path.name for path in (self.venv / "bin").iterdir()) == ["prometheus", "promtool", "python"]
        done = self.set_up()
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert self.steps() == []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    for name in REAL:
        found = shutil.which(name, path="/usr/bin:/bin")
        assert found
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).symlink_to(found)
    for name, text in FAKES.items():
        program(tmp_path / "bin" / name, text)
    script, own = (ROOT / "packaging/setup.sh").read_text(), "in /usr/bin/python3 python3 "
    assert own in script
    program(tmp_path / "packaging/setup.sh", script.replace(own, "in python3 "))
    one = Checkout(tmp_path)
    one.lock.parent.mkdir()
    one.lock.write_text("uv==1 --hash=sha256:0\n")
    return one


def set_up(checkout: Checkout) -> None:
    done = checkout.set_up()
    assert (done.returncode, done.stderr) == (0, "")
    assert checkout.steps() == STEPS


def test_a_second_run_does_nothing_and_says_nothing(checkout: Checkout) -> None:
    set_up(checkout)
    checkout.assert_whole()


@pytest.mark.parametrize("killed_at", STEPS)
def test_a_venv_that_is_half_made_is_made_again(checkout: Checkout, killed_at: str) -> None:
    assert checkout.set_up(killed_at=killed_at).returncode == -signal.SIGKILL
    assert checkout.steps() == STEPS[: STEPS.index(killed_at) + 1]
    set_up(checkout)
    checkout.assert_whole()


@pytest.mark.parametrize("killed_at", [INSTALL_UV, INSTALL])
def test_a_venv_that_is_half_changed_is_made_again(checkout: Checkout, killed_at: str) -> None:
    set_up(checkout)
    before = checkout.lock.read_text()
    checkout.lock.write_text("uv==2 --hash=sha256:0\n")
    assert checkout.set_up(killed_at=killed_at).returncode == -signal.SIGKILL
    assert CREATE not in checkout.steps()
    checkout.lock.write_text(before)  # it is no longer what was installed then
    set_up(checkout)
    checkout.assert_whole()


def other_lock(checkout: Checkout) -> None:
    checkout.lock.write_text("uv==2 --hash=sha256:0\n")


def other_python(checkout: Checkout) -> None:
    checkout.version = "3.13.6"


def other_lock_and_no_pip(checkout: Checkout) -> None:
    other_lock(checkout)
    (checkout.venv / "pip").unlink()


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        (other_lock, [INSTALL_UV, INSTALL]),
        (other_python, [INSTALL_UV, INSTALL]),
        (other_lock_and_no_pip, STEPS),
        (lambda checkout: checkout.stamp.unlink(), STEPS),
        (lambda checkout: (checkout.venv / "bin/python").unlink(), STEPS),
        (lambda checkout: shutil.rmtree(checkout.venv), STEPS),
    ],
    ids=["lock", "Python", "no pip", "no stamp", "no Python", "none"],
)
def test_what_is_not_as_it_should_be_is_installed_or_made_again(
    checkout: Checkout, change: Callable[[Checkout], None], steps: list[str]
) -> None:
    set_up(checkout)
    change(checkout)
    done = checkout.set_up()
    assert (done.returncode, done.stderr) == (0, "")
    assert checkout.steps() == steps
    checkout.assert_whole()


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A tree in which `make wheel` has run; its setup.sh makes .venv again where the stamp is missing."""
    for name in ("Makefile", "packaging/debian/changelog", "sriov_bootstrap/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("pyproject.toml", "README.md", "LICENSE", "packaging/build_backend.py"):
        (tmp_path / name).touch()
    for name in ("docs/man", "packaging/completions", "units"):
        (tmp_path / name).mkdir(parents=True)
    program(tmp_path / "pip", '#!/bin/sh\necho "$2" >>"$CALLS"\n')
    clear = "rm -rf .venv; mkdir -p .venv/bin; cp pip .venv/bin; : >.venv/.setup"
    program(tmp_path / "packaging/setup.sh", f"#!/bin/sh\n[ -e .venv/.setup ] || {{ {clear}; }}\n")
    assert make_wheel(tmp_path, 1) == ["wheel", "install"]
    return tmp_path


def make_wheel(tree: Path, jobs: int) -> list[str]:
    """Return what pip was asked for."""
    # These tests may run below a make: neither its jobs nor its list of minutes are for this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MINUTES"))}
    command = ["make", f"--jobs={jobs}", "wheel"]
    done = subprocess.run(
        command, check=False, cwd=tree, env={**environment, "CALLS": "calls"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return taken(tree / "calls")


def change_source(tree: Path) -> None:
    """Make a source newer than what was built: their file system may count time in hundredths of a second."""
    source = tree / "README.md"
    [wheel] = (tree / "build/wheel").glob("*.whl")
    while source.stat().st_mtime_ns <= wheel.stat().st_mtime_ns:
        os.utime(source)


@pytest.mark.parametrize("jobs", [1, 4])
@pytest.mark.parametrize(
    ("change", "asked"),
    [
        (lambda _: None, []),
        (change_source, ["wheel", "install"]),
        (lambda tree: shutil.rmtree(tree / "build"), ["wheel", "install"]),
        (lambda tree: shutil.rmtree(tree / ".venv"), ["install"]),
        (lambda tree: (tree / ".venv/.setup").unlink(), ["install"]),
    ],
    ids=["nothing", "source", "build", "venv", "stamp"],
)
def test_the_package_is_installed_in_every_new_venv(
    built: Path, change: Callable[[Path], None], asked: list[str], jobs: int
) -> None:
    change(built)
    assert make_wheel(built, jobs) == asked
    assert make_wheel(built, jobs) == []
