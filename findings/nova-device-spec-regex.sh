#!/usr/bin/env bash
# nova 34.0.0 (2026.2): an address of [pci] device_spec follows other rules as an object than as a string.
#
# Seen: as a string "*:3B:02.*" and "*:3b:2.*" are the same: each field is a number. As an object each field is a
# regular expression that has to fit the beginning of the field alone, and is compared with small letters and leading
# zeros: "3" takes the buses 30 to 3f, "3B" and slot "2" take nothing. Nothing is said in either case. Whoever turns a
# working string into an object, field by field, gives VMs the wrong devices or none.
set -euo pipefail

pins=$(cd "$(dirname "$0")" && pwd)/nova-34.0.0.txt
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cd "$folder"
echo "installing nova 34.0.0 and a part of its dependencies; about a minute ..."
venv/bin/pip install --quiet --disable-pip-version-check --no-deps -r "$pins" 2>pip.log || { cat pip.log >&2; exit 2; }
cat >match.py <<'END'
import nova.conf
from nova.pci import whitelist

nova.conf.CONF([], project="nova", default_config_files=[], default_config_dirs=[])
for spec in (
    '{"address": "*:3b:02.*"}',
    '{"address": {"bus": "3b", "slot": "02"}}',
    '{"address": "*:3B:02.*"}',
    '{"address": {"bus": "3B", "slot": "02"}}',
    '{"address": "*:3b:2.*"}',
    '{"address": {"bus": "3b", "slot": "2"}}',
    '{"address": "*:3:02.*"}',
    '{"address": {"bus": "3", "slot": "02"}}',
):
    found = whitelist.Whitelist([spec])
    ids = {"vendor_id": "8086", "product_id": "10ca", "dev_type": "type-VF"}
    vfs = [{"address": f"0000:{bus}:02.0", **ids} for bus in ("03", "30", "3b")]
    print(f"{spec:42}", *(vf["address"] for vf in vfs if found.device_assignable(vf)))
END
venv/bin/python -W ignore match.py 2>log | sed 's/ *$//' | tee seen || cat log >&2
diff -u - seen <<'END' || { echo "CHANGED: not what nova 34.0.0 did" >&2; exit 1; }
{"address": "*:3b:02.*"}                   0000:3b:02.0
{"address": {"bus": "3b", "slot": "02"}}   0000:3b:02.0
{"address": "*:3B:02.*"}                   0000:3b:02.0
{"address": {"bus": "3B", "slot": "02"}}
{"address": "*:3b:2.*"}                    0000:3b:02.0
{"address": {"bus": "3b", "slot": "2"}}
{"address": "*:3:02.*"}                    0000:03:02.0
{"address": {"bus": "3", "slot": "02"}}    0000:30:02.0 0000:3b:02.0
END
