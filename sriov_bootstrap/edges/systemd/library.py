"""dbus-next: the only module that loads it, and that says so when it cannot.

Its last release is of 2021. Python 3.15 took away one name that it imports, the decorator of those decorators that mark
the methods of D-Bus services; we offer none. So the name is there while dbus-next loads, and nobody else sees it.
It also loads GLib's bindings where a host has them, for a main loop that nobody runs here. They are kept from it: they
take as long as all the rest.
"""

import contextlib
import sys
import typing
from collections.abc import Iterator

from sriov_bootstrap.base.errors import UnitError

REMOVED_NAME = "no_type_check_decorator"
GLIB_BINDINGS = "gi"


@contextlib.contextmanager
def typing_before_3_15() -> Iterator[None]:
    """The module `typing` with the name that dbus-next asks it for."""
    if hasattr(typing, REMOVED_NAME):
        yield
        return
    setattr(typing, REMOVED_NAME, lambda decorator: decorator)
    try:
        yield
    finally:
        delattr(typing, REMOVED_NAME)


@contextlib.contextmanager
def without_glib() -> Iterator[None]:
    """No `gi` to be found, as on most hosts; not if somebody has it loaded."""
    if GLIB_BINDINGS in sys.modules:
        yield
        return
    sys.modules[GLIB_BINDINGS] = None  # type: ignore[assignment]  # makes importing it fail
    try:
        yield
    finally:
        del sys.modules[GLIB_BINDINGS]


try:
    with typing_before_3_15(), without_glib():
        from dbus_next.aio.message_bus import MessageBus
        from dbus_next.constants import MessageFlag, MessageType
        from dbus_next.errors import AuthError, InvalidAddressError
        from dbus_next.message import Message
except (Exception, SystemExit) as error:  # whatever a library does while it loads: it must not end who loads it
    raise UnitError(
        f"dbus-next cannot be loaded: {type(error).__name__}: {error}",
        hint=f"install dbus-next 0.2.3 for {sys.executable} (Debian: python3-dbus-next); no restart of ours is needed",
    ) from error

__all__ = ["AuthError", "InvalidAddressError", "Message", "MessageBus", "MessageFlag", "MessageType"]
