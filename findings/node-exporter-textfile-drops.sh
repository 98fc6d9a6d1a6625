#!/usr/bin/env bash
# node_exporter 1.5.0 (Debian 12): of a metric in two .prom files one file's series vanish, and its own error metric stays 0.
#
# Seen: two files have the same metric, for different PFs. If the HELP of the second one differs by a word, or is missing, its
# series are not served: HTTP 200, node_textfile_scrape_error 0, and only the log says it. A file that cannot be parsed does
# set that metric, which alerts rely on. And a file whose name begins with a dot, as temporary files do, is read like
# any other. Expected was the error metric, or the series of both files.
set -euo pipefail

folder=$(mktemp -d)
exporter=
trap '[ -z "$exporter" ] || kill "$exporter"; rm -rf "$folder"' EXIT
echo "fetching node_exporter 1.5.0-1+b6 of Debian 12 ..."
cd "$folder"
apt-get -qq -o APT::Sandbox::User=root download prometheus-node-exporter=1.5.0-1+b6
dpkg -x prometheus-node-exporter_*.deb .
mkdir prom
port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
usr/bin/prometheus-node-exporter --collector.disable-defaults --collector.textfile --web.disable-exporter-metrics \
    --collector.textfile.directory="$folder/prom" --web.listen-address="127.0.0.1:$port" >log 2>&1 &
exporter=$!

scrape() { # WHAT FILE TEXT [FILE TEXT]
    what=$1
    shift
    rm -f prom/*.prom prom/.*.prom
    while [ $# -gt 0 ]; do
        printf "$2" >"prom/$1"
        shift 2
    done
    echo "$what:"
    curl --noproxy '*' --silent --show-error --retry 50 --retry-connrefused --retry-delay 1 --retry-max-time 30 \
        --write-out '  HTTP %{http_code}\n' "http://127.0.0.1:$port/metrics" |
        grep -E '^(sriov|node_textfile_scrape_error|  HTTP)' | sed 's/^ */  /'
}

text='# HELP sriov_vfs VFs\n# TYPE sriov_vfs gauge\nsriov_vfs{pf="%s"} 8\n'
a=${text/\%s/a} b=${text/\%s/b}
{
    scrape "the same HELP" a.prom "$a" b.prom "$b"
    scrape "another HELP" a.prom "$a" b.prom "${b/VFs/VFs that exist}"
    scrape "no HELP" a.prom "$a" b.prom "${b#*\\n}"
    scrape "no end" a.prom "$a" b.prom "${b%\\n}"
    scrape "a dot" a.prom "$a" .b.prom "$b"
} | tee seen
diff -u - seen <<'END' || { echo "CHANGED: not what node_exporter 1.5.0 did" >&2; exit 1; }
the same HELP:
  node_textfile_scrape_error 0
  sriov_vfs{pf="a"} 8
  sriov_vfs{pf="b"} 8
  HTTP 200
another HELP:
  node_textfile_scrape_error 0
  sriov_vfs{pf="a"} 8
  HTTP 200
no HELP:
  node_textfile_scrape_error 0
  sriov_vfs{pf="a"} 8
  HTTP 200
no end:
  node_textfile_scrape_error 1
  sriov_vfs{pf="a"} 8
  HTTP 200
a dot:
  node_textfile_scrape_error 0
  sriov_vfs{pf="a"} 8
  sriov_vfs{pf="b"} 8
  HTTP 200
END
