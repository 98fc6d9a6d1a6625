#!/bin/sh
# What `make test-cloud` needs: RabbitMQ, MariaDB and OVN from Debian (as root; none is started), and the services below build/cloud/RELEASE.
set -eu
cd "$(dirname "$0")/../.."
release=${1:-newest}

has_command() { PATH="$PATH:/usr/sbin:/sbin:/usr/lib/rabbitmq/bin" command -v "$1" >/dev/null 2>&1; }

missing_packages() {
    has_command rabbitmq-server || echo rabbitmq-server
    has_command mariadbd || echo mariadb-server
    has_command ovn-northd || echo ovn-central
    has_command ovn-controller || echo ovn-host
}

packages=$(missing_packages | tr '\n' ' ')
if [ -n "$packages" ]; then
    if ! has_command apt-get || [ "$(id -u)" -ne 0 ]; then
        echo "cloud: missing on this machine: $packages(run this as root on Debian or Ubuntu, or install them by hand)" >&2
        exit 1
    fi
    echo "cloud: installing: $packages"
    # Their services stay off, whatever the machine does with new ones: the tests start their own, with folders of their own.
    log=$(mktemp)
    policy=/usr/sbin/policy-rc.d
    had_policy=$([ -e $policy ] && echo yes || true)
    [ -n "$had_policy" ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy; }
    trap 'rm -f "$log"; [ -n "$had_policy" ] || rm -f $policy' EXIT INT TERM
    [ -n "$(apt-cache --names-only search '^rabbitmq-server$')" ] || apt-get -qq update
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends $packages >"$log" 2>&1 </dev/null ||
        { cat "$log" >&2; exit 1; }
fi

packaging/venv.sh "build/cloud/$release" "openstack-cloud-$release"
