#!/usr/bin/env bash
# PyYAML 6.0.3: some PCI addresses and MAC addresses are numbers.
#
# Seen: `0000:03:00.0` is 180.0 and `0000:12:10.7` is 730.7, since YAML 1.1 knows numbers to the base of 60; but
# `0000:3b:00.0` and `0000:65:00.0` are text, as is every address with a letter in it, or a pair of digits above 59. So
# one host of two with the same file loses its NIC. `52:54:00:12:34:56` is 41135085296, and `02:00:00:00:00:10` text,
# because it begins with a 0. Ansible, os-net-config and cloud-init read YAML like this. ruamel.yaml 0.18.16, which
# reads YAML 1.2, takes all of them for text. Expected was text, or no difference between one slot and the next.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "installing PyYAML 6.0.3 and ruamel.yaml 0.18.16 ..."
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check PyYAML==6.0.3 ruamel.yaml==0.18.16 \
    2>"$folder/pip.log" || { cat "$folder/pip.log" >&2; exit 2; }
cd "$folder"

cat >nics.yaml <<'END'
- 0000:03:00.0
- 0000:3b:00.0
- 0000:12:10.7
- 0000:65:00.0
- 52:54:00:12:34:56
- 02:00:00:00:00:10
END
cat >read.py <<'END'
import yaml
from ruamel.yaml import YAML

TEXT = open("nics.yaml").read()
for line, old, new in zip(TEXT.splitlines(), yaml.safe_load(TEXT), YAML(typ="safe").load(TEXT)):
    print(f"{line[2:]:18} PyYAML {old!r:20} ruamel.yaml {new!r}")
END
venv/bin/python read.py | tee seen
diff -u - seen <<'END' || { echo "CHANGED: not what PyYAML 6.0.3 did" >&2; exit 1; }
0000:03:00.0       PyYAML 180.0                ruamel.yaml '0000:03:00.0'
0000:3b:00.0       PyYAML '0000:3b:00.0'       ruamel.yaml '0000:3b:00.0'
0000:12:10.7       PyYAML 730.7                ruamel.yaml '0000:12:10.7'
0000:65:00.0       PyYAML '0000:65:00.0'       ruamel.yaml '0000:65:00.0'
52:54:00:12:34:56  PyYAML 41135085296          ruamel.yaml '52:54:00:12:34:56'
02:00:00:00:00:10  PyYAML '02:00:00:00:00:10'  ruamel.yaml '02:00:00:00:00:10'
END
