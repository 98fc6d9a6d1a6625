"""Runs in the venv of nova and neutron: what oslo.config makes of texts. JSON on stdin, JSON on stdout."""

import json
import os
import sys
from typing import Any

from oslo_config import cfg, iniparser


class Recorder(cfg.ConfigParser):  # type: ignore[misc] # untyped here
    """oslo.config's parser, and each assignment in its order."""

    def __init__(self, filename: str) -> None:
        super().__init__(filename, {})
        self.seen: list[list[str]] = []

    def assignment(self, key: str, value: list[str]) -> None:
        super().assignment(key, value)
        self.seen.append([self.section, key, "\n".join(value)])


def write(folder: str, name: str, text: str) -> str:
    path = os.path.join(folder, name)
    with open(path, "w", newline="", encoding="utf-8") as file:
        file.write(text)
    return path


def ask_parse(question: dict[str, Any]) -> object:
    """Every assignment, None for what oslo.config refuses."""
    answers: list[object] = []
    for text in question["texts"]:
        parser = Recorder(write(question["folder"], "x.conf", text))
        try:
            parser.parse()
        except (iniparser.ParseError, UnicodeDecodeError):
            answers.append(None)
        else:
            answers.append(parser.seen)
    return answers


def raw_value(conf: cfg.ConfigOpts, *, multi: bool, default: object) -> object:
    """Before $ is replaced."""
    names = [("pci", "a"), ("DEFAULT", "b"), ("default", "a")]
    try:
        return conf._namespace._get_value(names, multi=multi)[0]  # noqa: SLF001 - there is no other way to it
    except KeyError:
        return default


def ask_order(question: dict[str, Any]) -> object:
    """Which files are read, in which order, for each command line."""
    answers = []
    for words in question["lines"]:
        read: list[str] = []
        cfg.ConfigParser._parse_file = classmethod(  # noqa: SLF001 - that is what reads
            lambda _, path, __, read=read: read.append(os.path.expanduser(path))
        )
        conf = cfg.ConfigOpts()
        conf(words, project="nova", prog="nova-compute")
        answers.append(read)
    return answers


def ask_values(question: dict[str, Any]) -> object:
    """[pci] a as a MultiStr and as a text, with the older names [DEFAULT] b and [default] a."""
    old = [cfg.DeprecatedOpt("b", group="DEFAULT"), cfg.DeprecatedOpt("a", group="default")]
    answers = []
    for pair in question["pairs"]:
        paths = [write(question["folder"], f"{number}.conf", text) for number, text in enumerate(pair)]
        answer = []
        for kind in (cfg.MultiStrOpt, cfg.StrOpt):
            conf = cfg.ConfigOpts()
            conf.register_opt(kind("a", deprecated_opts=old), group="pci")
            conf([], project="x", default_config_files=paths, default_config_dirs=[])
            is_multi = kind is cfg.MultiStrOpt
            answer.append(raw_value(conf, multi=is_multi, default=[] if is_multi else None))
        answers.append(answer)
    return answers


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    json.dump(globals()[f"ask_{asked['what']}"](asked), sys.stdout)
