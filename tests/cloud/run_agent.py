"""`run_agent.py TREE OPTION...`: neutron's own SR-IOV agent, which sees the /sys of a simulated host below TREE.

Runs in the services' venv, never in ours. Only the places where it looks are others; what it does with them, says to
the server and hears from it is its own. The tree's VFs have netdevs, so it asks no kernel about VFs of guests.
"""

import contextlib
import importlib
import sys

with contextlib.suppress(ImportError):  # up to neutron 25 it decides how everything does several things at once
    importlib.import_module("neutron.cmd.eventlet")

from neutron.plugins.ml2.drivers.mech_sriov.agent import eswitch_manager, sriov_nic_agent


def main(tree: str) -> None:
    """Runs until it is ended."""
    del sys.argv[1]
    for place in ("DEVICE_PATH", "PCI_PATH", "NUMVFS_PATH"):
        setattr(eswitch_manager.PciOsWrapper, place, tree + getattr(eswitch_manager.PciOsWrapper, place))
    sriov_nic_agent.main()


if __name__ == "__main__":
    main(sys.argv[1])
