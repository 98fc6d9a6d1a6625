"""Texts within texts: what is written in base64, also compressed, which scripts and cloud-init decode and then run."""

import binascii
import re
import zlib
from collections.abc import Iterator

WORDS = ("base64", "b64", "!!binary")  # without one of these nobody decodes anything
LINE = r"[ \t]*\n[ \t]*[A-Za-z0-9+/]"
ENCODED = re.compile(rf"[A-Za-z0-9+/]{{20,}}(?:{LINE}{{20,}})*(?:{LINE}{{1,19}}(?==*[ \t]*(?:[\n\"']|\Z)))?={{0,2}}")
GZIP = b"\x1f\x8b"
GZIP_WINDOW = 31  # zlib's word for gzip's format
MAX_TEXT = 1 << 17  # characters in which they are looked for
MAX_TEXTS = 64
MAX_BYTES = 1 << 16  # of one, decoded
MAX_GARBAGE = 8  # of what seems to be a last line, such as the end of a here-document


def hidden_texts(text: str) -> Iterator[tuple[int, str]]:
    """Where each begins, and what it says."""
    folded = text[:MAX_TEXT].lower()
    if not any(word in folded for word in WORDS) and " " in folded.strip():  # without blanks it may be nothing else
        return
    for number, found in enumerate(ENCODED.finditer(text, 0, MAX_TEXT)):
        if number == MAX_TEXTS:
            return
        if (hidden := decode(found[0])) is not None:
            yield found.start(), hidden


def decode(text: str) -> str | None:
    """What is written in base64, as a text; None if it is none."""
    encoded = "".join(text.split()).rstrip("=")[: 2 * MAX_BYTES]
    try:
        data = binascii.a2b_base64(encoded[: len(encoded) // 4 * 4] + _end_of(encoded))
        if data.startswith(GZIP):
            data = zlib.decompressobj(GZIP_WINDOW).decompress(data, MAX_BYTES)
    except (binascii.Error, zlib.error, ValueError):
        return None
    found = data[:MAX_BYTES].decode(errors="replace")
    return None if "\0" in found or found.count("\ufffd") > MAX_GARBAGE else found


def _end_of(encoded: str) -> str:
    """The last group, filled up; one character alone says nothing."""
    rest = encoded[len(encoded) // 4 * 4 :]
    return rest.ljust(4, "=") if len(rest) > 1 else ""
