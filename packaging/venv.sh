#!/bin/sh
# venv.sh FOLDER NAME: a venv of its own with what packaging/locks/NAME.txt says, from .venv's Python. Made anew only when what
# it is made from has changed.
set -eu
cd "$(dirname "$0")/.."
folder=$1
lock=packaging/locks/$2.txt
wanted=$({ .venv/bin/python --version; cat "$lock" packaging/venv.sh; } | sha256sum)
[ "$(cat "$folder/.setup" 2>/dev/null)" = "$wanted" ] && exit
echo "setup: installing $lock into $folder"
# A lock with build tools has something that is published as source alone: it is built, and with these very tools.
only="--only-binary :all:"
if grep -q '^wheel==' "$lock"; then only="--build-constraints $lock"; fi
.venv/bin/python packaging/uv.py venv --quiet --clear --python .venv/bin/python "$folder"
# shellcheck disable=SC2086
.venv/bin/python packaging/uv.py pip install --quiet --python "$folder/bin/python" --require-hashes $only -r "$lock" </dev/null
echo "$wanted" >"$folder/.setup"
