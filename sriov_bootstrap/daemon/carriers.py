"""PFs are watched whose driver sets a VF's rate only while there is a carrier, and forgets it with it.

So are those whose VFs wait for a bond: udev does not tell when it takes their netdev.
"""

import asyncio
from collections.abc import Callable

from sriov_bootstrap.core.events import Event, Level
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import PassReport
from sriov_bootstrap.daemon.protocols import CarrierWatch


class CarrierWakeUps:
    """`woken` is called within the event loop when such a PF has got a carrier or a bond; `say` gets what is logged."""

    def __init__(self, watch: CarrierWatch, woken: Callable[[], None], say: Callable[[Event], None]) -> None:
        self._watch = watch
        self._woken = woken
        self._say = say

    def follow(self, report: PassReport) -> None:
        """From now on those of this pass."""
        loop = asyncio.get_running_loop()
        before = self._watch.fileno()
        try:
            waits = (pf for pf in report.pfs if pf.rates_need_carrier or pf.reason is Reason.LAG_INACTIVE)
            self._watch.watch(frozenset(pf.netdev for pf in waits))
        except OSError as error:
            self._say(Event(Level.WARNING, f"carriers of PFs are not watched: {error.strerror}"))
        if before != self._watch.fileno():
            if before >= 0:
                loop.remove_reader(before)
            if self._watch.fileno() >= 0:
                loop.add_reader(self._watch.fileno(), self._on_carrier)

    def _on_carrier(self) -> None:
        if self._watch.drain():
            self._woken()
