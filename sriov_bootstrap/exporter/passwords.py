"""bcrypt: the only module that knows it. A check takes 70 ms of CPU or more, so it is made in a process of its own."""

import bcrypt

MAX_BYTES = 72  # bcrypt never looks at more; newer versions of the library refuse what older ones cut off


def is_right(password: bytes, hashed: str) -> bool:
    """Whether the password is the one that was hashed; `hashed`: as formats/web_config.py lets it through."""
    try:
        return bcrypt.checkpw(password[:MAX_BYTES], hashed.encode())
    except ValueError:  # some versions of the library refuse a password with a NUL in it
        return False
