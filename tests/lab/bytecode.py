"""The bytecode of a package, made by the guest's own Python on this machine's CPU.

Compiling is most of what an installation costs an emulated one: half a minute. What is found in place and is of the
same source is not made again (py3compile(1)).
"""

import hashlib
import os
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Final

from .building import BuildError, explained, run
from .cache import HERE, cached_folder, digest
from .image import Image

ARCHIVE: Final = "bytecode.tar"
LIBRARIES: Final = "usr/lib/x86_64-linux-gnu"
SOURCES: Final = "usr/lib/python3/dist-packages"
MEGABYTES: Final = 300
FAILURE: Final = re.compile(r"^r?dump: |^debugfs: |: File not found by ext2_lookup", re.MULTILINE)  # debugfs 1.47
NEWEST: Final = 8  # one for each image, of a package and the one before it


def bytecode(image: Image, package: Path) -> Path:
    """Return a tar file, to be unpacked at / of a guest of that image when the package is unpacked and not configured.

    BuildError where it cannot be made.
    """
    content = hashlib.sha256(package.read_bytes()).hexdigest()
    key = digest([HERE / "bytecode.py"], image.folder.name, content)
    folder = cached_folder(
        f"bytecode-{key}", lambda scratch: _build(image, package, scratch), megabytes=MEGABYTES, newest=NEWEST
    )
    return folder / ARCHIVE


def _build(image: Image, package: Path, scratch: Path) -> None:
    root, guest = scratch / "root", scratch / "guest"
    run(["dpkg-deb", "--extract", str(package), str(root)])
    python = _python(image, guest)
    compile_all = ["-m", "compileall", "-q", "-s", str(root), "-p", "/", str(root / SOURCES)]
    environment = {"PYTHONHOME": str(guest / "usr"), "PATH": os.environ.get("PATH", "")}
    done = subprocess.run([*python, *compile_all], check=False, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise BuildError(f"lab: the guest's Python cannot compile {package.name}:\n{done.stdout}{done.stderr}")
    (scratch / "image").mkdir()
    with tarfile.open(scratch / "image" / ARCHIVE, "w") as archive:
        for folder in sorted(root.rglob("__pycache__")):
            archive.add(folder, str(folder.relative_to(root)), filter=_of_root)


def _python(image: Image, guest: Path) -> list[str]:
    """Copy it out of the image, and return the words that start it: what it links to has to be named."""
    names = _debugfs(image, "ls -p /usr/lib").split("/")
    version = max(name for name in names if name.startswith("python3."))
    for folder in (LIBRARIES, f"usr/lib/{version}", "usr/bin"):
        (guest / folder).parent.mkdir(parents=True, exist_ok=True)
    (guest / "usr/bin").mkdir()
    for folder in (LIBRARIES, f"usr/lib/{version}"):
        _debugfs(image, f"rdump /{folder} {(guest / folder).parent}")
    program = guest / "usr/bin" / version
    _debugfs(image, f"dump /usr/bin/{version} {program}")
    program.chmod(0o755)
    libraries = guest / LIBRARIES
    return [str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries), str(program), "-S"]


def _debugfs(image: Image, request: str) -> str:
    """Return the answer to a request; BuildError where it says that it failed, as it exits with 0 all the same."""
    said = run(["debugfs", "-R", request, str(image.disk)])
    if FAILURE.search(said):
        raise BuildError(explained("debugfs", 0, said))
    return said


def _of_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member
