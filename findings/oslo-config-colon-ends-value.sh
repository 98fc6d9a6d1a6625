#!/usr/bin/env bash
# oslo.config 10.7.0: JSON that goes on in a line without a blank before it is cut there, and nothing complains.
#
# Seen: of a device_spec over two lines the value is the first line alone. `{"address": "0000:3b:02.1"}]` is not
# refused as a continuation without indent, because `:` ends a name just as `=` does: the line is an option called
# `{"address"`, and options that nobody has registered are ignored. A line with neither sign, such as `]`, is a
# ParseError; so one more line break makes the same mistake loud. An indent of one blank makes the value whole.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "installing oslo.config 10.7.0 ..."
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check oslo.config==10.7.0 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }
cd "$folder"

printf '[pci]\ndevice_spec = [{"address": "0000:3b:02.0"},\n{"address": "0000:3b:02.1"}]\n' >same-column.conf
printf '[pci]\ndevice_spec = [{"address": "0000:3b:02.0"},\n {"address": "0000:3b:02.1"}]\n' >one-blank.conf
printf '[pci]\ndevice_spec = [{"address": "0000:3b:02.0"}\n]\n' >no-sign.conf
cat >read.py <<'END'
import sys

from oslo_config import cfg

for path in sys.argv[1:]:
    conf = cfg.ConfigOpts()
    conf.register_opt(cfg.MultiStrOpt("device_spec"), "pci")
    try:
        conf(["--config-file", path], project="nova")
        print(f"{path}: {conf.pci.device_spec[0]!r}")
    except cfg.ConfigFileParseError as error:
        print(f"{path}: {type(error).__name__}")
END
venv/bin/python read.py same-column.conf one-blank.conf no-sign.conf | tee seen
diff -u - seen <<'END' || { echo "CHANGED: not what oslo.config 10.7.0 did" >&2; exit 1; }
same-column.conf: '[{"address": "0000:3b:02.0"},'
one-blank.conf: '[{"address": "0000:3b:02.0"},\n{"address": "0000:3b:02.1"}]'
no-sign.conf: ConfigFileParseError
END
