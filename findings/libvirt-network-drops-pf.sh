#!/usr/bin/env bash
# libvirt 9.0.0 (Debian 12): a network of VFs that names a PF and an address silently loses the PF.
#
# Seen: <forward mode='hostdev'> with <pf dev='ens1f0'/> and one <address> is valid by the schema and defined without a
# word; what is stored has the address alone, in whatever order the two were written. So a pool of all the PF's VFs becomes
# a pool of one. Two <pf> are an error. A network without any is stored as well, and two
# VLAN tags, which a VF cannot have, are turned into trunk='yes'. Expected was the error of two <pf>.
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

SCHEMA = etree.RelaxNG(etree.parse("usr/share/libvirt/schemas/network.rng"))
PF = "<pf dev='ens1f0'/>"
VF = "<address type='pci' domain='0x0000' bus='0x3b' slot='0x02' function='0x1'/>"
VLANS = "<vlan><tag id='100'/><tag id='200'/></vlan>"
VIRSH = ["usr/bin/virsh", "--quiet", "--connect", "test:///default", "net-define net.xml; net-dumpxml vfs"]

for what, inside, behind in (
    ("a PF", PF, ""),
    ("a PF and an address", PF + VF, ""),
    ("an address and a PF", VF + PF, ""),
    ("two PFs", PF + "<pf dev='ens1f1'/>", ""),
    ("nothing", "", ""),
    ("a PF and two VLANs", PF, VLANS),
):
    with open("net.xml", "w") as file:
        file.write(f"<network><name>vfs</name><forward mode='hostdev' managed='yes'>{inside}</forward>{behind}</network>")
    is_valid = SCHEMA.validate(etree.parse("net.xml"))
    done = subprocess.run(VIRSH, capture_output=True, text=True, check=False)
    kept = re.findall(r"<(?:pf|address|vlan|tag)\b[^>]*>", done.stdout) or ["nothing"]
    answer = " ".join(kept) if "<uuid>" in done.stdout else "refused"
    print(f"{what}: schema: {'valid' if is_valid else 'invalid'}, stored: {answer}")
END
LD_LIBRARY_PATH=$(echo "$folder"/usr/lib/*-linux-gnu):$(echo "$folder"/lib/*-linux-gnu) venv/bin/python try.py | tee seen
diff -u - seen <<'END' || { echo "CHANGED: not what libvirt 9.0.0 did" >&2; exit 1; }
a PF: schema: valid, stored: <pf dev='ens1f0'/>
a PF and an address: schema: valid, stored: <address type='pci' domain='0x0000' bus='0x3b' slot='0x02' function='0x1'/>
an address and a PF: schema: valid, stored: <address type='pci' domain='0x0000' bus='0x3b' slot='0x02' function='0x1'/>
two PFs: schema: invalid, stored: refused
nothing: schema: valid, stored: nothing
a PF and two VLANs: schema: valid, stored: <pf dev='ens1f0'/> <vlan trunk='yes'> <tag id='100'/> <tag id='200'/>
END
