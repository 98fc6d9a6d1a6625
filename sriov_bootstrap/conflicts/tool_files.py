"""Files that tools take without being given their paths: of a folder, by a name of their own, or below it.

A Makefile is read as the shell that it hands to make; what else a tool takes is looked at for mentions of VFs.
"""

import itertools
import re
from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from sriov_bootstrap.conflicts.called_folders import NAME
from sriov_bootstrap.conflicts.chunks import is_comment, text_after, text_before
from sriov_bootstrap.conflicts.given_files import is_given_file
from sriov_bootstrap.conflicts.survey import Format
from sriov_bootstrap.formats.shell_files import OTHER_TREES

REST = r"([^;&|\n`]{0,1024})"
PATH = rf"[\"']?(/{NAME}{{1,256}})"
RELATIVE = re.compile(
    r"(?:^|[\s;&|(/'\"])(?:\.|source|(?:ba|da|a|k|z)?sh|python[\d.]{0,8}|perl|ruby|node|php|lua[\d.]{0,4}|tclsh)[ \t]+"
    r"(?:-\w+[ \t]+){0,4}(?![./])((?:[\w+@-][\w.+@-]{0,64}/){0,8}[\w+@-][\w.+@-]{0,64})",
    re.MULTILINE,
)
FOR = re.compile(r"for(?<!\wfor)[ \t]+(\w{1,64})[ \t]+in[ \t]+([^;\n]{1,1024})")
GLOB = re.compile(rf"(?<![\w$}}])/{NAME}{{1,256}}[*?\[][\w.*?\[\]-]{{0,64}}")
PYTHON_FOLDER = re.compile(rf"\bpython[\d.]{{0,8}}[ \t]+(?:-[a-zA-Z]+[ \t]+){{0,4}}{PATH}(?<!\.py)(?=[\s\"']|$)")
SETTINGS = re.compile(
    r"(?<=[\s=\"'])(?:[\w+-][\w.+-]{0,64}/){0,8}[\w+-][\w.+-]{0,64}\.(?:conf|cfg|ini|toml|ya?ml|json|xml)(?![\w./])"
)
VOLUME = re.compile(rf"(?:(?<=[\s=\"'])-v|--volume|^Volume|^[ \t]*-)[ \t=]*{PATH}:/", re.MULTILINE)
MOUNT = re.compile(rf"--mount[ \t=][^\s]{{0,256}}?\b(?:src|source)={PATH}")
# Whose files are no programs: what a container finds there is not run for that.
NO_VOLUMES = (*OTHER_TREES, "/run", "/var", "/lib", "/usr/lib", "/usr/share", "/usr/src", "/boot", "/tmp")  # noqa: S108 - no file of ours
MAX_LOOPS = 64  # of one text
MAX_GLOBS = 8  # of one loop
MAX_USES = 16  # of its variable
MIN_DEPTH = 2  # of a folder that is one for a purpose


class Look(StrEnum):
    """What has to be found out of a file before it is read."""

    NOTHING = "it is what is said"
    THERE = "it is that if it is there"
    MENTION = "it is that if it mentions VFs"
    KIND = "what it is"


class FileCall(Struct, frozen=True):
    """`at`: the character where it stands; `path` may be a glob. `format`: how the file is read.

    `is_doubtful`: it may be handed on to something that does nothing with it.
    """

    at: int
    path: str
    format: Format
    look: Look = Look.NOTHING
    is_doubtful: bool = False


class TextContext(Struct, frozen=True):
    """What a whole file says of each of its commands: the folder that they are run in, whether it sets VFs."""

    folder: str = ""
    sets_vfs: bool = False


class Tool(Struct, frozen=True):
    """`word`: without it in a text, nobody calls the tool. `folders`: options that name the folder of its files.

    `options`: those that name a file of that folder, instead of those with its own `names`. `places`: where its folder
    is if it is not said.
    """

    word: str
    command: re.Pattern[str]
    names: tuple[str, ...]
    folders: re.Pattern[str]
    options: re.Pattern[str] | None = None
    places: tuple[str, ...] = ()
    format: Format = Format.OTHER


OF_FILE = re.compile(rf"(?<=[ \t])(?:-f|--file)[ \t=]*[\"']?((?!/){NAME}{{1,256}})")
TOOLS = (
    Tool(
        "make",
        re.compile(rf"(?:^|[\s;&|(/'\"])g?make\b(?!-){REST}", re.MULTILINE),
        ("Makefile", "makefile", "GNUmakefile"),
        re.compile(rf"(?:-C|--directory)[ \t=]*{PATH}"),
        OF_FILE,
        format=Format.SCRIPT,
    ),
    Tool(
        "compose",
        re.compile(rf"\b(?:docker|podman|nerdctl)[ -]compose\b{REST}"),
        ("docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml"),
        re.compile(rf"--project-directory[ \t=]*{PATH}"),
        OF_FILE,
    ),
    Tool(
        "salt-call",
        re.compile(rf"\bsalt-call\b{REST}"),
        ("*.sls", "*/*.sls"),
        re.compile(rf"--file-root[ \t=]*{PATH}"),
        places=("/srv/salt",),
    ),
    Tool(
        "puppet", re.compile(rf"\bpuppet[ \t]+apply\b{REST}"), ("*.pp",), re.compile(rf"(?<=[ \t\"']){PATH}/?(?=\s|$)")
    ),
)


def tool_calls(text: str, context: TextContext) -> Iterator[FileCall]:
    """What the tools of a text take."""
    for tool in TOOLS:
        for found in tool.command.finditer(text) if tool.word in text else ():
            yield from _calls_of_tool(tool, found.start(1), found[1], context)
    for pattern in (VOLUME, MOUNT):
        for found in pattern.finditer(text) if "olume" in text or "-v" in text or "mount" in text else ():
            yield from _calls_of_volume(found.start(1), found[1].rstrip("/"))
    for found in PYTHON_FOLDER.finditer(text) if "python" in text else ():
        yield FileCall(found.start(1), f"{found[1].rstrip('/')}/__main__.py", Format.SCRIPT, Look.THERE)
    yield from _calls_of_loops(text)
    if context.folder:
        for found in SETTINGS.finditer(text):
            if _is_given(text, found, Format.UNIT):
                yield FileCall(found.start(), f"{context.folder.rstrip('/')}/{found[0]}", Format.OTHER, Look.MENTION)
        for found in RELATIVE.finditer(text):
            yield FileCall(found.start(1), f"{context.folder.rstrip('/')}/{found[1]}", Format.SCRIPT)


def _is_given(text: str, found: re.Match[str], kind: Format) -> bool:
    """Whether a command may take settings from what stands there for a file."""
    return is_given_file("/etc/x", text_before(text, found.start()), text_after(text, found.end()), kind)


def _calls_of_loops(text: str) -> Iterator[FileCall]:
    """The files that a loop goes over, and gives to a command that may take settings from them."""
    ends: dict[str, int] = {}  # of the loops of a variable
    for found in reversed([*itertools.islice(FOR.finditer(text), MAX_LOOPS)] if "for" in text else []):
        globs = GLOB.findall(found[2])[:MAX_GLOBS]
        end, ends[found[1]] = ends.get(found[1], len(text)), found.start()
        if globs and _is_given_variable(text[found.end() : end], found[1]):
            yield from (FileCall(found.start(), glob, Format.SCRIPT, Look.KIND, is_doubtful=True) for glob in globs)


def _is_given_variable(text: str, name: str) -> bool:
    uses = itertools.islice(re.finditer(rf"\$\{{?{name}\b\}}?", text), MAX_USES)
    return any(_is_given(text, use, Format.SCRIPT) for use in uses if not is_comment(text, use.start()))


def _calls_of_tool(tool: Tool, at: int, words: str, context: TextContext) -> Iterator[FileCall]:
    folders = [path.rstrip("/") for path in tool.folders.findall(words)] or [*tool.places]
    folders = folders or [folder.rstrip("/") for folder in [context.folder] if folder]
    names = (tool.options.findall(words) if tool.options else []) or tool.names
    for folder in folders:
        for name in names:
            yield FileCall(at, f"{folder}/{name.removeprefix('./')}", tool.format, Look.THERE, is_doubtful=True)


def _calls_of_volume(at: int, path: str) -> Iterator[FileCall]:
    """Of a folder of the host that a container has."""
    if not path.startswith(NO_VOLUMES) and path.count("/") >= MIN_DEPTH:
        yield FileCall(at, f"{path}/*", Format.SCRIPT, Look.KIND, is_doubtful=True)
