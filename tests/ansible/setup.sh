#!/bin/sh
# ansible-core and ansible-lint below build/ansible: for packaging/ansible and its tests. Nothing is installed on this machine.
set -eu
cd "$(dirname "$0")/../.."
packaging/venv.sh build/ansible/venv ansible
