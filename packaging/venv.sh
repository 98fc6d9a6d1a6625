#!/bin/sh
# venv.sh FOLDER REQUIREMENT...: a venv of its own with these, from .venv's Python. Made anew only when what it is made from
# has changed.
set -eu
cd "$(dirname "$0")/.."
folder=$1
shift
wanted=$(echo "$(.venv/bin/python --version) $*" | sha256sum)
[ "$(cat "$folder/.setup" 2>/dev/null)" = "$wanted" ] && exit
echo "setup: installing $* into $folder"
.venv/bin/python -m venv --clear "$folder"
"$folder/bin/pip" --quiet --disable-pip-version-check install "$@" </dev/null
echo "$wanted" >"$folder/.setup"
