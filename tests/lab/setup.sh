#!/bin/sh
# Installs on Debian and Ubuntu, as root, what the lab needs on the host. Silent and quick when everything is there.
# Anywhere else it names what is missing and exits 1. QEMU is not among it: emulator.py.
set -eu

has_command() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1; }

missing_packages() {
    has_command mmdebstrap || echo mmdebstrap
    has_command mke2fs || echo e2fsprogs
    has_command ssh && has_command ssh-keygen || echo openssh-client
    has_command qemu-img || echo qemu-utils # diskimage-builder calls it
    has_command sudo || echo sudo           # and this
    has_command genisoimage || echo genisoimage
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || echo debian-archive-keyring
}

packages=$(missing_packages | tr '\n' ' ')
[ -n "$packages" ] || exit 0

if ! has_command apt-get || [ "$(id -u)" -ne 0 ]; then
    echo "lab: missing on this machine: $packages" >&2
    echo "lab: run tests/lab/setup.sh as root on Debian or Ubuntu, or install these by hand" >&2
    exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT INT TERM
apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" >"$log" 2>&1 </dev/null || {
        cat "$log" >&2
        echo "lab: apt-get could not install: $packages" >&2
        exit 1
    }
}

echo "lab: installing: $packages"
[ -n "$(find /var/lib/apt/lists -name '*_Packages*' -print -quit)" ] || apt update
# shellcheck disable=SC2086
apt install --yes --no-install-recommends $packages
