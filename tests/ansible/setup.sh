#!/bin/sh
# ansible-core and ansible-lint below build/ansible: for packaging/ansible and its tests. Made anew only when what it is
# made from has changed. Nothing is installed on this machine.
set -eu
cd "$(dirname "$0")/../.."
venv=build/ansible/venv

# 2.19 is the last one for Python 3.11, which is Debian 12's.
set -- 'ansible-core>=2.19,<2.20' 'ansible-lint>=26'
wanted=$(echo "$(.venv/bin/python --version) $*" | sha256sum)
[ "$(cat "$venv/.setup" 2>/dev/null)" = "$wanted" ] && exit
echo "setup: installing $* into $venv"
.venv/bin/python -m venv --clear "$venv"
"$venv/bin/pip" --quiet --disable-pip-version-check install "$@" </dev/null
echo "$wanted" >"$venv/.setup"
