"""A command that ended, as edges get it that do not start it themselves."""

from typing import Protocol


class CommandEnd(Protocol):
    """Its exit code, and what it said."""

    @property
    def returncode(self) -> int: ...
    @property
    def stdout(self) -> bytes: ...
    @property
    def stderr(self) -> bytes: ...
