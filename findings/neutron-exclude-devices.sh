#!/usr/bin/env bash
# neutron 29.0.0 (2026.2): the SR-IOV agent compares exclude_devices letter by letter, and says nothing of what fits no VF.
#
# Seen: exclude_devices = ens1f0:0000:3b:02.0 takes that VF from the agent. With capital letters, without the domain, with a
# short slot, and for a VF that does not exist, the option is accepted, nothing is logged, and the agent manages the VF that
# was to be the host's own. Case and leading zeros do not matter in an address of nova's device_spec. Only a netdev that
# physical_device_mappings lacks is refused. Expected was such a refusal, a warning, or that the VF is left alone.
set -euo pipefail

pins=$(cd "$(dirname "$0")" && pwd)/neutron-29.0.0.txt
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cd "$folder"
echo "installing neutron 29.0.0 and a part of its dependencies; about a minute ..."
venv/bin/pip install --quiet --disable-pip-version-check --no-deps -r "$pins" 2>pip.log || { cat pip.log >&2; exit 2; }

pf=sys/devices/pci0000:3a/0000:3b:00.0
mkdir -p "$pf" sys/devices/pci0000:3a/0000:3b:02.{0,1} sys/class/net/ens1f0
for number in 0 1; do ln -s ../0000:3b:02.$number "$pf/virtfn$number"; done
ln -s "$folder/$pf" sys/class/net/ens1f0/device

cat >exclude.py <<'END'
import logging
import sys

from oslo_config import cfg
from neutron.conf.plugins.ml2.drivers.mech_sriov import agent_common
from neutron.plugins.ml2.drivers.mech_sriov.agent import eswitch_manager, sriov_nic_agent

logging.basicConfig(stream=sys.stdout, level=logging.INFO)
agent_common.register_agent_sriov_nic_opts()
eswitch_manager.PciOsWrapper.DEVICE_PATH = "sys/class/net/%s/device"
cfg.CONF.set_override("physical_device_mappings", ["physnet1:ens1f0"], "SRIOV_NIC")
for text in (
    "ens1f0:0000:3b:02.0",
    "ens1f0:0000:3B:02.0",
    "ens1f0:3b:02.0",
    "ens1f0:0000:3b:2.0",
    "ens1f0:0000:3b:12.0",
    "ens1f1:0000:3b:02.0",
):
    cfg.CONF.set_override("exclude_devices", [text], "SRIOV_NIC")
    parser = sriov_nic_agent.SriovNicAgentConfigParser()
    try:
        parser.parse()
    except ValueError as error:
        print(f"{text}: {error}")
        continue
    switch = eswitch_manager.EmbSwitch("ens1f0", parser.exclude_devices.get("ens1f0", set()))
    print(f"{text}: the agent manages", *sorted(switch.get_pci_slot_list()))
END
venv/bin/python -W ignore exclude.py 2>log | tee seen || cat log >&2
diff -u - seen <<'END' || { echo "CHANGED: not what neutron 29.0.0 did" >&2; exit 1; }
ens1f0:0000:3b:02.0: the agent manages 0000:3b:02.1
ens1f0:0000:3B:02.0: the agent manages 0000:3b:02.0 0000:3b:02.1
ens1f0:3b:02.0: the agent manages 0000:3b:02.0 0000:3b:02.1
ens1f0:0000:3b:2.0: the agent manages 0000:3b:02.0 0000:3b:02.1
ens1f0:0000:3b:12.0: the agent manages 0000:3b:02.0 0000:3b:02.1
ens1f1:0000:3b:02.0: Invalid exclude_devices: Device name ens1f1 is missing from physical_device_mappings
END
