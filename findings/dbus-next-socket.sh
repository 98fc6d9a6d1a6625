#!/usr/bin/env bash
# dbus-next 0.2.3: the asyncio MessageBus connects in its constructor, and keeps its socket when it disconnects.
#
# Seen: MessageBus(bus_address) opens and connects the socket, blocking, before there is anything to await; so a bus
# that is not there is a FileNotFoundError of the constructor, and no `except` or timeout around connect() sees it.
# After disconnect() and wait_for_disconnect() `connected` is False, and the process still has the socket, until the
# object is collected. It cannot be connected again either: BrokenPipeError.
set -euo pipefail

folder=$(mktemp -d)
bus=
trap '[ -z "$bus" ] || kill "$bus"; rm -rf "$folder"' EXIT
echo "installing dbus-next 0.2.3 ..."
python3 -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install --quiet --disable-pip-version-check dbus-next==0.2.3 2>pip.log ||
    { cat pip.log >&2; exit 2; }

dbus-daemon --session --nofork --address="unix:path=$folder/bus" --print-address >address 2>daemon.log &
bus=$!
for _ in $(seq 100); do
    [ -s address ] && break
    sleep 0.1
done
cat >connect.py <<'END'
import asyncio
import os
import sys

from dbus_next.aio import MessageBus


def sockets() -> int:
    links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    return sum(os.path.islink(link) and os.readlink(link).startswith("socket:") for link in links)


async def main() -> None:
    before = sockets()
    bus = MessageBus(sys.argv[1])
    print("after the constructor:", sockets() - before, "socket")
    await asyncio.wait_for(bus.connect(), 10)
    bus.disconnect()
    await asyncio.wait_for(bus.wait_for_disconnect(), 10)
    print(f"after disconnect: connected={bus.connected},", sockets() - before, "socket")
    try:
        await asyncio.wait_for(bus.connect(), 10)
    except OSError as error:
        print("connect() again:", type(error).__name__)
    try:
        MessageBus(f"{sys.argv[1]}-that-is-not-there")
    except OSError as error:
        print("no bus, constructor:", type(error).__name__)


asyncio.run(main())
END
venv/bin/python connect.py "unix:path=$folder/bus" | tee seen
diff -u - seen <<'END' || { echo "CHANGED: not what dbus-next 0.2.3 did" >&2; exit 1; }
after the constructor: 1 socket
after disconnect: connected=False, 1 socket
connect() again: BrokenPipeError
no bus, constructor: FileNotFoundError
END
