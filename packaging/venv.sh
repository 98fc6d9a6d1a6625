#!/bin/sh
# venv.sh FOLDER NAME: a separate venv with the packages in packaging/locks/NAME.txt, from .venv's Python. Only rebuilt when its
# inputs have changed.
set -eu
cd "$(dirname "$0")/.."
folder=$1
lock=packaging/locks/$2.txt
wanted=$({ .venv/bin/python --version; cat "$lock" packaging/venv.sh; } | sha256sum)
[ "$(cat "$folder/.setup" 2>/dev/null)" = "$wanted" ] && exit
echo "setup: installing $lock into $folder"
# A lock that lists build tools contains packages published only as source: they are built, with exactly these tools.
only="--only-binary :all:"
if grep -q '^wheel==' "$lock"; then only="--build-constraints $lock"; fi
.venv/bin/python packaging/uv.py venv --quiet --clear --python .venv/bin/python "$folder"
# shellcheck disable=SC2086
.venv/bin/python packaging/uv.py pip install --quiet --python "$folder/bin/python" --require-hashes $only -r "$lock" </dev/null
echo "$wanted" >"$folder/.setup"
