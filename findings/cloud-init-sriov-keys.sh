#!/usr/bin/env bash
# cloud-init 22.4.2 (Debian 12): of a network config of version 2 only netplan is given what concerns VFs.
#
# Seen: `virtual-function-count`, `embedded-switch-mode` and a VF's `link` are rendered for netplan as they stand. For
# networkd, NetworkManager and eni they are dropped: exit code 0, no warning, though systemd's .link files (since 251)
# and NetworkManager's profiles have a key for the count. The VF itself is rendered, as a NIC of that name that never
# comes. So the same user data makes VFs on one image and none on the next, whose first renderer is another one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "fetching cloud-init 22.4.2-1+deb12u4 of Debian 12, and what it imports from PyPI ..."
python3 -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install --quiet --disable-pip-version-check PyYAML==6.0.3 jinja2==3.1.6 configobj==5.0.9 jsonpatch==1.33 \
    jsonschema==4.25.1 requests==2.32.5 oauthlib==3.3.1 2>pip.log ||
    { cat pip.log >&2; exit 2; }
apt-get -qq -o APT::Sandbox::User=root download cloud-init=22.4.2-1+deb12u4
dpkg -x cloud-init_*.deb .

cat >network.yaml <<'END'
network:
  version: 2
  ethernets:
    ens1f0:
      virtual-function-count: 8
      embedded-switch-mode: switchdev
      dhcp4: true
    ens1f0v0:
      link: ens1f0
      dhcp4: true
END
for renderer in netplan networkd network-manager eni; do
    PYTHONPATH=usr/lib/python3/dist-packages venv/bin/python usr/bin/cloud-init devel net-convert \
        --network-data network.yaml --kind yaml --distro debian --output-kind "$renderer" --directory "$renderer" \
        >"$renderer.log" 2>&1 || { cat "$renderer.log" >&2; exit 1; }
    echo "$renderer: $(grep -rlE 'ens1f0v0:?$' "$renderer" | wc -l) file(s) with the VF," \
        "$(grep -rhiE 'function|sr-?iov|vfs|switch|link:' "$renderer" | wc -l) line(s) about SR-IOV," \
        "$(grep -ciE 'warn|error|unknown|ignor|unsupported' "$renderer.log" || true) word(s) about it"
done | tee seen
diff -u - seen <<'END' || { echo "CHANGED: not what cloud-init 22.4.2 did" >&2; exit 1; }
netplan: 1 file(s) with the VF, 3 line(s) about SR-IOV, 0 word(s) about it
networkd: 1 file(s) with the VF, 0 line(s) about SR-IOV, 0 word(s) about it
network-manager: 1 file(s) with the VF, 0 line(s) about SR-IOV, 0 word(s) about it
eni: 1 file(s) with the VF, 0 line(s) about SR-IOV, 0 word(s) about it
END
