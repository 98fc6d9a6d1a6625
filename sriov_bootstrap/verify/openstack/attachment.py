"""`openstack attach-port` and `detach-port`: a VF for a server that runs, and back."""

from collections.abc import Callable
from functools import partial

from sriov_bootstrap.base.errors import CloudError, UsageError
from sriov_bootstrap.verify.openstack.agents import absence, agent_problem, agent_remedy, binding_agent, label
from sriov_bootstrap.verify.openstack.attachment_rules import PortWish, choose_network, choose_port, doubts, refuse_old
from sriov_bootstrap.verify.openstack.deadlines import ask_until
from sriov_bootstrap.verify.openstack.protocols import Api, Clock, Cloud
from sriov_bootstrap.verify.openstack.questions import port_of
from sriov_bootstrap.verify.openstack.survey import (
    BINDING_FAILED,
    PORT_FIELDS,
    SWITCHDEV,
    VNIC_TYPES,
    Agent,
    CloudPort,
    CloudServer,
    Network,
    Survey,
    row,
    rows,
)
from sriov_bootstrap.verify.openstack.unbound import fault_meaning

NAME = "sriov-bootstrap-port"
MARK = "made by sriov-bootstrap openstack attach-port, and deleted by its detach-port"
WAIT_SECONDS = 60.0


class Attachments:
    """Ports with VFs of running servers."""

    def __init__(self, cloud: Cloud, clock: Clock, say: Callable[[str], None]) -> None:
        self._cloud = cloud
        self._clock = clock
        self._say = say

    def attach(self, wish: PortWish) -> tuple[CloudServer, CloudPort]:
        """The server, and its new port with a VF. Raises CloudError and UsageError; what was made is deleted then."""
        if doubt := doubts(self._cloud.newest_microversion()):
            self._say(doubt)
        server = self._server(wish.server)
        network, physical_network = self._network(wish)
        self._check_host(server, physical_network, wish)
        wanted: dict[str, object] = {
            "name": NAME,
            "description": MARK,
            "network_id": network.id,
            "binding:vnic_type": wish.vnic_type,
        }
        if wish.with_switchdev:
            wanted["binding:profile"] = {"capabilities": [SWITCHDEV]}
        port: CloudPort = row(self._cloud.post(Api.NETWORK, "/ports", {"port": wanted}), "port", CloudPort)
        try:
            self._attach(server, port)
            return server, self._await_vf(port)
        except BaseException:
            self._delete_made(port)
            raise

    def _delete_made(self, port: CloudPort) -> None:
        """On the way out with another problem, which is not to be hidden by this one."""
        try:
            self._cloud.delete(Api.NETWORK, f"/ports/{port.id}")
        except CloudError as error:
            self._say(f"port {port.id} is left: {error.message}; openstack port delete {port.id}")

    def _attach(self, server: CloudServer, port: CloudPort) -> None:
        body = {"interfaceAttachment": {"port_id": port.id}}
        try:
            self._cloud.post(Api.COMPUTE, f"/servers/{server.id}/os-interface", body)
        except CloudError as error:
            hint = error.hint or fault_meaning(error.message)
            raise CloudError(error.message, status=error.status, hint=hint) from None

    def detach(self, wish: PortWish) -> tuple[CloudServer, CloudPort, bool]:
        """The server, the port that it had, and whether that was ours: then it is deleted. Raises as `attach` does."""
        refuse_old(self._cloud.newest_microversion())
        server = self._server(wish.server)
        port = choose_port(self._ports_of(server), wish.port, server)
        self._cloud.delete(Api.COMPUTE, f"/servers/{server.id}/os-interface/{port.id}")
        self._await_release(server, port)
        is_ours = port.description == MARK
        if is_ours:
            self._cloud.delete(Api.NETWORK, f"/ports/{port.id}")
        return server, port, is_ours

    def _server(self, name: str) -> CloudServer:
        """By id, or by a name that only one has."""
        try:
            found: tuple[CloudServer, ...] = (
                row(self._cloud.get(Api.COMPUTE, f"/servers/{name}"), "server", CloudServer),
            )
        except CloudError as error:
            if not error.is_absence:
                raise
            exactly = {"name": f"^{_literal(name)}$"}
            found = rows(self._cloud.get(Api.COMPUTE, "/servers/detail", exactly), "servers", CloudServer)
        if len(found) != 1:
            what = f"{len(found)} servers are" if found else "no server is"
            hint = "name it by its id: openstack server list" if found else "its id also finds it in another project"
            raise UsageError((f'{what} called "{name}" in this project',), hint=hint)
        return found[0]

    def _network(self, wish: PortWish) -> tuple[Network, str]:
        """Where the port is made, and on which physical network."""
        named = {"name": wish.network} if wish.network else {}
        on = {"provider:physical_network": wish.physical_network} if wish.physical_network else {}
        found = rows(self._cloud.get(Api.NETWORK, "/networks", {**named, **on}), "networks", Network)
        if wish.network and not found:
            by_id = {"id": wish.network, **on}
            found = rows(self._cloud.get(Api.NETWORK, "/networks", by_id), "networks", Network)
        return choose_network(found, wish)

    def _check_host(self, server: CloudServer, physical_network: str, wish: PortWish) -> None:
        """Whether the server's host can bind it; credentials that may not see its host find out by trying."""
        if not server.host or wish.vnic_type == "direct-physical":
            return
        answer = self._cloud.get(Api.NETWORK, "/agents", {"host": server.host})
        agents: tuple[Agent, ...] = Survey(rows(answer, "agents", Agent)).agents_of(server.host)
        agent = binding_agent(agents, with_switchdev=wish.with_switchdev)
        if agent is None:
            problem, hint = absence(server.host, with_switchdev=wish.with_switchdev)
        else:
            problem, hint = agent_problem(agent, physical_network), agent_remedy(agent, physical_network)
        if not problem:
            return
        other = binding_agent(agents, with_switchdev=not wish.with_switchdev)
        if other and not wish.with_switchdev and not agent_problem(other, physical_network):
            hint = f"{label(other)} maps {physical_network}: --switchdev, if the host's PFs are in that mode"
        raise UsageError((f"server {server.id} is on {server.host}: {problem}",), hint=hint)

    def _await_vf(self, port: CloudPort) -> CloudPort:
        def is_decided(now: CloudPort) -> bool:
            return now.is_bound or now.vif_type == BINDING_FAILED

        now = ask_until(is_decided, partial(port_of, self._cloud, port.id), self._clock, WAIT_SECONDS)
        if not now.is_bound:
            raise CloudError(f"nova attached port {port.id}, but neutron did not bind it ({now.vif_type})")
        return now

    def _ports_of(self, server: CloudServer) -> tuple[CloudPort, ...]:
        wanted = {"device_id": server.id, "fields": PORT_FIELDS}
        found = rows(self._cloud.get(Api.NETWORK, "/ports", wanted), "ports", CloudPort)
        return tuple(port for port in found if port.vnic_type in VNIC_TYPES)

    def _await_release(self, server: CloudServer, port: CloudPort) -> None:
        def is_released(ports: tuple[CloudPort, ...]) -> bool:
            return port.id not in {attached.id for attached in ports}

        ports = ask_until(is_released, partial(self._ports_of, server), self._clock, WAIT_SECONDS)
        if not is_released(ports):
            hint = "the VM must let the VF go, and a guest that is still booting does not"
            raise CloudError(f"port {port.id} is still attached after {WAIT_SECONDS:.0f} s", hint=hint)


def _literal(text: str) -> str:
    """For nova's filter, whose regular expressions are the database's."""
    return "".join(letter if letter.isalnum() or letter in "-_ " else f"\\{letter}" for letter in text)
