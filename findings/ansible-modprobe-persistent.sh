#!/usr/bin/env bash
# ansible 12.3.0 (community.general 11.4.2): modprobe with `persistent: present` reads modprobe.d as kmod 30 does not.
#
# Seen: a task that wants max_vfs=7. Where only igb.conf.old says so, which kmod does not read, it does nothing, and says ok.
# Where nics.conf sets two parameters in one line it does not see them, and adds a file, but the number of nics.conf comes
# last, and stays in force; from then on it says ok. Where igb.conf has anything else, such as a blacklist, that is lost,
# since the file is written anew. Expected was that max_vfs=7 is in force, and the rest as it was.
#
# The part of the module that writes files is run by itself, on a folder of its own.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "installing ansible-core and one module of ansible 12.3.0, fetching kmod 30 of Debian 12; half a minute ..."
python3 -m venv "$folder/venv"
cd "$folder"
venv/bin/pip download --quiet --disable-pip-version-check --no-deps --dest . ansible==12.3.0 2>pip.log &&
    venv/bin/pip install --quiet --disable-pip-version-check --no-deps ansible-core==2.19.5 2>pip.log ||
    { cat pip.log >&2; exit 2; }
python3 - <<'END'
from zipfile import ZipFile

with ZipFile("ansible-12.3.0-py3-none-any.whl") as wheel, open("modprobe.py", "wb") as module:
    module.write(wheel.read("ansible_collections/community/general/plugins/modules/modprobe.py"))
END
apt-get -qq -o APT::Sandbox::User=root download kmod=30+20221128-1 libkmod2=30+20221128-1
for package in *.deb; do dpkg -x "$package" .; done
ln -s kmod bin/modprobe # kmod is whatever it is called as

cat >persist.py <<'END'
from types import SimpleNamespace

import modprobe

modprobe.PARAMETERS_FILES_LOCATION, modprobe.MODULES_LOAD_LOCATION = "modprobe.d", "modules-load.d"
params = {"name": "igb", "state": "present", "params": "max_vfs=7", "persistent": "present"}
ansible = SimpleNamespace(params=params, check_mode=False, get_bin_path=lambda *_: "bin/modprobe")
task = modprobe.Modprobe(ansible)
task.load_module_permanent()
print(f"  task: {'changed' if task.changed else 'ok'}")
END

play() { # FILE TEXT
    rm -rf modprobe.d modules-load.d
    mkdir modprobe.d modules-load.d
    echo igb >modules-load.d/igb.conf
    printf "$2" >"modprobe.d/$1"
    echo "$1: $2"
    for _ in 1 2; do venv/bin/python persist.py; done
    LD_LIBRARY_PATH=$(echo "$folder"/lib/*-linux-gnu) bin/modprobe --config modprobe.d --showconfig |
        sed -n 's/^\(options igb \|blacklist igb\)/  kmod: &/p'
}

{
    play empty.conf ''
    play igb.conf.old 'options igb max_vfs=7\n'
    play nics.conf 'options igb max_vfs=2 debug=16\n'
    play igb.conf 'blacklist igbvf\n'
} | tee seen
diff -u - seen <<'END' || { echo "CHANGED: not what ansible 12.3.0 did" >&2; exit 1; }
empty.conf: 
  task: changed
  task: ok
  kmod: options igb max_vfs=7
igb.conf.old: options igb max_vfs=7\n
  task: ok
  task: ok
nics.conf: options igb max_vfs=2 debug=16\n
  task: changed
  task: ok
  kmod: options igb max_vfs=7
  kmod: options igb max_vfs=2 debug=16
igb.conf: blacklist igbvf\n
  task: changed
  task: ok
  kmod: options igb max_vfs=7
END
