#!/bin/sh
# Builds netdevsim and slowvf. Runs in the folder with slowvf/, in a root file system with a kernel's headers and source.
# $1 is the kernel's release, as of uname -r.
set -eu
[ -e /usr/bin/awk ] || ln -s mawk /usr/bin/awk # packages are unpacked here, not installed
[ -r /proc/cpuinfo ] # some scripts of the kernel's build look there

source=$(basename /usr/src/linux-source-*.tar.xz .tar.xz)
tar -xJf "/usr/src/$source.tar.xz" --strip-components=3 "$source/drivers/net/netdevsim"
echo 'obj-m := netdevsim/ slowvf/' >Kbuild
make -C "/usr/src/linux-headers-$1" M="$PWD" CONFIG_NETDEVSIM=m -j"$(nproc)" modules
strip --strip-debug netdevsim/netdevsim.ko slowvf/slowvf.ko
