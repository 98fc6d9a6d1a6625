"""Prometheus: State -> exposition text, as a page and as a textfile. The only module that knows prometheus_client.

The text is built once for each new state and a scrape only sends it: so a scrape costs nothing, waits for nothing and
cannot fail here. No value is computed at a scrape: times are timestamps, whose age the reader computes, and
there is no ProcessCollector, since systemd's cgroup metrics have what it would export. Everything is
built again each time, or a VF that is gone would stay exported.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from sriov_bootstrap import __version__
from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.base.printable import printable
from sriov_bootstrap.base.replacing import replace_file
from sriov_bootstrap.core.finding import Inspected, severity_of
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import PassReport, PfReport
from sriov_bootstrap.core.state import DURATION_BUCKETS, Counters, State

PF_LABELS = ("pci_address", "netdev", "rule")
PF_INFO_LABELS = (*PF_LABELS, "driver", "vendor_id", "device_id", "numa_node", "physical_network")
VF_INFO_LABELS = ("pci_address", "pf_pci_address", "vf", "driver", "iommu_group", "in_use")

NOTHING_FOUND = Inspected()

# Comments to Prometheus. By these, the exporter knows what the file is, and that it is complete.
PAGE_BEGIN = b"# sriov-bootstrap page 1\n"
PAGE_END = b"# end of page\n"

MADE_AT = "When the service last published its state; if that is long ago, it is down or hangs."

Labels = tuple[str, ...]
Lines = Mapping[Labels, PfReport]

PF_GAUGES: tuple[tuple[str, str, Callable[[PfReport], float]], ...] = (
    ("sriov_pf_present", "Whether a NIC matches the rule.", lambda pf: bool(pf.pci_address)),
    ("sriov_pf_vfs_desired", "VFs that the rule asks for; 0 while that is not known.", lambda pf: pf.desired),
    ("sriov_pf_vfs", "VFs that exist.", lambda pf: pf.num_vfs),
    ("sriov_pf_vfs_max", "VFs that the device offers.", lambda pf: pf.max_vfs),
    ("sriov_pf_vfs_in_use", "VFs in use.", lambda pf: pf.vfs_in_use),
    (
        "sriov_pf_vfs_unbound",
        "VFs without a driver, or with an unfinished one, where the rule wants one.",
        lambda pf: pf.vfs_unbound,
    ),
    (
        "sriov_pf_vf_attributes_differing",
        "VFs not in use whose MAC, VLAN, rates or other attributes are not those of the rule.",
        lambda pf: pf.vf_attributes_differing,
    ),
    (
        "sriov_pf_switchdev_desired",
        "Whether the rule asks for switchdev mode.",
        lambda pf: pf.eswitch_desired == "switchdev",
    ),
    (
        "sriov_pf_switchdev",
        "Whether the PF is in switchdev mode; 0 if its rule says nothing of the mode.",
        lambda pf: pf.eswitch_mode == "switchdev",
    ),
    (
        "sriov_pf_representors_desired",
        "Netdevs of VFs that switchdev mode should have made.",
        lambda pf: pf.representors_desired,
    ),
    ("sriov_pf_representors", "Those of them that exist.", lambda pf: pf.representors),
)


def exposition(
    state: State,
    *,
    config_valid: bool,
    units: Iterable[str] = (),
    inspected: Inspected = NOTHING_FOUND,
    per_vf: bool = True,
    made_at: float = 0.0,
    version: str = __version__,
) -> bytes:
    """The whole page in text format 0.0.4. `units`: with 0 before their first restart. `made_at`: Unix seconds."""
    families = [
        *_pf_metrics(state),
        *(_vf_metrics(state.report) if per_vf else ()),
        _build_info(version),
        _gauge("config_valid", "Whether the config on disk has no error.", config_valid),
        _gauge("state_timestamp_seconds", MADE_AT, made_at),
        *_pass_metrics(state),
        *_unit_metrics(state.counters, units),
        _findings(inspected),
    ]
    return _text_of(families)


def page_file(text: bytes) -> bytes:
    """An exposition as it is kept in a file."""
    return PAGE_BEGIN + text + PAGE_END


def write_textfile(path: Path, data: bytes) -> None:
    """Replaces `path` for node_exporter's textfile collector: whole, also after a power cut.

    prometheus_client's write_to_textfile does not fsync, and its mode follows the umask. fsync waits for the disk.
    """
    try:
        replace_file(str(path), data, durable=True)
    except OSError as error:
        raise SriovBootstrapError(
            f"{path}: cannot write the metrics textfile: {error.strerror}",
            hint=f"make {path.parent} writable for sriov-bootstrap, or change metrics.textfile",
        ) from error


def _text_of(families: list[Metric]) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(families))
    return generate_latest(registry)


class _Snapshot(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def _pf_metrics(state: State) -> Iterator[Metric]:
    lines = _lines(state.report)
    info = GaugeMetricFamily("sriov_pf_info", "A rule and the PF that it matched.", labels=PF_INFO_LABELS)
    for labels, pf in lines.items():
        more = (pf.driver, pf.vendor_id, pf.device_id, str(pf.numa_node), pf.physical_network)
        info.add_metric([*labels, *map(_label_text, more)], 1)
    yield info
    for name, meaning, value in PF_GAUGES:
        family = GaugeMetricFamily(name, meaning, labels=PF_LABELS)
        for labels, pf in lines.items():
            family.add_metric(labels, value(pf))
        yield family
    yield _degraded_gauge(lines)
    counters = state.counters
    yield _pf_counter("vf_losses", "VFs that disappeared, and not by sriov-bootstrap.", counters.vf_losses, lines)
    yield _pf_counter("contested", "Times something else overwrote the number of VFs.", counters.contested, lines)


def _pf_counter(name: str, meaning: str, counts: Mapping[str, int], lines: Lines) -> Metric:
    family = CounterMetricFamily(f"sriov_pf_{name}", meaning, labels=PF_LABELS)
    for labels, pf in lines.items():
        family.add_metric(labels, counts.get(pf.pci_address, 0))
    return family


def _degraded_gauge(lines: Lines) -> Metric:
    """One series for each reason, so that the alert ends with a 0, and a series exists before its first 1."""
    family = GaugeMetricFamily(
        "sriov_pf_degraded", "1 while the PF is not as desired, for this reason.", labels=(*PF_LABELS, "reason")
    )
    for labels, pf in lines.items():
        for reason in Reason:
            family.add_metric([*labels, reason.value], pf.is_degraded and pf.reason is reason)
    return family


def _lines(report: PassReport) -> Lines:
    """The lines of the report by their labels: duplicates would break the scrape, so the worse one counts."""
    lines: dict[Labels, PfReport] = {}
    for pf in report.pfs:
        labels = (_label_text(pf.pci_address), _label_text(pf.netdev), _label_text(pf.rule))
        if labels not in lines or pf.is_degraded:
            lines[labels] = pf
    return lines


def _vf_metrics(report: PassReport) -> Iterator[Metric]:
    family = GaugeMetricFamily("sriov_vf_info", "A VF of a PF with a rule.", labels=VF_INFO_LABELS)
    vfs = {vf.pci_address: (pf, vf) for pf in report.pfs for vf in pf.vfs}
    for pf, vf in vfs.values():
        values = (vf.pci_address, pf.pci_address, str(vf.index), vf.driver, vf.iommu_group, str(int(bool(vf.user))))
        family.add_metric([_label_text(value) for value in values], 1)
    yield family


def _build_info(version: str) -> Metric:
    family = GaugeMetricFamily("sriov_bootstrap_build_info", "The version that runs.", labels=("version",))
    family.add_metric((version,), 1)
    return family


def _pass_metrics(state: State) -> Iterator[Metric]:
    report, counters = state.report, state.counters
    yield _counter("passes", "Passes, whatever their outcome.", counters.passes)
    yield _counter("pass_failures", "Passes in which something failed.", counters.pass_failures)
    yield _durations(counters)
    yield _gauge("last_pass_timestamp_seconds", "End of the last pass.", report.started_at + report.seconds)
    yield _gauge("last_success_timestamp_seconds", "End of the last pass with no PF degraded.", state.last_success_at)
    yield _verifications(state)
    stuck_since = report.jam.since if report.jam and report.jam.is_overdue else 0
    yield _gauge("write_stuck_since_timestamp_seconds", "Start of a write that has not returned; 0: none.", stuck_since)
    yield _gauge("restart_pending", "Whether VFs changed and a restart is still due.", state.pending is not None)
    yield _counter("udev_resyncs", "Times udev events were lost and everything was read again.", counters.udev_resyncs)


def _verifications(state: State) -> Metric:
    """Also of rules that were never proved, so that an alert has something to ask for."""
    family = GaugeMetricFamily(
        "sriov_verify_last_success_timestamp_seconds",
        "When `verify` last proved a VF of this rule since boot; 0: never.",
        labels=("rule",),
    )
    for rule in dict.fromkeys(pf.rule for pf in state.report.pfs):
        family.add_metric((_label_text(rule),), state.verified_at.get(rule, 0))
    return family


def _durations(counters: Counters) -> Metric:
    """Passes that raised have no duration and only count in +Inf. state.json is a file, so values are made to fit."""
    counts = list(accumulate(counters.duration_buckets, max))
    total = max([counters.passes, *counts])
    buckets = [(str(bound), count) for bound, count in zip(DURATION_BUCKETS, counts, strict=False)]
    return HistogramMetricFamily(
        "sriov_bootstrap_pass_duration_seconds",
        "How long passes took; aborted ones count as longer than all others.",
        buckets=[*buckets, ("+Inf", total)],
        sum_value=counters.duration_sum,
    )


def _unit_metrics(counters: Counters, units: Iterable[str]) -> Iterator[Metric]:
    names = {*units}
    yield _unit_counter("service_restarts", "Restarts done after VFs changed.", counters.restarts, names)
    yield _unit_counter("service_restart_failures", "Restarts that failed.", counters.restart_failures, names)


def _findings(inspected: Inspected) -> Metric:
    """A series for each code found since boot: dozens of zeros on every host would say nothing."""
    counts = Counter(finding.code for finding in inspected.findings)
    meaning = "What sriov-bootstrap doctor finds; a code has a series once it was found."
    family = GaugeMetricFamily("sriov_bootstrap_findings", meaning, labels=("code", "severity"))
    for code in inspected.codes:
        family.add_metric([_label_text(code), severity_of(code)], counts[code])
    return family


def _unit_counter(name: str, meaning: str, counts: Mapping[str, int], units: set[str]) -> Metric:
    family = CounterMetricFamily(f"sriov_bootstrap_{name}", meaning, labels=("unit",))
    for unit in sorted({*units, *counts}):
        family.add_metric([_label_text(unit)], counts.get(unit, 0))
    return family


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"sriov_bootstrap_{name}", meaning, value=value)


def _counter(name: str, meaning: str, value: float) -> Metric:
    return CounterMetricFamily(f"sriov_bootstrap_{name}", meaning, value=value)


def _label_text(value: str) -> str:
    """A label's value is one line of printable text, or the whole page would fail."""
    return printable(value)
