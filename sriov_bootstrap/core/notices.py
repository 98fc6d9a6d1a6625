"""The variables of sd_notify(3) that we send to the service manager, and no others."""

from enum import StrEnum

STATUS_LIMIT = 200  # characters: `systemctl status` shows one line


class Notice(StrEnum):
    """A variable; what it means to systemd is in sd_notify(3)."""

    READY = "READY"
    RELOADING = "RELOADING"
    STOPPING = "STOPPING"
    STATUS = "STATUS"
    WATCHDOG = "WATCHDOG"
    MONOTONIC_USEC = "MONOTONIC_USEC"
    EXTEND_TIMEOUT_USEC = "EXTEND_TIMEOUT_USEC"
