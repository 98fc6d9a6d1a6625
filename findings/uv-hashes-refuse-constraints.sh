#!/usr/bin/env bash
# uv 0.13.9: with --require-hashes, a constraint on a package that nobody asks for refuses the whole installation.
#
# Seen: a lock with version and hashes of h11, and a machine-wide constraint (UV_CONSTRAINT) on another package. uv refuses,
# as the constraint is not pinned with ==, although it concerns nothing that would be installed; pip 26.0.1, given the
# same two files, installs. So who hands a machine's pip configuration on to uv must leave constraints out with locks.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "installing uv 0.13.9, pip 26.0.1 ..."
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9 pip==26.0.1 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }
cd "$folder"
venv/bin/pip download --quiet --disable-pip-version-check --no-deps --dest wheels h11==0.16.0 2>pip.log ||
    { cat pip.log >&2; exit 2; }
echo "h11==0.16.0 --hash=sha256:$(sha256sum wheels/h11-0.16.0-py3-none-any.whl | cut -d ' ' -f 1)" >lock.txt
echo "zope.interface<=8.0" >constraints.txt
here=(--no-index --find-links wheels)
venv/bin/uv --no-config venv --quiet empty

install() { UV_CONSTRAINT=$1 venv/bin/uv --no-config pip install --offline --python empty/bin/python "${here[@]}" --require-hashes -r lock.txt; }
{
    install "" >/dev/null 2>&1 && echo "uv, no constraint: installs"
    venv/bin/uv --no-config pip uninstall --quiet --python empty/bin/python h11
    if install constraints.txt 2>error; then
        echo "uv, constraint on another package: installs"
    else
        echo "uv, constraint on another package: $(sed -n 's/^ *error: //p' error)"
    fi
    PIP_CONFIG_FILE=/dev/null venv/bin/pip install --quiet --disable-pip-version-check --target target "${here[@]}" --require-hashes \
        -r lock.txt -c constraints.txt && echo "pip, the same: installs"
} | tee seen
diff -u - seen <<'END' || { echo "CHANGED: not what uv 0.13.9 did" >&2; exit 1; }
uv, no constraint: installs
uv, constraint on another package: In `--require-hashes` mode, all requirements must have their versions pinned with `==`, but found: zope-interface<=8.0
pip, the same: installs
END
