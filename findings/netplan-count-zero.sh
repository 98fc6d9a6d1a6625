#!/usr/bin/env bash
# netplan 0.106 (Debian 12): `virtual-function-count: 0` removes no VF, and VFs above the count only `apply` refuses.
#
# Seen: the part of `netplan apply` that makes VFs passes over a PF whose count is 0, as over one without the key: VFs
# that are there stay, on a host whose YAML says none. And the key is a limit, not a minimum: three VFs with `link:`
# below a count of 2 pass `netplan generate` with exit code 0, in silence, and are a ConfigurationError of `netplan
# apply`, which at boot is run by a udev rule whose errors only udev's log has. Without the key three such VFs are
# three VFs.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "fetching netplan 0.106-2+deb12u1 of Debian 12 ..."
cd "$folder"
apt-get -qq -o APT::Sandbox::User=root download netplan.io=0.106-2+deb12u1 libnetplan0=0.106-2+deb12u1 \
    python3-netifaces=0.11.0-2+b1 python3-yaml=6.0-3+b2
for package in *.deb; do dpkg -x "$package" .; done
library=$(echo "$folder"/usr/lib/*-linux-gnu/libnetplan.so.0.0)

cat >count.py <<'END'
import sys

from netplan import libnetplan
from netplan.cli import sriov
from netplan.configmanager import ConfigurationError

parser, state = libnetplan.Parser(), libnetplan.State()
parser.load_yaml_hierarchy(sys.argv[1])
state.import_parser_results(parser)
counts: dict[str, int] = {}
try:
    sriov.get_vf_count_and_functions(["ens1f0"], state, counts, {}, {})
    print("  apply:   ", f"sets {counts}" if counts else "sets nothing")
except ConfigurationError as error:
    print("  apply:   ", error)
END
try() {
    echo "$*"
    root=$(mktemp -d -p "$folder")
    mkdir -p "$root/etc/netplan"
    printf 'network:\n  version: 2\n  ethernets:\n' >"$root/etc/netplan/1.yaml"
    printf '    %s\n' "$@" >>"$root/etc/netplan/1.yaml"
    chmod 600 "$root/etc/netplan/1.yaml"
    code=0
    LD_PRELOAD=$library usr/libexec/netplan/generate --root-dir "$root" || code=$?
    echo "  generate:  exit code $code"
    LD_PRELOAD=$library PYTHONPATH=usr/share/netplan:usr/lib/python3/dist-packages \
        /usr/bin/python3 count.py "$root" 2>log || cat log
}
{
    try 'ens1f0: {virtual-function-count: 2}'
    try 'ens1f0: {virtual-function-count: 0}'
    try 'ens1f0: {virtual-function-count: 2}' 'vf0: {link: ens1f0}' 'vf1: {link: ens1f0}' 'vf2: {link: ens1f0}'
    try 'ens1f0: {}' 'vf0: {link: ens1f0}' 'vf1: {link: ens1f0}' 'vf2: {link: ens1f0}'
} | tee seen
diff -u - seen <<'END' || { echo "CHANGED: not what netplan 0.106 did" >&2; exit 1; }
ens1f0: {virtual-function-count: 2}
  generate:  exit code 0
  apply:    sets {'ens1f0': 2}
ens1f0: {virtual-function-count: 0}
  generate:  exit code 0
  apply:    sets nothing
ens1f0: {virtual-function-count: 2} vf0: {link: ens1f0} vf1: {link: ens1f0} vf2: {link: ens1f0}
  generate:  exit code 0
  apply:    more VFs allocated than the explicit size declared: 3 > 2
ens1f0: {} vf0: {link: ens1f0} vf1: {link: ens1f0} vf2: {link: ens1f0}
  generate:  exit code 0
  apply:    sets {'ens1f0': 3}
END
