"""The daemon's verb: starts the first pass, and loads everything else while the kernel is busy with it."""

import os
import signal
from typing import TYPE_CHECKING

from sriov_bootstrap.core.state import REQUESTED
from sriov_bootstrap.machine import jobs
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.passes.read import Loaded

if TYPE_CHECKING:
    from sriov_bootstrap.core.finding import Diagnosis


def run(machine: HostMachine, *, log_format: str) -> int:
    """Runs until stopped."""
    machine.require_root("run")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the daemon handles it: the first pass reads the config anyway
    state = machine.load_state()[0]
    loaded = jobs.load(machine, None)
    first = jobs.start_pass(machine, loaded, REQUESTED)

    import asyncio
    import gc

    from sriov_bootstrap.daemon.loop import Daemon
    from sriov_bootstrap.edges.carriers import Carriers
    from sriov_bootstrap.edges.notify import Notifier
    from sriov_bootstrap.edges.udev import Udev
    from sriov_bootstrap.machine.daemon_host import DaemonHost

    host = DaemonHost(machine, Notifier(os.environ), log_format=log_format, look=_examine)
    gc.collect()
    gc.freeze()  # what is loaded now stays shared with every forked child
    asyncio.run(Daemon(host, Udev(), loaded, state, Carriers()).run(first))
    return 0


def _examine(machine: HostMachine, loaded: Loaded) -> "Diagnosis":
    """doctor is only loaded in the child that looks."""
    from sriov_bootstrap.doctor.examination import examine

    return examine(machine, loaded)
