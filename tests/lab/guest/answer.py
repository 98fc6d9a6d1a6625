"""Answers the lab's questions in the guest, one after the other, for as long as the connection lasts.

A question is a letter, two lengths and two texts; an answer is an exit status, two lengths, and what was said. An ssh
session for each question costs an emulated CPU ten times as much as a command does here, and a command ten times as
much as a look at a file.
"""

import glob
import struct
import subprocess
import sys


def command(words: bytes, stdin: bytes) -> tuple[int, bytes, bytes]:
    """Run a command in a shell. 255, as ssh has it, for one that a signal ended."""
    shell: list[bytes] = [b"/bin/bash", b"-c", words]
    if stdin:
        done = subprocess.run(shell, check=False, capture_output=True, input=stdin)
    else:
        done = subprocess.run(shell, check=False, capture_output=True, stdin=subprocess.DEVNULL)
    return done.returncode if done.returncode >= 0 else 255, done.stdout, done.stderr


def read(path: bytes, offset: bytes) -> tuple[int, bytes, bytes]:
    """Return what is in a file, from an offset on."""
    try:
        with open(path, "rb") as file:
            if int(offset or 0):
                file.seek(int(offset))
            return 0, file.read(), b""
    except OSError as error:
        return 1, b"", str(error).encode()


def paths(patterns: bytes, _: bytes) -> tuple[int, bytes, bytes]:
    """Return the paths that fit shell patterns; one a line, both."""
    return 0, b"".join(path + b"\n" for pattern in patterns.splitlines() for path in sorted(glob.glob(pattern))), b""


def main() -> None:
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    kinds = {b"c": command, b"r": read, b"p": paths}
    while header := questions.read(9):
        kind, *lengths = struct.unpack(">cII", header)
        status, out, err = kinds[kind](*(questions.read(length) for length in lengths))
        answers.write(struct.pack(">BII", status, len(out), len(err)) + out + err)
        answers.flush()


main()
