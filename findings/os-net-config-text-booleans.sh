#!/usr/bin/env bash
# os-net-config 18.1.0: `trust: "yes"` of a VF is valid by its schema, and is dropped in silence.
#
# Seen: the schema takes t, true, on, y, yes, 1 and their opposites as text for spoofcheck, trust and promisc, "like
# oslo_utils.strutils", as it says. What reads them knows true, false, "on" and "off" alone; every other text is as if
# the key were not there. So `spoofcheck: "true"`, which templates easily make of a true, leaves the VF at the
# driver's default, and the file is called valid.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "installing os-net-config 18.1.0 and what this part of it imports; half a minute ..."
python3 -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install --quiet --disable-pip-version-check --no-deps os-net-config==18.1.0 2>pip.log ||
    { cat pip.log >&2; exit 2; }
venv/bin/pip install --quiet --disable-pip-version-check oslo.concurrency==7.6.1 oslo.utils==10.2.0 netaddr==1.3.0 \
    pyudev==0.24.5 PyYAML==6.0.3 jsonschema==4.25.1 2>pip.log ||
    { cat pip.log >&2; exit 2; }

cat >read.py <<'END'
from os_net_config import objects, validator

for value in (True, "on", "true", "yes", "1", False, "off", "false", "no", "perhaps"):
    vf = {"type": "sriov_vf", "device": "ens1f0", "vfid": 0, "spoofcheck": value}
    is_valid = not validator.validate_config([vf])
    print(f"{value!r:10}", "valid  " if is_valid else "invalid", objects.SriovVF.get_on_off(value))
END
venv/bin/python -W ignore read.py 2>log | tee seen || cat log >&2
diff -u - seen <<'END' || { echo "CHANGED: not what os-net-config 18.1.0 did" >&2; exit 1; }
True       valid   on
'on'       valid   on
'true'     valid   None
'yes'      valid   None
'1'        valid   None
False      valid   off
'off'      valid   off
'false'    valid   None
'no'       valid   None
'perhaps'  invalid None
END
