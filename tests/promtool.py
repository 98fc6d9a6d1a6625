"""Prometheus' own tool, as the judge of what we write for Prometheus, and of what its users write for us."""

import shutil
import subprocess
import sys
from pathlib import Path


def promtool(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    found = shutil.which("promtool") or str(Path(sys.prefix, "bin", "promtool"))  # where packaging/setup.sh puts it
    return subprocess.run([found, *arguments], input=text, capture_output=True, text=True, check=False, timeout=30)
