#!/usr/bin/env bash
# nova 34.0.0 (2026.2): a port with trusted=false fits none of the VFs whose device_spec does not mention trusted.
#
# Seen: a port with trusted=false fits the VFs of a device_spec that says "trusted": "false", and no others: a spec without
# the key will not do. A port that says nothing fits all, trusted VFs as well. And of "yes" twice in one spec `managed`
# makes "true", while `trusted` stays "yes", for which no port can ask: the port's own "yes" is "True" by then. Expected was
# that a missing key is false, on both sides.
#
# What a port says is turned into "True" or "False" as nova/network/neutron.py does it, with bool_from_string.
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
from nova.pci import devspec, request, utils
from oslo_utils.strutils import bool_from_string

nova.conf.CONF([], project="nova", default_config_files=[], default_config_dirs=[])
PORTS = {"no trusted": None, "trusted=true": "true", "trusted=yes": "yes", "trusted=false": "false"}

for keys in ({}, {"trusted": "true"}, {"trusted": "false"}, {"trusted": "yes", "managed": "yes"}):
    tags = devspec.PciDeviceSpec({"address": "0000:3b:02.0", "physical_network": "physnet1", **keys}).get_tags()
    kept = {key: tags[key] for key in keys}
    fitting = []
    for port, value in PORTS.items():
        wanted = {"physical_network": "physnet1"}
        if value is not None:
            wanted[request.PCI_TRUSTED_TAG] = str(bool_from_string(value))
        if utils.pci_device_prop_match(tags, [wanted]):
            fitting.append(port)
    print(f"device_spec with {keys}, kept as {kept}: fits ports with {', '.join(fitting)}")
END
venv/bin/python -W ignore match.py 2>log | tee seen || cat log >&2
diff -u - seen <<'END' || { echo "CHANGED: not what nova 34.0.0 did" >&2; exit 1; }
device_spec with {}, kept as {}: fits ports with no trusted
device_spec with {'trusted': 'true'}, kept as {'trusted': 'true'}: fits ports with no trusted, trusted=true, trusted=yes
device_spec with {'trusted': 'false'}, kept as {'trusted': 'false'}: fits ports with no trusted, trusted=false
device_spec with {'trusted': 'yes', 'managed': 'yes'}, kept as {'trusted': 'yes', 'managed': 'true'}: fits ports with no trusted
END
