"""Runs what it is told on stdin, one command after the other, for as long as the connection lasts.

A request is two lengths and two texts, command and stdin; an answer is the exit status, two lengths, and what the
command said. An ssh session for each command costs an emulated CPU ten times as much as this.
"""

import struct
import subprocess
import sys


def main() -> None:
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while header := requests.read(8):
        lengths = struct.unpack(">II", header)
        command, stdin = (requests.read(length) for length in lengths)
        source = {"input": stdin} if stdin else {"stdin": subprocess.DEVNULL}
        done = subprocess.run(["/bin/bash", "-c", command], check=False, capture_output=True, **source)
        status = done.returncode if done.returncode >= 0 else 255  # as ssh has it, for one that a signal ended
        answers.write(struct.pack(">BII", status, len(done.stdout), len(done.stderr)) + done.stdout + done.stderr)
        answers.flush()


main()
