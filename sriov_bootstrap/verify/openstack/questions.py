"""What is asked of a cloud about hosts: lists, filtered by the server, for all hosts at once.

The number of requests does not depend on the number of ports, nor of hosts up to HOSTS: agents, networks, ports and
services are one list each. Only what placement has of VFs without a physical_network needs more: a list of its classes
and of its providers, and an answer for each class.
"""

from collections.abc import Iterator, Sequence

from sriov_bootstrap.base.errors import UsageError
from sriov_bootstrap.verify.openstack.hosts import CloudHost
from sriov_bootstrap.verify.openstack.nova_count import pci_classes, placement_pools
from sriov_bootstrap.verify.openstack.protocols import Api, Cloud
from sriov_bootstrap.verify.openstack.survey import (
    PORT_FIELDS,
    Agent,
    CloudPort,
    ComputeService,
    Network,
    Pool,
    Survey,
    row,
    rows,
)

HOSTS = 100  # whose names fit into one address: servers take 8 KiB
CLASSES = 4  # kinds of VFs that placement is asked for
CANDIDATES = "1.29"  # providers below a host are told since then
NETWORK_FIELDS = (
    "id",
    "name",
    "segments",
    *(f"provider:{name}" for name in ("physical_network", "network_type", "segmentation_id")),
)
AGENT_FIELDS = ("agent_type", "host", "alive", "admin_state_up", "configurations")


def survey(cloud: Cloud, hosts: Sequence[CloudHost]) -> Survey:
    """Everything that `checks` looks at. Raises CloudError."""
    networks = sorted({name for host in hosts for name in host.physical_networks})
    agents: list[Agent] = []
    ports: list[CloudPort] = []
    is_whole = True
    for names in _portions([host.name for host in hosts]):
        answer = cloud.get(Api.NETWORK, "/agents", {"host": names, "fields": AGENT_FIELDS})
        agents += rows(answer, "agents", Agent)
        wanted = {"binding:host_id": names, "fields": PORT_FIELDS}  # neutron refuses binding:vnic_type as a filter
        answer = cloud.get(Api.NETWORK, "/ports", wanted)
        ports += rows(answer, "ports", CloudPort)
        is_whole = is_whole and "ports_links" not in answer
    only = {"host": hosts[0].name} if len(hosts) == 1 else {}
    answer = cloud.get(Api.COMPUTE, "/os-services", {"binary": "nova-compute", **only})
    services = rows(answer, "services", ComputeService)
    if not services and only:  # which other names there are
        services = rows(cloud.get(Api.COMPUTE, "/os-services", {"binary": "nova-compute"}), "services", ComputeService)
    return Survey(tuple(agents), networks_of(cloud, networks), services, tuple(ports), _pools(cloud, hosts), is_whole)


def networks_of(cloud: Cloud, physical_networks: Sequence[str]) -> tuple[Network, ...]:
    """Networks that have a segment there, as far as the credentials see them."""
    if not physical_networks:
        return ()
    wanted = {"provider:physical_network": physical_networks, "fields": NETWORK_FIELDS}
    found: tuple[Network, ...] = rows(cloud.get(Api.NETWORK, "/networks", wanted), "networks", Network)
    return found


def port_of(cloud: Cloud, port_id: str) -> CloudPort:
    """As it is now."""
    found: CloudPort = row(cloud.get(Api.NETWORK, f"/ports/{port_id}"), "port", CloudPort)
    return found


def image_id(cloud: Cloud, wanted: str) -> str:
    """Of the image of this name or id. Raises UsageError."""
    found = (
        cloud.get(Api.IMAGE, "/images", {"name": wanted})["images"]
        or cloud.get(Api.IMAGE, "/images", {"id": wanted})["images"]
    )
    return _only(found, "image", wanted)


def flavor_id(cloud: Cloud, wanted: str) -> str:
    """Of the flavor of this name or id. Raises UsageError."""
    found = cloud.get(Api.COMPUTE, "/flavors")["flavors"]  # nova has no filter for it
    return _only([flavor for flavor in found if wanted in {flavor["id"], flavor["name"]}], "flavor", wanted)


def _only(found: Sequence[dict[str, str]], kind: str, wanted: str) -> str:
    if len(found) != 1:
        how_many = f"{len(found)} {kind}s are" if found else f"no {kind} is"
        listed = f"openstack {kind} list"
        hint = f"name it by its id: {listed}" if found else f"{listed} has those that these credentials see"
        raise UsageError((f'{how_many} called "{wanted}"',), hint=hint)
    return found[0]["id"]


def _portions(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), HOSTS):
        yield names[start : start + HOSTS]


def _pools(cloud: Cloud, hosts: Sequence[CloudHost]) -> dict[str, dict[str, Pool]]:
    """What placement has: only of VFs whose rule has no physical_network."""
    if all(pf.physical_network for host in hosts for pf in host.pfs):
        return {}
    classes = pci_classes(cloud.get(Api.PLACEMENT, "/resource_classes", microversion="1.2"))
    if not classes:
        return {}
    providers = cloud.get(Api.PLACEMENT, "/resource_providers", microversion=CANDIDATES)["resource_providers"]
    names = {provider["uuid"]: provider["name"] for provider in providers}
    found: dict[str, dict[str, Pool]] = {}
    for name in classes[:CLASSES]:
        asked = {"resources": f"{name}:1"}
        answer = cloud.get(Api.PLACEMENT, "/allocation_candidates", asked, microversion=CANDIDATES)
        for host, pools in placement_pools(answer["provider_summaries"], names).items():
            found.setdefault(host, {}).update(pools)
    return found
