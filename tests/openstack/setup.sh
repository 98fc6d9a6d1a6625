#!/bin/sh
# nova and neutron of two releases, and libvirt's schemas, below build/openstack: for the tests with the real code.
# Each is made anew only when what it is made from has changed. Nothing is installed on this machine.
set -eu
cd "$(dirname "$0")/../.."
folder=build/openstack
mkdir -p "$folder"

# Out of Debian's package without installing it: libvirt is not needed to know what it takes.
fetch_schemas() {
    [ -e "$folder/schemas/domain.rng" ] && return
    echo "setup: fetching libvirt's schemas"
    scratch=$(mktemp -d)
    chmod 755 "$scratch"
    [ -n "$(apt-cache --names-only search '^libvirt0$')" ] || apt-get -qq update
    package=$(apt-cache --names-only search '^libvirt-common$' | cut -d ' ' -f 1) # since Debian 13
    (cd "$scratch" && apt-get -qq download "${package:-libvirt0}")
    dpkg-deb -x "$scratch"/*.deb "$scratch/tree"
    rm -rf "$folder/schemas" && mv "$scratch/tree/usr/share/libvirt/schemas" "$folder/schemas"
    rm -rf "$scratch"
}

packaging/venv.sh $folder/newest openstack-newest &
newest=$!
packaging/venv.sh $folder/older openstack-older &
older=$!
fetch_schemas
wait "$newest"
wait "$older"
