"""What an interrupted run has left in the cloud: found by name, deleted when asked for, and nothing else ever."""

from collections.abc import Sequence

from msgspec import Struct

from sriov_bootstrap.verify.openstack.protocols import Api, Cloud
from sriov_bootstrap.verify.openstack.survey import PORT_FIELDS, CloudPort, CloudServer, Survey, rows

PREFIX = "sriov-bootstrap-verify-"
SERVER_MARK = {"made-by": "sriov-bootstrap"}
MARK = "made by sriov-bootstrap verify openstack, and deleted by it"


class CloudLeftover(Struct, frozen=True):
    """A server or port of ours."""

    api: Api
    kind: str
    id: str
    name: str
    created_at: str = ""

    def __str__(self) -> str:
        """For people."""
        return f"{self.kind} {self.id} ({self.name}" + (f", made {self.created_at})" if self.created_at else ")")


def name_for(host: str) -> str:
    """What everything is called that a run for this host makes."""
    return f"{PREFIX}{host}"


def leftovers(cloud: Cloud, hosts: Sequence[str], survey: Survey) -> tuple[CloudLeftover, ...]:
    """Of runs for these hosts, servers first: a port goes after the server that has it.

    Ports that are bound are in the survey already. Those that are not are asked for where one host is looked at.
    """
    names = {name_for(host) for host in hosts}
    pattern = f"^{name_for(hosts[0])}$" if len(hosts) == 1 else f"^{PREFIX}"  # nova takes a regular expression
    servers = rows(cloud.get(Api.COMPUTE, "/servers/detail", {"name": pattern}), "servers", CloudServer)
    ports = survey.ports
    if len(hosts) == 1:
        answer = cloud.get(Api.NETWORK, "/ports", {"name": sorted(names), "fields": PORT_FIELDS})
        ports = rows(answer, "ports", CloudPort)
    found = [
        CloudLeftover(Api.COMPUTE, "server", vm.id, vm.name, vm.created)
        for vm in servers
        if vm.name in names and vm.metadata == SERVER_MARK
    ]
    ours = (port for port in ports if port.name in names and port.description == MARK)
    found += [CloudLeftover(Api.NETWORK, "port", port.id, port.name, port.created_at) for port in ours]
    return tuple(found)


def delete(cloud: Cloud, leftover: CloudLeftover) -> None:
    """Gone already is as good."""
    cloud.delete(leftover.api, f"/{leftover.kind}s/{leftover.id}")
