#!/usr/bin/env bash
# ifupdown2 3.0.0 (Debian 12): `inherits` drops the template's commands, and a pre-up that fails stops nothing.
#
# Seen: three packages read /etc/network/interfaces, and each replaces the others. Of a stanza that inherits another one,
# ifupdown 0.8.41 and ifupdown-ng 0.11.4 run the template's pre-up and then its own; ifupdown2 runs only its own. If a
# pre-up fails, these two exit with 1 and run no up command; ifupdown2 warns, goes on, and exits with 0. So the VFs that
# a template makes are missing once the package has changed, and what needs VFs is started although none could be made.
# Expected was one meaning of one file.
#
# Needs root: each runs on a veth pair in a network namespace, in an overlay of this system.
set -euo pipefail

if [ "${1:-}" != inside ]; then
    script=$(realpath "$0")
    folder=$(mktemp -d)
    trap 'rm -rf --one-file-system "$folder"' EXIT
    cd "$folder"
    echo "fetching ifupdown 0.8.41, ifupdown-ng 0.11.4 and ifupdown2 3.0.0 of Debian 12 ..."
    apt-get -qq -o APT::Sandbox::User=root download ifupdown=0.8.41 ifupdown-ng=0.11.4~rc1-1+b2 ifupdown2=3.0.0-1.1
    unshare --net --mount --propagation private bash "$script" inside 2>errors | tee seen || { cat errors >&2; exit 2; }
    diff -u - seen <<'END' || { cat errors >&2; echo "CHANGED: not what these versions did" >&2; exit 1; }
ifupdown, all works: exit code 0
  pre-up of the template
  pre-up of its own
  up
ifupdown, a pre-up fails: exit code 1
  pre-up of the template
  pre-up of its own
ifupdown-ng, all works: exit code 0
  pre-up of the template
  pre-up of its own
  up
ifupdown-ng, a pre-up fails: exit code 1
  pre-up of the template
  pre-up of its own
ifupdown2, all works: exit code 0
  pre-up of its own
  up
ifupdown2, a pre-up fails: exit code 0
  pre-up of its own
  up
END
    exit 0
fi

cat >interfaces <<'END'
iface template inet manual
    pre-up echo "pre-up of the template" >>/tmp/said

iface vf0 inet manual inherits template
    pre-up echo "pre-up of its own" >>/tmp/said
    pre-up test ! -e /tmp/fails
    up echo "up" >>/tmp/said
END
ip link add vf0 type veth peer name peer0
mkdir lower root
mount -t tmpfs tmpfs lower # the folders of an overlay must not contain each other
for name in ifupdown ifupdown-ng ifupdown2; do
    dpkg -x ${name}_*.deb lower/$name
    for place in sbin lib; do # links to those below /usr, which they would replace
        [ -d lower/$name/$place ] || continue
        mkdir -p lower/$name/usr/$place
        cp -a lower/$name/$place/. lower/$name/usr/$place/
        rm -r lower/$name/$place
    done
    mount -t overlay -o "lowerdir=$PWD/lower/$name:/" overlay root
    for place in run tmp var/tmp; do mount -t tmpfs tmpfs root/$place; done
    for place in dev proc sys; do mount --rbind /$place root/$place; done
    mkdir -p root/run/network root/var/tmp/network
    cp interfaces root/tmp/
    ln -s /usr/share/ifupdown2/__main__.py root/tmp/ifup
    command=(/sbin/ifup)
    [ $name = ifupdown2 ] && command=(/usr/bin/python3 /tmp/ifup) # which its postinst would make executable
    for case in "all works" "a pre-up fails"; do
        rm -rf root/run/network/* root/tmp/said
        [ "$case" = "all works" ] || : >root/tmp/fails
        code=0
        PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot root "${command[@]}" --force -i /tmp/interfaces vf0 >/dev/null || code=$?
        echo "$name, $case: exit code $code"
        sed 's/^/  /' root/tmp/said
    done
    umount --lazy root
done
