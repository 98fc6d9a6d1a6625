#!/bin/sh
# inside.sh ROOT PATH... -- COMMAND...: run COMMAND in the root file system ROOT, with these files and folders of this machine at
# the same place, and its processes and devices. In a mount namespace of its own: `unshare --mount` comes before it.
set -eu
root=$1
shift
mount --bind "$root" "$root" # pivot_root(2) wants a mount; chroot(2) would forbid user namespaces, which tests make
mount --rbind /dev "$root/dev"
mount --rbind /proc "$root/proc"
mount --rbind /sys "$root/sys"
for folder in /tmp /root /run; do mount -t tmpfs -o mode=1777 tmpfs "$root$folder"; done
while [ "$1" != -- ]; do
    if [ -d "$1" ]; then
        mkdir -p "$root$1"
        mount --rbind "$1" "$root$1"
    elif [ -e "$1" ]; then
        mkdir -p "$root$(dirname "$1")"
        [ -e "$root$1" ] || : >"$root$1"
        mount --bind "$1" "$root$1"
    fi
    shift
done
shift
here=$PWD
mkdir "$root/tmp/.machine"
cd "$root"
pivot_root . tmp/.machine
cd "$here"
umount -l /tmp/.machine
rmdir /tmp/.machine
exec "$@"
