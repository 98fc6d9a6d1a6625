#!/bin/sh
# Installs on Debian and Ubuntu, as root, what the lab needs on the host. Silent and quick when everything is there.
# Anywhere else it names what is missing and exits 1.
set -eu

mirror() { # Where this machine gets Debian from, unless SRIOV_LAB_MIRROR says otherwise.
    if [ -n "${SRIOV_LAB_MIRROR:-}" ]; then
        echo "$SRIOV_LAB_MIRROR"
    else
        apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
            awk '$1 !~ /[-\/]/ { print $2; exit }' # "bookworm" or "stable", not "bookworm-security"
    fi
}

has_command() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1; }
has_igb() { has_command qemu-system-x86_64 && qemu-system-x86_64 -device igb,help >/dev/null 2>&1; }

missing_packages() {
    has_command mmdebstrap || echo mmdebstrap
    has_command mke2fs || echo e2fsprogs
    has_command ssh && has_command ssh-keygen || echo openssh-client
    has_command qemu-img || echo qemu-utils
    has_command sudo || echo sudo # diskimage-builder calls it
    has_command genisoimage || echo genisoimage
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || echo debian-archive-keyring
}

install() {
    DEBIAN_FRONTEND=noninteractive apt-get "$@" install --yes -qq --no-install-recommends $packages >"$log" 2>&1 ||
        { cat "$log" >&2; echo "lab: apt-get could not install: $packages" >&2; exit 1; }
}

has_package_lists() { [ -n "$(find /var/lib/apt/lists -name '*_Packages*' -print -quit)" ]; }

# Backports are read through a private copy of apt's sources and lists, so that the machine's own stay as they are.
install_from_backports() {
    suite="$VERSION_CODENAME-backports"
    mkdir -p "$scratch/parts" "$scratch/lists/partial"
    cp -a /etc/apt/sources.list "$scratch/sources.list" 2>/dev/null || : >"$scratch/sources.list"
    cp -a /etc/apt/sources.list.d/. "$scratch/parts/" 2>/dev/null || :
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(mirror) $suite main" \
        >"$scratch/parts/sriov-lab-backports.list"
    chmod -R a+rX "$scratch"
    set -- -o Dir::Etc::SourceList="$scratch/sources.list" -o Dir::Etc::SourceParts="$scratch/parts" \
        -o Dir::State::Lists="$scratch/lists" -o APT::Sandbox::User=root
    apt-get "$@" update -qq
    packages="$packages qemu-system-x86 qemu-utils"
    install "$@" -t "$suite"
}

packages=$(missing_packages | tr '\n' ' ')
if [ -z "$packages" ] && has_igb; then exit 0; fi

if ! has_command apt-get || [ "$(id -u)" -ne 0 ]; then
    has_igb || packages="$packages qemu-system-x86 (8.0 or newer, with '-device igb')"
    echo "lab: missing on this machine: $packages" >&2
    echo "lab: run tests/lab/setup.sh as root on Debian or Ubuntu, or install these by hand" >&2
    exit 1
fi

. /etc/os-release
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT INT TERM
log="$scratch/log"

echo "lab: installing: $packages$(has_igb || echo qemu-system-x86)"
has_package_lists || apt-get update -qq

if ! has_igb; then
    candidate=$(apt-cache policy qemu-system-x86 | awk '/Candidate:/ { print $2 }')
    if dpkg --compare-versions "${candidate#*:}" ge 8; then
        packages="$packages qemu-system-x86"
        install
    elif [ "$ID" = debian ]; then
        install_from_backports
    fi
else
    install
fi

if ! has_igb; then
    echo "lab: QEMU has no 'igb' device: it takes QEMU 8.0 or newer" >&2
    exit 1
fi
