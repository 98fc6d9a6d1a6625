#!/usr/bin/env bash
# nova 34.0.0 (2026.2): one misspelt key in [pci] device_spec names every PCI device of the host.
#
# Seen: {"devnam": "ens1f0", ...} (for devname) is accepted without a word and fits every device, whatever its bus,
# vendor and class; so do {"Address": ...} with a capital letter and {"address": {"Bus": ...}}. A key that nova does
# not know is kept as a tag of the pool, and a selector that is not there is a wildcard: the disk controller is
# assignable as well. A bad value, such as vendor_id "zz", is refused at once.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cd "$folder"
# What importing nova.pci.whitelist needs; nova's whole list of dependencies takes minutes.
echo "installing nova 34.0.0 and a part of its dependencies; about a minute ..."
venv/bin/pip install --quiet --disable-pip-version-check --no-deps nova==34.0.0 \
    Paste==3.10.1 PasteDeploy==3.1.0 PyYAML==6.0.4 SQLAlchemy==2.1.9 WebOb==1.8.11 attrs==26.1.0 bcrypt==5.0.0 \
    castellan==5.8.0 certifi==2026.10.19.post1 cffi==2.1.1 charset-normalizer==3.5.3 cryptography==50.0.2 \
    cursive==0.3.1 debtcollector==3.1.0 decorator==5.3.1 dnspython==2.9.2 dogpile.cache==1.5.0 eventlet==0.41.3 \
    fasteners==0.20 futurist==3.5.0 greenlet==3.5.6 idna==3.20 iso8601==2.1.0 jmespath==1.1.0 jsonpatch==1.48 \
    jsonpointer==3.12 jsonschema-specifications==2025.9.1 jsonschema==4.26.0 keystoneauth1==5.18.1 netaddr==1.3.0 \
    openstacksdk==4.22.0 os-resource-classes==1.1.0 os-service-types==1.9.0 oslo.cache==4.3.0 oslo.concurrency==7.6.1 \
    oslo.config==10.7.0 oslo.context==6.5.0 oslo.db==18.1.1 oslo.i18n==6.9.0 oslo.log==8.3.2 oslo.policy==6.0.1 \
    oslo.serialization==5.11.0 oslo.service==4.8.0 oslo.utils==10.2.0 oslo.versionedobjects==3.12.0 osprofiler==4.4.0 \
    packaging==26.4 pbr==7.1.3 platformdirs==4.14.8 prettytable==3.18.0 prometheus_client==0.26.0 psutil==7.2.2 \
    pyOpenSSL==26.4.0 python-barbicanclient==7.6.0 python-dateutil==4.0.0 referencing==0.37.0 requests==2.34.2 \
    rfc3986==2.0.0 rpds-py==2026.9.1 statsd==4.0.1 stevedore==5.10.0 typing_extensions==4.16.0 urllib3==2.8.0 \
    wrapt==2.5.2 2>pip.log ||
    { cat pip.log >&2; exit 2; }
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
