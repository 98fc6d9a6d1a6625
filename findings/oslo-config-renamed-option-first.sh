#!/usr/bin/env bash
# oslo.config 10.7.0: the values of a MultiStrOpt come in the order of its names, oldest first, not of the file.
#
# Seen: nova's [pci] device_spec has two former names. In one file all three count and are merged; whatever stands
# above, the values under [DEFAULT] pci_passthrough_whitelist come first, then passthrough_whitelist, then
# device_spec. nova takes the first spec that fits a device, so a stale line at the file's end beats the new one. A
# plain StrOpt does the opposite: there the new name wins, and the old one's value is dropped.
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
device_spec = new, line 2
passthrough_whitelist = old, line 3
device_spec = new, line 4
current = new, line 5
former = old, line 6

[DEFAULT]
pci_passthrough_whitelist = oldest, line 9
END
cat >read.py <<'END'
from oslo_config import cfg

# As nova.conf.pci has it.
OLD = [cfg.DeprecatedOpt("passthrough_whitelist", "pci"), cfg.DeprecatedOpt("pci_passthrough_whitelist", "DEFAULT")]
CONF = cfg.ConfigOpts()
CONF.register_opt(cfg.MultiStrOpt("device_spec", deprecated_opts=OLD), "pci")
CONF.register_opt(cfg.StrOpt("current", deprecated_name="former"), "pci")
CONF(["--config-file", "nova.conf"], project="nova")
print("\n".join(CONF.pci.device_spec))
print("StrOpt:", CONF.pci.current)
END
venv/bin/python read.py 2>log | tee seen
diff -u - seen <<'END' || { cat log >&2; echo "CHANGED: not what oslo.config 10.7.0 did" >&2; exit 1; }
oldest, line 9
old, line 3
new, line 2
new, line 4
StrOpt: new, line 5
END
