"""Which files a service of OpenStack reads, in oslo.config's order (cfg.ConfigOpts._parse_config_files).

First its default files, unless the command line has a --config-file; then its default folders, unless that has a
--config-dir; then what the command line names, from left to right. What is read later wins. Red Hat's oslo.config
reads /usr/share/PROJECT/PROJECT-dist.conf first, with the defaults.
"""

import re
import shlex
from collections.abc import Callable

from msgspec import Struct

FILE, FOLDER = "--config-file", "--config-dir"
MAX_COMMAND = 1 << 14  # characters; shlex looks at each, and copies what it has, for each
MAX_FILES = 64  # that a command line names
RUNS_SCRIPTS = re.compile(r"(?:.*/)?(?:python[\d.]*|env|sh|bash|dash)$")
TITLE = re.compile(r"[^(]+ \((/.*)\)\s*$")  # setproctitle, as neutron's processes have it: name (what was typed)


class Step(Struct, frozen=True):
    """The first of `places` that is there is read: a file, or a folder's *.conf. `is_named`: by the command line."""

    places: tuple[str, ...]
    is_folder: bool = False
    is_named: bool = False


def service_argv(words: tuple[str, ...]) -> tuple[str, ...]:
    """The program and its own words, without the interpreter, uWSGI or a title that hides them."""
    if len(words) == 1 and (title := TITLE.match(words[0])):
        words = tuple(title[1].split())
    at = 0
    while at < len(words) and RUNS_SCRIPTS.match(words[at]):
        at += 1
        while at < len(words) and words[at].startswith("-"):
            at += 1
    words = words[at:]
    for place, word in enumerate(words):
        if word == "--pyargv" and place + 1 < len(words):
            return (words[0], *split(words[place + 1]))
        if word.startswith("--pyargv="):
            return (words[0], *split(word.partition("=")[2]))
    return words


def split(text: str) -> tuple[str, ...]:
    """As a shell would; by blanks where the quotes are wrong, and where it is longer than any command line."""
    try:
        return tuple(shlex.split(text) if len(text) <= MAX_COMMAND else text.split())
    except ValueError:
        return tuple(text.split())


def substitute(pattern: re.Pattern[str], text: str, value: Callable[[re.Match[str]], str]) -> str:
    """`pattern.sub`, which stops before the text becomes longer than a command line: names may come many times."""
    parts, at, length = list[str](), 0, len(text)
    for found in pattern.finditer(text):
        put = value(found)
        length += len(put)
        if length > MAX_COMMAND:
            break
        parts += (text[at : found.start()], put)
        at = found.end()
    return "".join((*parts, text[at:]))[:MAX_COMMAND]


def reading_steps(argv: tuple[str, ...], project: str, home: str) -> tuple[Step, ...]:
    """`argv` as `service_argv` has it; `home`: of the user that the service runs as."""
    named = _named_steps(argv[1:], home)
    program = argv[0].rpartition("/")[2].removesuffix(".py") if argv else ""
    names = list(dict.fromkeys(filter(None, (project, program))))
    folders = (f"{home}/.{project}", home, f"/etc/{project}", "/etc")
    steps: list[Step] = []
    if all(step.is_folder for step in named):
        steps.append(Step((f"/usr/share/{project}/{project}-dist.conf",)))
        steps += [Step(tuple(f"{folder}/{name}.conf" for folder in folders)) for name in names]
    if not any(step.is_folder for step in named):
        steps += [Step(tuple(f"{folder}/{name}.conf.d" for folder in folders), is_folder=True) for name in names]
    return (*steps, *named)


def _named_steps(words: tuple[str, ...], home: str) -> tuple[Step, ...]:
    steps = []
    for place, word in enumerate(words):
        option, equals, path = word.partition("=")
        if option not in {FILE, FOLDER}:
            continue
        path = path if equals else "".join(words[place + 1 : place + 2])
        path = home + path[1:] if path.startswith("~/") else path
        if path:
            steps.append(Step((path,), is_folder=option == FOLDER, is_named=True))
    return tuple(steps[:MAX_FILES])
