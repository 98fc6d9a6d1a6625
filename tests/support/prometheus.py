"""A Prometheus server on the loopback interface, and the questions that tests ask it.

Debian's binary, which packaging/setup.sh has put beside promtool. It is up for as long as a `with` block.
"""

import json
import re
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from promtool import binary
from waiting import until

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 60.0

SELECTOR: Final = re.compile(r"(?<![:\w])sriov_[a-z_]+(?![:\w])(?:\{[^}]*\})?")


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One that runs; see `running_prometheus`."""

    url: str
    pid: int

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return an instant vector: [{"metric": labels, "value": [time, text]}]."""
        found: list[dict[str, Any]] = self.api("query", query=expression)["result"]
        return found

    def value(self, expression: str) -> float:
        """Return the one value that there is; 0 when there is none."""
        found = self.query(expression)
        assert len(found) < 2, found
        return float(found[0]["value"][1]) if found else 0.0

    def has_shown(self, expression: str, *, seconds: float) -> bool:
        """Return whether the expression had a value at any second of the last ones: what a panel would have drawn."""
        now = time.time()
        return bool(self.api("query_range", query=expression, start=now - seconds, end=now, step=1)["result"])

    def firing(self) -> dict[str, list[dict[str, Any]]]:
        """Return the alerts that fire, by name: [{"labels": ..., "annotations": ...}]."""
        found: dict[str, list[dict[str, Any]]] = {}
        for alert in self.api("alerts")["alerts"]:
            if alert["state"] == "firing":
                found.setdefault(alert["labels"]["alertname"], []).append(alert)
        return found

    def groups(self) -> list[dict[str, Any]]:
        """Return the rule groups as Prometheus sees them, with the health and last error of each rule."""
        found: list[dict[str, Any]] = self.api("rules")["groups"]
        return found

    def api(self, path: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 (what a URL can hold)
        address = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310 (http, our own)
            data: dict[str, Any] = json.load(answer)["data"]
        return data


@contextmanager
def running_prometheus(folder: Path, config: dict[str, Any], *options: str) -> Iterator[Prometheus]:
    """Start Prometheus with this prometheus.yml and further options; its data and log are below `folder`."""
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    log = folder / "prometheus.log"
    with log.open("wb") as output:
        # setpriv: were pytest killed without a chance to clean up, the kernel would end it.
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *_command(folder), *options],
            stdout=output,
            stderr=output,
            cwd=folder,
        )
    try:
        yield Prometheus(_url(process, log), process.pid)
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def selectors(expression: str) -> set[str]:
    """Return what an expression asks for of the exporter's series, each by name and matchers alone."""
    return set(SELECTOR.findall(expression))


def _command(folder: Path) -> list[str]:
    return [
        binary("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--web.listen-address=127.0.0.1:0",
    ]


def _url(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until it is ready. The kernel chooses the port, and the log names it."""

    def ready() -> str:
        assert process.poll() is None, log.read_text()
        text = log.read_text()
        port = re.search(r'Listening on"?(?: component=web)? address=127\.0\.0\.1:(\d+)', text)
        return f"http://127.0.0.1:{port[1]}" if port and "Server is ready" in text else ""

    return until(ready, deadline_seconds=START_SECONDS, what=f"Prometheus, see {log}")
