import contextlib
import io
import subprocess

import msgspec
import pytest
from hypothesis import strategies as st

from full_disk import FullDisk
from fuzzing import fuzzed
from sriov_bootstrap.base.errors import ConfigError, SriovBootstrapError
from sriov_bootstrap.base.printable import (
    MESSAGE_LIMIT,
    one_line,
    printable,
    raw_of,
    shell_name,
    shell_quoted,
    text_of,
    to_json,
    write_stderr,
)

anything = st.text(st.characters(codec=None), max_size=80)  # with halves of pairs
raw_names = st.binary(min_size=1, max_size=15) | st.sampled_from([b"ens1f0", "ensé".encode(), b"a\\xffb", b"\xffa"])


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"ens1f0", "ens1f0"),
        ("größe".encode(), "größe"),
        (b"net\xff", r"net\xff"),
        (b"net\\xff", r"net\x5cxff"),
        (b"a\x1b[2Jb", r"a\x1b[2Jb"),
        ("a\u202eb".encode(), r"a\xe2\x80\xaeb"),
    ],
)
def test_a_name_is_text_and_its_bytes_again(raw: bytes, text: str) -> None:
    assert text_of(raw) == text
    assert raw_of(text) == raw


@pytest.mark.parametrize("text", [r"a\xzz", r"a\x", r"a\xf", "a\\b", r"\x +1"])
def test_a_backslash_that_is_none_of_ours_counts_as_itself(text: str) -> None:
    assert raw_of(text) == text.encode()


@fuzzed(one=raw_names, other=raw_names)
def test_names_meet_only_themselves(one: bytes, other: bytes) -> None:
    assert raw_of(text_of(one)) == one
    assert text_of(one).isprintable()
    assert (text_of(one) == text_of(other)) == (one == other)


@fuzzed(text=anything, limit=st.integers(9, 100))
def test_any_text_is_one_short_line(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert shown.isprintable()
    assert len(shown) <= limit
    assert printable(shown, limit) == shown


def test_of_a_long_message_both_ends_stay() -> None:
    shown = printable("0000:3b:00.0: " + "x" * 100_000 + ": no such device")
    assert len(shown) == MESSAGE_LIMIT
    assert shown.startswith("0000:3b:00.0: xx")
    assert shown.endswith("xx: no such device")
    assert len(printable("\U0001f600" * 100_000).encode()) <= 4096


def test_a_tab_is_no_more_than_a_space() -> None:
    assert printable("options\tigb") == "options igb"


def test_what_a_program_says_is_one_line() -> None:
    assert one_line(b"modprobe: FATAL: no\n\n  <3>second \xff\n") == r"modprobe: FATAL: no | <3>second \xff"


@pytest.mark.parametrize("text", ["ens1f0", "", "it's", "a b", "$(id)", "`id`", "a;b", "-x", "größe", r"a\x2db"])
def test_a_quoted_word_is_one_word_for_a_shell(text: str) -> None:
    done = subprocess.run(["/bin/sh", "-c", f"printf %s {shell_quoted(text)}"], capture_output=True, check=True)
    assert done.stdout == text.encode()


@pytest.mark.parametrize("raw", [b"net\xff", b"a\\x2db'c", b"\x1b\\x2d'[2J"])
def test_a_quoted_name_is_its_bytes_for_bash(raw: bytes) -> None:
    for quoted in (shell_name(text_of(raw)), shell_quoted(raw.decode(errors="surrogateescape"))):
        done = subprocess.run(["bash", "-c", f"printf %s {quoted}"], capture_output=True, check=True)
        assert done.stdout == raw
        assert quoted.isprintable()


@fuzzed(value=st.dictionaries(anything, st.lists(anything) | st.none() | st.integers(0, 9), max_size=3))
def test_any_text_is_json(value: dict[str, object]) -> None:
    assert isinstance(msgspec.json.decode(to_json(value)), dict)
    assert to_json({"a": ("b", 1)}) == b'{"a":["b",1]}'


def test_an_error_is_one_printable_line() -> None:
    error = SriovBootstrapError("a\nSTATUS=b", hint="run \x1b[2J")
    assert (error.message, error.hint) == (r"a\x0aSTATUS=b", r"run \x1b[2J")
    assert ConfigError(("bad \udcff", "x" * 9999)).problems == (r"bad \xff", printable("x" * 9999))


def test_what_is_for_stderr_is_there_at_once_as_it_is() -> None:
    raw = io.BytesIO()
    with contextlib.redirect_stderr(io.TextIOWrapper(raw, encoding="utf-8")):
        write_stderr("\rwaiting")
        assert raw.getvalue() == b"\rwaiting"


def test_what_stderr_has_no_room_for_ends_nothing() -> None:
    with contextlib.redirect_stderr(FullDisk()):
        write_stderr("an error\n")
