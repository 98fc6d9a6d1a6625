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
.venv/bin/python packaging/uv.py venv --quiet --clear --python .venv/bin/python "$folder"
.venv/bin/python packaging/uv.py pip install --quiet --python "$folder/bin/python" "$@" </dev/null
echo "$wanted" >"$folder/.setup"
