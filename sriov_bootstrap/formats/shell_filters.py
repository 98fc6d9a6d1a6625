"""What cat, cut, grep, head, tail, awk and tr make of a text that is known, as far as scripts use them for settings.

Any other use gives None: then the output is not known.
"""

import re
from collections.abc import Callable, Iterable

from sriov_bootstrap.formats.hidden_texts import decode
from sriov_bootstrap.formats.shell_state import Values
from sriov_bootstrap.formats.shell_unknowns import UNKNOWN

NAMES = frozenset(
    {
        "base64",
        "sed",
        "gunzip",
        "zcat",
        "gzip",
        "cat",
        "cut",
        "grep",
        "egrep",
        "fgrep",
        "head",
        "tail",
        "awk",
        "gawk",
        "mawk",
        "tr",
    }
)
PLAIN = re.compile(r"""(\^?)([\w =:./#"'-]{0,200})(\$?)""")  # a pattern without repetitions and choices
FIRST_LINES = re.compile(r"-n?(\d{1,4})")
FIELD = re.compile(r"(?:-f|--fields=)?(\d{1,2})")
PRINT = re.compile(r"\s*(NR\s*==\s*1)?\s*\{\s*print(?:\s+\$(\d{1,2}))?\s*;?\s*\}\s*")
GREP_OPTIONS = frozenset("vihEFs")
DECODING = frozenset({"-d", "-D", "--decode", "-di", "-id"})  # of base64
UNCOMPRESSING = frozenset({"-c", "-d", "-dc", "-cd", "--decompress", "--stdout", "-"})
SED_OPTIONS = frozenset({"-e", "-E", "-r"})
SUBSTITUTION = re.compile(r"s([/|#,@:])(\^?)([\w /:=,-]{1,64})(\$?)\1([\w /.:=,-]{0,64})\1(g?)")
MAX_WORDS = 16
ReadFile = Callable[[str], str | None]


def filter_output(name: str, arguments: list[Values], feed: Values, read: ReadFile) -> Values | None:
    """`read`: the text of a file, None if it was not read."""
    if name not in NAMES or len(arguments) > MAX_WORDS or any(len(values) != 1 for values in arguments):
        return None
    words = [values[0] for values in arguments]
    if any(UNKNOWN in word for word in words):
        return None
    found = _filter_lines(name, words, feed, read)
    return None if found is None else ("".join(f"{line}\n" for line in found),)


def _filter_lines(name: str, words: list[str], feed: Values, read: ReadFile) -> list[str] | None:
    match name:
        case "cat" | "base64" | "gunzip" | "zcat" | "gzip":
            return _whole(name, words, feed, read)
        case "tr" | "sed":
            return _tr(words, feed) if name == "tr" else _substitute_text(words, feed, read)
        case "head" | "tail":
            return _ends(name, words, feed, read)
        case "cut":
            return _cut(words, feed, read)
        case "awk" | "gawk" | "mawk":
            return _awk(words, feed, read)
        case _:
            return _grep(words, feed, read)


def _lines(paths: Iterable[str], feed: Values, read: ReadFile) -> list[str] | None:
    """Of the files, or of the input if none is named."""
    texts = [read(path) for path in paths if path != "-"] or ([feed[0]] if len(feed) == 1 else [None])
    if any(text is None or UNKNOWN in text for text in texts):
        return None
    return [line for text in texts if text for line in text.splitlines()]


def _whole(name: str, words: list[str], feed: Values, read: ReadFile) -> list[str] | None:
    """What changes no line; what base64 has put out is no longer compressed."""
    if name == "base64":
        return _base64(words, feed, read)
    if name != "cat" and (not UNCOMPRESSING.issuperset(words) or (name == "gzip" and not words)):
        return None
    return _lines(words if name == "cat" else (), feed, read)


def _base64(words: list[str], feed: Values, read: ReadFile) -> list[str] | None:
    if DECODING.isdisjoint(words):
        return None
    lines = _lines([word for word in words if not word.startswith("-") or word == "-"], feed, read)
    text = None if lines is None else decode("\n".join(lines))
    return None if text is None else text.splitlines()


def _is_several(line: str) -> bool:
    """Whether it is a glob of the kernel's files, which stands for as many lines as there are."""
    return "*" in line and (line == "*" or line.startswith("/sys/"))


def _ends(name: str, words: list[str], feed: Values, read: ReadFile) -> list[str] | None:
    text = " ".join(words[:2])
    number, rest = 10, words
    if found := FIRST_LINES.fullmatch(words[0] if words else ""):
        number, rest = int(found[1]), words[1:]
    elif found := FIRST_LINES.fullmatch(text.replace("-n ", "-n", 1)):
        number, rest = int(found[1]), words[2:]
    lines = None if any(word.startswith("-") for word in rest) else _lines(rest, feed, read)
    if lines is None or any(map(_is_several, lines)):
        return None
    return lines[:number] if name == "head" else lines[max(len(lines) - number, 0) :]


def _cut(words: list[str], feed: Values, read: ReadFile) -> list[str] | None:
    delimiter, field, rest = "\t", 0, list[str]()
    queue = [*words]
    while queue:
        word = queue.pop(0)
        if word in {"-d", "-f"} and queue:
            word += queue.pop(0)
        if word.startswith(("-d", "--delimiter=")):
            delimiter = word.removeprefix("--delimiter=").removeprefix("-d")
        elif word.startswith(("-f", "--fields=")) and (found := FIELD.fullmatch(word)):
            field = int(found[1])
        elif word.startswith("-") and word != "-s":
            return None
        elif word != "-s":
            rest.append(word)
    lines = _lines(rest, feed, read)
    if lines is None or not field or len(delimiter) != 1:
        return None
    return [_field(line, line.split(delimiter), field) if delimiter in line else line for line in lines]


def _field(line: str, parts: list[str], number: int) -> str:
    return line if not number else parts[number - 1] if number <= len(parts) else ""


def _tr(words: list[str], feed: Values) -> list[str] | None:
    """`-d` alone."""
    lines = _lines((), feed, lambda _: None)
    if lines is None or len(words) != 2 or words[0] != "-d" or "[" in words[1] or "-" in words[1]:  # noqa: PLR2004 - it, and what
        return None
    gone = words[1].replace("\\n", "\n").replace("\\r", "\r").replace("\\t", "\t")
    kept = ["".join(char for char in line if char not in gone) for line in lines]
    return ["".join(kept)] if "\n" in gone else kept


def _substitute_text(words: list[str], feed: Values, read: ReadFile) -> list[str] | None:
    """One plain text in place of another."""
    rest = [word for word in words if word not in SED_OPTIONS]
    found = SUBSTITUTION.fullmatch(rest[0]) if rest else None
    if not found or found[1] in found[3] + found[5] or any(word.startswith("-") for word in rest[1:]):
        return None
    lines = _lines(rest[1:], feed, read)
    pattern = re.compile(f"{found[2]}{re.escape(found[3])}{found[4]}")
    return None if lines is None else [pattern.sub(found[5], line, count=0 if found[6] else 1) for line in lines]


def _awk(words: list[str], feed: Values, read: ReadFile) -> list[str] | None:
    separator, rest = None, words
    if words[:1] == ["-F"] and len(words) > 1:
        separator, rest = words[1], words[2:]
    elif words and words[0].startswith("-F"):
        separator, rest = words[0].removeprefix("-F"), words[1:]
    found = PRINT.fullmatch(rest[0]) if rest else None
    lines = _lines(rest[1:], feed, read) if found else None
    if not found or lines is None or (separator is not None and len(separator) != 1):
        return None
    if found[1] and any(map(_is_several, lines)):
        return None
    chosen = lines[:1] if found[1] else lines
    return [_field(line, line.split(separator), int(found[2] or 0)) for line in chosen]


def _grep(words: list[str], feed: Values, read: ReadFile) -> list[str] | None:
    options = "".join(word[1:] for word in words if word.startswith("-"))
    rest = [word for word in words if not word.startswith("-")]
    found = PLAIN.fullmatch(rest[0]) if rest else None
    lines = _lines(rest[1:], feed, read) if found else None
    if not found or lines is None or not GREP_OPTIONS.issuperset(options) or "." in found[2]:
        return None
    if any(map(_is_several, lines)):
        return None
    pattern = re.compile(f"{found[1]}{re.escape(found[2])}{found[3]}", re.IGNORECASE if "i" in options else 0)
    return [line for line in lines if bool(pattern.search(line)) is not ("v" in options)]
