"""Ansible as its users have it: the built collection, installed, and the commands of build/ansible/venv."""

import os
import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
BIN: Final = ROOT / "build" / "ansible" / "venv" / "bin"
ROLE: Final = "sriov_bootstrap.host.sriov_bootstrap"
FLEET: Final = "sriov_bootstrap.host.fleet"
VERIFY: Final = "sriov_bootstrap.host.verify"


class Ansible:
    """Its commands, with everything that they write below a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        """Installs the newest collection from dist/, which needs no network: it depends on no other."""
        self.folder = folder
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(folder),
            "ANSIBLE_HOME": str(folder / "home"),
            "ANSIBLE_COLLECTIONS_PATH": str(folder),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_PIPELINING": "true",
            "NO_COLOR": "1",
            "LC_ALL": "C.UTF-8",
        }
        self.check("ansible-galaxy", "collection", "install", "--offline", "--collections-path", folder, _collection())

    @property
    def collection(self) -> Path:
        """The installed collection."""
        return self.folder / "ansible_collections" / "sriov_bootstrap" / "host"

    def run(self, *words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [str(word) for word in words]
        environment, cwd = self._environment, cwd or self.folder
        return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=False)

    def check(self, *words: str | Path, cwd: Path | None = None) -> str:
        done = self.run(*words, cwd=cwd)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def _collection() -> Path:
    found = sorted((ROOT / "dist").glob("sriov_bootstrap-host-*.tar.gz"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise FileNotFoundError("no sriov_bootstrap-host-*.tar.gz in dist/: run `make collection` first")
    return found[-1]
