"""`run_compute.py TREE OPTION...`: nova's own nova-compute with nova's fake virt driver, which boots nothing.

It tells nova of the VFs that the /sys of a simulated host below TREE shows, as the libvirt driver does on a real one.
What nova makes of them is its own: the device_spec, the claim, the port's binding. Runs in the services' venv.
"""

import json
import os
import sys
import time
import types
from typing import Any

from nova.cmd import compute  # first: it decides how nova does several things at once

sys.path.insert(1, os.path.join(os.path.dirname(__file__), "..", "openstack"))

import ask  # type: ignore[import-not-found] # in tests/openstack
from nova.pci import utils
from nova.virt import fake

DRIVER = "simulated"
# What the hypervisor makes of a VM with a flavor of this name.
OFFLINE, SLOW = "offline", "slow"
SLOW_SECONDS = 60


def functions(tree: str) -> list[dict[str, object]]:
    """Every PF and VF, as nova's libvirt driver describes them."""
    folder = f"{tree}/sys/bus/pci/devices"
    found = []
    for address in sorted(os.listdir(folder)):
        place = f"{folder}/{address}"
        is_vf = os.path.exists(f"{place}/physfn")
        if not is_vf and not os.path.exists(f"{place}/sriov_totalvfs"):
            continue
        parent = os.path.basename(os.path.realpath(f"{place}/physfn")) if is_vf else None
        of_a_vf = {"parent_addr": parent, "parent_ifname": netdev(f"{folder}/{parent}")} if is_vf else {}
        base: dict[str, object] = {
            "address": address,
            "vendor_id": "8086",
            "product_id": "10ca" if is_vf else "10c9",
            "numa_node": 0,
        }
        kind = {"dev_type": "type-VF" if is_vf else "type-PF", "label": "label_8086", "status": "available"}
        found.append({**base, **kind, **of_a_vf})
    return found


def netdev(place: str) -> str:
    """The first there is."""
    return min(os.listdir(f"{place}/net"))


def driver_of(tree: str) -> type:
    """nova's fake driver, on that host."""

    class SimulatedDriver(fake.SmallFakeDriver):  # type: ignore[misc] # its library is not in our venv
        def get_available_resource(self, nodename: str) -> Any:  # noqa: ANN401
            return {**super().get_available_resource(nodename), "pci_passthrough_devices": json.dumps(functions(tree))}

        def spawn(self, context: object, instance: Any, *more: object, **named: object) -> None:  # noqa: ANN401
            if instance.flavor.name == OFFLINE:  # libvirt's words
                msg = "internal error: Unable to configure VF 0 of PF 'ens1f0' because the PF is not online."
                raise RuntimeError(msg)
            if instance.flavor.name == SLOW:
                time.sleep(SLOW_SECONDS)
            super().spawn(context, instance, *more, **named)

    return SimulatedDriver


def main(tree: str) -> None:
    """Runs until it is ended."""
    del sys.argv[1]
    ask.redirect(utils, tree)
    module = types.ModuleType(f"nova.virt.{DRIVER}")
    module.Driver = driver_of(tree)  # type: ignore[attr-defined] # found by its name in nova.conf
    sys.modules[module.__name__] = module
    compute.main()


if __name__ == "__main__":
    main(sys.argv[1])
