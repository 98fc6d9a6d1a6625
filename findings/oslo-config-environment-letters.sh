#!/usr/bin/env bash
# oslo.config 10.7.0: an option that may be repeated is taken letter by letter from the environment.
#
# Seen: every option can come from the environment, as OS_GROUP__OPTION, which beats all files. A string and a list with
# commas are read from there as from a file. But one that may be repeated, as nova's [pci] device_spec and alias may,
# becomes as many values as the text has letters, and those of the files are gone: no error, no warning. Expected was
# one value, or an error.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "installing oslo.config 10.7.0 ..."
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check oslo.config==10.7.0 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }
cd "$folder"

cat >nova.conf <<'END'
[pci]
device_spec = {"address": "0000:3b:00.0"}
current = of the file
mappings = physnet1:ens1f0
END
cat >read.py <<'END'
from oslo_config import cfg

CONF = cfg.ConfigOpts()
OPTS = [cfg.StrOpt("current"), cfg.ListOpt("mappings"), cfg.MultiStrOpt("device_spec")]
CONF.register_opts(OPTS, group="pci")
CONF(["--config-file", "nova.conf"], project="nova")
for opt in OPTS:
    print(f"  {opt.name}:", CONF.pci[opt.name])
END
{
    echo "from the file:"
    venv/bin/python read.py
    echo "from the environment:"
    OS_PCI__CURRENT='of the environment' OS_PCI__MAPPINGS=physnet1:a,physnet1:b OS_PCI__DEVICE_SPEC='{"devname":"a"}' \
        venv/bin/python read.py
} | tee seen
diff -u - seen <<'END' || { echo "CHANGED: not what oslo.config 10.7.0 did" >&2; exit 1; }
from the file:
  current: of the file
  mappings: ['physnet1:ens1f0']
  device_spec: ['{"address": "0000:3b:00.0"}']
from the environment:
  current: of the environment
  mappings: ['physnet1:a', 'physnet1:b']
  device_spec: ['{', '"', 'd', 'e', 'v', 'n', 'a', 'm', 'e', '"', ':', '"', 'a', '"', '}']
END
