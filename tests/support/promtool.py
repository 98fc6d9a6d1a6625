"""Prometheus' own tool, as the judge of what we write for Prometheus, and of what its users write for us."""

import shutil
import subprocess
import sys
from pathlib import Path


def promtool(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [binary("promtool"), *arguments], input=text, capture_output=True, text=True, check=False, timeout=30
    )


def binary(name: str) -> str:
    """Where a program of Prometheus' is: installed, or put into .venv by packaging/setup.sh."""
    return shutil.which(name) or str(Path(sys.prefix, "bin", name))
