"""Every exception this program raises on purpose, and every code it exits with."""

from enum import IntEnum

from sriov_bootstrap.base.printable import printable

CORRECT_FILE = "correct the file, then run: sriov-bootstrap check-config"  # the hint of most ConfigErrors


class ExitCode(IntEnum):
    """API: documented in sriov-bootstrap(8), never renumbered."""

    OK = 0
    ERROR = 1
    USAGE = 2
    DEGRADED = 3
    INTERRUPTED = 130


class SriovBootstrapError(Exception):
    """Root of the family. The subclass says who can act; `hint` says what they can do."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        """`message` reads: where: what failed: with which value: why. It becomes one printable line, so does `hint`."""
        self.message = printable(message)
        self.hint = printable(hint)
        super().__init__(self.message)


class MistakesError(SriovBootstrapError):
    """Something that people wrote is wrong. `problems` holds one line for each mistake."""

    def __init__(self, problems: tuple[str, ...], *, hint: str = "") -> None:
        """`problems` must not be empty."""
        self.problems = tuple(map(printable, problems))
        super().__init__("; ".join(self.problems), hint=hint)


class ConfigError(MistakesError):
    """The administrator can act: a config file, or a file that it names, is wrong."""


class UsageError(MistakesError):
    """Who typed the command can act: it asks for what there is not, or cannot be."""


class NotOursError(SriovBootstrapError):
    """What was asked for on the command line is not ours to do: nothing was changed."""


class LinkError(SriovBootstrapError):
    """A link on the way to a file leads where it must not be followed: out of a root, or where others choose."""


class KernelError(SriovBootstrapError):
    """The kernel, a driver or the firmware said no. `errno` is 0 where no number was given."""

    def __init__(self, message: str, *, errno: int = 0, hint: str = "") -> None:
        """`errno` is the kernel's number, as in errno(3)."""
        super().__init__(message, hint=hint)
        self.errno = errno


class CloudError(SriovBootstrapError):
    """Who runs the cloud, or has its credentials, can act: an API refused, or cannot be reached.

    `status` is HTTP's number, 0 where there was no answer.
    """

    def __init__(self, message: str, *, status: int = 0, hint: str = "") -> None:
        """`message` has no secret in it."""
        super().__init__(message, hint=hint)
        self.status = status

    @property
    def is_absence(self) -> bool:
        """Whether what was asked about does not exist."""
        return self.status == 404  # noqa: PLR2004 - HTTP's Not Found


class UnitError(SriovBootstrapError):
    """systemd or the bus to it did not do what was asked."""


class StuckError(SriovBootstrapError):
    """Work did not return by its deadline and was left behind in process `pid`."""

    def __init__(self, message: str, *, pid: int, hint: str = "") -> None:
        """`pid` may be unkillable: the kernel decides when it ends."""
        super().__init__(message, hint=hint)
        self.pid = pid


class BusyError(SriovBootstrapError):
    """Another pass holds the lock and did not let go in time."""


class RefusedError(SriovBootstrapError):
    """What was asked for is not to be done now: nothing was written."""


class InUseError(RefusedError):
    """A VF came into use between the plan and the write: nothing was written."""
