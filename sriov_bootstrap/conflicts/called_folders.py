"""Folders whose scripts a text runs, one after the other: by run-parts, or by a loop over what is in them.

Found as scripts are in called_scripts.py, by how they are written: a loop counts if what it loops over is run.
"""

import itertools
import re
import sys
from collections.abc import Iterator, Mapping

from msgspec import Struct

from sriov_bootstrap.formats.shell_files import OTHER_TREES

MAX_PATTERNS = 64  # of one text
MAX_NAMED = 8  # folders that an argument may be
MAX_USES = 64  # of a variable
MAX_NAME = 64  # characters of its name
BEFORE_USE = 1 << 9  # characters of its line
MAX_WORDS = 256  # that one loop takes
NAME = r"[\w./+@-]"
VARIABLE = rf"[\"']?(?:{NAME}{{0,256}}/)?[\"']?\$\$?\{{?(\w{{1,64}})"
FOR = re.compile(r"for(?<!\wfor)[ \t]+(\w{1,64})[ \t]+in[ \t]+([^;\n]{1,2048})")
BEFORE_RUN = r"(?:^|[;&|({'\"]|\b(?:then|do|else|exec|sudo|nohup|if)\b)[ \t]*"
RUN = re.compile(rf"{BEFORE_RUN}{VARIABLE}", re.MULTILINE)
RUN_HERE = re.compile(rf"{BEFORE_RUN}[\"']?(?:{NAME}{{0,256}}/)?[\"']?\Z")
BY_LANGUAGE = re.compile(
    rf"(?:^|[\s;&|({{/'\"])(?:\.|source|(?:ba|da|a|k|z)?sh|perl|ruby|lua|python[\d.]{{0,8}})[ \t]+"
    rf"(?:-\w+[ \t]+){{0,4}}(?:{VARIABLE}|(\{{\}}))",
    re.MULTILINE,
)
ASSIGNED = re.compile(rf"=[\"']?(/{NAME}{{1,256}})")
LAST_WORD = re.compile(r"\w{1,64}\Z")
ENTERED = re.compile(rf"(?:cd|pushd)[ \t]+[\"']?(/{NAME}{{1,256}})")
RUN_PARTS = re.compile(r"\brun-parts\b(?![^;&|\n`]{0,512}--(?:test|list)\b)([^;&|\n`]{1,512})")
ARGUMENT = re.compile(rf"(?<=[ \t\"'])(?:/[\w./+@*?-]+|\$\$?\{{?\w{{1,64}}\}}?(?:/{NAME}+)?)")
ARGUMENT_NUMBER = re.compile(r"[\"']?\$\{?(\d)\}?[\"']?/")
LISTED = re.compile(r"(?:\$\(|`|^|[;&|(])[ \t]*(?:/bin/|/usr/bin/)?(?:ls|find)[ \t]+([^;&|\n`)]{1,512})", re.MULTILINE)
HANDED_TO_SHELL = re.compile(r"\b(?:xargs|parallel)\b[^;&|\n]{0,128}?[ \t/](?:ba|da|k|z)?sh\b")
HANDED_ON = re.compile(r"-exec(?:dir)?\b|\b(?:xargs|parallel)\b")
MAY_INTERPRET = re.compile(r"\.[ \t]|source[ \t]|sh[ \t]|perl[ \t]|ruby[ \t]|lua[ \t]|python")
GLOB_SIGN = re.compile(r"[*?\[]")
MAY_LIST = ("ls ", "find ", "ls\t", "find\t")
MAY_RUN = ("run-parts", "for ", "for\t", *MAY_LIST)  # without any of these, nothing is found
ONLY_VARIABLE = re.compile(r"[\"']?\$(?:(\w{1,32})|\{(\w{1,32})\})[\"']?(?=[\s;&|)]|\Z)")
FILE_NAME = re.compile(r"[\w@+-][\w.@+-]*")
PATTERN = re.compile(rf"/{NAME}*/[\w.+@*?\[\]!-]+")


class FolderCall(Struct, frozen=True):
    """`at`: the character where it stands; `pattern`: a glob of files. `is_named`: a language stands before them."""

    at: int
    pattern: str
    is_named: bool


def folder_calls(text: str) -> Iterator[FolderCall]:
    """What a text runs out of folders; no more than anyone writes."""
    if has_any(text, MAY_RUN):
        folders = {name: path for name, path in assigned_paths(text).items() if path != "/"}
        calls = itertools.chain(_calls_of_run_parts(text, folders), _calls_of_loops(text, folders))
        yield from itertools.islice(calls, MAX_PATTERNS)


def has_any(text: str, words: tuple[str, ...]) -> bool:
    """Whether one of them is in a text; there are thousands to ask, and this is the fastest way."""
    for word in words:  # noqa: SIM110
        if word in text:
            return True
    return False


def assigned_paths(text: str, end: int = sys.maxsize) -> dict[str, str]:
    """Name of a variable -> the path that it is set to, by the last such words before a place."""
    found: dict[str, str] = {}
    for match in ASSIGNED.finditer(text, 0, end):
        if name := LAST_WORD.search(text, max(match.start() - MAX_NAME, 0), match.start()):
            found[name[0]] = match[1]
    return found


def entered_folders(text: str) -> list[str]:
    """Those that a text makes its own."""
    return ENTERED.findall(text) if has_any(text, ("cd ", "cd\t", "pushd")) else []


def _calls_of_run_parts(text: str, folders: Mapping[str, str]) -> Iterator[FolderCall]:
    for found in RUN_PARTS.finditer(text) if "run-parts" in text else ():
        named = [_with_folder(word, folders) for word in ARGUMENT.findall(found[1])]
        yield from _call(found.start(1), f"{named[-1]}/*" if named else "", is_named=False)


def _calls_of_loops(text: str, folders: Mapping[str, str]) -> Iterator[FolderCall]:
    loops = tuple(FOR.finditer(text))
    lists = tuple(LISTED.finditer(text)) if has_any(text, MAY_LIST) else ()
    if not loops and not lists:
        return
    if not lists and not any(GLOB_SIGN.search(found[2]) for found in loops):
        return
    run = {found[1] for found in loops if _is_run(text, found[1])}
    interpreted = {name or mark for name, mark in BY_LANGUAGE.findall(text)} if MAY_INTERPRET.search(text) else set()
    entered = [path.rstrip("/") for path in entered_folders(text)[:1]]
    for found in loops:
        name, words = found.groups()
        if name in run or name in interpreted:
            for word in words.split()[:MAX_WORDS]:
                for place in _folders_for(word, folders, text):
                    yield from _call_of_word(found.start(2), word, place, entered, is_named=name in interpreted)
    if lists and (interpreted or HANDED_ON.search(text) or RUN.search(text)):
        for found in lists:
            for word in ARGUMENT.findall(f" {found[1]}"):
                path = _with_folder(word, folders)
                glob = path if "*" in path else f"{path}/*"
                is_named = bool(interpreted) or HANDED_TO_SHELL.search(text) is not None
                yield from _call(found.start(1), glob, is_named=is_named)


def _is_run(text: str, name: str) -> bool:
    """Whether a variable stands where a command begins."""
    for found in itertools.islice(re.finditer(rf"\$\$?\{{?{name}\b", text), MAX_USES):
        start = max(text.rfind("\n", 0, found.start()) + 1, found.start() - BEFORE_USE)
        if RUN_HERE.search(text[start : found.start()]):
            return True
    return False


def _folders_for(word: str, folders: Mapping[str, str], text: str) -> Iterator[Mapping[str, str]]:
    """The same, or for an argument of a function, such as `$1/*`, any folder that the text names."""
    if not (of_argument := ARGUMENT_NUMBER.match(word)):
        yield folders
        return
    named = [path for path in dict.fromkeys(ARGUMENT.findall(text)) if path.startswith("/")]
    yield from ({of_argument[1]: path} for path in named[:MAX_NAMED])


def _call_of_word(
    at: int, word: str, folders: Mapping[str, str], entered: list[str], *, is_named: bool
) -> Iterator[FolderCall]:
    """Of a word that a loop takes, if it is a pattern."""
    path = _with_folder(word.replace('"', "").replace("'", ""), folders)
    if any(sign in path for sign in "*?["):
        is_relative = not path.startswith(("/", "$", "`"))
        path = f"{entered[0]}/{path.removeprefix('./')}" if is_relative and entered else path
        yield from _call(at, path, is_named=is_named)


def _with_folder(word: str, folders: Mapping[str, str]) -> str:
    """With the folder in place of a variable that it begins with, if it was told before."""
    if not word.startswith("$"):
        return word.rstrip("/")
    name, slash, rest = word.lstrip("$").lstrip("{").partition("/")
    folder = folders.get(name.rstrip("}"), "").rstrip("/")
    return f"{folder}{slash}{rest}".rstrip("/") if folder else ""


def _call(at: int, pattern: str, *, is_named: bool) -> Iterator[FolderCall]:
    if PATTERN.fullmatch(pattern) and not pattern.startswith(OTHER_TREES):
        yield FolderCall(at, pattern, is_named)


def names_of_variable(text: str, at: int, script: str) -> tuple[str, ...]:
    """Globs of the files that a variable names at this place of a text, right behind a folder.

    Where the script sets it to words alone, these; else it may be anything.
    """
    found = ONLY_VARIABLE.match(text, at)
    name = (found[1] or found[2]) if found else ""
    if not name or re.search(rf"\b(?:for|read|select|getopts|mapfile)\b[^\n]*\b{name}\b", script):
        return ("*",)
    values = re.findall(rf"(?<![\w.$-]){name}\+?=([\"']?[^\s;&|)]*)", script)
    names = tuple(dict.fromkeys(value.strip("\"'") for value in values))
    return names if names and all(map(FILE_NAME.fullmatch, names)) else ("*",)
