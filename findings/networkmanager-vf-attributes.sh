#!/usr/bin/env bash
# NetworkManager 1.42.4 (Debian 12): in `vf.N=` of a profile's file one unknown attribute ends the line in silence.
#
# Seen: of `vf.0=spoof-check=true trusted=false vlans=100` (the word is `trust`) the VLAN is lost and the VF is
# untagged, with nothing said and exit code 0. The same text given to nmcli is an error that names the attribute.
# Expected was that error, or the loss of the one attribute that is not known.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "fetching nmcli 1.42.4-1+deb12u1 of Debian 12 ..."
cd "$folder"
apt-get -qq -o APT::Sandbox::User=root download network-manager=1.42.4-1+deb12u1 libnm0=1.42.4-1+deb12u1
for package in *.deb; do dpkg -x "$package" .; done

nmcli() {
    LC_ALL=C LD_LIBRARY_PATH=$(echo "$folder"/usr/lib/*-linux-gnu) usr/bin/nmcli --offline connection "$@"
}

profile() {
    printf '[connection]\nid=pf\nuuid=5b0c5a3e-6a44-4a3c-8f6e-3f1f5c1d7a10\ntype=ethernet\n\n'
    printf '[sriov]\ntotal-vfs=1\nvf.0=%s\n' "$1"
}

{
    for attributes in 'spoof-check=true trust=false vlans=100' 'spoof-check=true trusted=false vlans=100'; do
        echo "file:  vf.0=$attributes"
        profile "$attributes" | nmcli modify connection.autoconnect yes 2>&1 | sed -n 's/^vf/kept:  vf/p'
    done
    echo "nmcli: 0 $attributes"
    # It fails, which is the point.
    nmcli add type ethernet con-name pf ifname ens1f0 sriov.vfs "0 $attributes" 2>&1 | cut -d. -f1-2 || true
} | tee seen
diff -u - seen <<'END' || { echo "CHANGED: not what NetworkManager 1.42.4 did" >&2; exit 1; }
file:  vf.0=spoof-check=true trust=false vlans=100
kept:  vf.0=spoof-check=true trust=false vlans=100
file:  vf.0=spoof-check=true trusted=false vlans=100
kept:  vf.0=spoof-check=true
nmcli: 0 spoof-check=true trusted=false vlans=100
Error: failed to modify sriov.vfs: unknown attribute 'trusted'
END
