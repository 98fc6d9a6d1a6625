#!/usr/bin/env bash
# oslo.config 10.7.0: oslo-config-validator passes what stops a service, and refuses what works.
#
# Seen: `disable_process_locking = ture` is fine for the validator (exit code 0, no word), and a ConfigFileValueError
# when a service reads it: the validator compares names, never values. [OSLO_CONCURRENCY] in capitals is "not part of
# the sample config", exit code 1, and works: when oslo.config reads, case does not count in names of sections. It
# does in the one section that everybody writes in capitals: [default] is not [DEFAULT].
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "installing oslo.config 10.7.0 and oslo.concurrency 7.6.1 ..."
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    oslo.config==10.7.0 oslo.concurrency==7.6.1 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }
cd "$folder"

cat >read.py <<'END'
import sys

from oslo_config import cfg
from oslo_concurrency import lockutils  # registers [oslo_concurrency]

lockutils.cfg.CONF.register_opt(cfg.BoolOpt("probe"))  # of [DEFAULT]
CONF = cfg.CONF
CONF(["--config-file", sys.argv[1]], project="nova")
try:
    print("  service:  ", CONF.oslo_concurrency.disable_process_locking, CONF.probe)
except cfg.ConfigFileValueError as error:
    print("  service:  ", type(error).__name__)
END
try() {
    printf '%s, %s:\n' "$1" "$2"
    printf '%s\n%s\n' "$1" "$2" >nova.conf
    code=0
    venv/bin/oslo-config-validator --input-file nova.conf --namespace oslo.concurrency >log 2>&1 || code=$?
    echo "  validator: exit code $code"
    venv/bin/python read.py nova.conf
}
{
    try '[oslo_concurrency]' 'disable_process_locking = true'
    try '[oslo_concurrency]' 'disable_process_locking = ture'
    try '[OSLO_CONCURRENCY]' 'disable_process_locking = true'
    try '[default]' 'probe = true'
} | tee seen
diff -u - seen <<'END' || { echo "CHANGED: not what oslo.config 10.7.0 did" >&2; exit 1; }
[oslo_concurrency], disable_process_locking = true:
  validator: exit code 0
  service:   True None
[oslo_concurrency], disable_process_locking = ture:
  validator: exit code 0
  service:   ConfigFileValueError
[OSLO_CONCURRENCY], disable_process_locking = true:
  validator: exit code 1
  service:   True None
[default], probe = true:
  validator: exit code 1
  service:   False None
END
