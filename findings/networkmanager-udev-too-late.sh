#!/usr/bin/env bash
# NetworkManager 1.42.4 (Debian 12): NM_UNMANAGED in a udev rule does nothing for an interface that it manages already.
#
# Seen: a rule sets NM_UNMANAGED=1, `udevadm trigger` puts it into udev's database, and NetworkManager goes on with DHCP,
# also after a restart, when its own record of the interface, managed=true, beats the rule. `nmcli device set managed no`
# ends it. An interface that is made anew, under the same name, obeys the rule. And while there
# is no carrier, an interface that is managed has no record at all. 1.58.1 does the same. Expected was that the change
# event, or else the restart, is enough.
#
# Needs root and mmdebstrap: it runs dbus-daemon, systemd-udevd without any other rule, and NetworkManager in a network
# namespace with three veth pairs, of which the third has no carrier. Two minutes.
set -euo pipefail

if [ "${1:-}" != inside ]; then
    folder=$(mktemp -d)
    trap 'rm -rf --one-file-system "$folder"' EXIT
    echo "building a root file system of Debian 12 with network-manager ..."
    mmdebstrap --quiet --mode=root --variant=minbase --include=network-manager,dbus,udev,iproute2 --skip=check/qemu \
        --aptopt='Acquire::Languages none' bookworm "$folder/root" >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 2; }
    cp "$0" "$folder/root/ask.sh"
    unshare --net --mount --propagation private sh -eu -c '
        mount -t proc proc "$1/proc"
        mount -t sysfs sysfs "$1/sys"
        for name in run dev tmp; do mount -t tmpfs tmpfs "$1/$name"; done
        for name in null zero random urandom; do : >"$1/dev/$name"; mount --bind "/dev/$name" "$1/dev/$name"; done
        exec timeout 300 chroot "$1" bash /ask.sh inside' sh "$folder/root" 2>"$folder/errors" | tee "$folder/seen" ||
        { cat "$folder/errors" >&2; exit 2; }
    diff -u - "$folder/seen" <<'END' || { echo "CHANGED: not what NetworkManager 1.42.4 did" >&2; exit 1; }
1.42.4
three interfaces, the third without a carrier:
  vf0: managed, udev -, record managed=true
  vf1: managed, udev -, record managed=true
  vf2: unavailable, udev -, record -
20 s after the rule:
  vf0: managed, udev NM_UNMANAGED=1, record managed=true
  vf1: managed, udev NM_UNMANAGED=1, record managed=true
  vf2: unavailable, udev NM_UNMANAGED=1, record -
after a restart:
  vf0: managed, udev NM_UNMANAGED=1, record managed=true
  vf1: managed, udev NM_UNMANAGED=1, record managed=true
  vf2: unavailable, udev NM_UNMANAGED=1, record managed=true
vf0 by nmcli, vf1 made anew:
  vf0: unmanaged, udev NM_UNMANAGED=1, record managed=false
  vf1: unmanaged, udev NM_UNMANAGED=1, record -
  vf2: unavailable, udev NM_UNMANAGED=1, record managed=true
END
    exit 0
fi

export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
mkdir -p /run/dbus /run/udev
rm -rf /usr/lib/udev/rules.d/* /usr/lib/NetworkManager/conf.d/*
printf '[main]\nplugins=keyfile\nauth-polkit=false\n[keyfile]\nunmanaged-devices=interface-name:peer*\n' \
    >/etc/NetworkManager/NetworkManager.conf

state() { # NETDEV: all that comes between a carrier and an address is "managed"
    case $(nmcli -g GENERAL.STATE device show "$1") in
    10*) echo unmanaged ;;
    20*) echo unavailable ;;
    *) echo managed ;;
    esac
}

wait_for() { # NETDEV STATE: at most 20 s
    for _ in $(seq 100); do
        if [ "$(state "$1")" = "$2" ]; then return; fi
        sleep 0.2
    done
}

start() {
    NetworkManager --no-daemon >/tmp/log 2>&1 &
    manager=$!
    for _ in $(seq 300); do
        if [ "$(nmcli -g RUNNING general 2>/dev/null)" = running ]; then return; fi
        sleep 0.2
    done
}

show() {
    echo "$1:"
    for netdev in vf0 vf1 vf2; do
        index=$(cat /sys/class/net/$netdev/ifindex)
        in_udev=$(udevadm info /sys/class/net/$netdev | grep -o 'NM_UNMANAGED=.' || echo "-")
        record=$(grep -o 'managed=.*' "/run/NetworkManager/devices/$index" 2>/dev/null || echo "-")
        echo "  $netdev: $(state $netdev), udev $in_udev, record $record"
    done
}

make_pair() {
    ip link add "vf$1" type veth peer name "peer$1"
    [ "$1" = 2 ] || ip link set "peer$1" up
}

NetworkManager --version
ip link set lo up
dbus-daemon --system --nofork --nopidfile --nosyslog >/dev/null &
bus=$!
/usr/lib/systemd/systemd-udevd >/dev/null &
udevd=$!
for _ in $(seq 100); do [ -S /run/dbus/system_bus_socket ] && [ -S /run/udev/control ] && break || sleep 0.1; done
for number in 0 1 2; do make_pair $number; done
udevadm trigger --subsystem-match=net --action=add
udevadm settle
start
for number in 0 1; do nmcli connection add type ethernet con-name vf$number ifname vf$number >/dev/null; done
wait_for vf0 managed
wait_for vf1 managed
wait_for vf2 unavailable
show "three interfaces, the third without a carrier"

echo 'SUBSYSTEM=="net", ACTION=="add|change|move", KERNEL=="vf*", ENV{NM_UNMANAGED}="1"' >/etc/udev/rules.d/70-vfs.rules
udevadm control --reload
udevadm trigger --settle --subsystem-match=net --action=change
wait_for vf0 unmanaged # which does not come
show "20 s after the rule"

kill $manager
wait $manager || true
start
wait_for vf1 managed
show "after a restart"

nmcli device set vf0 managed no
wait_for vf0 unmanaged
ip link delete vf1
make_pair 1
wait_for vf1 unmanaged
show "vf0 by nmcli, vf1 made anew"
kill $manager $udevd $bus
