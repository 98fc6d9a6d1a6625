#!/usr/bin/env bash
# udev 252.39 (Debian 12): `udevadm test` really writes what a rule assigns, and renames the interface.
#
# Seen: "Simulate a udev event run", says its manual, and that it does not run what RUN names. It does not; but
# ATTR{mtu} and ATTR{ifalias} are written, NAME renames the interface, and udev's database gets a record with the rule's
# properties. So to try a rule with ATTR{device/sriov_numvfs}="0" on a host with VMs is to write that 0.
# Expected was that a test tells, and changes nothing.
#
# Needs root: it runs on a veth pair in a network namespace, with one rule and no other.
set -euo pipefail

if [ "${1:-}" != inside ]; then
    script=$(realpath "$0")
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    cd "$folder"
    echo "fetching udev 252.39-1~deb12u2 of Debian 12 ..."
    apt-get -qq -o APT::Sandbox::User=root download udev=252.39-1~deb12u2
    dpkg -x udev_*.deb .
    unshare --net --mount --propagation private bash "$script" inside 2>errors | tee seen || { cat errors >&2; exit 2; }
    diff -u - seen <<'END' || { cat errors >&2; echo "CHANGED: not what udev 252.39 did" >&2; exit 1; }
before:
  vf0: mtu 1500, alias "", no record in udev's database
udevadm test: exit code 0
  run: '/bin/touch /run/ran'
after:
  vf9: mtu 1400, alias "of the rule", a record in udev's database
  RUN was not run
END
    exit 0
fi

show() {
    for place in /sys/class/net/vf*; do
        record=no
        grep -qs OF_THE_RULE "/run/udev/data/n$(cat "$place/ifindex")" && record=a
        echo "  ${place##*/}: mtu $(cat "$place/mtu"), alias \"$(cat "$place/ifalias")\", $record record in udev's database"
    done
}

for place in /etc/udev/rules.d /usr/lib/udev/rules.d /run; do
    [ ! -d "$place" ] || mount -t tmpfs tmpfs "$place"
done
mount -t sysfs sysfs /sys
ip link add vf0 type veth peer name peer0
mkdir -p /run/udev/rules.d
cat >/run/udev/rules.d/90-try.rules <<'END'
SUBSYSTEM=="net", KERNEL=="vf0", ATTR{mtu}="1400", ATTR{ifalias}="of the rule", ENV{OF_THE_RULE}="1", \
    NAME="vf9", RUN+="/bin/touch /run/ran"
END
echo "before:"
show
bin/udevadm test --action=add /sys/class/net/vf0 >said
echo "udevadm test: exit code $?"
sed -n 's/^run: /  run: /p' said
echo "after:"
show
[ -e /run/ran ] || echo "  RUN was not run"
