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

# The newest that this Python takes, and one three years older.
packaging/venv.sh $folder/newest nova neutron &
newest=$!
# What was current in that year: an installer alone takes libraries that no longer have what these releases use.
packaging/venv.sh $folder/older 'setuptools<81' 'nova<29' 'neutron<24' 'neutron-lib<3.9' 'pyroute2<0.7.10' 'SQLAlchemy<2' 'oslo.cache<3.5' \
    'oslo.concurrency<5.3' 'oslo.config<9.3' 'oslo.context<5.3' 'oslo.db<15' 'oslo.i18n<6.2' 'oslo.limit<2.3' \
    'oslo.log<5.4' 'oslo.messaging<14.5' 'oslo.middleware<5.3' 'oslo.policy<4.3' 'oslo.privsep<3.3' 'oslo.reports<3.2' \
    'oslo.serialization<5.3' 'oslo.service<3.3' 'oslo.upgradecheck<2.3' 'oslo.utils<7' 'oslo.versionedobjects<3.3' &
older=$!
fetch_schemas
wait "$newest"
wait "$older"
