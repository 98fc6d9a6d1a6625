"""Hosts that are not there: what the service on each would report, pass by pass.

The pages are the product's own: what the daemon would write, as the exporter would send it.

All chance comes from the number of the host, so a fleet is the same in each run. VMs take VFs and give them back, some
PFs lose VFs and have them back in the same pass, as on a real host, and a few traits stay: a PF that cannot be as
desired, a missing NIC, a finding of doctor, a host that does not answer, one that answers and whose service is stopped.
"""

import random
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from msgspec.structs import replace

from sriov_bootstrap.core.finding import Finding, Inspected
from sriov_bootstrap.core.packagings import KNOWN_CONSUMERS
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import PassReport, PfReport, PfState, VfReport
from sriov_bootstrap.core.state import DURATION_BUCKETS, Counters, State
from sriov_bootstrap.edges.metrics import exposition
from sriov_bootstrap.exporter.page import own_metrics
from sriov_bootstrap.exporter.refusals import Refusal

HOSTS_PER_RACK: Final = 20
RACKS_PER_AGGREGATE: Final = 10
CHANGE_OF_A_VF: Final = 0.02  # in a pass: a VM came or went
LOSS_OF_A_PF: Final = 0.00005
VF_DRIVER: Final = "vfio-pci"
# One host in so many has it.
SHORT_PF, MISSING_NIC, FOUND, DOWN, SILENT, OLD_VERSION = 150, 400, 50, 330, 200, 4
SILENT_FOR_SECONDS: Final = 3600.0  # already, when it is first asked
FINDING: Final = "SB-E501"


@dataclass(slots=True)
class Host:
    """One host; `make_pass` is the only thing that changes it."""

    number: int
    num_pfs: int = 8
    num_vfs: int = 8
    passes: int = 0
    used: set[tuple[int, int]] = field(default_factory=set)
    losses: dict[str, int] = field(default_factory=dict)
    durations: list[float] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"compute-{self.number:04d}"

    @property
    def labels(self) -> dict[str, str]:
        """What the site knows of a host, and Prometheus puts on its series."""
        rack = self.number // HOSTS_PER_RACK
        return {"rack": f"r{rack:02d}", "aggregate": f"zone-{rack // RACKS_PER_AGGREGATE}"}

    @property
    def is_down(self) -> bool:
        return self._has(DOWN)

    @property
    def is_silent(self) -> bool:
        return self._has(SILENT)

    def make_pass(self, now: float) -> bytes:
        """Let time go on by one pass, and return the page that is served until the next. A silent host has one page."""
        if self.is_silent:
            now -= SILENT_FOR_SECONDS
        chance = random.Random(f"{self.number} {self.passes}")  # noqa: S311 (a fleet that can be had again)
        self.passes += 1
        self.durations.append(chance.lognormvariate(-1, 0.5))
        every = {(pf, vf) for pf in range(self.num_pfs) for vf in range(self.num_vfs)}
        self.used ^= {one for one in sorted(every) if chance.random() < CHANGE_OF_A_VF}
        for pf in range(self.num_pfs):
            if chance.random() < LOSS_OF_A_PF:
                self.losses[self._address(pf)] = self.losses.get(self._address(pf), 0) + self.num_vfs
        report = PassReport(started_at=now, seconds=self.durations[-1], pfs=tuple(map(self._pf, range(self.num_pfs))))
        found = Inspected((Finding(FINDING, "host", ""),), (FINDING,)) if self._has(FOUND) else Inspected()
        state = State(report=report, last_success_at=0 if report.is_degraded else now, counters=self._counters())
        version = "0.0.9" if self._has(OLD_VERSION) else "0.1.0"
        page = exposition(
            state, config_valid=True, units=KNOWN_CONSUMERS, inspected=found, made_at=now, version=version
        )
        return page + own_metrics(Counter[Refusal]())

    def _has(self, one_in: int) -> bool:
        return self.number % one_in == one_in - 1

    def _address(self, pf: int) -> str:
        return f"0000:{0x3B + pf // 2 * 0x10:02x}:00.{pf % 2}"

    def _pf(self, pf: int) -> PfReport:
        rule, network = f"tenant-{pf}", f"physnet{pf // 2 + 1}"
        base = PfReport(rule, str(self.num_vfs), PfState.OK, physical_network=network, desired=self.num_vfs)
        if pf == 0 and self._has(MISSING_NIC):
            return replace(base, state=PfState.DEGRADED, reason=Reason.ABSENT)
        is_short = pf == self.num_pfs - 1 and self._has(SHORT_PF)
        count = self.num_vfs - 1 if is_short else self.num_vfs
        address = self._address(pf)
        return replace(
            base,
            state=PfState.DEGRADED if is_short else PfState.OK,
            reason=Reason.FEWER_VFS if is_short else None,
            pci_address=address,
            netdev=f"ens{pf // 2 + 1}f{pf % 2}np{pf % 2}",
            driver="mlx5_core",
            vendor_id="15b3",
            device_id="101d",
            numa_node=pf // 4,
            num_vfs=count,
            max_vfs=max(64, self.num_vfs),
            vfs=tuple(self._vf(pf, vf) for vf in range(count)),
        )

    def _vf(self, pf: int, vf: int) -> VfReport:
        function = pf % 2 * self.num_vfs + vf + 2
        address = f"{self._address(pf)[:-4]}{function // 8:02x}.{function % 8}"
        group = 100 + pf * self.num_vfs + vf
        return VfReport(vf, address, VF_DRIVER, str(group), "qemu-system-x86" if (pf, vf) in self.used else "")

    def _counters(self) -> Counters:
        counts = [0] * (len(DURATION_BUCKETS) + 1)
        for seconds in self.durations:
            counts[bisect_left(DURATION_BUCKETS, seconds)] += 1
        return Counters(
            passes=self.passes,
            duration_sum=sum(self.durations),
            duration_buckets=tuple(accumulate(counts[:-1])),
            vf_losses=dict(self.losses),
            restarts={KNOWN_CONSUMERS[0]: len(self.losses)},
        )
