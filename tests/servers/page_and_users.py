"""What both adapters serve, and to whom. They run in build/servers/venv, beside us and without our code."""

import base64
import binascii
import hashlib
import hmac
import json
import os
from typing import Any, Final, Self

import bcrypt

ANSWER_SECONDS: Final = 10.0  # as ours: to take an answer
IDLE_SECONDS: Final = 120.0  # as ours: between two requests
MAX_HEADER_BYTES: Final = 16 * 1024  # as ours
QUEUE: Final = 1024  # as ours: in the kernel
CHALLENGE: Final = 'Basic realm="sriov-bootstrap", charset="UTF-8"'
PAGE_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Job:
    """What compare.py asks for."""

    def __init__(self, listener: int, told: dict[str, Any]) -> None:
        self.listener = listener
        self.cert: str = told["cert"]
        self.key: str = told["key"]
        self.page = Page(told["page"])
        self.users = Users(told["users"])

    @classmethod
    def read(cls, path: str, listener: str) -> Self:
        with open(path, encoding="utf-8") as file:
            return cls(int(listener), json.load(file))


class Page:
    """Read again when it is another file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._stamp: tuple[int, ...] = ()
        self._text = b""

    def read(self) -> bytes:
        status = os.stat(self._path)
        stamp = status.st_ino, status.st_size, status.st_mtime_ns
        if stamp != self._stamp:
            with open(self._path, "rb") as file:
                self._stamp, self._text = stamp, file.read()
        return self._text


class Users:
    """Right passwords are remembered: a Prometheus comes every 15 s."""

    def __init__(self, hashes: dict[str, str]) -> None:
        self._hashes = hashes
        self._secret = os.urandom(32)
        self._right: set[bytes] = set()

    def known(self, header: str) -> bool | None:
        """Whether it opens the page; None: ask is_right, which takes 70 ms of CPU."""
        if not self._hashes or self._digest(header) in self._right:
            return True
        return None if _parsed(header) else False

    def is_right(self, header: str) -> bool:
        """bcrypt lets go of the interpreter's lock: it is meant for a thread."""
        user, password = _parsed(header) or ("", b"")
        hashed = self._hashes.get(user)
        is_right = bcrypt.checkpw(password[:72], (hashed or next(iter(self._hashes.values()))).encode())
        if hashed and is_right:
            self._right.add(self._digest(header))
            return True
        return False

    def _digest(self, header: str) -> bytes:
        return hmac.digest(self._secret, hashlib.sha256(header.encode("latin-1")).digest(), "sha256")


def _parsed(header: str) -> tuple[str, bytes] | None:
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(token, validate=True).partition(b":")
    except binascii.Error:
        return None
    return (user.decode("latin-1"), password) if colon else None
