"""devlink, ethtool and rtnetlink: the only module that reads and sets the switch in a NIC, and devlink parameters.

Two of the three are generic netlink: families whose number the kernel gives when it is asked by name. devlink holds a
lock of the device while its driver works, for as long as that takes. No signal ends the wait: whoever must not wait
for a driver runs this in a process that can be left behind.

Representors are not taken from devlink's ports, which bnxt_en does without, but found as os-vif finds them: by the
switch id that they share with their uplink, and by the name of their port.
"""

import errno
import os
import struct
from _socket import NETLINK_ROUTE, socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Self

from msgspec.structs import replace

from sriov_bootstrap.base.errors import KernelError
from sriov_bootstrap.base.netlink import (
    IFLA_EXT_MASK,
    LINK,
    NLM_F_ACK,
    NLM_F_DUMP,
    RTEXT_FILTER_SKIP_STATS,
    RTM_GETLINK,
    RTM_NEWLINK,
    Asker,
    Conversation,
    InterruptedDumpError,
    UnusableError,
    attribute,
    bodies_of,
    open_socket,
    read_undisturbed,
    reply_to,
)
from sriov_bootstrap.core.eswitch_config import EncapMode, EswitchMode, InlineMode, ParamMode, ParamValue
from sriov_bootstrap.core.facts import DevlinkQuestion, Eswitches, EswitchFacts, Representor
from sriov_bootstrap.core.port_functions import PortFunction
from sriov_bootstrap.formats import switch_messages as messages
from sriov_bootstrap.formats.switch_messages import GENERIC, FunctionPort, SwitchPort

NETLINK_GENERIC = 16
# include/uapi/linux/genetlink.h, devlink.h, ethtool_netlink.h
GENL_ID_CTRL, CTRL_CMD_GETFAMILY = 0x10, 3
PORT_GET, PORT_SET, ESWITCH_GET, ESWITCH_SET, PARAM_GET, PARAM_SET = 5, 6, 29, 30, 38, 39
FEATURES_GET, FEATURES_SET = 11, 12

MESSAGE_BYTES = 1 << 17
ABSENT = frozenset((errno.EOPNOTSUPP, errno.ENODEV, errno.ENOENT))  # no such operation, device or family

# A generic family, or "rtnetlink" -> the type of its messages, 0 for those of rtnetlink, and who answers them.
Families = Callable[[str], tuple[int, Asker]]


class Devlink:
    """What a pass has to ask and tell the kernel about switches. `bus`: "pci", or that of a simulated device.

    A context manager; no socket is opened before the first question.
    """

    def __init__(self, *, bus: str = "pci", families: Families | None = None) -> None:
        """Without `families` it is the kernel that is asked."""
        self._bus = bus
        self._sockets = Sockets()
        self._families = families or self._sockets

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the sockets."""
        self._sockets.close()

    def read(self, questions: Iterable[DevlinkQuestion]) -> Eswitches:
        """What is to be known of each; never raises: what failed is said in words."""
        found, problems = dict[str, EswitchFacts](), dict[str, str]()
        try:
            with _in_words():
                ports = self._ports()
        except KernelError as error:
            return Eswitches(problem=f"the kernel did not list the netdevs: {error.message}")
        for question in questions:
            try:
                with _in_words():
                    found[question.pci_address] = self._facts(question, ports)
            except KernelError as error:
                problems[question.pci_address] = f"the kernel did not tell of its switch: {error.message}"
        return Eswitches(found, problems)

    def mode(self, address: str) -> str:
        """Which it is in, "" if it has none that can be set. Asks for no lock that all netdevs share. KernelError."""
        with _in_words():
            return self._modes(address)[0]

    def set_eswitch(
        self,
        address: str,
        *,
        mode: EswitchMode | None = None,
        inline: InlineMode | None = None,
        encap: EncapMode | None = None,
    ) -> None:
        """Sets what is given. KernelError with errno, whose message is the kernel's own where it has one."""
        with _in_words():
            self._change("devlink", ESWITCH_SET, self._handle(address) + messages.eswitch_wish(mode, inline, encap))

    def set_param(self, address: str, name: str, value: ParamValue, cmode: ParamMode) -> None:
        """Sets a parameter. KernelError as above; ENOENT if the driver does not have it, EINVAL for another type."""
        with _in_words():
            kind, values = self._param(address, name)
            if cmode not in values:
                modes = f"only in {', '.join(values)}" if values else "by this driver"
                raise OSError(errno.ENOENT, f"there is no such parameter, {modes}" if values else f"unknown {modes}")
            try:
                wish = messages.param_wish(name, kind, value, cmode)
            except ValueError:
                raise OSError(errno.EINVAL, f"{value!r} is of another type, or too large") from None
            self._change("devlink", PARAM_SET, self._handle(address) + wish)

    def set_tc_offload(self, ifindex: int, *, enabled: bool) -> None:
        """Sets hw-tc-offload of a netdev. KernelError as above."""
        with _in_words():
            wish = messages.features_of(ifindex) + messages.tc_offload_wish(enabled=enabled)
            self._change("ethtool", FEATURES_SET, wish)

    def set_functions(self, address: str, wishes: Mapping[int, PortFunction]) -> None:
        """What the ports of these VFs are to say. KernelError as above; ENODEV if a VF has no port."""
        with _in_words():
            ports = {port.vf: port.index for port in self._function_ports(address)}
            for vf, wish in wishes.items():
                if vf not in ports:
                    raise OSError(errno.ENODEV, f"devlink has no port of VF {vf}")
                said = self._handle(address) + messages.function_wish(ports[vf], wish)
                self._change("devlink", PORT_SET, said)

    # -- one PF --

    def _facts(self, question: DevlinkQuestion, ports: tuple[SwitchPort, ...]) -> EswitchFacts:
        address = question.pci_address
        own = [port for port in ports if port.parent == address and port.vf is None]
        uplink = min(own, key=lambda port: (not port.switch_id, port.ifindex), default=None)
        stands_for = {port.vf: port for port in ports if uplink and port.stands_beside(uplink)}
        look = self._look_at if question.tc_offload else _without_features
        params = ((name, self._param(address, name)[1]) for name in question.params)
        functions = {port.vf: port.function for port in self._function_ports(address)} if question.functions else {}
        return EswitchFacts(
            *(self._modes(address) if question.modes else ("", "", "")),
            uplink.switch_id if uplink else "",
            look(uplink) if uplink else None,
            {vf: look(port) for vf, port in sorted(stands_for.items()) if vf is not None},
            {name: values for name, values in params if values},
            functions=functions,
        )

    def _modes(self, address: str) -> tuple[str, str, str]:
        """A device without a switch has none. OSError."""
        try:
            return messages.eswitch_modes(self._question("devlink", ESWITCH_GET, self._handle(address)))
        except OSError as error:
            if error.errno in ABSENT:
                return "", "", ""
            raise

    def _param(self, address: str, name: str) -> tuple[int, dict[str, ParamValue]]:
        """Its type, and its value in each mode; none if the driver does not have it. OSError."""
        try:
            asked = self._handle(address) + messages.text(messages.PARAM_NAME, name)
            return messages.param_values(self._question("devlink", PARAM_GET, asked))
        except OSError as error:
            if error.errno in {errno.EINVAL, *ABSENT}:  # net/devlink/param.c, devlink_nl_param_get_doit
                return 0, {}
            raise

    def _ports(self) -> tuple[SwitchPort, ...]:
        """Every netdev, of this network namespace. OSError, UnusableError, InterruptedDumpError."""
        mask = attribute(IFLA_EXT_MASK, struct.pack("=I", RTEXT_FILTER_SKIP_STATS))
        _, ask = self._families("rtnetlink")

        def read() -> tuple[SwitchPort, ...]:
            answer = ask(RTM_GETLINK, LINK.pack(0, 0, 0, 0, 0) + mask, NLM_F_DUMP)
            return tuple(map(messages.port, bodies_of(answer, RTM_NEWLINK, LINK.size)))

        return read_undisturbed(read)

    def _function_ports(self, address: str) -> tuple[FunctionPort, ...]:
        """Older kernels tell of every device when they are asked for one. OSError as for _ports."""
        number, ask = self._families("devlink")

        def read() -> tuple[FunctionPort, ...]:
            asked = GENERIC.pack(PORT_GET, 1, 0) + self._handle(address)
            bodies = bodies_of(ask(number, asked, NLM_F_DUMP), number, GENERIC.size)
            ports = (messages.function_port(body, self._bus, address) for body in bodies)
            return tuple(port for port in ports if port)

        return read_undisturbed(read)

    def _look_at(self, port: SwitchPort) -> Representor:
        """With its hw-tc-offload; a netdev that is gone by now has none. OSError."""
        try:
            body = self._question("ethtool", FEATURES_GET, messages.features_of(port.ifindex))
        except OSError as error:
            if error.errno in ABSENT:
                return _without_features(port)
            raise
        return replace(_without_features(port), has_tc_offload=messages.has_tc_offload(body))

    def _handle(self, address: str) -> bytes:
        return messages.handle(self._bus, address)

    def _question(self, family: str, command: int, body: bytes) -> bytes:
        """What the kernel tells. OSError, with its own words where it has some."""
        said, number, words = self._ask(family, command, body)
        if number or not said:
            raise OSError(number or errno.ENODATA, words or os.strerror(number or errno.ENODATA))
        return said

    def _change(self, family: str, command: int, body: bytes) -> None:
        """Has something changed. OSError as above."""
        _, number, words = self._ask(family, command, body, NLM_F_ACK)
        if number:
            raise OSError(number, words or os.strerror(number))

    def _ask(self, family: str, command: int, body: bytes, flags: int = 0) -> tuple[bytes, int, str]:
        number, ask = self._families(family)
        return reply_to(ask, number, GENERIC.pack(command, 1, 0) + body, flags, answer=number, least=GENERIC.size)


class Sockets:
    """To the kernel, opened when they are first needed."""

    def __init__(self) -> None:
        """Opens none."""
        self._sockets: list[socket] = []
        self._found: dict[str, tuple[int, Asker]] = {}

    def __call__(self, name: str) -> tuple[int, Asker]:
        """See Families. OSError; ENOENT if the kernel does not have this family."""
        if name not in self._found:
            self._found[name] = self._open(name)
        return self._found[name]

    def close(self) -> None:
        """All of them."""
        for connection in self._sockets:
            connection.close()

    def _open(self, name: str) -> tuple[int, Asker]:
        is_route = name == "rtnetlink"
        connection = open_socket(NETLINK_ROUTE if is_route else NETLINK_GENERIC)
        self._sockets.append(connection)
        ask = Conversation(connection, buffer_bytes=MESSAGE_BYTES).ask
        if is_route:
            return 0, ask
        wish = GENERIC.pack(CTRL_CMD_GETFAMILY, 1, 0) + messages.family_wish(name)
        said, number, _ = reply_to(ask, GENL_ID_CTRL, wish, answer=GENL_ID_CTRL, least=GENERIC.size)
        if number:
            raise OSError(number, f"this kernel has no {name}")
        return messages.family_number(said), ask


def _without_features(port: SwitchPort) -> Representor:
    return Representor(port.netdev, port.ifindex, port.has_master, port_name=port.port_name)


@contextmanager
def _in_words() -> Iterator[None]:
    """What is raised in this block is a KernelError, with the kernel's errno and words."""
    try:
        yield
    except UnusableError as error:
        raise KernelError(f"its answer cannot be used: {error}") from error
    except InterruptedDumpError as error:
        raise KernelError("its list of netdevs keeps changing while it is read") from error
    except OSError as error:
        raise KernelError(error.strerror or str(error), errno=error.errno or errno.ETIMEDOUT) from error
