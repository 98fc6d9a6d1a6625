"""What decoding JSON raises, whatever the bytes are."""

from typing import Final

from msgspec import DecodeError

# What is no UTF-8 and what is nested too deep raise exceptions of Python's own.
UNDECODABLE: Final = (DecodeError, UnicodeDecodeError, RecursionError)
