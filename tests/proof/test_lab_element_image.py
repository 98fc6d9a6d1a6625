"""How the lab runs diskimage-builder: what it mounts and starts ends with it."""

import os
from pathlib import Path

import pytest

from lab.element_image import run_builder

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="images are built by root")


def fake(folder: Path, text: str) -> dict[str, str]:
    """Put a disk-image-create into a folder; the variables with which it is found."""
    program = folder / "disk-image-create"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_it_is_the_first_process_of_its_own_world(tmp_path: Path) -> None:
    """Where the first one ends, the kernel ends all others, and what is mounted there goes."""
    run_builder(tmp_path, fake(tmp_path, "echo $$ $(readlink /proc/self/ns/mnt)"))
    pid, mounts = (tmp_path / "build.log").read_text().split()
    assert pid == "1"
    assert mounts != os.readlink("/proc/self/ns/mnt")


def test_why_it_failed_is_told(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no such element"):
        run_builder(tmp_path, fake(tmp_path, "echo no such element >&2; exit 1"))
