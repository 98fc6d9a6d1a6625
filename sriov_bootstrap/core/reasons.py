"""Why a PF is not as desired, and what follows from it: one table for everything that decides by a reason."""

from enum import StrEnum

from msgspec import Struct


class Reason(StrEnum):
    """Why a PF is not as desired: a label in metrics, so a fixed list."""

    ABSENT = "absent"
    DRIVER_MISSING = "driver_missing"
    EXCEEDS_MAX = "exceeds_max"
    IN_USE = "in_use"
    WRITE_FAILED = "write_failed"
    FEWER_VFS = "fewer_vfs"
    CONTESTED = "contested"
    VFS_INCOMPLETE = "vfs_incomplete"
    ATTRIBUTES_REFUSED = "attributes_refused"
    ESWITCH_MODE = "eswitch_mode"
    ESWITCH_UNSUPPORTED = "eswitch_unsupported"
    REPRESENTORS_MISSING = "representors_missing"
    LAG_INACTIVE = "lag_inactive"
    STUCK = "stuck"
    BLOCKED = "blocked"
    RELOAD_REQUIRED = "reload_required"
    METHOD_UNSUPPORTED = "method_unsupported"
    CONFLICT = "conflict"

    @property
    def traits(self) -> "Traits":
        """What follows from it."""
        return TRAITS[self]


class Traits(Struct, frozen=True):
    """`is_final`: only a new config, a release or an operator changes it, so that a boot does not wait for it.

    `is_retried`: it may end without an event: closing a file sends none, nor does a kernel that recovers.
    `awaits_user`: it ends when the VFs are released; nothing is wrong until then.
    """

    is_final: bool = False
    is_retried: bool = False
    awaits_user: bool = False


class Verdict(Struct, frozen=True):
    """A refusal or a failure: why, in words, and what to do. `is_final`: as in Traits, for this case of its reason."""

    reason: Reason
    message: str
    hint: str = ""
    is_final: bool = False


TRAITS = {
    Reason.ABSENT: Traits(),  # its appearance is an event
    Reason.DRIVER_MISSING: Traits(),
    Reason.EXCEEDS_MAX: Traits(is_final=True),
    Reason.IN_USE: Traits(is_final=True, is_retried=True, awaits_user=True),
    Reason.WRITE_FAILED: Traits(),  # its errno says whether it is tried again: errnos.py
    Reason.FEWER_VFS: Traits(is_final=True),
    Reason.CONTESTED: Traits(is_retried=True),
    Reason.VFS_INCOMPLETE: Traits(is_retried=True),
    Reason.ATTRIBUTES_REFUSED: Traits(is_final=True),
    Reason.ESWITCH_MODE: Traits(is_retried=True),
    Reason.ESWITCH_UNSUPPORTED: Traits(is_final=True),
    Reason.REPRESENTORS_MISSING: Traits(is_retried=True),
    Reason.LAG_INACTIVE: Traits(is_final=True, is_retried=True),  # what makes the bond waits for us
    Reason.STUCK: Traits(is_retried=True),
    Reason.BLOCKED: Traits(is_retried=True, awaits_user=True),
    Reason.RELOAD_REQUIRED: Traits(is_final=True),
    Reason.METHOD_UNSUPPORTED: Traits(is_final=True),
    Reason.CONFLICT: Traits(is_final=True),
}
