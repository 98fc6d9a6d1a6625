#!/usr/bin/env bash
# pyudev 0.24.5 (libudev 252): of several properties one is enough, while of several attributes each has to match.
#
# Seen: context.list_devices(subsystem="net", INTERFACE="lo", IFINDEX="0") finds lo, although no device has that index.
# The same with match_attribute() finds none. So list_devices(subsystem="pci", PCI_ID="8086:10C9", DRIVER="igb") is each
# such NIC and everything else that igb drives: who then writes to all of them, writes to more than he has named. A
# subsystem is no alternative, it has to match as well. Expected was that every keyword narrows the query.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "installing pyudev 0.24.5 ..."
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyudev==0.24.5 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }
cd "$folder"

cat >list.py <<'END'
import pyudev

CONTEXT = pyudev.Context()


def show(what, found):
    print(f"{what}:", *[device.sys_name for device in found] or ["none"])


show("INTERFACE=lo", CONTEXT.list_devices(subsystem="net", INTERFACE="lo"))
show("IFINDEX=0", CONTEXT.list_devices(subsystem="net", IFINDEX="0"))
show("INTERFACE=lo, IFINDEX=0", CONTEXT.list_devices(subsystem="net", INTERFACE="lo", IFINDEX="0"))
net = CONTEXT.list_devices(subsystem="net")
show("attribute ifindex=1", net.match_attribute("ifindex", "1"))
show("attributes ifindex=1, mtu=0", net.match_attribute("mtu", "0"))
show("subsystem mem, INTERFACE=lo", CONTEXT.list_devices(subsystem="mem", INTERFACE="lo"))
END
venv/bin/python list.py | tee seen
diff -u - seen <<'END' || { echo "CHANGED: not what pyudev 0.24.5 did" >&2; exit 1; }
INTERFACE=lo: lo
IFINDEX=0: none
INTERFACE=lo, IFINDEX=0: lo
attribute ifindex=1: lo
attributes ifindex=1, mtu=0: none
subsystem mem, INTERFACE=lo: none
END
