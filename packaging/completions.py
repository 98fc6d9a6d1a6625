"""Completions for bash, zsh and fish, from the parser: completions.py FOLDER writes one file for each shell."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import shtab

from sriov_bootstrap.arguments import make_parser
from sriov_bootstrap.render.catalogue import TARGETS

NAME = "sriov-bootstrap"
HIDDEN = {"helper"}  # run by units only
WORDS = {"TARGET": ["all", *TARGETS]}
FILES = {"FILE": shtab.FILE, "DIR": shtab.DIRECTORY}


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for shell, text in completions().items():
        (folder / f"{NAME}.{shell}").write_text(text)


def completions() -> dict[str, str]:
    """Shell -> text."""
    parser = _parser()
    made = {shell: str(shtab.complete(parser, shell=shell)) for shell in ("bash", "zsh")}
    return made | {"fish": "\n".join(_fish(parser)) + "\n"}


def _parser() -> argparse.ArgumentParser:
    """Which words are files, targets or codes, which the parser itself does not need to know."""
    parser = make_parser()
    verbs = _verbs(parser)
    for name in HIDDEN:
        del verbs.choices[name]
    verbs._choices_actions = [one for one in verbs._choices_actions if one.dest not in HIDDEN]  # noqa: SLF001
    for one in (parser, *verbs.choices.values()):
        for action in _actions(one):
            if action.metavar in FILES:
                action.complete = FILES[str(action.metavar)]  # type: ignore[attr-defined]
            elif action.metavar in WORDS:
                action.choices = WORDS[str(action.metavar)]
    return parser


def _fish(parser: argparse.ArgumentParser) -> Iterator[str]:
    """shtab does not support fish."""
    verbs = _verbs(parser).choices
    none = f"not __fish_seen_subcommand_from {' '.join(verbs)}"
    yield f"# {NAME}: made by packaging/completions.py"
    yield f"complete -c {NAME} -f"
    for action in _actions(parser):
        if action.option_strings:
            yield _fish_option(action, none)
    for verb, child in verbs.items():
        yield f"complete -c {NAME} -n {_quoted(none)} -a {verb} -d {_quoted(_help_of(parser, verb))}"
        seen = f"__fish_seen_subcommand_from {verb}"
        for action in _actions(child):
            if action.option_strings:
                yield _fish_option(action, seen)
            elif action.choices:
                words = " ".join(map(str, action.choices))
                yield f"complete -c {NAME} -n {_quoted(seen)} -a {_quoted(words)} -d {_quoted(action.help or '')}"
            elif action.metavar in FILES:
                yield f"complete -c {NAME} -n {_quoted(seen)} -F"


def _fish_option(action: argparse.Action, condition: str) -> str:
    words = [f"complete -c {NAME} -n {_quoted(condition)}"]
    words += [f"-l {one[2:]}" if one.startswith("--") else f"-s {one[1:]}" for one in action.option_strings]
    if action.metavar in FILES:
        words.append("-r -F")
    elif action.choices:
        words.append(f"-x -a {_quoted(' '.join(map(str, action.choices)))}")
    elif action.nargs != 0:
        words.append("-x" if action.nargs is None else "")
    return " ".join([*filter(None, words), f"-d {_quoted(action.help or '')}"])


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [one for one in parser._actions if not isinstance(one, argparse._SubParsersAction)]  # noqa: SLF001 - no other way


def _verbs(parser: argparse.ArgumentParser) -> "argparse._SubParsersAction[argparse.ArgumentParser]":
    (verbs,) = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]  # noqa: SLF001
    return verbs


def _help_of(parser: argparse.ArgumentParser, verb: str) -> str:
    return next(one.help or "" for one in _verbs(parser)._choices_actions if one.dest == verb)  # noqa: SLF001


if __name__ == "__main__":
    main()
