#!/bin/sh
# ansible-core and ansible-lint below build/ansible: for packaging/ansible and its tests. Nothing is installed on this machine.
set -eu
cd "$(dirname "$0")/../.."

# 2.19 is the last one for Python 3.11, which is Debian 12's.
packaging/venv.sh build/ansible/venv 'ansible-core>=2.19,<2.20' 'ansible-lint>=26'
