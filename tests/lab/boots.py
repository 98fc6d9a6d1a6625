"""`make boots N=200`: boot the lab's guest again and again, and count how often it hangs and whether one retry helps.

Every boot is a line of JSON in build/boots/NAME.jsonl, so an interrupted run goes on where it was. Each line names the
guest, and only those of the guest as it is now count: another image, QEMU or command line begins anew. A measure is a
name for another machine, another number of processors or other words for the kernel: see MEASURES. With --late-ticks
the guest's timer is as late as on a busy machine until its kernel has said something.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, Final

sys.path[:1] = [str(Path(__file__).parents[1] / part) for part in ("", "support")]  # a script has its own there

from lab.boot import SEEN, BootError  # noqa: E402
from lab.building import failures_told  # noqa: E402
from lab.cache import HERE, digest  # noqa: E402
from lab.emulator import emulator  # noqa: E402
from lab.image import guest_image  # noqa: E402
from lab.qemu import Hardware  # noqa: E402
from lab.vm import running_vm  # noqa: E402

FOLDER: Final = Path("build") / "boots"
# What decides how an image boots, and what passes for a hang.
MAKERS: Final = ("boot.py", "late_ticks.py", "qemu.py")

MEASURES: Final = {
    "none": Hardware(),
    "timer-check": Hardware(timer_check=True),  # as it was while guests hung; the next three change it in one thing
    "one-cpu": Hardware(timer_check=True, cpus=1),
    "no-hpet": Hardware(timer_check=True, machine=",hpet=off"),
    "ticking": Hardware(timer_check=True, kernel_words="nohz=off highres=off"),
}


def _guest(hardware: Hardware) -> str:
    """Return what is booted: the image, and a key for QEMU and how it is started."""
    qemu = emulator()
    words = (*qemu.command, *map(str, qemu.version()), repr(hardware))
    return f"{guest_image().folder.name} {digest([HERE / name for name in MAKERS], *words)}"


def _one(number: int, hardware: Hardware) -> dict[str, Any]:
    """Boot once; what it took, and what was seen of a guest that hung."""
    hung_before, began = len(SEEN.hung), time.monotonic()
    error = ""
    try:
        with running_vm(hardware=hardware):
            pass
    except BootError as problem:
        error = str(problem)
    hung = SEEN.hung[hung_before:]
    return {"boot": number, "seconds": round(time.monotonic() - began, 1), "hung": hung, "error": error}


def boot_all(path: Path, guest: str, wanted: int, one: Callable[[int], dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the boots of this guest, `wanted` or more: those in the file, and those that `one` adds to it."""
    lines = [line for line in _read_whole(path) if line.get("guest") == guest]
    with path.open("a") as file:
        for number in range(len(lines) + 1, wanted + 1):
            boot = {**one(number), "guest": guest}
            lines.append(boot)
            file.write(_as_line(boot))
            file.flush()
            print(f"boot {number} of {wanted}: {boot['seconds']} s {'; '.join(boot['hung'])}", flush=True)
    return lines


def _read_whole(path: Path) -> list[dict[str, Any]]:
    """Return what is in the file, and take out of it what is cut, so that the next boot has a line of its own."""
    text = path.read_text(errors="replace") if path.exists() else ""
    lines = whole_lines(text)
    if (whole := "".join(map(_as_line, lines))) != text:
        new = path.with_suffix(".new")
        new.write_text(whole)
        os.replace(new, path)
    return lines


def whole_lines(text: str) -> list[dict[str, Any]]:
    """Return the boots of a file; a line that a full disk or a loss of power has cut is none."""
    lines = []
    for line in text.splitlines():
        with suppress(ValueError):
            lines.append(json.loads(line))
    return lines


def _as_line(boot: dict[str, Any]) -> str:
    return f"{json.dumps(boot)}\n"


def summary(name: str, lines: list[dict[str, Any]]) -> str:
    """Return what these boots were. A boot that failed is one that hung twice, or one with an error of its own."""
    hung = [line for line in lines if line["hung"]]
    again = sum(1 for line in hung if not line["error"])
    failed = sum(1 for line in lines if line["error"])
    text = f"{name}: {len(lines)} boots, {len(hung)} hung, {again} of these started at the second try"
    return f"{text}; {failed} failed; median {median(line['seconds'] for line in lines):.0f} s" if lines else text


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-n", type=int, default=200, help="boots of this guest in all, those of earlier runs included")
    parser.add_argument("--measure", choices=sorted(MEASURES), default="none", help="what is tried against hangs")
    parser.add_argument("--late-ticks", action="store_true", help="the guest's timer is late while its kernel starts")
    arguments = parser.parse_args()
    hardware = replace(MEASURES[arguments.measure], late_ticks=arguments.late_ticks)
    name = f"{arguments.measure}{'-late-ticks' if arguments.late_ticks else ''}"
    guest = _guest(hardware)
    FOLDER.mkdir(parents=True, exist_ok=True)
    lines = boot_all(FOLDER / f"{name}.jsonl", guest, arguments.n, lambda number: _one(number, hardware))
    print(summary(name, lines))
    return 1 if any(line["error"] for line in lines) else 0


if __name__ == "__main__":
    with failures_told():
        sys.exit(main())
