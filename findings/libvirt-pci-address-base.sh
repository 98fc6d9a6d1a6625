#!/usr/bin/env bash
# libvirt 9.0.0 (Debian 12): in a PCI address 10 is decimal and 010 octal, and the schema has another rule.
#
# Seen: <address domain='0' bus='10' slot='010' function='1'/> is accepted by schema and parser, and is 0000:0a:08.1:
# 10 is decimal, 010 octal. Everybody else on the host (lspci, /sys, nova) writes these fields in bare hexadecimal,
# where it would be 0000:10:10.1: the VM gets somebody else's VF. `slot='08'` is valid by the schema and refused by
# the parser; `bus='0377'` is refused by the schema and taken by the parser, as ff.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "fetching libvirt 9.0.0-4+deb12u2 of Debian 12, and lxml from PyPI ..."
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check lxml==6.0.2 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }
cd "$folder"
version=9.0.0-4+deb12u2
apt-get -qq -o APT::Sandbox::User=root download libvirt0=$version libvirt-clients=$version \
    libyajl2=2.1.0-3+deb12u2 libssh-4=0.10.6-0+deb12u3 libnl-3-200=3.7.0-0.2+b1
for package in *.deb; do dpkg -x "$package" .; done

cat >try.py <<'END'
import re
import subprocess

from lxml import etree

SCHEMA = etree.RelaxNG(etree.parse("usr/share/libvirt/schemas/domain.rng"))
DOMAIN = """<domain type='test'><name>vm</name><memory>8192</memory><os><type>hvm</type></os><devices>
<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='%s' slot='%s' function='1'/>
</source></hostdev></devices></domain>"""

for bus, slot in (("0x10", "0x10"), ("10", "010"), ("0x3b", "08"), ("0377", "0")):
    with open("vm.xml", "w") as file:
        file.write(DOMAIN % (bus, slot))
    is_valid = SCHEMA.validate(etree.parse("vm.xml"))
    virsh = ["usr/bin/virsh", "--quiet", "--connect", "test:///default", "define vm.xml; dumpxml vm"]
    answer = subprocess.run(virsh, capture_output=True, text=True, check=False).stdout
    fields = re.search(r"<address domain='0x(\w+)' bus='0x(\w+)' slot='0x(\w+)' function='0x(\w+)'/>", answer)
    taken = "{}:{}:{}.{}".format(*fields.groups()) if fields else "refused"
    print(f"bus={bus} slot={slot}: schema: {'valid' if is_valid else 'invalid'}, libvirt: {taken}")
END
LD_LIBRARY_PATH=$(echo "$folder"/usr/lib/*-linux-gnu):$(echo "$folder"/lib/*-linux-gnu) venv/bin/python try.py | tee seen
diff -u - seen <<'END' || { echo "CHANGED: not what libvirt 9.0.0 did" >&2; exit 1; }
bus=0x10 slot=0x10: schema: valid, libvirt: 0000:10:10.1
bus=10 slot=010: schema: valid, libvirt: 0000:0a:08.1
bus=0x3b slot=08: schema: valid, libvirt: refused
bus=0377 slot=0: schema: invalid, libvirt: 0000:ff:00.1
END
