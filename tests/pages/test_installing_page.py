"""docs/installing.md: what it tells to type for a venv is typed, below another root, and systemd likes the result."""

import os
import re
import shutil
import site
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from installed import EVERY_UNIT, assert_both_start, calls, shims
from sources import ROOT

PAGE = (ROOT / "docs/installing.md").read_text()
UNITS = (
    "sriov-bootstrap.service",
    "sriov-bootstrap-bond.service",
    "sriov-bootstrap-holders.service",
    "sriov-bootstrap-reload@.service",
    "sriov-bootstrap-load@.service",
    "sriov-bootstrap-metrics.service",
    "sriov-bootstrap-metrics-config.service",
)
CLOUD_INIT_UNIT = "sriov-bootstrap-cloud-init.service"
VENV = "/opt/sriov-bootstrap"
PIPX_VENV = "/opt/pipx/venvs/sriov-bootstrap"
# In the order of the page.
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
VENV_MADE, UNITS_MADE, STARTED, UPGRADED, REMOVED, PIPX_MADE = BLOCKS
# What pipx does for this: a venv below PIPX_HOME, and a link to each of its scripts in PIPX_BIN_DIR.
PIPX = """
venv="$PIPX_HOME/venvs/sriov-bootstrap"
[ "$1" = install ] && python3 -m venv "$venv" && "$venv/bin/pip" install "$2" &&
    ln -s "$venv/bin/sriov-bootstrap" "$PIPX_BIN_DIR"
"""
SYSTEM = "/etc/systemd/system"
# Newer than systemd 252; the unit says so.
TOO_NEW = re.compile(r".*Unknown key.*'(RestartSteps|RestartMaxDelaySec)' in section \[Service\], ignoring\.")

pytestmark = pytest.mark.timeout(180)  # a venv with pip, on a machine that may be busy


class Host:
    """A folder in which is typed what the page says."""

    def __init__(self, folder: Path, dist: Path) -> None:
        self.folder = folder
        self._dist = dist
        for there in (SYSTEM, "/usr/local/sbin", "/run/systemd/system"):
            (folder / there.lstrip("/")).mkdir(parents=True)
        # The dependencies are those of the environment that runs the tests: they need not be fetched again.
        pip = {"PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        self._environment = {**shims(folder / "shims", folder, pipx=PIPX), **pip}

    def type(self, script: str) -> list[str]:
        """What systemctl was asked."""
        # Of a host's root nothing but folders that we know is named.
        moved = re.sub(r"(?<![\w.])/(?=(opt|etc|run|usr/local)/)", f"{self.folder}/", script)
        ended = subprocess.run(
            ["sh", "-euc", moved], cwd=self._dist, env=self._environment, check=False, capture_output=True, text=True
        )
        assert ended.returncode == 0, ended.stderr
        return calls(self.folder)


@pytest.fixture(scope="module")
def venv(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everything has been done that the page says of a venv."""
    host = Host(tmp_path_factory.mktemp("host"), dist)
    host.type(VENV_MADE + UNITS_MADE + STARTED)
    (packages,) = (host.folder / VENV.lstrip("/") / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{site.getsitepackages()[0]}\n")
    return host.folder


def test_both_start_from_a_venv_and_after_its_removal_nothing_is_left(venv: Path, dist: Path, tmp_path: Path) -> None:
    host = Host(tmp_path / "host", dist)
    shutil.copytree(venv / "opt", host.folder / "opt", symlinks=True)  # takes less time than another venv
    started = ["daemon-reload", "enable --now sriov-bootstrap", "enable sriov-bootstrap-cloud-init"]
    assert host.type(UNITS_MADE + STARTED) == started
    assert_both_start(host.folder)

    # From a version that had fewer units.
    for unit in (host.folder / SYSTEM.lstrip("/")).glob("sriov-bootstrap-metrics*"):
        shutil.rmtree(unit) if unit.is_dir() else unit.unlink()
    metrics = "sriov-bootstrap-metrics*"
    upgraded = ["daemon-reload", f"try-restart {metrics}", "restart sriov-bootstrap"]
    assert host.type(UNITS_MADE + UPGRADED) == upgraded
    assert_both_start(host.folder)

    for handed in ("run/sriov-bootstrap-metrics", "run/systemd/system/sriov-bootstrap-metrics.socket.d"):
        (host.folder / handed).mkdir()
    removed = ["disable --now sriov-bootstrap sriov-bootstrap-cloud-init", f"stop {metrics}", "daemon-reload"]
    assert host.type(REMOVED) == removed
    assert [path for path in host.folder.rglob("*") if "sriov" in path.name] == []


def test_both_start_from_the_venv_of_pipx(dist: Path, tmp_path: Path) -> None:
    host = Host(tmp_path / "host", dist)
    link, _, enabled = STARTED.partition("\n")
    assert link.startswith("ln ")
    assert PIPX_VENV in PAGE
    host.type(PIPX_MADE + (UNITS_MADE + enabled).replace(VENV, PIPX_VENV))
    assert_both_start(host.folder)
    assert (host.folder / "usr/local/sbin/sriov-bootstrap").exists()


def _verify(path: Path, unit: str) -> list[str]:
    """What systemd says of a unit in this folder; it looks whether the command can be run, too."""
    instance = unit.replace("@", "@igb")
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{path}:", "LC_ALL": "C"}
    ended = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", instance],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    lines = [line for line in ended.stderr.splitlines() if not TOO_NEW.match(line) and "sriov-bootstrap" in line]
    assert ended.returncode == 0 or lines, ended.stderr
    return lines


def _starts(text: str) -> list[str]:
    return [line.removeprefix("ExecStart=") for line in text.splitlines() if line.startswith("ExecStart=")]


@pytest.mark.parametrize("unit", [*UNITS, CLOUD_INIT_UNIT])
def test_systemd_takes_the_units_with_their_drop_ins(venv: Path, unit: str) -> None:
    assert _verify(venv / SYSTEM.lstrip("/"), unit) == []


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_sees_a_drop_in_that_names_another_folder(venv: Path, tmp_path: Path, unit: str) -> None:
    (tmp_path / unit).write_text((ROOT / "units" / unit).read_text())
    dropin = (venv / SYSTEM.lstrip("/") / f"{unit}.d/venv.conf").read_text()
    (tmp_path / f"{unit}.d").mkdir()
    (tmp_path / f"{unit}.d/venv.conf").write_text(dropin.replace("/bin/python", "/nowhere/python"))
    assert any("is not executable" in line for line in _verify(tmp_path, unit))


@pytest.mark.parametrize("unit", UNITS)
def test_a_drop_in_does_what_the_unit_does_in_the_venv(venv: Path, unit: str) -> None:
    (packaged,) = _starts((ROOT / "units" / unit).read_text())
    dropin = venv / SYSTEM.lstrip("/") / f"{unit}.d/venv.conf"
    program = f"{venv}{VENV}/bin/python -I -m sriov_bootstrap"
    assert _starts(dropin.read_text()) == ["", packaged.replace("/usr/bin/sriov-bootstrap", program)]


def test_the_units_name_no_other_program_of_ours(venv: Path) -> None:
    assert {one.name for one in (venv / SYSTEM.lstrip("/")).iterdir() if one.is_file()} == EVERY_UNIT
    assert {*UNITS, CLOUD_INIT_UNIT} == {one for one in EVERY_UNIT if one.endswith(".service")}
    for unit in UNITS:
        assert (ROOT / "units" / unit).read_text().count("/usr/bin/sriov-bootstrap") == 1
    assert "/usr/bin/sriov-bootstrap" not in (ROOT / "units" / CLOUD_INIT_UNIT).read_text()


def test_the_program_of_the_venv_runs_isolated(venv: Path) -> None:
    command = [f"{venv}{VENV}/bin/python", "-I", "-m", "sriov_bootstrap", "--version"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert said.startswith("sriov-bootstrap ")
    code = "import sriov_bootstrap; print(sriov_bootstrap.__file__)"
    where = subprocess.run([*command[:2], "-c", code], check=True, capture_output=True, text=True).stdout
    assert where.startswith(f"{venv}{VENV}/")


def test_the_packages_are_named_as_they_are_built() -> None:
    version = metadata.version("sriov-bootstrap")
    for name in (
        f"sriov-bootstrap_{version}_all.deb",
        f"-{version}-1.el9.",
        f"sriov_bootstrap-{version}-py3-none-any.whl",
    ):
        assert name in PAGE
