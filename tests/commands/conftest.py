"""What the tests of the verbs share."""

import pytest

from fakes_host import HostTree
from shells import Shell


@pytest.fixture
def shell(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tree, capsys)
