"""The proof: a port that neutron binds to the host, or a server that nova boots there with it; neither stays.

What is made is noted before anything else is done, and deleted in reverse, also when it fails or is interrupted. What
could not be deleted is said, and a later run finds it by its name.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from msgspec import Struct

from sriov_bootstrap.base.errors import CloudError
from sriov_bootstrap.verify.openstack.checks import Check, CheckState, check_vf, networks_on
from sriov_bootstrap.verify.openstack.deadlines import ask_until
from sriov_bootstrap.verify.openstack.hosts import CloudHost
from sriov_bootstrap.verify.openstack.leftovers import MARK, SERVER_MARK, CloudLeftover, delete, name_for
from sriov_bootstrap.verify.openstack.protocols import Api, Clock, Cloud
from sriov_bootstrap.verify.openstack.questions import port_of
from sriov_bootstrap.verify.openstack.survey import (
    BINDING_FAILED,
    DIRECT,
    SWITCHDEV,
    UNBOUND,
    CloudPort,
    CloudServer,
    Network,
    Survey,
    row,
)
from sriov_bootstrap.verify.openstack.unbound import causes, fault_meaning, last_error

BIND_SECONDS = 30.0
DELETE_SECONDS = 60.0
ON_HOST = (2, 74)  # since then, in Train, a server may be asked for on a host, and the scheduler still checks it
DESCRIPTION = 255  # characters of a message


class ServerWish(Struct, frozen=True):
    """The VM: ids of an image and a flavor; `seconds`: until when it must be ACTIVE."""

    image: str
    flavor: str
    seconds: float


class CloudWish(Struct, frozen=True):
    """What is made: a port on the network of this name or id, "" for the first that fits, and a server with it.

    `with_switchdev`: the port asks for it in any case, not just where all PFs are in that mode.
    """

    vnic_type: str = DIRECT
    network: str = ""
    with_switchdev: bool = False
    server: ServerWish | None = None


class Made:
    """What exists in the cloud because of us."""

    def __init__(self, cloud: Cloud, clock: Clock, say: Callable[[str], None]) -> None:
        self._cloud = cloud
        self._clock = clock
        self._say = say
        self._things: list[CloudLeftover] = []
        self.left: list[str] = []

    def note(self, thing: CloudLeftover) -> None:
        """It is deleted at the end."""
        self._things.append(thing)

    def delete_all(self) -> None:
        """The latest first; a server is waited for, or its port would lose a VF that is still in use."""
        while self._things:
            thing = self._things.pop()
            self._say(f"deleting {thing.kind} {thing.id}")
            try:
                delete(self._cloud, thing)
                if thing.api is Api.COMPUTE:
                    self._await_end(thing)
            except CloudError as error:
                self.left.append(f"{thing}: {error.message}")

    def _await_end(self, thing: CloudLeftover) -> None:
        if not ask_until(bool, lambda: self._is_gone(thing), self._clock, DELETE_SECONDS):
            raise CloudError("it is still there")

    def _is_gone(self, thing: CloudLeftover) -> bool:
        try:
            self._cloud.get(Api.COMPUTE, f"/servers/{thing.id}")
        except CloudError as error:
            if error.is_absence:
                return True
            raise
        return False


class Proof:
    """One run for one host; `survey`: what was asked before; `log`: reads nova-compute's, "" if it is not at hand."""

    def __init__(
        self,
        cloud: Cloud,
        clock: Clock,
        say: Callable[[str], None],
        host: CloudHost,
        survey: Survey,
        log: Callable[[], str],
    ) -> None:
        self._cloud = cloud
        self._clock = clock
        self._say = say
        self._host = host
        self._survey = survey
        self._log = log

    def run(self, physical_network: str, wish: CloudWish) -> tuple[Check, ...]:
        """What came of it."""
        found = networks_on(physical_network, self._survey.networks)
        chosen = next((candidate for candidate in found if wish.network in {"", candidate.id, candidate.name}), None)
        if chosen is None:
            named = f' called "{wish.network}"' if wish.network else ""
            return (Check(CheckState.FAILED, "port", f"none was made: no network{named} on {physical_network}"),)
        with self._clean_up() as made:
            checks = self._check(made, physical_network, chosen, wish)
        left = [Check(CheckState.FAILED, "cleaning", f"not deleted: {text}") for text in made.left]
        return (*checks, *left)

    @contextmanager
    def _clean_up(self) -> Iterator[Made]:
        made = Made(self._cloud, self._clock, self._say)
        try:
            yield made
        finally:
            made.delete_all()

    def _check(self, made: Made, physical_network: str, network: Network, wish: CloudWish) -> tuple[Check, ...]:
        try:
            port = self._make_port(made, physical_network, network, wish)
            if wish.server is None:
                return (self._check_port(port, physical_network, network),)
            return self._check_server(made, port, physical_network, network, wish.server)
        except CloudError as error:
            return (Check(CheckState.FAILED, "server" if wish.server else "port", error.message, error.hint),)

    def _make_port(self, made: Made, physical_network: str, network: Network, wish: CloudWish) -> CloudPort:
        """Without a server it is bound to this host by us; nova binds that of a server."""
        name = name_for(self._host.name)
        wanted: dict[str, object] = {
            "name": name,
            "description": MARK,
            "network_id": network.id,
            "binding:vnic_type": wish.vnic_type,
        }
        if wish.with_switchdev or (wish.vnic_type == DIRECT and self._host.needs_switchdev(physical_network)):
            wanted["binding:profile"] = {"capabilities": [SWITCHDEV]}
        if wish.server is None:
            wanted["binding:host_id"] = self._host.name
        self._say(f"making a port on {network.label}")
        port: CloudPort = row(self._cloud.post(Api.NETWORK, "/ports", {"port": wanted}), "port", CloudPort)
        made.note(CloudLeftover(Api.NETWORK, "port", port.id, name))
        return port

    def _check_port(self, port: CloudPort, physical_network: str, network: Network) -> Check:
        ask = partial(port_of, self._cloud, port.id)
        port = ask_until(lambda now: now.vif_type != UNBOUND, ask, self._clock, BIND_SECONDS)
        if not port.is_bound:
            return self._unbound(port, physical_network, network)
        text = f"neutron binds a {port.kind} port of {network.label} to {port.host}: {port.vif_type}{port.on_vlan}"
        return Check(CheckState.OK, "port", f"{text}; nova picks the VF, which --server shows")

    def _unbound(self, port: CloudPort, physical_network: str, network: Network) -> Check:
        agents = self._survey.agents_of(self._host.name)
        reasons = "; ".join(causes(port, network, physical_network, agents))
        where = f"to {self._host.name} ({port.vif_type or 'no vif_type'})"
        text = f"the {port.kind} port was not bound {where}: {reasons}"
        return Check(CheckState.FAILED, "port", text)

    def _check_server(
        self, made: Made, port: CloudPort, physical_network: str, network: Network, wish: ServerWish
    ) -> tuple[Check, ...]:
        server = self._await_server(self._make_server(made, port, wish), wish.seconds)
        port = port_of(self._cloud, port.id)
        if server.status == "ERROR":
            message = server.fault.message if server.fault else "nova gives no reason"
            cause = last_error(self._log(), server.id)
            text = message[:DESCRIPTION].rstrip(".") + (f"; nova-compute's log: {cause[:DESCRIPTION]}" if cause else "")
            meaning = fault_meaning(cause) or fault_meaning(message)
            said = Check(CheckState.FAILED, "server", f"in ERROR: {text}", meaning)
            is_about_binding = port.vif_type == BINDING_FAILED
            return (said, self._unbound(port, physical_network, network)) if is_about_binding else (said,)
        if server.status != "ACTIVE":
            doing = f", {server.task}" if server.task else ""
            text = f"not ACTIVE after {wish.seconds:.0f} s, but {server.status}{doing}"
            return (Check(CheckState.FAILED, "server", text, "--timeout SECONDS waits longer"),)
        return (
            Check(CheckState.OK, "server", f"ACTIVE on {server.host}"),
            check_vf(self._host, port, physical_network),
        )

    def _make_server(self, made: Made, port: CloudPort, wish: ServerWish) -> CloudServer:
        name = name_for(self._host.name)
        wanted = {
            "name": name,
            "imageRef": wish.image,
            "flavorRef": wish.flavor,
            "networks": [{"port": port.id}],
            "metadata": SERVER_MARK,
        }
        where, microversion = on_host(self._host.name, self._cloud.newest_microversion())
        self._say("making a server")
        answer = self._cloud.post(Api.COMPUTE, "/servers", {"server": wanted | where}, microversion=microversion)
        server: CloudServer = row(answer, "server", CloudServer)
        made.note(CloudLeftover(Api.COMPUTE, "server", server.id, name))
        return server

    def _await_server(self, server: CloudServer, seconds: float) -> CloudServer:
        def ask() -> CloudServer:
            now: CloudServer = row(self._cloud.get(Api.COMPUTE, f"/servers/{server.id}"), "server", CloudServer)
            self._say(f"the server is {now.status}" + (f", {now.task}" if now.task else ""))
            return now

        return ask_until(lambda now: now.status in {"ACTIVE", "ERROR"}, ask, self._clock, seconds)


def on_host(host: str, newest: tuple[int, int]) -> tuple[dict[str, str], str]:
    """What asks a nova of this newest microversion for a server there, and at which: "" for the oldest.

    Before 2.74 a host could only be named as part of an availability zone, and no filter of the scheduler was asked.
    """
    if newest < ON_HOST:
        return {"availability_zone": f":{host}"}, ""
    return {"host": host}, "{}.{}".format(*ON_HOST)
