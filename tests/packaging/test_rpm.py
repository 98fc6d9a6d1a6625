"""packaging/rpm: the package is built on this machine, for the Python of this machine, and installed into a folder.

What a Debian machine cannot tell: whether dnf finds what the package requires, and what SELinux says.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from installed import (
    CLOUD_INIT,
    DAEMON,
    METRICS_CONFIG_PATH,
    METRICS_SOCKET,
    METRICS_UNITS,
    Chroot,
    assert_both_start,
    complaints,
)
from sources import ROOT, bill, copy, deb, run_in

FOLDER = ROOT / "packaging/rpm"
SPEC = (FOLDER / "sriov-bootstrap.spec").read_text()
pytestmark = pytest.mark.timeout(300)  # builds two packages, on a machine that may be busy

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
APP = "/usr/lib64/sriov-bootstrap"
PAST = 1_600_000_000  # rpm cuts later times to this one, and raises none: folders that it makes are of now
METRICS = " ".join(METRICS_UNITS)
HELPER = "usr/lib/systemd/systemd-update-helper"
CONFIG = '# an administrator wrote this\n[metrics]\nlisten = ""\n'

IMPORT_EVERYTHING = """
import importlib, pkgutil, sys
sys.path.insert(0, {folder!r})
import sriov_bootstrap
for module in pkgutil.walk_packages(sriov_bootstrap.__path__, "sriov_bootstrap."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
ours = [m.__file__ for m in list(sys.modules.values()) if getattr(m, "__file__", None)]
print(*ours, sep="\\n")
"""


def _run(*command: str | Path) -> str:
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def _query(rpm: Path, what: str) -> list[str]:
    return _run("rpm", "-qp", f"--{what}", rpm).splitlines()


@pytest.fixture(scope="module")
def builds(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The package and its successor."""
    (sdist,) = dist.glob("*.tar.gz")
    folder = tmp_path_factory.mktemp("rpms")
    for number in ("1", "2"):
        run_in(ROOT, 0o022, FOLDER / "build.sh", sdist, folder, "10", PYTHON, number, epoch=PAST)
    return [rpm for rpm in sorted(folder.glob("*.rpm")) if not rpm.name.endswith(".src.rpm")]


@pytest.fixture(scope="module")
def rpm(builds: list[Path]) -> Path:
    assert len(builds) == 2
    return builds[0]


class Root(Chroot):
    """A folder as the root of a host, with a helper of systemd that writes down what it is asked."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.listen_to(HELPER)
        self.listen_to("usr/bin/systemctl", "systemctl ")

    def rpm(self, *words: str | Path) -> None:
        self.run("rpm", "--root", self.folder, "--dbpath", "/var/lib/rpm", *words)


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path / "root")


@pytest.fixture(scope="module")
def installed(rpm: Path, tmp_path_factory: pytest.TempPathFactory) -> Root:
    """The package, for tests that look and change nothing of it."""
    root = Root(tmp_path_factory.mktemp("installed") / "root")
    root.rpm("--install", "--nodeps", "--noscripts", rpm)
    return root


def test_the_same_sources_give_the_same_packages(rpm: Path, dist: Path, tmp_path: Path) -> None:
    """The .src.rpm, too, and the bill of materials."""
    tree = tmp_path / "elsewhere"
    copy(tree, 0o077, 1_700_000_000)
    (tree / ".venv").symlink_to(Path(sys.prefix))
    shutil.copytree(ROOT / "build/rpm", tree / "build/rpm")  # the wheels, which are known by their hashes
    (tmp_path / "scratch").mkdir()
    (sdist,) = dist.glob("*.tar.gz")
    shutil.copy(sdist, tree)
    build = tree / "packaging/rpm/build.sh"
    scratch = f"TMPDIR={tmp_path}/scratch"
    run_in(tree, 0o077, "env", scratch, build, sdist.name, "out", "10", PYTHON, epoch=PAST)
    others = sorted((tree / "out").iterdir())
    assert len(others) == 2
    for other in others:
        assert other.read_bytes() == (rpm.parent / other.name).read_bytes(), other.name
    assert bill(others[1]) == bill(rpm)


def test_the_bill_says_what_is_really_in_the_package(rpm: Path) -> None:
    said = {one["name"]: one for one in bill(rpm)["components"]}
    libraries = {name: one for name, one in said.items() if "hashes" in one}
    provides = re.findall(r"^bundled\(python3dist\((.*)\)\) = (.*)$", "\n".join(_query(rpm, "provides")), re.MULTILINE)
    assert {name: one["version"] for name, one in libraries.items()} == dict(provides)
    lock = (ROOT / "packaging/locks/runtime.txt").read_text()
    for one in libraries.values():
        (entry,) = re.findall(rf"^{one['name']}=={one['version']} \\\n(?:  .*\n)*", lock, re.MULTILINE)
        assert f"sha256:{one['hashes'][0]['content']}" in entry
    assert {"kmod", "systemd-udev", "libudev.so.1"} <= {*said} - {*libraries}


def test_a_wheel_that_the_lock_does_not_know_is_not_built_in(dist: Path, tmp_path: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    shutil.copytree(ROOT / "packaging", tmp_path / "packaging")
    cached = tmp_path / f"build/rpm/wheels-py{PYTHON}-{os.uname().machine}"
    (cached / "wheels").mkdir(parents=True)
    shutil.copy(ROOT / "packaging/locks/runtime.txt", cached / "lock")
    (cached / "wheels/h11-0.16.0-py3-none-any.whl").write_text("another")
    with pytest.raises(AssertionError, match=r"h11-0\.16\.0-py3-none-any\.whl does not match "):
        _run(tmp_path / "packaging/rpm/build.sh", sdist, tmp_path / "out", "10", PYTHON)


RESTARTED = f"{DAEMON} {METRICS_CONFIG_PATH} {METRICS_SOCKET}"
# What 0.1.0 was: no units for the metrics, which the daemon served.
EARLIER = f"""
Name: sriov-bootstrap
Version: 0.0.9
Release: 1.el10
Summary: Earlier
License: Apache-2.0
ExclusiveArch: {os.uname().machine}
%description
%install
install -d %{{buildroot}}%{{_unitdir}}
touch %{{buildroot}}%{{_unitdir}}/{DAEMON}
%post
%systemd_post {DAEMON}
%preun
%systemd_preun {DAEMON}
%postun
%systemd_postun_with_restart {DAEMON}
%files
%{{_unitdir}}/{DAEMON}
"""


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package from before the units of the metrics."""
    folder = tmp_path_factory.mktemp("earlier")
    (folder / "earlier.spec").write_text(EARLIER)
    command = f"rpmbuild --nodeps --load {FOLDER}/macros.debian -bb --quiet --define"
    _run(*command.split(), f"_topdir {folder}", folder / "earlier.spec")
    (built,) = folder.rglob("*.rpm")
    return built


def test_install_upgrade_and_erase_ask_for_nothing_but_our_own_units(root: Root, builds: list[Path]) -> None:
    config = root.write("etc/sriov-bootstrap/config.toml", CONFIG)
    first, second = builds

    root.rpm("--install", "--nodeps", first)
    assert root.calls() == [f"install-system-units {DAEMON} {CLOUD_INIT}"]  # presets; EL starts nothing

    handed = root.hand_over()
    root.rpm("--upgrade", "--nodeps", second)
    assert root.calls() == [f"mark-restart-system-units {RESTARTED}"]  # after the transaction, and what runs
    assert root.handed() == handed

    root.rpm("--erase", "sriov-bootstrap")
    assert root.calls() == [f"remove-system-units {DAEMON} {CLOUD_INIT} {METRICS}", f"systemctl stop {METRICS}"]

    assert config.read_text() == CONFIG
    left = [path for path in root.folder.rglob("*") if "sriov" in path.name]
    assert left == [root.folder / "etc/sriov-bootstrap"]


def test_from_a_package_without_the_units_of_the_metrics_and_back(root: Root, rpm: Path, earlier: Path) -> None:
    root.rpm("--install", "--nodeps", earlier)
    root.calls()

    root.rpm("--upgrade", "--nodeps", rpm)
    assert root.calls() == [f"mark-restart-system-units {DAEMON}"]  # whose start is that of the others

    root.hand_over()
    root.rpm("--upgrade", "--oldpackage", "--nodeps", earlier)
    # At the end of the transaction, when the earlier one is started: it wants the port for itself.
    assert root.calls() == [f"mark-restart-system-units {RESTARTED}", f"systemctl stop {METRICS}"]
    assert root.handed() == set()


def test_scriptlets_do_no_harm_where_there_is_no_systemd(root: Root, rpm: Path) -> None:
    (root.folder / HELPER).unlink()
    (root.folder / "run/systemd/system").rmdir()
    root.rpm("--install", "--nodeps", rpm)
    root.rpm("--erase", "sriov-bootstrap")
    assert root.calls() == []


def test_no_scriptlet_knows_of_vfs(rpm: Path) -> None:
    said = "\n".join(_query(rpm, "scripts"))
    assert said.count("systemd-update-helper") == 6  # looked for, and run, three times
    assert not re.search(r"/sys/|numvfs|modprobe", said)
    removed = re.findall(r"\brm .*", said)
    assert removed == ["rm -rf /run/sriov-bootstrap-metrics /run/systemd/system/sriov-bootstrap-metrics*.d"]


def test_the_service_is_enabled_by_presets_where_everything_else_is_disabled(installed: Root) -> None:
    installed.write("usr/lib/systemd/system-preset/99-default-disable.preset", "disable *\n")
    _run("systemctl", "--root", installed.folder, "preset-all")
    enabled = {f"{path.parent.name}/{path.name}" for path in (installed.folder / "etc").rglob("*.wants/*")}
    assert enabled == {
        f"multi-user.target.wants/{DAEMON}",
        f"cloud-init.target.wants/{CLOUD_INIT}",
    }
    assert_both_start(installed.folder)
    # As docs/installing.md has it.
    installed.write("etc/systemd/system-preset/10-sriov-bootstrap.preset", "disable sriov-bootstrap*.service\n")
    _run("systemctl", "--root", installed.folder, "preset-all")
    assert not list((installed.folder / "etc").rglob("*.wants/*"))


def test_systemd_takes_the_units(installed: Root) -> None:
    assert complaints(installed.folder) == []


def test_what_is_bundled_is_enough_and_comes_from_the_package(installed: Root) -> None:
    folder = f"{installed.folder}{APP}"
    # -S: nothing of the environment that runs the tests.
    loaded = _run(sys.executable, "-I", "-S", "-c", IMPORT_EVERYTHING.format(folder=folder)).split()
    modules = "sriov_bootstrap bcrypt dbus_next h11 jinja2 markupsafe msgspec prometheus_client pyudev structlog yaml"
    found = {Path(one).relative_to(folder).parts[0] for one in loaded if one.startswith(folder)}
    assert found >= set(modules.split())
    assert not [one for one in loaded if "site-packages" in one]


def test_the_program_looks_into_that_folder_and_nowhere_else(installed: Root) -> None:
    lines = (installed.folder / "usr/bin/sriov-bootstrap").read_text().splitlines()
    assert lines[0] == f"#!/usr/bin/python{PYTHON} -I"
    code = [line for line in lines if line and not line.startswith("#")]
    assert code[:2] == ["import sys", f'sys.path.insert(0, "{APP}")']
    for unit in (installed.folder / "usr/lib/systemd/system").glob("*.service"):
        if unit.name == CLOUD_INIT:
            continue  # only restarts the service
        assert "ExecStart=/usr/bin/sriov-bootstrap " in unit.read_text()


def test_what_is_compiled_is_compiled_for_the_place_where_it_will_be(installed: Root) -> None:
    for module in ("sriov_bootstrap/cli", "msgspec/structs"):
        source = installed.folder / APP.lstrip("/") / f"{module}.py"
        compiled = Path(importlib.util.cache_from_source(str(source))).read_bytes()
        assert f"{APP}/{module}.py".encode() in compiled
        assert int.from_bytes(compiled[8:12], "little") == int(source.stat().st_mtime), "or it is compiled at each boot"


def test_the_package_asks_for_what_the_program_uses(rpm: Path) -> None:
    requires = set(_query(rpm, "requires"))
    wanted = {"kmod", "systemd-udev", "systemd", "libudev.so.1()(64bit)", "/bin/sh", "libc.so.6()(64bit)"}
    assert requires >= wanted | {f"python(abi) = {PYTHON}", f"/usr/bin/python{PYTHON}"}
    assert not [one for one in requires if one.startswith("python3")], "libraries are bundled"
    assert _query(rpm, "recommends") == ["dbus"]
    provides = [one for one in _query(rpm, "provides") if not one.startswith("bundled(")]
    assert {re.split(r"[ (]", one)[0] for one in provides} == {"sriov-bootstrap"}, "no library for others"


def test_everything_is_roots_and_nothing_is_a_config_file_of_ours(rpm: Path) -> None:
    listed = _run(
        "rpm", "-qp", "--qf", "[%{FILEMODES:perms} %{FILEUSERNAME} %{FILEGROUPNAME} %{FILEFLAGS:fflags}|]", rpm
    )
    entries = [one.split() for one in listed.rstrip("|").split("|")]
    assert {tuple(one[1:3]) for one in entries} == {("root", "root")}
    assert {one[0] for one in entries} == {"-rw-r--r--", "-rwxr-xr-x", "drwxr-xr-x"}
    assert not [one for one in entries if "c" in "".join(one[3:])]


def _same_place(path: str) -> str:
    """A path of either package as one of both."""
    path = re.sub(r"^(/usr/lib/python3/dist-packages|/usr/lib64/sriov-bootstrap)/sriov_bootstrap", "/code", path)
    path = re.sub(r"^/usr/share/doc/sriov-bootstrap(-[\d.]+)?", "/doc", path)
    path = path.replace("/usr/share/zsh/vendor-completions/", "/usr/share/zsh/site-functions/")
    return path.removesuffix(".gz")


def test_the_package_has_what_the_debian_package_has(rpm: Path) -> None:
    in_deb = {
        _same_place(line.split(None, 5)[5].lstrip(".").partition(" -> ")[0])
        for line in deb("--contents").splitlines()
        if not line.startswith("d")
    }
    in_rpm = {_same_place(path) for path in _query(rpm, "list") if "__pycache__" not in path}
    debians_own = r"\.(dist|egg)-info/|^/doc/(copyright|changelog)$|^/usr/share/(lintian|python3)/"
    missing = {one for one in in_deb - in_rpm if not re.search(debians_own, one)}
    assert missing == set()
    bundled = {one for one in in_rpm if one.startswith(APP)}
    folders = {one for one in in_rpm if any(other.startswith(f"{one}/") for other in in_rpm)}
    assert in_rpm - in_deb - bundled - folders == {
        "/etc/sriov-bootstrap/config.d",
        "/usr/lib/sriov-bootstrap/config.d",
        "/usr/share/licenses/sriov-bootstrap-" + metadata.version("sriov-bootstrap") + "/LICENSE",
    }


def test_the_spec_is_of_this_version() -> None:
    version = metadata.version("sriov-bootstrap")
    assert f"\nVersion:        {version}\n" in SPEC
    changelog = SPEC.partition("%changelog\n")[2]
    assert changelog.splitlines()[0].endswith(f" - {version}-1")
