"""How much of others' files is read in all, and how little of those of users other than root: for edges only.

A file with a hole takes no space on disk, and is as large as its maker likes; and there may be thousands.
"""

import errno
from enum import StrEnum

MAX_BYTES = 1 << 26  # a host with a thousand units has a tenth of that
MAX_USER_BYTES = 1 << 20
USERS = 4  # that may use up what is theirs


class FileOwners(StrEnum):
    """Whose files have a limit in common; as it is said."""

    ALL = "files"
    USERS = "files that users other than root own or name"
    USER = "files that user {} owns or names"


class OverBudgetError(OSError):
    """A file is not read, since too much was. `is_first`: of those with the same reason."""

    def __init__(self, reason: str, *, is_first: bool) -> None:
        super().__init__(errno.EFBIG, reason)
        self.is_first = is_first


class ByteBudget:
    """Of one reader. `max_user_bytes`: of each user, MAX_USER_BYTES by default; all together have USERS times that."""

    def __init__(self, max_user_bytes: int = 0) -> None:
        most = max_user_bytes or MAX_USER_BYTES
        self._most = {FileOwners.USER: most, FileOwners.USERS: USERS * most, FileOwners.ALL: MAX_BYTES}
        self._taken: dict[tuple[FileOwners, int], int] = {}
        self._exceeded: set[tuple[FileOwners, int]] = set()

    def take(self, number: int, user: int) -> None:
        """The bytes of a file that this user owns, or has named; 0 is root. OverBudgetError if they are too many."""
        limits = [*([(FileOwners.USER, user), (FileOwners.USERS, 0)] if user else []), (FileOwners.ALL, 0)]
        for limit in limits:
            if self._taken.get(limit, 0) + number > self._most[limit[0]]:
                is_first = limit not in self._exceeded
                self._exceeded.add(limit)
                raise OverBudgetError(self._reason(*limit), is_first=is_first)
        for limit in limits:
            self._taken[limit] = self._taken.get(limit, 0) + number

    def _reason(self, owners: FileOwners, user: int) -> str:
        whose = owners.format(user)
        return f"not read: more than {self._most[owners] >> 20} MiB of {whose}; others may not have been read either"
