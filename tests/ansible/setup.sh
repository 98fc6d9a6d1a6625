#!/bin/sh
# ansible-core and ansible-lint in build/ansible/venv: for the tests of packaging/ansible. Made anew only when this file
# has changed. Nothing is installed on this machine.
set -eu
cd "$(dirname "$0")/../.."
venv=build/ansible/venv
wanted=$(cat packaging/setup.sh tests/ansible/setup.sh | sha256sum)
[ "$(cat "$venv/.setup" 2>/dev/null)" = "$wanted" ] && exit

# 2.19 is the last one for Python 3.11, which is Debian 12's.
set -- 'ansible-core<2.20' 'ansible-lint>=26'
echo "setup: installing $* into $venv"
.venv/bin/python -m venv --clear "$venv"
"$venv/bin/pip" --quiet --disable-pip-version-check install "$@" </dev/null
echo "$wanted" >"$venv/.setup"
