#!/usr/bin/env bash
# systemd 252.39 (Debian 12): of two `w` lines for one file tmpfiles.d keeps the first, unless one of them has a glob.
#
# Seen: of two lines with the same path systemd-tmpfiles applies that of 10-first.conf, and ignores the one of 90-last.conf
# with a line in the log. If either path has a glob, both are written, so the last one wins. systemd-sysctl does the
# opposite in two of three cases: the last line of a name wins, and a name beats a glob, wherever they are. So a
# 90-local.conf that changes the number of VFs of one NIC works against a glob, and not against the same path. Exit code 0
# always. Only the first of this is in tmpfiles.d(5). Expected was one rule in a folder, and one in two of one project.
#
# Needs root: both write the tag of a veth pair in a network namespace.
set -euo pipefail

if [ "${1:-}" != inside ]; then
    script=$(realpath "$0")
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    cd "$folder"
    echo "fetching systemd 252.39-1~deb12u2 of Debian 12 ..."
    apt-get -qq -o APT::Sandbox::User=root download systemd=252.39-1~deb12u2 libsystemd-shared=252.39-1~deb12u2
    for package in *.deb; do dpkg -x "$package" .; done
    unshare --net bash "$script" inside 2>errors | tee seen || { cat errors >&2; exit 2; }
    diff -u - seen <<'END' || { cat errors >&2; echo "CHANGED: not what systemd 252.39 did" >&2; exit 1; }
10-first: vf0 = 10, 90-last: vf0 = 90
  systemd-tmpfiles: 10, exit code 0
  systemd-sysctl: 90, exit code 0
10-first: vf* = 10, 90-last: vf0 = 90
  systemd-tmpfiles: 90, exit code 0
  systemd-sysctl: 90, exit code 0
10-first: vf0 = 10, 90-last: vf* = 90
  systemd-tmpfiles: 90, exit code 0
  systemd-sysctl: 10, exit code 0
END
    exit 0
fi

apply() { # PROGRAM TEMPLATE
    for file in 10-first 90-last; do
        [ $file = 10-first ] && name=$first || name=$last
        printf "$2\n" "$name" "${file%%-*}" >$file.conf
    done
    echo 0 >/proc/sys/net/ipv4/conf/vf0/tag
    status=0
    LD_LIBRARY_PATH=$(echo usr/lib/*-linux-gnu/systemd) $1 "$PWD/10-first.conf" "$PWD/90-last.conf" || status=$?
    program=${1%% *}
    echo "  ${program##*/}: $(cat /proc/sys/net/ipv4/conf/vf0/tag), exit code $status"
}

ip link add vf0 type veth peer name peer0
for names in 'vf0 vf0' 'vf* vf0' 'vf0 vf*'; do
    first=${names% *} last=${names#* }
    echo "10-first: $first = 10, 90-last: $last = 90"
    apply 'bin/systemd-tmpfiles --create' 'w /proc/sys/net/ipv4/conf/%s/tag - - - - %s'
    apply lib/systemd/systemd-sysctl 'net.ipv4.conf.%s.tag = %s'
done
