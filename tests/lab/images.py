"""`images.py NAME ...`: build guests' images, and QEMU, where they are not in the cache, side by side.

Without a name, as `make lab-images`: those that all tests together need.
"""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

sys.path[:1] = [str(Path(__file__).parents[1] / part) for part in ("", "support")]  # a script has its own there

from lab.building import failures_told  # noqa: E402
from lab.emulator import emulator  # noqa: E402
from lab.image import guest_image  # noqa: E402
from lab.openstack_image import openstack_image  # noqa: E402
from lab.rootfs import MAIN, NICS, SID  # noqa: E402
from lab.verify_image import verify_image  # noqa: E402

IMAGES: Final[dict[str, Callable[[], object]]] = {
    "qemu": emulator,
    "main": lambda: guest_image(MAIN),
    "nics": lambda: guest_image(NICS),
    "sid": lambda: guest_image(SID),
    "openstack": openstack_image,  # and the main guest's, which it is made from
    "verify": verify_image,  # the same
}
DEFAULT: Final = ("openstack", "nics", "qemu")


def main(names: list[str]) -> int | str:
    """Return what to exit with."""
    if unknown := [name for name in names if name not in IMAGES]:
        return f"lab: there is no image {unknown[0]}: it is one of {', '.join(IMAGES)}"
    names = names or list(DEFAULT)
    if len(names) > 1:
        # Processes: each is ended by a Ctrl-C of its own, or with this one.
        prefix = ["setpriv", "--pdeathsig", "TERM", "--", sys.executable, __file__]
        builds = [subprocess.Popen([*prefix, name]) for name in names]
        statuses = [build.wait() for build in builds]
        return int(any(statuses))
    IMAGES[names[0]]()
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that builds clean up behind them
    with failures_told():
        sys.exit(main(sys.argv[1:]))
