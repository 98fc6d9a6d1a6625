#!/usr/bin/env bash
# pyroute2 0.9.7: a VF's key that it does not know is left out of the request, without a word.
#
# Seen: of link("set", vf={"vf": 3, "spoofchk": 0, ...}) `trusted` (for `trust`), `max_tx_rate` (which belongs into `rate`) and
# a VLAN that is text are not sent; the rest is, so the kernel has nothing to refuse. {"rate": {"max_tx_rate": 100}} sends
# min_tx_rate 0, which takes away a rate that was guaranteed. And "vf" is taken out of the caller's dict, so trying again
# with it, after EBUSY, is a KeyError. Expected were an error for an unknown key, and a dict left alone.
#
# IPBatch makes the same messages as IPRoute, and keeps them.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "installing pyroute2 0.9.7 ..."
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps pyroute2==0.9.7 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }
cd "$folder"

cat >encode.py <<'END'
from pyroute2 import IPBatch
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg


def sent(vf):
    batch = IPBatch()
    batch.link("set", index=7, vf=vf)
    message = ifinfmsg(bytes(batch.batch))
    message.decode()
    vf_info = message.get_attr("IFLA_VFINFO_LIST")["attrs"][0][1]
    return [f"{name} {value}" for name, value in vf_info["attrs"]]


for keys in ({"trust": 1}, {"trusted": 1}, {"vlan": 100}, {"vlan": "100"}, {"max_tx_rate": 100}):
    print(f"{keys}: sent", *sent({"vf": 3, "spoofchk": 0, **keys}), sep="\n    ")
print("{'rate': {'max_tx_rate': 100}}: sent", *sent({"vf": 3, "rate": {"max_tx_rate": 100}}), sep="\n    ")
ask = {"vf": 3, "trust": 1}
sent(ask)
try:
    sent(ask)
except KeyError as error:
    print(f"the same dict again: KeyError {error}")
END
venv/bin/python encode.py | tee seen
diff -u - seen <<'END' || { echo "CHANGED: not what pyroute2 0.9.7 did" >&2; exit 1; }
{'trust': 1}: sent
    IFLA_VF_SPOOFCHK {'vf': 3, 'spoofchk': 0}
    IFLA_VF_TRUST {'vf': 3, 'trust': 1}
{'trusted': 1}: sent
    IFLA_VF_SPOOFCHK {'vf': 3, 'spoofchk': 0}
{'vlan': 100}: sent
    IFLA_VF_VLAN {'vf': 3, 'vlan': 100, 'qos': 0}
    IFLA_VF_SPOOFCHK {'vf': 3, 'spoofchk': 0}
{'vlan': '100'}: sent
    IFLA_VF_SPOOFCHK {'vf': 3, 'spoofchk': 0}
{'max_tx_rate': 100}: sent
    IFLA_VF_SPOOFCHK {'vf': 3, 'spoofchk': 0}
{'rate': {'max_tx_rate': 100}}: sent
    IFLA_VF_RATE {'vf': 3, 'min_tx_rate': 0, 'max_tx_rate': 100}
the same dict again: KeyError 'vf'
END
