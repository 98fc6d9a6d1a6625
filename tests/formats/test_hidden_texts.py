"""What is written in base64, within other texts."""

import base64
import gzip

import pytest

from sriov_bootstrap.formats.hidden_texts import MAX_TEXTS, decode, hidden_texts

SAID = "#!/bin/sh\necho 8 > /sys/class/net/ens1f0/device/sriov_numvfs\n" * 3
PLAIN = base64.b64encode(SAID.encode()).decode()
LINES = base64.encodebytes(SAID.encode()).decode()
ZIPPED = base64.b64encode(gzip.compress(SAID.encode())).decode()


@pytest.mark.parametrize("said", ["", "a", "ab", "abc", "abcd", SAID, "ü"])
def test_what_is_decoded(said: str) -> None:
    encoded = base64.b64encode(said.encode()).decode()
    assert decode(encoded) == decode(encoded.rstrip("=")) == said


@pytest.mark.parametrize(
    "text", [f"base64 -d <<'EOF'\n{LINES}EOF\n", f"encoding: b64\n  content: {PLAIN}\nruncmd:\n", ZIPPED, LINES]
)
def test_a_text_is_found_where_it_begins(text: str) -> None:
    ((at, said),) = hidden_texts(text)
    assert said.startswith(SAID)
    assert text[at:].startswith((PLAIN[:40], ZIPPED[:40]))


@pytest.mark.parametrize(
    "text",
    [
        f"echo {PLAIN}",
        "base64 -d x",
        f"base64 {base64.b64encode(bytes(range(250))).decode()}",
        f"base64 {base64.b64encode(gzip.compress(SAID.encode())[:4] + b'garbage of some length').decode()}",
    ],
)
def test_what_hides_nothing(text: str) -> None:
    assert not list(hidden_texts(text))


def test_no_more_than_anyone_hides() -> None:
    assert len(list(hidden_texts(f"base64 {' '.join([PLAIN] * (MAX_TEXTS + 8))}"))) == MAX_TEXTS


def test_a_great_text_is_decoded_to_a_bound() -> None:
    said = decode(base64.b64encode(gzip.compress(b"x" * (1 << 24))).decode())
    assert said == "x" * (1 << 16)
