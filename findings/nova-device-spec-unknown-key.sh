#!/usr/bin/env bash
# nova 34.0.0 (2026.2): one misspelt key in [pci] device_spec names every PCI device of the host.
#
# Seen: {"devnam": "ens1f0", ...} (for devname) is accepted without a word and fits every device, whatever its bus,
# vendor and class; so do {"Address": ...} with a capital letter and {"address": {"Bus": ...}}. A key that nova does
# not know is kept as a tag of the pool, and a selector that is not there is a wildcard: the disk controller is
# assignable as well. A bad value, such as vendor_id "zz", is refused at once.
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
from nova import exception
from nova.pci import whitelist

nova.conf.CONF([], project="nova", default_config_files=[], default_config_dirs=[])
VF = {"address": "0000:3b:02.0", "vendor_id": "8086", "product_id": "10ca", "dev_type": "type-VF"}
DISK = {"address": "0000:00:1f.2", "vendor_id": "144d", "product_id": "a80a", "dev_type": "type-PCI"}

for spec in (
    '{"address": "0000:3b:02.0", "physical_network": "physnet1"}',
    '{"Address": "0000:3b:02.0", "physical_network": "physnet1"}',
    '{"address": {"Bus": "3b"}, "physical_network": "physnet1"}',
    '{"devnam": "ens1f0", "physical_network": "physnet1"}',
    '{"vendor_id": "zz", "physical_network": "physnet1"}',
):
    try:
        found = whitelist.Whitelist([spec])
        names = [name for name, device in (("VF", VF), ("disk controller", DISK)) if found.device_assignable(device)]
        print(spec, "->", ", ".join(names))
    except exception.PciConfigInvalidSpec as error:
        print(spec, "->", type(error).__name__)
END
venv/bin/python -W ignore match.py 2>log | tee seen || cat log >&2
diff -u - seen <<'END' || { echo "CHANGED: not what nova 34.0.0 did" >&2; exit 1; }
{"address": "0000:3b:02.0", "physical_network": "physnet1"} -> VF
{"Address": "0000:3b:02.0", "physical_network": "physnet1"} -> VF, disk controller
{"address": {"Bus": "3b"}, "physical_network": "physnet1"} -> VF, disk controller
{"devnam": "ens1f0", "physical_network": "physnet1"} -> VF, disk controller
{"vendor_id": "zz", "physical_network": "physnet1"} -> PciConfigInvalidSpec
END
