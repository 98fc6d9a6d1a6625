#!/bin/sh
# Debian's own libvirt and QEMU into a root file system that has the main guest's, and of the kernel's package the modules
# of KVM, which the main guest does without; kvm-amd takes symbols from ccp.
# usage: verify_packages.sh ROOT      (a hook of mmdebstrap, which has mounted /proc, /sys and /dev there)
set -eu
root=$1

in_guest() { chroot "$root" env DEBIAN_FRONTEND=noninteractive INITRD=No "$@"; }
apt() { in_guest apt-get -qq -o Acquire::Languages=none -o APT::Install-Recommends=0 "$@"; }

cp /etc/resolv.conf "$root/etc/resolv.conf"
exclude=
for pattern in '/usr/share/doc/*' '/usr/share/man/*' '/usr/share/locale/*'; do
    exclude="$exclude -o DPkg::Options::=--path-exclude=$pattern"
done
release=$(ls "$root/usr/lib/modules")
log="$root/var/log/lab-install"
set -f # the patterns are dpkg's
{
    apt update
    apt $exclude install --yes qemu-system-x86 libvirt-daemon-system libvirt-clients
    version=$(in_guest dpkg-query -W -f '${Version}' "linux-image-$release")
    in_guest sh -c "cd /tmp && apt-get -qq -o APT::Sandbox::User=root download linux-image-$release=$version"
} >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
set +f

dpkg-deb --fsys-tarfile "$root"/tmp/linux-image-*.deb |
    tar -x -C "$root" --wildcards './usr/lib/modules/*/kernel/arch/x86/kvm' './usr/lib/modules/*/kernel/virt' \
        './usr/lib/modules/*/kernel/drivers/crypto/ccp'
rm "$root"/tmp/linux-image-*.deb
in_guest depmod "$release"
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*

# What a test needs it starts: a boot costs no more than the main guest's.
systemctl --quiet --root="$root" disable libvirtd.service
systemctl --quiet --root="$root" mask $(cd "$root/usr/lib/systemd/system" && ls -- *.timer) polkit.service \
    libvirt-guests.service
touch "$root/etc/.updated" "$root/var/.updated" # else systemd rebuilds its caches at each boot
