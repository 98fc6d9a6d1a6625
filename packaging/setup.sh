#!/bin/sh
# Installs what build, lint and unit tests need: Debian packages (as root, on Debian or Ubuntu) and .venv.
# Silent and quick when everything is installed. tests/lab/setup.sh installs what the lab needs in addition.
set -eu
cd "$(dirname "$0")/.."

fail() { echo "setup: $*" >&2; exit 1; }
has_command() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1; }
has_package() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Debian's first: it is optimised for what programs do, and needs a fifth less time than those that version managers build.
# A version manager's shim for a missing version does not run; Debian's Python has no ensurepip without python3-venv.
find_python() {
    for python in /usr/bin/python3 python3 python3.13 python3.12 python3.11 python3.14; do
        if "$python" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            echo "$python"
            return
        fi
    done
}

# --- Debian packages -------------------------------------------------------------------------------------------------
missing_packages() {
    has_command make || echo make
    has_command dpkg-buildpackage || echo dpkg-dev
    has_command lintian || echo lintian
    has_command dbus-daemon || echo dbus-daemon
    has_command systemd-analyze || echo systemd
    has_command udevadm || echo udev
    has_command mandoc || echo mandoc
    has_command openssl || echo openssl
    has_command curl || echo curl
    has_command zsh || echo zsh
    has_command fish || echo fish
    has_command jsonnet || echo jsonnet
    has_command rpmbuild || echo rpm
    has_command rpmlint || echo rpmlint
    has_command unzip || echo unzip
    if has_command dpkg-query; then
        for package in debhelper dh-python pybuild-plugin-pyproject python3-all python3-setuptools; do
            has_package "$package" || echo "$package"
        done
    fi
    [ -n "$(find_python)" ] || echo python3-venv
    ldconfig -p 2>/dev/null | grep -q libudev.so.1 || echo libudev1
}

# Non-interactive: a changed configuration file is kept without asking.
apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Options::=--force-confold "$@" >"$log" 2>&1 </dev/null ||
        { cat "$log" >&2; return 1; }
}

# At most once per run, and only if something is missing.
update_lists() {
    [ -n "${lists_are_new:-}" ] || apt update || fail "apt-get update failed"
    lists_are_new=yes
}

use_scratch() {
    [ -z "${scratch:-}" ] || return 0
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT INT TERM
    log="$scratch/log"
}

packages=$(PATH="$PATH:/usr/sbin:/sbin" missing_packages | tr '\n' ' ')
if [ -n "$packages" ]; then
    if ! has_command apt-get || [ "$(id -u)" -ne 0 ]; then
        fail "missing on this machine: $packages(run this as root on Debian or Ubuntu, or install them by hand)"
    fi
    echo "setup: installing: $packages"
    use_scratch
    update_lists
    # shellcheck disable=SC2086
    apt install --yes --no-install-recommends $packages || fail "apt-get could not install: $packages"
fi

# --- .venv -----------------------------------------------------------------------------------------------------------
# The stamp is there only while all of it is: a run that is killed in between leaves none, and the next one begins anew.
stamp=.venv/.setup
lock=packaging/locks/dev.txt
wanted() { { .venv/bin/python --version && cat $lock packaging/setup.sh; } 2>/dev/null | sha256sum; }
if [ "$(cat "$stamp" 2>/dev/null)" != "$(wanted)" ] || ! .venv/bin/python -c '' 2>/dev/null; then
    is_whole=$([ ! -e "$stamp" ] || ! .venv/bin/python -c 'import pip' 2>/dev/null || echo yes)
    rm -f "$stamp"
    if [ -z "$is_whole" ]; then
        python=$(find_python)
        [ -n "$python" ] || fail "no Python >= 3.11 with ensurepip (Debian: python3-venv)"
        echo "setup: creating .venv with $("$python" --version)"
        "$python" -m venv --clear .venv
    fi
    echo "setup: installing Python packages into .venv"
    # uv itself comes from its entry in the lock, which also has the build backend, so that a build downloads nothing.
    sed -n '/^uv==/,/[^\\]$/p' $lock >.venv/uv.txt
    .venv/bin/python -m pip --quiet --disable-pip-version-check install --require-hashes --only-binary :all: -r .venv/uv.txt </dev/null
    .venv/bin/python packaging/uv.py pip install --quiet --python .venv/bin/python --require-hashes --only-binary :all: -r $lock </dev/null
    wanted >"$stamp"
fi

# --- promtool, prometheus --------------------------------------------------------------------------------------------
# Only looked for now: .venv loses what it has of them when it is created again.
missing_tools() {
    for tool in promtool prometheus; do
        has_command "$tool" || [ -x ".venv/bin/$tool" ] || echo "$tool"
    done
}
tools=$(missing_tools)
[ -z "$tools" ] || use_scratch

# Extracted from Debian's packages without installing them, since a test run must not start a server. Up to Debian 12, promtool
# is in the server's package; later it has its own.
for tool in $tools; do
    has_command apt-get || fail "missing on this machine: $tool (part of Prometheus)"
    echo "setup: fetching $tool"
    apt-cache show prometheus >/dev/null 2>&1 || update_lists
    package=$(apt-cache --names-only search "^$tool\$" | cut -d ' ' -f 1)
    package=${package:-prometheus}
    chmod 755 "$scratch"
    ls "$scratch/${package}"_*.deb >/dev/null 2>&1 || (cd "$scratch" && apt download "$package") ||
        fail "cannot download Debian's package $package, which has $tool"
    dpkg-deb --fsys-tarfile "$scratch/${package}"_*.deb | tar -xO "./usr/bin/$tool" >"$scratch/$tool"
    install -m 755 "$scratch/$tool" ".venv/bin/$tool"
done
