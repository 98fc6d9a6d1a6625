"""Fuzzing: inputs that are drawn, counted, and may raise nothing that is not of the error family."""

import functools
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sriov_bootstrap.edges import child

EXAMPLES = int(os.environ.get("SRIOV_FUZZ_EXAMPLES", "0"))
USUAL_EXAMPLES = 100
SECONDS_FOR_EXAMPLE = 0.1  # far more than it takes
INPUTS: Counter[str] = Counter()
MODEL: Counter[str] = Counter()

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def fuzzed(*, slow: int = 1, **strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Any]:
    """The same inputs each time; SRIOV_FUZZ_EXAMPLES asks for that many new ones, of `slow` parsers for fewer."""

    def decorate(test: Callable[..., None]) -> Any:  # noqa: ANN401 - whatever hypothesis makes of it
        @functools.wraps(test)
        def counted(*args: Any, **drawn: Any) -> None:  # noqa: ANN401
            INPUTS[test.__name__] += 1
            test(*args, **drawn)

        how = settings(
            max_examples=max(1, (EXAMPLES or USUAL_EXAMPLES) // slow),
            derandomize=not EXAMPLES,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        return pytest.mark.timeout(60 + SECONDS_FOR_EXAMPLE * EXAMPLES)(how(given(**strategies)(counted)))

    return decorate


def bytes_like(*good: bytes) -> st.SearchStrategy[bytes]:
    """Anything, JSON of any shape, a crash's words, and good lines of which a part is gone or another one."""
    crash = st.binary(max_size=50).map(lambda text: child.CRASH + text)
    return st.binary(max_size=200) | values.map(msgspec.json.encode) | spoilt(*good) | crash


def spoilt(*good: bytes) -> st.SearchStrategy[bytes]:
    """A good text of which a part is gone, or another one, or that ends too early."""
    longest = max(map(len, good))
    return st.builds(
        lambda text, start, gone, new, end: (text[:start] + new + text[start + gone :])[:end],
        st.sampled_from(good),
        st.integers(0, longest),
        st.integers(0, 3),
        st.binary(max_size=3),
        st.just(None) | st.integers(0, longest),
    )


def drawn() -> dict[str, dict[str, int]]:
    """What this process has drawn, for the one that prints the summary of all."""
    return {"inputs": dict(INPUTS), "model": dict(MODEL)}


def add(counts: dict[str, dict[str, int]]) -> None:
    """Count what another process has drawn."""
    INPUTS.update(counts.get("inputs", {}))
    MODEL.update(counts.get("model", {}))


def summary() -> str:
    """For the end of a run: how much it has tried."""
    lines = [f"fuzz: {sum(INPUTS.values())} inputs to {len(INPUTS)} parsers"] if INPUTS else []
    lines += [f"model: {MODEL['steps']} steps in {MODEL['runs']} runs"] if MODEL else []
    return "\n".join(lines)
