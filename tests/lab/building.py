"""Programs that build root file systems: what they mount and start ends with them, and their failures have causes."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

# setpriv: were we killed, the kernel would end unshare, and with it all that runs in these namespaces; then the mounts
# are gone, too. In this machine's own they would stay, and removing the folder would go through them into the machine.
ISOLATED: Final = (
    *("setpriv", "--pdeathsig", "KILL", "--"),
    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"),
)
MAKE_ROOM: Final = "make room, or set XDG_CACHE_HOME to a folder on a larger disk"
DISK_FULL: Final = f"the disk is full: {MAKE_ROOM}"
OTHER_MIRROR: Final = "or set SRIOV_LAB_MIRROR=URL to another mirror of Debian"

# What programs say, and what is to be done about it: the first that fits. A full disk comes first: it makes apt say all
# the rest.
CAUSES: Final = {
    DISK_FULL: ("No space left on device", "have enough free space", "Disk quota exceeded"),
    f"the mirror cannot be reached: look at this machine's network, {OTHER_MIRROR}": (
        *("Could not resolve", "Could not connect", "Temporary failure resolving", "Unable to connect"),
        *("Connection (failed|refused|timed out)", "Network is unreachable"),
    ),
    f"the mirror has no such suite, or an old one: wait until it is up to date, {OTHER_MIRROR}": (
        *("does not have a Release file", "is not valid (yet|anymore)", "is expired"),
    ),
    f"the mirror lacks a package, as one that is being updated does: try again in an hour, {OTHER_MIRROR}": (
        *("Unable to locate package", "has no installation candidate", "for '.+' was not found"),
        *("unmet dependencies", "404 +Not Found", "Hash Sum mismatch", "unexpected size"),
    ),
    "this machine does not know the archive's key: install a newer debian-archive-keyring": (
        *("NO_PUBKEY", "EXPKEYSIG", "is not signed"),
    ),
    "the content does not fit into the disk that the lab makes of it: make that larger": (
        *("Could not allocate block", "while populating file system"),
    ),
}
TAIL_LINES: Final = 15


class BuildError(Exception):
    """Something of the lab cannot be built; the text has the cause and the remedy, and is for people."""


@contextmanager
def failures_told() -> Iterator[None]:
    """For a script: end it with the words of a BuildError, not with a traceback."""
    try:
        yield
    except BuildError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("lab: interrupted; the next run builds what is not there yet")


def run_isolated(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Run a program in namespaces of its own; takes root."""
    run(command, environment, prefix=ISOLATED)


def run(command: Sequence[str], environment: Mapping[str, str] | None = None, *, prefix: Sequence[str] = ()) -> str:
    """Run a program that says little when all is well, and return that; BuildError when it fails."""
    name, *arguments = command
    program = tool(name)
    if not shutil.which(program):
        raise BuildError(f"lab: {name} is not on this machine: run tests/lab/setup.sh as root")
    done = subprocess.run(
        [*prefix, program, *arguments],
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode != 0:
        raise BuildError(explained(name, done.returncode, done.stdout))
    return done.stdout


def explained(name: str, status: int, output: str) -> str:
    """Return why a program failed and what to do, from what it said."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for cause, patterns in CAUSES.items():
        for line in lines:
            if re.search("|".join(patterns), line):
                return f"lab: {name} failed: {cause}\nlab: {name} said: {line}"
    return "\n".join([f"lab: {name} failed with status {status}. It said:", *lines[-TAIL_LINES:]])


def tool(name: str) -> str:
    """Return where a program is that a user's PATH may not have."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") or name
