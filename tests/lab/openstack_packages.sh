#!/bin/sh
# Debian's own packages into a root file system that has the main guest's: the SR-IOV agent, libvirt, and of nova-compute the
# unit and its init script: what they start would need a conductor, and is a stand-in. No VM will run, so QEMU stays out.
# usage: openstack_packages.sh ROOT      (a hook of mmdebstrap, which has mounted /proc, /sys and /dev there)
set -eu
root=$1

in_guest() { chroot "$root" env DEBIAN_FRONTEND=noninteractive INITRD=No "$@"; }
apt() { in_guest apt-get -qq -o Acquire::Languages=none -o APT::Install-Recommends=0 "$@"; }

cp /etc/resolv.conf "$root/etc/resolv.conf"
exclude=
for pattern in '/usr/share/doc/*' '/usr/share/man/*' '/usr/share/locale/*' '/usr/bin/qemu-*' '/usr/share/qemu/*' \
    '/usr/share/seabios/*' '/usr/lib/ipxe/*' '/usr/lib/*/qemu/*'; do
    exclude="$exclude -o DPkg::Options::=--path-exclude=$pattern"
done
log="$root/var/log/lab-install"
set -f # the patterns are dpkg's
{
    apt update
    apt $exclude install --yes neutron-sriov-agent libvirt-daemon-system libvirt-clients
    in_guest sh -c 'cd /tmp && apt-get -qq -o APT::Sandbox::User=root download nova-compute'
} >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
set +f

in_guest useradd --system --create-home --home-dir /var/lib/nova nova
dpkg-deb --fsys-tarfile "$root"/tmp/nova-compute_*.deb |
    tar -x -C "$root" ./usr/lib/systemd/system/nova-compute.service ./etc/init.d/nova-compute
rm "$root"/tmp/nova-compute_*.deb
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*

# What a test needs it starts: a boot costs no more than the main guest's.
systemctl --quiet --root="$root" disable neutron-sriov-agent.service libvirtd.service
systemctl --quiet --root="$root" mask $(cd "$root/usr/lib/systemd/system" && ls -- *.timer) polkit.service \
    systemd-machined.service libvirt-guests.service
touch "$root/etc/.updated" "$root/var/.updated" # else systemd rebuilds its caches at each boot
