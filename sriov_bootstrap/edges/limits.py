"""rlimits: how much of this machine reading other programs' files may use, whatever they contain."""

import contextlib
import resource
import signal
import time
from collections.abc import Iterator

from sriov_bootstrap.base.errors import SriovBootstrapError

MEMORY_BYTES = 512 << 20
CPU_SECONDS = 60
HINT = "one of the files that it reads is malformed; it should cope with that: please report this bug"


@contextlib.contextmanager
def limit_resources(what: str, *, memory_bytes: int = MEMORY_BYTES, cpu_seconds: int = CPU_SECONDS) -> Iterator[None]:
    """Memory beyond what this process has by now, and CPU time from now on. SriovBootstrapError where it wants more.

    Only the soft limits are lowered, and restored at the end. For the main thread, which receives signals.
    """

    def give_up(*_: object) -> None:
        raise SriovBootstrapError(f"{what}: gave up after {cpu_seconds} s of CPU time", hint=HINT)

    before = {kind: resource.getrlimit(kind) for kind in (resource.RLIMIT_AS, resource.RLIMIT_CPU)}
    handler = signal.signal(signal.SIGXCPU, give_up)
    try:
        _lower(resource.RLIMIT_AS, _address_space() + memory_bytes)
        _lower(resource.RLIMIT_CPU, int(time.process_time()) + 1 + cpu_seconds)
        yield
    except MemoryError as error:
        message = f"{what}: gave up: it needs more than {memory_bytes >> 20} MiB of memory"
        raise SriovBootstrapError(message, hint=HINT) from error
    finally:
        for kind, limits in before.items():
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(kind, limits)
        signal.signal(signal.SIGXCPU, handler)


def _lower(kind: int, wanted: int) -> None:
    soft, hard = resource.getrlimit(kind)
    wanted = min(limit for limit in (wanted, soft, hard) if limit != resource.RLIM_INFINITY)
    with contextlib.suppress(OSError, ValueError):  # a sandbox may forbid it: then its own limits apply
        resource.setrlimit(kind, (wanted, hard))


def _address_space() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
