"""Commands of ours, typed one after the other on one host."""

import re

import pytest

from fakes_host import HostTree
from sriov_bootstrap.cli import main


class Shell:
    """Commands on a tree, and what they print; seconds are replaced, as they differ."""

    def __init__(self, tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
        self.tree = tree
        self._capsys = capsys

    def run(self, *words: str) -> tuple[int, str, str]:
        code = main(words, root=str(self.tree.root))
        out, err = self._capsys.readouterr()
        return code, re.sub(r"\d+\.\d s\)", "N s)", out), err
