#!/usr/bin/env bash
# crudini 0.9.6: of an option that nova takes several times it reads and sets the last, without a word.
#
# Seen: nova.conf has three lines `device_spec`. `crudini --get` prints the third, though nova uses all of them, and the first
# that fits a device wins. `--set` replaces the third, so two NICs stay and one is lost; `--set --list` appends behind
# the third's JSON, which is one value and invalid from then on; `--del` deletes all three. Exit code 0 each time. Expected
# were all three values, and an error from whatever changes only one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "installing crudini 0.9.6 and oslo.config 10.7.0 ..."
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check crudini==0.9.6 iniparse==0.5.3 oslo.config==10.7.0 \
    2>"$folder/pip.log" || { cat "$folder/pip.log" >&2; exit 2; }
cd "$folder"

cat >read.py <<'END'
import json

from oslo_config import cfg

conf = cfg.ConfigOpts()
conf.register_opts([cfg.MultiStrOpt("device_spec", default=[])], group="pci")
conf([], project="nova", default_config_files=["nova.conf"], default_config_dirs=[])
for value in conf.pci.device_spec:
    try:
        print("  nova reads:", json.loads(value)["devname"])
    except ValueError as error:
        print("  nova reads: invalid JSON,", error.msg)
END
NIC='{"devname": "ens9f0"}'
for command in --get "--set $NIC" "--set --list $NIC" --del; do
    printf '[pci]\n' >nova.conf
    printf 'device_spec = {"devname": "%s"}\n' ens1f0 ens1f1 ens2f0 >>nova.conf
    case $command in
    --get) arguments=(--get nova.conf pci device_spec) ;;
    --del) arguments=(--del nova.conf pci device_spec) ;;
    *--list*) arguments=(--set --list nova.conf pci device_spec "$NIC") ;;
    *) arguments=(--set nova.conf pci device_spec "$NIC") ;;
    esac
    status=0
    echo "crudini ${arguments[*]}"
    venv/bin/crudini "${arguments[@]}" | sed 's/^/  /' || status=$?
    echo "  exit code $status"
    venv/bin/python read.py
done 2>&1 | tee seen
diff -u - seen <<'END' || { echo "CHANGED: not what crudini 0.9.6 did" >&2; exit 1; }
crudini --get nova.conf pci device_spec
  {"devname": "ens2f0"}
  exit code 0
  nova reads: ens1f0
  nova reads: ens1f1
  nova reads: ens2f0
crudini --set nova.conf pci device_spec {"devname": "ens9f0"}
  exit code 0
  nova reads: ens1f0
  nova reads: ens1f1
  nova reads: ens9f0
crudini --set --list nova.conf pci device_spec {"devname": "ens9f0"}
  exit code 0
  nova reads: ens1f0
  nova reads: ens1f1
  nova reads: invalid JSON, Extra data
crudini --del nova.conf pci device_spec
  exit code 0
END
