#!/usr/bin/env bash
# prometheus-client 0.26.0: a metric family of an own collector does not count its label values; a Gauge does.
#
# Seen: GaugeMetricFamily(labels=("pf", "vf")).add_metric(["0000:3b:00.0"], 1) is a series without `vf`; a value too
# many is dropped. So two VFs can become the same series twice, which generate_latest writes without a word. A plain
# string instead of a list is taken apart: pf="0", vf="0". Gauge.labels() raises "Incorrect label count" for the same
# mistake.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "installing prometheus-client 0.26.0 ..."
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check prometheus-client==0.26.0 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }
cd "$folder"

cat >expose.py <<'END'
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

LABELS = ("pf", "vf")


class Vfs(Collector):
    def collect(self):
        family = GaugeMetricFamily("vf_info", "A VF.", labels=LABELS)
        family.add_metric(["0000:3b:00.0", "7", "vfio-pci"], 1)
        family.add_metric(["0000:3b:00.0"], 1)
        family.add_metric(["0000:3b:00.0"], 1)
        family.add_metric("0000:3b:00.0", 1)
        yield family


registry = CollectorRegistry()
registry.register(Vfs())
print(generate_latest(registry).decode(), end="")
try:
    Gauge("vf", "A VF.", LABELS, registry=None).labels("0000:3b:00.0")
except ValueError as error:
    print(error)
END
venv/bin/python expose.py | tee seen
diff -u - seen <<'END' || { echo "CHANGED: not what prometheus-client 0.26.0 did" >&2; exit 1; }
# HELP vf_info A VF.
# TYPE vf_info gauge
vf_info{pf="0000:3b:00.0",vf="7"} 1.0
vf_info{pf="0000:3b:00.0"} 1.0
vf_info{pf="0000:3b:00.0"} 1.0
vf_info{pf="0",vf="0"} 1.0
Incorrect label count
END
