#!/usr/bin/env bash
# Prometheus 2.42.0 (Debian 12): `promtool check metrics` passes a page that has a series twice, of which Prometheus keeps one.
#
# Seen: a page has the same series with two values, a second pair whose labels only stand in another order, and a histogram
# whose buckets fall and whose count is another number than its last bucket. promtool says nothing, with exit code 0, though
# it refuses a label that comes twice. Prometheus scrapes the page, up is 1, and of each pair it keeps the first value: it
# counts both as scraped, and neither its log nor the counter of samples rejected as duplicates says anything. Expected
# were an error of promtool and a number in that counter.
set -euo pipefail

folder=$(mktemp -d)
running=()
trap '[ ${#running[@]} -eq 0 ] || kill "${running[@]}"; rm -rf "$folder"' EXIT
echo "fetching Prometheus 2.42.0 of Debian 12 ..."
cd "$folder"
apt-get -qq -o APT::Sandbox::User=root download prometheus=2.42.0+ds-5+deb12u1
dpkg -x prometheus_*.deb .

mkdir site
cat >site/metrics <<'END'
# HELP sriov_vfs VFs.
# TYPE sriov_vfs gauge
sriov_vfs{pf="ens1f0"} 8
sriov_vfs{pf="ens1f0"} 4
sriov_vfs{pf="ens1f1",numa="0"} 8
sriov_vfs{numa="0",pf="ens1f1"} 4
# HELP sriov_pass_seconds How long a pass took.
# TYPE sriov_pass_seconds histogram
sriov_pass_seconds_bucket{le="1"} 5
sriov_pass_seconds_bucket{le="+Inf"} 3
sriov_pass_seconds_sum 9
sriov_pass_seconds_count 7
END
status=0
usr/bin/promtool check metrics <site/metrics >said 2>&1 || status=$?
echo "promtool check metrics: $(wc -l <said) line(s), exit code $status" >seen
printf 'sriov_vfs{pf="a",pf="b"} 8\n' | usr/bin/promtool check metrics >said 2>&1 || status=$?
echo "the same label twice: $(grep -o 'duplicate label names' said), exit code $status" >>seen

free_port() { python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
page=$(free_port) server=$(free_port)
python3 -m http.server --bind 127.0.0.1 --directory site "$page" >page.log 2>&1 &
running+=($!)
printf 'scrape_configs:\n- {job_name: host, scrape_interval: 1s, static_configs: [targets: ["127.0.0.1:%s"]]}\n' "$page" \
    >prometheus.yml
usr/bin/prometheus --config.file=prometheus.yml --storage.tsdb.path=data --web.listen-address="127.0.0.1:$server" \
    >prometheus.log 2>&1 &
running+=($!)
cat >ask.py <<'END'
import json
import sys
import time
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

SERVER = "http://127.0.0.1:" + sys.argv[1]
REJECTED = "prometheus_target_scrapes_sample_duplicate_timestamp_total"
opener = build_opener(ProxyHandler({}))


def values(query):
    try:
        with opener.open(f"{SERVER}/api/v1/query?" + urlencode({"query": query})) as answer:
            found = json.load(answer)["data"]["result"]
    except URLError:
        return {}
    return {one["metric"].get("pf", ""): one["value"][1] for one in found}


until = time.monotonic() + 60
while float(values("sum_over_time(up[1m])").get("", 0)) < 3 and time.monotonic() < until:
    time.sleep(0.5)
print("Prometheus: up", *values("up").values())
for pf, value in sorted(values("sriov_vfs").items()):
    print(f"Prometheus: sriov_vfs of {pf}: {value}")
print("Prometheus: samples scraped:", *values("scrape_samples_scraped").values())
with opener.open(f"{SERVER}/metrics") as answer:
    rejected = [line.split()[1] for line in answer.read().decode().splitlines() if line.startswith(REJECTED)]
print("Prometheus: samples rejected as duplicates:", *rejected)
END
python3 ask.py "$server" >>seen
echo "Prometheus: $(grep -cE 'level=(warn|error)' prometheus.log || true) warning(s) or error(s) in the log" >>seen
cat seen
diff -u - seen <<'END' || { echo "CHANGED: not what Prometheus 2.42.0 did" >&2; exit 1; }
promtool check metrics: 0 line(s), exit code 0
the same label twice: duplicate label names, exit code 1
Prometheus: up 1
Prometheus: sriov_vfs of ens1f0: 8
Prometheus: sriov_vfs of ens1f1: 8
Prometheus: samples scraped: 8
Prometheus: samples rejected as duplicates: 0
Prometheus: 0 warning(s) or error(s) in the log
END
