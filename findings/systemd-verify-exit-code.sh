#!/usr/bin/env bash
# systemd 252.39 (Debian 12): `systemd-analyze verify` is content with a unit of which it drops half.
#
# Seen: a sandbox that is misspelt, that has a comment behind its value, or that stands in a section which does not exist
# is a line on stderr, and exit code 0. A capability that does not exist is not even that. Only --recursive-errors, which
# sounds as if it was about other units, makes the file itself fail, and so does its value `no`. Expected was what verify
# says of a program that does not exist: exit code 1.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "fetching systemd 252.39-1~deb12u2 of Debian 12 ..."
cd "$folder"
apt-get -qq -o APT::Sandbox::User=root download systemd=252.39-1~deb12u2 libsystemd-shared=252.39-1~deb12u2
for package in *.deb; do dpkg -x "$package" .; done

mkdir units
cat >units/sandboxed.service <<'END'
[Service]
ExecStart=/bin/true
NoNewPrivileges=yes # for certain
ProtectSytem=strict
CapabilityBoundingSet=CAP_NET_ADMIN CAP_SYS_ADMN
ReadWritePaths=sys/devices
TimeoutStopSec=185 # nova's
[Servcie]
PrivateTmp=yes
END
printf '[Service]\nExecStart=/bin/nosuch\n' >units/lost.service
for target in basic sysinit shutdown; do printf '[Unit]\nDefaultDependencies=no\n' >units/$target.target; done

verify() {
    status=0
    SYSTEMD_UNIT_PATH=$folder/units SYSTEMD_COLORS=0 LC_ALL=C \
        LD_LIBRARY_PATH=$(echo "$folder"/usr/lib/*-linux-gnu/systemd) \
        usr/bin/systemd-analyze verify --man=no "$@" 2>said || status=$?
    sed "s|$folder/||" said
    echo "verify $*: exit code $status"
}

{
    verify sandboxed.service
    verify --recursive-errors=no sandboxed.service | tail -n 1
    verify lost.service
} | tee seen
diff -u - seen <<'END' || { echo "CHANGED: not what systemd 252.39 did" >&2; exit 1; }
units/sandboxed.service:3: Failed to parse boolean value, ignoring: yes # for certain
units/sandboxed.service:4: Unknown key 'ProtectSytem' in section [Service], ignoring.
units/sandboxed.service:6: ReadWritePaths= path is not absolute, ignoring: sys/devices
units/sandboxed.service:7: Failed to parse time value, ignoring: 185 # nova's
units/sandboxed.service:8: Unknown section 'Servcie'. Ignoring.
verify sandboxed.service: exit code 0
verify --recursive-errors=no sandboxed.service: exit code 1
lost.service: Command /bin/nosuch is not executable: No such file or directory
verify lost.service: exit code 1
END
