#!/usr/bin/env bash
# pyudev 0.24.5 (libudev 252): a Device remembers the first value of each attribute for as long as it lives.
#
# Seen: after traffic on lo, device.attributes.get("statistics/rx_bytes") still is what it was at the first read,
# while the file and a second Device have the new number. The same holds for sriov_numvfs: who keeps the Device of a
# PF, writes a number and reads it back through the same Device, sees the old one. Attributes.get() looks like a read
# of the file.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "installing pyudev 0.24.5 ..."
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyudev==0.24.5 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }
cd "$folder"

cat >read.py <<'END'
import socket
from pathlib import Path

import pyudev

LO, NAME = "/sys/class/net/lo", "statistics/rx_bytes"
context = pyudev.Context()
device = pyudev.Devices.from_path(context, LO)
before = device.attributes.asint(NAME)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    sender.sendto(bytes(100), ("127.0.0.1", 9))  # nobody needs to listen
print("file has grown:", int(Path(LO, NAME).read_text()) > before)
print("the same Device:", "new" if device.attributes.asint(NAME) > before else "old", "value")
other = pyudev.Devices.from_path(context, LO)
print("a second Device:", "new" if other.attributes.asint(NAME) > before else "old", "value")
END
venv/bin/python read.py | tee seen
diff -u - seen <<'END' || { echo "CHANGED: not what pyudev 0.24.5 did" >&2; exit 1; }
file has grown: True
the same Device: old value
a second Device: new value
END
