"""`run.py PYTHON [PYTEST-ARGUMENT...]`: pytest with the newest release of each dependency, locks or not.

PYTHON is a version, such as 3.15, or the path of an interpreter. A version that this machine lacks is Debian sid's: the
tests run in a root file system of it then, which the lab's cache keeps for a week. The index is that of pip's
configuration; Debian's mirror, the lab's.
"""

import os
import re
import runpy
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

sys.path[:1] = [str(Path(__file__).parents[1] / part) for part in ("", "support")]  # a script has its own there

from lab.building import BuildError, failures_told, run_isolated  # noqa: E402
from lab.cache import cached_folder  # noqa: E402
from lab.mirror import sources  # noqa: E402

ROOT: Final = Path(__file__).parents[2]
UV: Final = runpy.run_path(str(ROOT / "packaging/uv.py"))
PYTHONS: Final = ("3.13", "3.14", "3.15")  # those of sid
# What packaging/setup.sh installs, as far as the tests that run there need it, and Prometheus as it is in sid.
PACKAGES: Final = (
    *("make", "gcc", "libc6-dev", "git", "dpkg-dev", "dbus-daemon", "systemd", "udev", "mandoc", "openssl", "curl"),
    *("zsh", "fish", "jsonnet", "libudev1", "kmod", "iproute2", "procps", "unzip", "lintian", "ca-certificates"),
    *("prometheus", "openssh-client", "debian-archive-keyring", "mmdebstrap", "e2fsprogs", "sudo", "genisoimage"),
    *(f"python{version}{part}" for version in PYTHONS for part in ("", "-venv")),
)
# Packages are built by .venv, whose Python is this machine's.
BUILDS: Final = ("tests/packaging", "tests/pages/test_site.py", "tests/pages/test_installing_page.py")


def main(python: str, arguments: list[str]) -> int:
    """Pytest's exit status."""
    version = re.sub(r"[^\w.]", "", Path(python).name)
    venv = ROOT / "build/newest" / version
    environment = {**os.environ, **pip_settings(), "UV_CACHE_DIR": str(uv_cache())}
    prefix: list[str] = []
    interpreter = _interpreter(python)
    if not interpreter:
        prefix = inside_sid(environment)
        interpreter = f"/usr/bin/python{python}"
        arguments = [*(f"--ignore={path}" for path in BUILDS), *arguments]
    uv = str(ROOT / ".venv/bin/uv")
    install = [*prefix, uv, "--no-config", "pip", "install", "--quiet", "--python", str(venv / "bin/python")]
    (wheel,) = (ROOT / "build/wheel").glob("sriov_bootstrap-*.whl")
    for command in (
        [*prefix, uv, "--no-config", "venv", "--quiet", "--clear", "--python", interpreter, str(venv)],
        [*install, "--upgrade", *dependencies()],
        [*install, "--no-deps", "--reinstall", str(wheel)],
        [*prefix, str(venv / "bin/python"), "-VV"],
    ):
        subprocess.run(command, check=True, env=environment, cwd=ROOT)
    # .venv has promtool and prometheus, where this machine has none.
    environment["PATH"] = f"{venv / 'bin'}:{environment['PATH']}:{ROOT / '.venv/bin'}"
    pytest = [*prefix, str(venv / "bin/pytest"), "--no-cov", *arguments]
    return subprocess.run(pytest, check=False, env=environment, cwd=ROOT).returncode


def dependencies() -> list[str]:
    """What the product and its tests ask for, without the locks' versions."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    return [*wanted, *project["dependency-groups"]["dev"]]


def pip_settings() -> dict[str, str]:
    """The environment that makes uv use what pip is configured with."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    defaults = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never"}
    settings: dict[str, str] = UV["from_pip"](listed)
    return {**defaults, **settings, "UV_LINK_MODE": "copy"}


def uv_cache() -> Path:
    """Where uv keeps what it has fetched; made here, for a root file system has to find it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "uv"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


def inside_sid(environment: Mapping[str, str]) -> list[str]:
    """Return what comes before a command that is to run in sid's root file system, which is built if need be."""
    root = cached_folder(f"pythons-{time.strftime('%G%V')}", _build_sid, newest=0) / "root"
    named = " ".join(value for name, value in environment.items() if name.startswith(("UV_", "SSL_", "PIP_"))).split()
    local = {name.removeprefix("file://") for name in named if name.startswith(("/", "file:///"))}
    # An index in a folder, as some machines have it in /opt, refers to files beside it.
    shared = [str(ROOT), "/opt", *sorted(local), "/etc/resolv.conf", "/etc/hosts"]
    script = str(ROOT / "tests/newest/inside.sh")
    return ["unshare", "--mount", "--propagation", "slave", script, str(root), *shared, "--"]


def _build_sid(scratch: Path) -> None:
    root = scratch / "image/root"
    root.parent.mkdir()
    command = ["mmdebstrap", "--mode=root", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    command += ["--aptopt=Acquire::Languages none", '--aptopt=Acquire::Check-Valid-Until "false"', "--skip=check/qemu"]
    run_isolated([*command, "sid", str(root), *sources("sid")], os.environ)


def _interpreter(python: str) -> str:
    """Where it is on this machine; "" if it is not. A version manager's shim for a missing version does not run."""
    found = python if "/" in python else shutil.which(f"python{python}")
    if found and subprocess.run([found, "-c", ""], check=False, capture_output=True).returncode == 0:
        return found
    if python in PYTHONS:
        return ""
    raise BuildError(f"newest: this machine has no Python {python}, and Debian sid has {', '.join(PYTHONS)} only")


if __name__ == "__main__":
    with failures_told():
        sys.exit(main(sys.argv[1], sys.argv[2:]))
