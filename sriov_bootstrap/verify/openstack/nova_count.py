"""How many VFs nova knows on a host, which its API does not tell: from nova-compute's log, or from placement.

nova-compute logs what it has after each periodic task, as "Final resource view", at level DEBUG. placement has VFs
whose spec has no physical_network, where `[pci] report_in_placement` is on: nova leaves those for neutron out
(nova/compute/pci_placement_translator.py).
"""

import re
from collections.abc import Mapping
from typing import Any

from sriov_bootstrap.core.pci_address import normalize
from sriov_bootstrap.verify.openstack.survey import Pool

VIEW = "Final resource view: "
POOL = re.compile(r"PciDevicePool\((?P<values>(?:[^()']|'[^']*')*)\)")
COUNT = re.compile(r"\bcount=(\d+)")
TAGS = re.compile(r"\btags=\{(?P<tags>[^}]*)\}")
TAG = re.compile(r"(\w+)='([^']*)'")
PCI_CLASS = "CUSTOM_PCI_"


def pools_in_log(text: str) -> tuple[Pool, ...] | None:
    """Free VFs as the last resource view in a log has them; None if there is none."""
    view = next((line for line in reversed(text.splitlines()) if VIEW in line), None)
    if view is None:
        return None
    found = []
    for pool in POOL.finditer(view):
        tags = dict(TAG.findall(match["tags"] if (match := TAGS.search(pool["values"])) else ""))
        count = COUNT.search(pool["values"])
        if count and tags.get("dev_type") == "type-VF":
            found.append(Pool(int(count[1]), physical_network=tags.get("physical_network", "")))
    return tuple(found)


def pci_classes(answer: Any) -> tuple[str, ...]:  # noqa: ANN401
    """Of placement's resource classes those that nova makes for PCI devices by their ids."""
    return tuple(kind["name"] for kind in answer["resource_classes"] if kind["name"].startswith(PCI_CLASS))


def placement_pools(summaries: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, dict[str, Pool]]:
    """Host -> PCI address of a PF -> its VFs. `summaries`: placement's, of providers; `names`: those of providers.

    A provider is called HOST_ADDRESS after the PF.
    """
    found: dict[str, dict[str, Pool]] = {}
    for provider, summary in summaries.items():
        host, _, address = names.get(provider, "").rpartition("_")
        for name, amount in summary["resources"].items():
            if host and name.startswith(PCI_CLASS):
                pool = Pool(amount["capacity"], amount["used"])
                found.setdefault(host, {})[normalize(address) or address.lower()] = pool
    return found
