"""The build backend: that of setuptools, but with identical results for identical sources, wherever and whenever built.

setuptools takes over the times, modes and owners of the files it finds, and gzip the time of day. Here the only time is
SOURCE_DATE_EPOCH, which `make` takes from packaging/debian/changelog; modes are 644 or 755, and everything is root's.
"""

import gzip
import io
import os
import shutil
import tarfile
import time
import warnings
import zipfile
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import get_requires_for_build_sdist, get_requires_for_build_wheel

__all__ = ["build_sdist", "build_wheel", "get_requires_for_build_sdist", "get_requires_for_build_wheel"]

# Debian 12's setuptools does not support an SPDX expression instead; see pyproject.toml.
warnings.filterwarnings("ignore", "License classifiers are deprecated")

FIRST_TIME_OF_ZIP = 315532800  # 1980-01-01: zip cannot represent earlier times


def build_wheel(
    wheel_directory: str, config_settings: dict[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    # Leftovers of an earlier build in build/ would end up in this one.
    shutil.rmtree("build/lib", ignore_errors=True)
    name: str = build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)
    wheel = Path(wheel_directory, name)
    wheel.write_bytes(_same_zip(wheel.read_bytes()))
    return name


def build_sdist(sdist_directory: str, config_settings: dict[str, Any] | None = None) -> str:
    name: str = build_meta.build_sdist(sdist_directory, config_settings)
    sdist = Path(sdist_directory, name)
    sdist.write_bytes(_same_tar(sdist.read_bytes()))
    return name


def _epoch() -> int:
    return max(FIRST_TIME_OF_ZIP, int(os.environ.get("SOURCE_DATE_EPOCH", FIRST_TIME_OF_ZIP)))


def _mode(mode: int) -> int:
    return 0o755 if mode & 0o100 else 0o644


def _same_zip(content: bytes) -> bytes:
    """RECORD has no times or modes, so it stays correct."""
    result = io.BytesIO()
    date = time.gmtime(_epoch())[:6]
    with zipfile.ZipFile(io.BytesIO(content)) as found, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as made:
        for old in found.infolist():
            new = zipfile.ZipInfo(old.filename, date)
            new.compress_type = zipfile.ZIP_DEFLATED
            new.create_system = 3  # Unix; otherwise the modes have no meaning
            new.external_attr = (0o100000 | _mode(old.external_attr >> 16)) << 16
            made.writestr(new, found.read(old))
    return result.getvalue()


def _same_tar(content: bytes) -> bytes:
    result = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as found,
        gzip.GzipFile("", "wb", fileobj=result, mtime=_epoch()) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as made,
    ):
        for old in sorted(found.getmembers(), key=lambda one: one.name):
            new = tarfile.TarInfo(old.name)
            new.type, new.linkname, new.size = old.type, old.linkname, old.size
            new.mode = 0o755 if old.isdir() else _mode(old.mode)
            new.mtime, new.uname, new.gname = _epoch(), "root", "root"
            made.addfile(new, found.extractfile(old) if old.isfile() else None)
    return result.getvalue()
