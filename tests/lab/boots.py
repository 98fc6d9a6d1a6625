"""`make boots N=200`: boot the lab's guest again and again, and count how often it hangs and whether one retry helps.

Every boot is a line of JSON in build/boots/NAME.jsonl, so an interrupted run goes on where it was. A measure is a name
for another machine, another number of processors or other words for the kernel: see MEASURES. With --late-ticks the
guest's timer is as late as on a busy machine until its kernel has said something.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, Final

sys.path[:1] = [str(Path(__file__).parents[1] / part) for part in ("", "support")]  # a script has its own there

from lab.boot import SEEN, BootError  # noqa: E402
from lab.building import failures_told  # noqa: E402
from lab.image import guest_image  # noqa: E402
from lab.qemu import Hardware  # noqa: E402
from lab.vm import running_vm  # noqa: E402

FOLDER: Final = Path("build") / "boots"

MEASURES: Final = {
    "none": Hardware(),
    "timer-check": Hardware(timer_check=True),  # as it was while guests hung; the next three change it in one thing
    "one-cpu": Hardware(timer_check=True, cpus=1),
    "no-hpet": Hardware(timer_check=True, machine=",hpet=off"),
    "ticking": Hardware(timer_check=True, kernel_words="nohz=off highres=off"),
}


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


def _summary(name: str, lines: list[dict[str, Any]]) -> str:
    hung = [line for line in lines if line["hung"]]
    lost = [line for line in lines if line["error"]]
    text = f"{name}: {len(lines)} boots, {len(hung)} hung, {len(hung) - len(lost)} of these started at the second try"
    return f"{text}, {len(lost)} did not; median {median(line['seconds'] for line in lines):.0f} s" if lines else text


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-n", type=int, default=200, help="boots in all, those of earlier runs included")
    parser.add_argument("--measure", choices=sorted(MEASURES), default="none", help="what is tried against hangs")
    parser.add_argument("--late-ticks", action="store_true", help="the guest's timer is late while its kernel starts")
    arguments = parser.parse_args()
    hardware = replace(MEASURES[arguments.measure], late_ticks=arguments.late_ticks)
    name = f"{arguments.measure}{'-late-ticks' if arguments.late_ticks else ''}"
    guest_image()
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    with path.open("a") as file:
        for number in range(len(lines) + 1, arguments.n + 1):
            lines.append(_one(number, hardware))
            file.write(json.dumps(lines[-1]) + "\n")
            file.flush()
            print(
                f"boot {number} of {arguments.n}: {lines[-1]['seconds']} s {'; '.join(lines[-1]['hung'])}", flush=True
            )
    print(_summary(name, lines))
    return 1 if any(line["error"] for line in lines) else 0


if __name__ == "__main__":
    with failures_told():
        sys.exit(main())
