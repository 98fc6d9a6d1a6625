#!/usr/bin/env bash
# QEMU 7.2 (Debian 12): in -device's JSON "addr": 10 is another PCI address than "addr": "10", and neither is slot 10.
#
# Seen: addr=10 and "addr": "10" are slot 16, hexadecimal without any 0x. The JSON number 10 is slot 1, function 2: it is
# both in one number, eight functions a slot. Nothing is said. So what turns key=value into JSON, and takes digits for a
# number, moves the NIC, and the guest's interface gets another name. QMP's answer has the slot as a decimal number.
# Expected was that a number and its digits are one address, or that one of them is refused.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
version=1:7.2+dfsg-7+deb12u18+b3
echo "fetching qemu-system-x86 $version of Debian 12, and its libraries ..."
cd "$folder"
mkdir -p debs/partial
: >status # as if nothing was installed
apt-get -qq -y -o Dir::State::status="$folder/status" -o Dir::Cache::archives="$folder/debs" -o APT::Sandbox::User=root \
    -o Debug::NoLocking=true --no-install-recommends --download-only install "qemu-system-x86=$version" >apt.log 2>&1 ||
    { cat apt.log >&2; exit 2; }
for package in debs/*.deb; do dpkg -x "$package" .; done

cat >ask.py <<'END'
import glob
import json
import os
import subprocess
import sys

os.environ["QEMU_MODULE_DIR"] = os.path.abspath(*glob.glob("usr/lib/*-linux-gnu/qemu"))
LIBRARIES = ":".join(glob.glob("lib/*-linux-gnu") + glob.glob("usr/lib/*-linux-gnu"))
QEMU = [*glob.glob("lib/*-linux-gnu/ld-linux*"), "--library-path", LIBRARIES, "usr/bin/qemu-system-x86_64"]
MACHINE = ["-L", "usr/share/qemu", "-L", "usr/share/seabios", "-nodefaults", "-display", "none", "-M", "q35", "-S"]
ASK = "".join(json.dumps({"execute": command}) for command in ("qmp_capabilities", "query-pci", "quit"))

for device in (
    "virtio-rng-pci,id=nic,addr=10",
    '{"driver": "virtio-rng-pci", "id": "nic", "addr": "10"}',
    '{"driver": "virtio-rng-pci", "id": "nic", "addr": 10}',
    '{"driver": "virtio-rng-pci", "id": "nic", "addr": "0x0a"}',
    '{"driver": "virtio-rng-pci", "id": "nic", "addr": 16}',
):
    command = [*QEMU, *MACHINE, "-qmp", "stdio", "-device", device]
    done = subprocess.run(command, input=ASK, capture_output=True, text=True, timeout=120)
    answers = [json.loads(line).get("return") for line in done.stdout.splitlines()]
    buses = next((answer for answer in answers if isinstance(answer, list)), None)
    if buses is None:
        sys.exit(done.stderr)
    nic = next(found for found in buses[0]["devices"] if found["qdev_id"] == "nic")
    print(f"-device {device}: slot {nic['slot']}, function {nic['function']}")
END
python3 ask.py | tee seen
diff -u - seen <<'END' || { echo "CHANGED: not what QEMU 7.2 did" >&2; exit 1; }
-device virtio-rng-pci,id=nic,addr=10: slot 16, function 0
-device {"driver": "virtio-rng-pci", "id": "nic", "addr": "10"}: slot 16, function 0
-device {"driver": "virtio-rng-pci", "id": "nic", "addr": 10}: slot 1, function 2
-device {"driver": "virtio-rng-pci", "id": "nic", "addr": "0x0a"}: slot 10, function 0
-device {"driver": "virtio-rng-pci", "id": "nic", "addr": 16}: slot 2, function 0
END
