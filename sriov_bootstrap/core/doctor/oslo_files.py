"""Which files a service of OpenStack reads, in oslo.config's order (cfg.ConfigOpts._parse_config_files).

First its default files, unless the command line has a --config-file; then its default folders, unless that has a
--config-dir; then what the command line names, from left to right. What is read later wins. Red Hat's oslo.config
reads /usr/share/PROJECT/PROJECT-dist.conf first, with the defaults.
"""

import re
import shlex

from msgspec import Struct

FILE, FOLDER = "--config-file", "--config-dir"
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
    while words and RUNS_SCRIPTS.match(words[0]):
        words = words[1:]
        while words and words[0].startswith("-"):
            words = words[1:]
    for place, word in enumerate(words):
        if word == "--pyargv" and place + 1 < len(words):
            return (words[0], *split(words[place + 1]))
        if word.startswith("--pyargv="):
            return (words[0], *split(word.partition("=")[2]))
    return words


def split(text: str) -> tuple[str, ...]:
    """As a shell would; by blanks where the quotes are wrong."""
    try:
        return tuple(shlex.split(text))
    except ValueError:
        return tuple(text.split())


def reading_steps(argv: tuple[str, ...], project: str, home: str) -> tuple[Step, ...]:
    """`argv` as `service_argv` has it; `home`: of the user that the service runs as."""
    named = _named(argv[1:], home)
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


def _named(words: tuple[str, ...], home: str) -> tuple[Step, ...]:
    steps = []
    for place, word in enumerate(words):
        option, equals, path = word.partition("=")
        if option not in {FILE, FOLDER}:
            continue
        path = path if equals else next(iter(words[place + 1 :]), "")
        path = home + path[1:] if path.startswith("~/") else path
        if path:
            steps.append(Step((path,), is_folder=option == FOLDER, is_named=True))
    return tuple(steps)
