"""Writes to /sys: the kernel's errno is the answer, and reaches the caller as it is. For the edges alone."""

import contextlib
import os
from collections.abc import Iterator

from sriov_bootstrap.base.errors import KernelError


def write_attribute(path: str, text: str) -> None:
    """One write(2): sysfs takes a value whole, and its errno must not get lost in a buffer. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def errno_kept() -> Iterator[None]:
    """What the kernel refuses in this block, or answers with no number, is a KernelError with its errno."""
    try:
        yield
    except OSError as error:
        raise KernelError(f"{error.filename or 'write'}: {error.strerror}", errno=error.errno or 0) from error
    except ValueError as error:
        raise KernelError(f"the kernel gave no number: {error}") from error
