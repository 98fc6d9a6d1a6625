#!/usr/bin/env bash
# systemd 252.39, kmod 30, initramfs-tools 0.142 (Debian 12): `igb max_vfs=7` in a list of modules means three things.
#
# Seen: initramfs-tools hands such a line of /etc/initramfs-tools/modules to modprobe. /etc/modules looks the same, and has
# two readers: kmod's init script loads igb with the option, although modules(5) of the same package says that there are no
# options; systemd-modules-load, which replaces it, looks for a module whose name is the whole line, loads nothing, and exits
# with 0. So the line that worked in one file, or before systemd, keeps the driver away. Expected was that the option is
# lost alone, or that the unit fails.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "fetching systemd 252.39, kmod 30 and initramfs-tools 0.142 of Debian 12 ..."
cd "$folder"
apt-get -qq -o APT::Sandbox::User=root download systemd=252.39-1~deb12u2 libsystemd-shared=252.39-1~deb12u2 \
    kmod=30+20221128-1 initramfs-tools-core=0.142+deb12u3
for package in *.deb; do dpkg -x "$package" .; done

echo 'igb max_vfs=7' >list
mkdir fake
printf '#!/bin/sh\necho "modprobe $*" >>%s/calls\n' "$folder" >fake/modprobe
chmod +x fake/modprobe
# Both scripts as they are, but for where they look for the list and modprobe, and for what stands for a kernel with modules.
sed -e "s|/conf/modules|$folder/list|; s|/sbin/modprobe|fake/modprobe|" \
    usr/share/initramfs-tools/scripts/functions >functions
sed -e "s|/etc/modules\$|$folder/list|; s|/[a-z/]*/modules-load.d||g; s|/sbin/modprobe|fake/modprobe|" \
    -e "s|^PATH='|&$folder/fake:|; s|/proc/modules|/proc/version|" etc/init.d/kmod >init

run() { # NAME COMMAND...
    : >calls
    status=0
    "${@:2}" >said 2>&1 || status=$?
    echo "$1: $(cat calls)$(grep -o 'Failed to find module.*' said || true), exit code $status"
}

{
    run initramfs-tools sh -c '. ./functions; load_modules'
    run "kmod's init script" sh init start
    run systemd-modules-load env LD_LIBRARY_PATH="$(echo "$folder"/usr/lib/*-linux-gnu/systemd)" \
        lib/systemd/systemd-modules-load "$folder/list"
    zcat usr/share/man/man5/modules.5.gz | sed -n 's/^.*\(Options can only be specified\).*/modules(5): \1/p'
} | tee seen
diff -u - seen <<'END' || { echo "CHANGED: not what these versions did" >&2; exit 1; }
initramfs-tools: modprobe igb max_vfs=7, exit code 0
kmod's init script: modprobe igb max_vfs=7, exit code 0
systemd-modules-load: Failed to find module 'igb max_vfs=7', exit code 0
modules(5): Options can only be specified
END
