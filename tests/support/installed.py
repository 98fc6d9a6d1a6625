"""The program in a tree that never boots: what a boot would start, and what scripts of packages ask for."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from sources import ROOT
from sriov_bootstrap.commands.metrics_config import SERVICE, SOCKET

DAEMON: Final = "sriov-bootstrap.service"
CLOUD_INIT: Final = "sriov-bootstrap-cloud-init.service"
BOND: Final = "sriov-bootstrap-bond.service"
METRICS: Final = SERVICE
METRICS_SOCKET: Final = SOCKET
METRICS_CONFIG: Final = "sriov-bootstrap-metrics-config.service"
METRICS_CONFIG_PATH: Final = "sriov-bootstrap-metrics-config.path"
# Those that the service starts, and does not stop, in the order in which they are to be stopped.
METRICS_UNITS: Final = (METRICS_CONFIG_PATH, METRICS_CONFIG, METRICS, METRICS_SOCKET)
ON_DEMAND: Final = {
    "sriov-bootstrap-holders.service",
    "sriov-bootstrap-reload@.service",
    "sriov-bootstrap-load@.service",
}
EVERY_UNIT: Final = {unit.name for unit in (ROOT / "units").iterdir()}

FOLDERS: Final = ("etc/systemd/system", "usr/lib/systemd/system")
# systemd 252 does not know what the unit says for newer ones.
TOO_NEW: Final = re.compile(r".*Unknown key.*'(RestartSteps|RestartMaxDelaySec)' in section \[Service\], ignoring\.")

# Enabling is done, as in an image. What takes a systemd that runs, as --now does with --root as well, is written down.
SYSTEMCTL: Final = """\
echo "$*" >>{root}/calls
case "$1" in enable | disable | preset-all) ;; *) exit 0 ;; esac
for word; do
    shift
    [ "$word" = --now ] || set -- "$@" "$word"
done
exec /usr/bin/systemctl --root={root} "$@"
"""


def started_at_boot(root: Path, target: str = "multi-user.target") -> set[str]:
    """Units of ours; AssertionError where one of them, or the program that it runs, is not there."""
    links = [link for folder in FOLDERS for link in (root / folder).glob(f"{target}.wants/sriov-bootstrap*")]
    found: set[str] = set()
    wanted = {link.name for link in links}
    while wanted:
        found |= wanted
        wanted = {other for unit in wanted for other in _starts(root, unit)} - found
    return found


def _starts(root: Path, unit: str) -> set[str]:
    """Other units of ours, and is itself one that can be started."""
    text = _text(root, unit)
    commands = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    for program in (commands or [""])[-1].split()[:1]:  # a drop-in has the last word
        if "sriov-bootstrap" in program:
            inside = root / program.removeprefix(str(root)).lstrip("/")
            assert os.access(inside, os.X_OK), f"{unit} runs {program}, which is not there"
    words = {word for line in re.findall(r"^(?:Wants|Requires)=(.*)$", text, re.MULTILINE) for word in line.split()}
    if unit == METRICS_CONFIG:
        words |= {METRICS_SOCKET, METRICS}  # by systemctl: tests/commands/test_metrics_config.py
    return {word for word in words if word.startswith("sriov-bootstrap")}


def _text(root: Path, unit: str) -> str:
    files = [root / folder / unit for folder in FOLDERS if (root / folder / unit).is_file()]
    assert files, f"{unit} is not in {root}"
    drop_ins = [one for folder in FOLDERS for one in sorted((root / folder / f"{unit}.d").glob("*.conf"))]
    return "\n".join(one.read_text() for one in (files[0], *drop_ins))


def assert_both_start(root: Path) -> None:
    """The daemon, what it has others wait for, and all that belongs to the metrics."""
    assert started_at_boot(root) == {DAEMON, BOND, *METRICS_UNITS} == EVERY_UNIT - ON_DEMAND - {CLOUD_INIT}
    assert started_at_boot(root, "cloud-init.target") == {CLOUD_INIT}


def shims(folder: Path, root: Path, **more: str) -> dict[str, str]:
    """An environment in which `systemctl` knows `root` alone: what it is asked is in root/calls.

    `more`: programs that are shell scripts, by their names with _ for -.
    """
    folder.mkdir()
    scripts = {
        "systemctl": SYSTEMCTL.format(root=root),
        **more,
    }
    for name, text in scripts.items():
        shim = folder / name.replace("_", "-")
        shim.write_text(f"#!/bin/sh\n{text}\n")
        shim.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def calls(root: Path) -> list[str]:
    """What systemctl was asked since the last look."""
    path = root / "calls"
    found = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return found


def complaints(root: Path) -> list[str]:
    """What systemd says of the units in this tree."""
    # Targets and whatever else they are ordered by come from this machine.
    path = ":".join(str(root / folder) for folder in FOLDERS)
    units = [unit.replace("@", "@igb") for unit in sorted(EVERY_UNIT)]
    ended = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{path}:", "LC_ALL": "C"},
        check=False,
        capture_output=True,
        text=True,
    )
    lines = [line for line in ended.stderr.splitlines() if not TOO_NEW.match(line) and "sriov-bootstrap" in line]
    return [line for line in lines if "/usr/bin/sriov-bootstrap is not executable" not in line]  # it is, in the tree


class Chroot:
    """A folder as the root of a host, with a shell; programs of systemd write down what they are asked."""

    def __init__(self, folder: Path, *programs: str) -> None:
        self.folder = folder
        for program in ("/bin/sh", "/bin/rm", *programs):
            libraries = re.findall(r"(/\S+) \(0x", _run("ldd", program))
            for needed in (program, *libraries):
                target = folder / needed.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(needed, target)
        self.write("dev/null", "")
        (folder / "run/systemd/system").mkdir(parents=True)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def listen_to(self, name: str, prefix: str = "") -> None:
        """Has this program do nothing but tell `calls` what it was asked."""
        self.write(name, f'#!/bin/sh\necho "{prefix}$*" >>/calls\n').chmod(0o755)

    def run(self, *words: str | Path) -> None:
        as_root = [] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user"]
        _run(*as_root, *words)

    def calls(self) -> list[str]:
        """What was asked since the last look."""
        return calls(self.folder)

    def hand_over(self) -> set[Path]:
        """What a metrics-config that has run leaves in /run."""
        return {
            self.write("run/sriov-bootstrap-metrics/access", "a key"),
            self.write("run/systemd/system/sriov-bootstrap-metrics.socket.d/50-sriov-bootstrap.conf", "[Socket]\n"),
        }

    def handed(self) -> set[Path]:
        """What there is of that."""
        return {path for path in (self.folder / "run").rglob("*") if path.is_file()}


def _run(*command: str | Path) -> str:
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
