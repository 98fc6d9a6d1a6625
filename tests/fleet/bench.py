"""`make fleet-bench`: what one Prometheus needs for a fleet, with our rules. docs/fleet.md has the figures of one run.

Debian's Prometheus scrapes hosts that tests/fleet simulates. Series, samples and bytes are exact; seconds and memory
are those of this machine, and of whatever else runs on it.
"""

import argparse
import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

sys.path[:1] = [str(Path(__file__).parents[1] / part) for part in ("", "support")]  # a script has its own there

import msgspec  # noqa: E402
from prometheus_client.parser import text_string_to_metric_families  # noqa: E402

from fleet.hosts import Host  # noqa: E402
from fleet.server import Fleet, serving  # noqa: E402
from prometheus import Prometheus, running_prometheus  # noqa: E402
from waiting import until  # noqa: E402

RULES: Final = Path(__file__).parents[2] / "packaging" / "prometheus"
EVALUATION_SECONDS: Final = 30
LOOK_SECONDS: Final = 10.0
MIB: Final = 1024.0 * 1024
DAY_SECONDS: Final = 86400
GROUPS: Final = {"sriov-bootstrap": "alerts", "sriov-bootstrap.rules": "recording rules"}


@dataclass(slots=True)
class Measured:
    """What was seen in one run, look by look. `own`: Prometheus' metrics of itself, by name, without labels."""

    own: list[dict[str, float]] = field(default_factory=list)
    rss: list[float] = field(default_factory=list)
    groups: dict[str, list[float]] = field(default_factory=dict)
    rules: dict[str, list[float]] = field(default_factory=dict)
    at: list[float] = field(default_factory=list)

    def look(self, prometheus: Prometheus) -> None:
        self.at.append(time.monotonic())
        self.own.append(own_metrics(prometheus))
        status = Path(f"/proc/{prometheus.pid}/status").read_text()
        self.rss.append(next(float(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS")))
        for group in prometheus.groups():
            self.groups.setdefault(group["name"], []).append(group["evaluationTime"])
            for rule in group["rules"]:
                self.rules.setdefault(rule["name"], []).append(rule["evaluationTime"])

    def rate(self, name: str) -> float:
        """Return the rate of a counter over the second half."""
        half = len(self.own) // 2
        return (self.own[-1][name] - self.own[half][name]) / (self.at[-1] - self.at[half])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--pfs", type=int, default=8, help="of each host")
    parser.add_argument("--vfs", type=int, default=8, help="of each PF")
    parser.add_argument("--interval", type=int, default=15, help="seconds between scrapes of a host")
    parser.add_argument("--minutes", type=float, default=32, help="30 is the longest window of most rules")
    parser.add_argument("--drop-vf-info", action="store_true", help="leave out the series of single VFs")
    options = parser.parse_args()
    fleet = Fleet([Host(number, options.pfs, options.vfs) for number in range(options.hosts)])
    with (
        tempfile.TemporaryDirectory(prefix="sriov-fleet-") as folder,
        serving(fleet) as address,
        running_prometheus(Path(folder), config(address, options), "--web.enable-admin-api") as prometheus,
    ):
        measured = measure(prometheus, fleet, minutes=options.minutes)
        last = {name: prometheus.value(expression) for name, expression in ASKED.items()}
        block = snapshot(prometheus, Path(folder))
    print(*table(measured, last, block, options), sep="\n")
    up = sum(not host.is_down for host in fleet.hosts)
    if last["answered"] < up:
        print(f"\nSpoilt: {last['answered']:.0f} of {up} hosts answered. Was this machine too busy?", file=sys.stderr)
        return 1
    return 0


def config(address: str, options: argparse.Namespace) -> dict[str, Any]:
    job: dict[str, Any] = {"job_name": "sriov-bootstrap", "http_sd_configs": [{"url": f"http://{address}/targets"}]}
    if options.drop_vf_info:
        drop = {"source_labels": ["__name__"], "regex": "sriov_vf_info", "action": "drop"}
        job["metric_relabel_configs"] = [drop]
    return {
        "global": {"scrape_interval": f"{options.interval}s", "evaluation_interval": f"{EVALUATION_SECONDS}s"},
        "rule_files": [str(path) for path in sorted(RULES.glob("sriov-bootstrap.*.yaml"))],
        "scrape_configs": [job],
    }


def measure(prometheus: Prometheus, fleet: Fleet, *, minutes: float) -> Measured:
    up = sum(not host.is_down for host in fleet.hosts)
    until(lambda: prometheus.value("count(up == 1)") == up, deadline_seconds=300, what=f"{up} hosts that answer")
    measured = Measured()
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end:
        measured.look(prometheus)
        time.sleep(LOOK_SECONDS)  # between two looks, not for something to happen
    return measured


def own_metrics(prometheus: Prometheus) -> dict[str, float]:
    with urllib.request.urlopen(f"{prometheus.url}/metrics", timeout=30) as answer:  # noqa: S310 (http, our own)
        families = text_string_to_metric_families(answer.read().decode())
        found: dict[str, float] = {}
        for family in families:
            for sample in family.samples:
                found[sample.name] = found.get(sample.name, 0.0) + sample.value
        return found


def snapshot(prometheus: Prometheus, folder: Path) -> dict[str, float]:
    """Have everything written as a block, and weigh it: what a sample costs on the disk."""
    request = urllib.request.Request(f"{prometheus.url}/api/v1/admin/tsdb/snapshot", method="POST")  # noqa: S310
    with urllib.request.urlopen(request, timeout=300):  # noqa: S310 (http, our own)
        pass
    found = {"samples": 0.0, "chunks": 0.0, "index": 0.0}
    for meta in (folder / "data" / "snapshots").glob("*/*/meta.json"):
        found["samples"] += msgspec.json.decode(meta.read_bytes())["stats"]["numSamples"]
        found["chunks"] += sum(path.stat().st_size for path in (meta.parent / "chunks").iterdir())
        found["index"] += (meta.parent / "index").stat().st_size
    return found


ASKED: Final = {
    "series of a host": "quantile(0.5, scrape_samples_post_metric_relabeling)",
    "seconds of a scrape, median": "quantile(0.5, scrape_duration_seconds)",
    "seconds of a scrape, slowest 1 %": "quantile(0.99, scrape_duration_seconds)",
    "answered": "sum(up)",
    "alerts": 'count(ALERTS{alertstate="firing"})',
    "alerts pending": 'count(ALERTS{alertstate="pending"})',
}


def table(
    measured: Measured, last: dict[str, float], block: dict[str, float], options: argparse.Namespace
) -> Iterator[str]:
    series = measured.own[-1]["prometheus_tsdb_head_series"]
    samples = measured.rate("prometheus_tsdb_head_samples_appended_total")
    per_sample = block["chunks"] / block["samples"]
    yield f"| {options.hosts:,} hosts, {options.pfs} PFs each, {options.vfs} VFs each PF | |"
    yield "|---|---|"
    yield f"| scraped every, rules evaluated every | {options.interval} s, {EVALUATION_SECONDS} s |"
    yield f"| measured for | {(measured.at[-1] - measured.at[0]) / 60:.0f} min |"
    yield f"| series of a host | {last['series of a host']:,.0f} |"
    yield f"| series in Prometheus at the end, those that have ended included | {series:,.0f} |"
    yield f"| samples taken in, per second | {samples:,.0f} |"
    rss = median(measured.rss)
    yield f"| memory (RSS), median and highest | {rss / MIB:,.0f}, {max(measured.rss) / MIB:,.0f} MiB |"
    yield f"| memory for each series, median RSS | {rss / series / 1024:.1f} KiB |"
    yield f"| CPU | {measured.rate('process_cpu_seconds_total'):.2f} cores |"
    for name, what in GROUPS.items():
        seconds = measured.groups[name][len(measured.groups[name]) // 2 :]
        yield f"| one evaluation of the {what}, median and slowest | {median(seconds):.2f}, {max(seconds):.2f} s |"
    slowest = sorted(((median(many[len(many) // 2 :]), name) for name, many in measured.rules.items()), reverse=True)
    yield f"| the slowest rules | {', '.join(f'{name} {seconds:.2f} s' for seconds, name in slowest[:3])} |"
    times = (last["seconds of a scrape, median"] * 1000, last["seconds of a scrape, slowest 1 %"] * 1000)
    yield f"| a scrape, median and slowest 1 % | {times[0]:.0f}, {times[1]:.0f} ms |"
    yield f"| hosts that answered at the end | {last['answered']:,.0f} |"
    yield f"| a sample on the disk | {per_sample:.2f} bytes, and an index of {block['index'] / MIB:,.0f} MiB |"
    yield f"| a day on the disk, without the index | {samples * DAY_SECONDS * per_sample / MIB / 1024:.1f} GiB |"
    yield f"| alerts that fire, and pend | {last['alerts']:.0f}, {last['alerts pending']:.0f} |"
    loads = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    yield f"| this machine: CPUs, load of all that runs on it | {os.cpu_count()}; {loads} (1, 5, 15 min) |"


if __name__ == "__main__":
    sys.exit(main())
