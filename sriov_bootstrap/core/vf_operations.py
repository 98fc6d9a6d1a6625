"""Which operation of a PF's driver sets what of a VF, and which of them a driver lacks."""

from sriov_bootstrap.core.drivers import Driver, VfAttribute
from sriov_bootstrap.core.vf_attributes import REQUESTS, Request, VfAttributes, VlanProtocol

# GUIDs are for IPoIB, and not in the table of drivers.
OPERATIONS: dict[str, VfAttribute] = {
    "mac": "mac",
    "vlan": "vlan",
    "max_tx_rate": "max_rate",
    "spoofchk": "spoofchk",
    "trust": "trust",
    "link_state": "link_state",
    "query_rss": "query_rss",
    "msix_vectors": "msix",
}


def operation_of(request: Request) -> VfAttribute | None:
    """What the kernel calls for it, as far as the table of drivers knows."""
    return next((OPERATIONS[key] for key in REQUESTS[request] if key in OPERATIONS), None)


def missing_operations(asked: VfAttributes, driver: Driver) -> dict[str, VfAttribute]:
    """Key -> what the driver has no operation for, or what its operation refuses; nothing if that is not known."""
    needed = {key: operation for key, operation in OPERATIONS.items() if getattr(asked, key) is not None}
    if asked.min_tx_rate:
        needed["min_tx_rate"] = "min_rate"
    if asked.vlan_protocol is VlanProtocol.DOT1AD:
        needed["vlan_protocol"] = "vlan_8021ad"
    return {key: operation for key, operation in needed.items() if driver.can_set(operation) is False}
