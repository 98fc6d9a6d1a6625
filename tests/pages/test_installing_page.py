"""docs/installing.md: what it tells to type for a venv is typed, below another root, and systemd likes the result."""

import os
import re
import site
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from sources import ROOT

PAGE = (ROOT / "docs/installing.md").read_text()
UNITS = (
    "sriov-bootstrap.service",
    "sriov-bootstrap-holders.service",
    "sriov-bootstrap-reload@.service",
    "sriov-bootstrap-metrics.service",
    "sriov-bootstrap-metrics-config.service",
)
OTHERS = {"sriov-bootstrap-metrics.socket", "sriov-bootstrap-metrics-config.path"}
CLOUD_INIT_UNIT = "sriov-bootstrap-cloud-init.service"
VENV = "/opt/sriov-bootstrap"
SYSTEM = "/etc/systemd/system"
# Newer than systemd 252; the unit says so.
TOO_NEW = re.compile(r".*Unknown key.*'(RestartSteps|RestartMaxDelaySec)' in section \[Service\], ignoring\.")

pytestmark = pytest.mark.timeout(180)  # a venv with pip, on a machine that may be busy


@pytest.fixture(scope="module")
def host(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everything has been done that the page says."""
    host = tmp_path_factory.mktemp("host")
    (host / SYSTEM.lstrip("/")).mkdir(parents=True)
    commands = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(commands) == 2
    script = "\n".join(commands).replace(VENV, f"{host}{VENV}").replace(SYSTEM, f"{host}{SYSTEM}")
    # The dependencies are those of the environment that runs the tests: they need not be fetched again.
    environment = {**os.environ, "PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    ended = subprocess.run(
        ["sh", "-euc", script], cwd=dist, env=environment, check=False, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    (packages,) = (host / VENV.lstrip("/") / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{site.getsitepackages()[0]}\n")
    return host


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
def test_systemd_takes_the_units_with_their_drop_ins(host: Path, unit: str) -> None:
    assert _verify(host / SYSTEM.lstrip("/"), unit) == []


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_sees_a_drop_in_that_names_another_folder(host: Path, tmp_path: Path, unit: str) -> None:
    (tmp_path / unit).write_text((ROOT / "units" / unit).read_text())
    dropin = (host / SYSTEM.lstrip("/") / f"{unit}.d/venv.conf").read_text()
    (tmp_path / f"{unit}.d").mkdir()
    (tmp_path / f"{unit}.d/venv.conf").write_text(dropin.replace("/bin/python", "/nowhere/python"))
    assert any("is not executable" in line for line in _verify(tmp_path, unit))


@pytest.mark.parametrize("unit", UNITS)
def test_a_drop_in_does_what_the_unit_does_in_the_venv(host: Path, unit: str) -> None:
    (packaged,) = _starts((ROOT / "units" / unit).read_text())
    dropin = host / SYSTEM.lstrip("/") / f"{unit}.d/venv.conf"
    program = f"{host}{VENV}/bin/python -I -m sriov_bootstrap"
    assert _starts(dropin.read_text()) == ["", packaged.replace("/usr/bin/sriov-bootstrap", program)]


def test_the_units_name_no_other_program_of_ours(host: Path) -> None:
    there = {one.name for one in (host / SYSTEM.lstrip("/")).glob("*.service")}
    assert {one.name for one in (host / SYSTEM.lstrip("/")).iterdir() if one.is_file()} == {*there, *OTHERS}
    assert there == {*UNITS, CLOUD_INIT_UNIT} == {one.name for one in (ROOT / "units").glob("*.service")}
    for unit in UNITS:
        assert (ROOT / "units" / unit).read_text().count("/usr/bin/sriov-bootstrap") == 1
    assert "/usr/bin/sriov-bootstrap" not in (ROOT / "units" / CLOUD_INIT_UNIT).read_text()


def test_the_program_of_the_venv_runs_isolated(host: Path) -> None:
    command = [f"{host}{VENV}/bin/python", "-I", "-m", "sriov_bootstrap", "--version"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert said.startswith("sriov-bootstrap ")
    code = "import sriov_bootstrap; print(sriov_bootstrap.__file__)"
    where = subprocess.run([*command[:2], "-c", code], check=True, capture_output=True, text=True).stdout
    assert where.startswith(f"{host}{VENV}/")


def test_the_packages_are_named_as_they_are_built() -> None:
    version = metadata.version("sriov-bootstrap")
    for name in (
        f"sriov-bootstrap_{version}_all.deb",
        f"-{version}-1.el9.",
        f"sriov_bootstrap-{version}-py3-none-any.whl",
    ):
        assert name in PAGE
