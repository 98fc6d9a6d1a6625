#!/usr/bin/env bash
# kmod 30 (Debian 12): in modprobe.d a comment that ends in a backslash takes the next line with it.
#
# Seen: below `# old value was in C:\` the line `options igb max_vfs=7` does not exist for modprobe: lines are joined
# before comments are looked for. And a comment behind a line is none: `max_vfs=8 # per port` gives the module three
# parameters, one of them `#`. systemd's units and udev's rules, next door, take a comment's backslash for text.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "fetching kmod 30+20221128-1 of Debian 12 ..."
cd "$folder"
apt-get -qq -o APT::Sandbox::User=root download kmod=30+20221128-1 libkmod2=30+20221128-1
for package in *.deb; do dpkg -x "$package" .; done
ln -s bin/kmod modprobe # kmod is whatever it is called as
mkdir modprobe.d

cat >modprobe.d/nics.conf <<'END'
# the value of the old host is in N:\sriov\
options igb max_vfs=7
options ixgbe max_vfs=8 # per port
options i40e debug=16
END
LD_LIBRARY_PATH=$(echo "$folder"/lib/*-linux-gnu) ./modprobe --config modprobe.d --showconfig |
    grep -E '^options (igb|ixgbe|i40e) ' | tee seen
diff -u - seen <<'END' || { echo "CHANGED: not what kmod 30 did" >&2; exit 1; }
options ixgbe max_vfs=8 # per port
options i40e debug=16
END
