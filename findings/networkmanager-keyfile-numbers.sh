#!/usr/bin/env bash
# NetworkManager 1.42.4 (Debian 12): the number of VFs in a profile's file is read by other rules than nmcli's.
#
# Seen: `total-vfs=010` in a keyfile is 8 (a leading 0 is octal, 0x10 is 16), and `nmcli ... sriov.total-vfs 010` is
# 10. `08` and `8 # eight` are no error in a keyfile: the key is dropped in silence. What is left is an empty [sriov],
# and that means no VFs. So does `autoprobe-drivers=false` vanish, which nmcli takes as a word and writes as 0.
# Expected was one number in both places, and a warning for what is not understood.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "fetching nmcli 1.42.4-1+deb12u1 of Debian 12 ..."
cd "$folder"
apt-get -qq -o APT::Sandbox::User=root download network-manager=1.42.4-1+deb12u1 libnm0=1.42.4-1+deb12u1
for package in *.deb; do dpkg -x "$package" .; done

nmcli() {
    LD_LIBRARY_PATH=$(echo "$folder"/usr/lib/*-linux-gnu) usr/bin/nmcli --offline connection "$@" |
        sed -n '/^\[sriov\]$/,/^$/p' | tr -s '\n' ' ' && echo
}

# A profile's file with these lines in [sriov], read by libnm and written again.
keyfile() {
    printf '%-24s keyfile -> ' "$1"
    printf '[connection]\nid=pf\nuuid=5b0c5a3e-6a44-4a3c-8f6e-3f1f5c1d7a10\ntype=ethernet\n\n[sriov]\n%s\n' "$1" |
        nmcli modify connection.autoconnect yes
}

command_line() {
    printf '%-24s nmcli   -> ' "$*"
    nmcli add type ethernet con-name pf ifname ens1f0 "$@"
}

{
    keyfile total-vfs=010
    command_line sriov.total-vfs 010
    keyfile total-vfs=0x10
    keyfile total-vfs=08
    keyfile 'total-vfs=8 # eight'
    keyfile autoprobe-drivers=false
    command_line sriov.autoprobe-drivers false
} | sed 's/ *$//' | tee seen
diff -u - seen <<'END' || { echo "CHANGED: not what NetworkManager 1.42.4 did" >&2; exit 1; }
total-vfs=010            keyfile -> [sriov] total-vfs=8
sriov.total-vfs 010      nmcli   -> [sriov] total-vfs=10
total-vfs=0x10           keyfile -> [sriov] total-vfs=16
total-vfs=08             keyfile -> [sriov]
total-vfs=8 # eight      keyfile -> [sriov]
autoprobe-drivers=false  keyfile -> [sriov]
sriov.autoprobe-drivers false nmcli   -> [sriov] autoprobe-drivers=0
END
