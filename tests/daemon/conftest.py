"""What the tests of the daemon share."""

from collections.abc import Iterator

import pytest

from fakes_daemon import Stage


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage() as stage:
        yield stage
