"""What is shown of a guest's console when it has not booted."""

import pytest

from sriov_bootstrap.verify.report import LAST_CHARACTERS, last_words

SAID = "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100"
PANIC = b"""\
Fatal Python error: preinitialized\r
\r
[   27.17] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100\r
[   27.17] CPU: 0 UID: 0 PID: 1 Comm: init Not tainted 6.12\r
[   27.17] RIP: 0033:0x7f1ae0d9c015\r
"""


@pytest.mark.parametrize(
    ("console", "words"),
    [
        (b"", ""),
        (b"\x1b[2JSeaBIOS\r\nBooting from ROM..", "\\x1b[2JSeaBIOS | Booting from ROM.."),
        (PANIC, f"Fatal Python error: preinitialized | [   27.17] {SAID}"),
        (b"x" * 1000 + b"\nend", "x" * (LAST_CHARACTERS - 6) + " | end"),
    ],
)
def test_the_last_words_of_a_guest_are_what_it_says_before_its_registers(console: bytes, words: str) -> None:
    assert last_words(console) == words
