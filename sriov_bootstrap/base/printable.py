"""What others have named or said, as text: names from bytes and back, one printable line for every output.

The kernel lets a netdev, a process and a file have any bytes but a few in its name. One decoding for all sources lets
a name from /sys meet the same name from rtnetlink and /proc, and nothing that is written or printed can break a line,
speak to a terminal, or raise because it is not Unicode.
"""

import contextlib
import sys

NAME_LIMIT = 64  # characters
MESSAGE_LIMIT = 1024  # characters: 4 KiB in any script
SHELL_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-")


def text_of(raw: bytes) -> str:
    r"""A name. UTF-8 that can be printed is as it is; every other byte, and each backslash, is `\xHH`.

    Two names never become the same text, so names may be compared.
    """
    text = raw.decode(errors="surrogateescape")
    return text if text.isprintable() and "\\" not in text else "".join(map(_shell_form, text))


def raw_of(text: str) -> bytes:
    r"""The name that `text_of` made this text of. A backslash that it did not write counts as itself."""
    first, *rest = _bytes(text).split(b"\\x")
    return first + b"".join(map(_byte_first, rest))


def printable(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """One line of at most `limit` characters that no terminal and no line protocol obeys. Twice is as once."""
    if len(text) <= limit and text.isprintable():
        return text
    shown = "".join(map(_printable_form, _shorten(text, limit)))
    return _shorten(shown, limit)


def one_line(raw: bytes, limit: int = MESSAGE_LIMIT) -> str:
    """What a program has said: its lines, with a bar between them."""
    lines = (line.strip() for line in raw.decode(errors="surrogateescape").splitlines())
    return printable(" | ".join(filter(None, lines)), limit)


def shell_quoted(text: str) -> str:
    r"""One word for the shell that it is pasted into: bash, where it takes `\xHH` to say it in one line."""
    if text and SHELL_SAFE.issuperset(text):
        return text
    if text.isprintable():
        return "'" + text.replace("'", "'\"'\"'") + "'"
    return "$'" + "".join("\\'" if character == "'" else _shell_form(character) for character in text) + "'"


def shell_name(text: str) -> str:
    """The same of a name that `text_of` has given: the word is the name itself."""
    return shell_quoted(raw_of(text).decode(errors="surrogateescape"))


def to_json(value: object) -> bytes:
    """Never fails for text that is not Unicode: it is made printable."""
    import msgspec  # the one thing here that the exporter can do without

    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(_without_surrogates(msgspec.to_builtins(value)))


def write_stderr(text: str) -> None:
    """As it is, now or never: journald's stream may be gone (EPIPE) or the disk full (ENOSPC), and work goes on."""
    with contextlib.suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()


def _shell_form(character: str) -> str:
    return character if character.isprintable() and character != "\\" else _hex_form(character)


def _printable_form(character: str) -> str:
    if character == "\t":
        return " "
    return character if character.isprintable() else _hex_form(character)


def _hex_form(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in _bytes(character))


def _bytes(text: str) -> bytes:
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:  # half of a pair, out of JSON
        return text.encode(errors="surrogatepass")


def _byte_first(text: bytes) -> bytes:
    try:
        return bytes((int(text[:2], 16),)) + text[2:] if len(text[:2].strip()) == 2 else b"\\x" + text  # noqa: PLR2004 - digits
    except ValueError:
        return b"\\x" + text


def _shorten(text: str, limit: int) -> str:
    """Both ends stay: a message begins with the place and ends with the cause."""
    tail = limit // 3
    return text if len(text) <= limit else f"{text[: limit - tail - 3]}...{text[-tail:]}"


def _without_surrogates(value: object) -> object:
    if isinstance(value, str):
        return _bytes(value).decode(errors="backslashreplace")
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return [_without_surrogates(item) for item in value] if isinstance(value, list | tuple) else value
