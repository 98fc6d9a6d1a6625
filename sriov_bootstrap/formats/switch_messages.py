"""The switch in a NIC as devlink, ethtool and rtnetlink have it, read and written: attributes of messages.

devlink and ethtool are generic netlink: what they say comes after a command and a version (`GENERIC`).
"""

import re
import struct

from msgspec import Struct

from sriov_bootstrap.base.netlink import (
    IFLA_IFNAME,
    IFLA_MASTER,
    IFLA_PHYS_PORT_NAME,
    LINK,
    UnusableError,
    attribute,
    attributes,
)
from sriov_bootstrap.base.printable import one_line, text_of
from sriov_bootstrap.core.eswitch_config import EncapMode, EswitchMode, InlineMode, ParamMode, ParamValue
from sriov_bootstrap.core.port_functions import PortFunction

# include/uapi/linux/genetlink.h
GENERIC = struct.Struct("=BBH")  # command, version, reserved
BITFIELD = struct.Struct("=II")  # struct nla_bitfield32: value, selector
CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 1, 2
# include/uapi/linux/devlink.h
BUS_NAME, DEV_NAME, PORT_INDEX = 1, 2, 3
PORT_FLAVOUR, PORT_VF_NUMBER, PORT_FUNCTION, PORT_EXTERNAL = 77, 128, 145, 149
FUNCTION_CAPS, FUNCTION_MAX_IO_EQS = 4, 6
CAPS = {"roce": 1, "migratable": 2}  # DEVLINK_PORT_FN_CAP_*
FLAVOUR_VF = 4
ESWITCH_MODE, ESWITCH_INLINE_MODE, ESWITCH_ENCAP_MODE = 25, 26, 62
PARAM, PARAM_NAME, PARAM_TYPE, PARAM_VALUES, PARAM_VALUE, PARAM_DATA, PARAM_CMODE = 80, 81, 83, 84, 85, 86, 87
MODES, INLINES, ENCAPS, CMODES = tuple(EswitchMode), tuple(InlineMode), tuple(EncapMode), tuple(ParamMode)
NLA_STRING, NLA_FLAG = 5, 6
NLA_F_NESTED = 0x8000
NUMBERS = {1: struct.Struct("=B"), 2: struct.Struct("=H"), 3: struct.Struct("=I"), 4: struct.Struct("=Q")}
# include/uapi/linux/if_link.h
IFLA_PHYS_SWITCH_ID, IFLA_PARENT_DEV_NAME = 36, 56
OF_PORTS = frozenset((IFLA_IFNAME, IFLA_MASTER, IFLA_PHYS_SWITCH_ID, IFLA_PHYS_PORT_NAME, IFLA_PARENT_DEV_NAME))
# include/uapi/linux/ethtool_netlink.h
FEATURES_HEADER, FEATURES_WANTED, FEATURES_ACTIVE, HEADER_DEV_INDEX = 1, 3, 4, 1
BITSET_BITS, BITS_BIT, BIT_NAME, BIT_VALUE = 3, 1, 2, 3
TC_OFFLOAD = b"hw-tc-offload"

VF_PORT = r"(?:c\d+)?pf\d+vf(\d+)"  # net/devlink/port.c, __devlink_port_phys_port_name_get


class SwitchPort(Struct, frozen=True):
    """A netdev, maybe of a switch. `parent`: the device that it belongs to, "" if the kernel does not tell."""

    ifindex: int
    netdev: str
    switch_id: str = ""
    port_name: str = ""
    parent: str = ""
    has_master: bool = False

    @property
    def vf(self) -> int | None:
        """The number of the VF that it stands for, None for other ports."""
        found = re.fullmatch(VF_PORT, self.port_name)
        return int(found[1]) if found else None

    def stands_beside(self, uplink: "SwitchPort") -> bool:
        """Whether it stands for a VF of the PF with this uplink: two PFs may share a switch."""
        is_same = bool(self.switch_id) and self.switch_id == uplink.switch_id
        return is_same and self.vf is not None and self.parent in {"", uplink.parent}


def text(kind: int, value: str) -> bytes:
    """A text to send."""
    return attribute(kind, value.encode() + b"\0")


def handle(bus: str, device: str) -> bytes:
    """Which device devlink is asked about."""
    return text(BUS_NAME, bus) + text(DEV_NAME, device)


def eswitch_wish(
    mode: EswitchMode | None = None, inline: InlineMode | None = None, encap: EncapMode | None = None
) -> bytes:
    """What it is to become; None is left alone."""
    said = attribute(ESWITCH_MODE, struct.pack("=H", MODES.index(mode))) if mode else b""
    said += attribute(ESWITCH_INLINE_MODE, struct.pack("=B", INLINES.index(inline))) if inline else b""
    return said + (attribute(ESWITCH_ENCAP_MODE, struct.pack("=B", ENCAPS.index(encap))) if encap else b"")


def eswitch_modes(body: bytes) -> tuple[str, str, str]:
    """Mode, inline mode, encap mode; "" for what is not told, or is none of our words."""
    said = dict(attributes(body, GENERIC.size, {ESWITCH_MODE, ESWITCH_INLINE_MODE, ESWITCH_ENCAP_MODE}))
    return (
        _word(MODES, said.get(ESWITCH_MODE)),
        _word(INLINES, said.get(ESWITCH_INLINE_MODE)),
        _word(ENCAPS, said.get(ESWITCH_ENCAP_MODE)),
    )


def _word(words: tuple[str, ...], raw: bytes | None) -> str:
    number = int.from_bytes(raw, "little") if raw else -1
    return str(words[number]) if 0 <= number < len(words) else ""


def param_values(body: bytes) -> tuple[int, dict[str, ParamValue]]:
    """The type of a parameter (enum devlink_var_type), and its value in each mode that it has."""
    nested = next((value for _, value in attributes(body, GENERIC.size, {PARAM})), b"")
    said = dict(attributes(nested, 0, {PARAM_TYPE, PARAM_VALUES}))
    kind = int.from_bytes(said.get(PARAM_TYPE, b""), "little")
    found: dict[str, ParamValue] = {}
    for _, value in attributes(said.get(PARAM_VALUES, b""), 0, {PARAM_VALUE}):
        parts = dict(attributes(value, 0, {PARAM_CMODE, PARAM_DATA}))
        if cmode := _word(CMODES, parts.get(PARAM_CMODE)):
            found[cmode] = _param_value(kind, parts.get(PARAM_DATA))
    return kind, found


def _param_value(kind: int, raw: bytes | None) -> ParamValue:
    """A switch that is off has no data (net/devlink/param.c, devlink_nl_param_value_fill_one)."""
    if kind == NLA_FLAG:
        return raw is not None
    if number := NUMBERS.get(kind):
        if raw is None or len(raw) != number.size:
            raise UnusableError("the value of a parameter is cut off")
        return int(number.unpack(raw)[0])
    return one_line((raw or b"").rstrip(b"\0"))


def param_wish(name: str, kind: int, value: ParamValue, cmode: ParamMode) -> bytes:
    """What a parameter is to become. ValueError if it is of another type."""
    said = text(PARAM_NAME, name) + attribute(PARAM_TYPE, bytes([kind]))
    said += attribute(PARAM_CMODE, bytes([CMODES.index(cmode)]))
    if kind == NLA_FLAG and isinstance(value, bool):
        return said + (attribute(PARAM_DATA, b"") if value else b"")
    if kind == NLA_STRING and isinstance(value, str):
        return said + text(PARAM_DATA, value)
    number = NUMBERS.get(kind)
    if number and isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 8 * number.size:
        return said + attribute(PARAM_DATA, number.pack(value))
    raise ValueError(value)


class FunctionPort(Struct, frozen=True):
    """A VF's port of a switch: its number for devlink, and what it says of the function behind it."""

    index: int
    vf: int
    function: PortFunction


def function_port(body: bytes, bus: str, device: str) -> FunctionPort | None:
    """None for the ports of other devices, and those that stand for no VF of this host."""
    kinds = {BUS_NAME, DEV_NAME, PORT_INDEX, PORT_FLAVOUR, PORT_VF_NUMBER, PORT_FUNCTION, PORT_EXTERNAL}
    said = dict(attributes(body, GENERIC.size, kinds))
    place = tuple(one_line(said.get(kind, b"").rstrip(b"\0")) for kind in (BUS_NAME, DEV_NAME))
    is_vf = (
        _number(said.get(PORT_FLAVOUR)) == FLAVOUR_VF
        and PORT_VF_NUMBER in said
        and not any(said.get(PORT_EXTERNAL, b""))
    )
    if place != (bus, device) or not is_vf:
        return None
    told = dict(attributes(said.get(PORT_FUNCTION, b""), 0, {FUNCTION_CAPS, FUNCTION_MAX_IO_EQS}))
    value, selector = (
        BITFIELD.unpack(told[FUNCTION_CAPS]) if len(told.get(FUNCTION_CAPS, b"")) == BITFIELD.size else (0, 0)
    )
    caps = {name: bool(value & bit) for name, bit in CAPS.items() if selector & bit}
    queues = _number(told.get(FUNCTION_MAX_IO_EQS)) if FUNCTION_MAX_IO_EQS in told else None
    function = PortFunction(caps.get("roce"), caps.get("migratable"), queues)
    return FunctionPort(_number(said.get(PORT_INDEX)), _number(said.get(PORT_VF_NUMBER)), function)


def function_wish(index: int, wish: PortFunction) -> bytes:
    """What a port is to say of the function behind it; what is not said is left alone."""
    said = {name: bit for name, bit in CAPS.items() if getattr(wish, name) is not None}
    value = sum(bit for name, bit in said.items() if getattr(wish, name))
    inner = attribute(FUNCTION_CAPS, BITFIELD.pack(value, sum(said.values()))) if said else b""
    if wish.max_io_eqs is not None:
        inner += attribute(FUNCTION_MAX_IO_EQS, struct.pack("=I", wish.max_io_eqs))
    return attribute(PORT_INDEX, struct.pack("=I", index)) + _nested_attribute(PORT_FUNCTION, inner)


def _number(raw: bytes | None) -> int:
    return int.from_bytes(raw or b"", "little")


def port(body: bytes) -> SwitchPort:
    """A netdev, as rtnetlink lists it."""
    said = dict(attributes(body, LINK.size, OF_PORTS))
    return SwitchPort(
        LINK.unpack_from(body)[2],
        text_of(said.get(IFLA_IFNAME, b"").rstrip(b"\0")),
        said.get(IFLA_PHYS_SWITCH_ID, b"").hex(),
        one_line(said.get(IFLA_PHYS_PORT_NAME, b"").rstrip(b"\0")),
        one_line(said.get(IFLA_PARENT_DEV_NAME, b"").rstrip(b"\0")),
        any(said.get(IFLA_MASTER, b"")),
    )


def _nested_attribute(kind: int, inner: bytes) -> bytes:
    """Attributes within one: ethtool insists on the flag, which older families do not know."""
    return attribute(kind | NLA_F_NESTED, inner)


def features_of(ifindex: int) -> bytes:
    """Which netdev ethtool is asked about."""
    return _nested_attribute(FEATURES_HEADER, attribute(HEADER_DEV_INDEX, struct.pack("=I", ifindex)))


def has_tc_offload(body: bytes) -> bool:
    """Whether that feature is active."""
    active = next((value for _, value in attributes(body, GENERIC.size, {FEATURES_ACTIVE})), b"")
    bits = (bit for _, value in attributes(active, 0, {BITSET_BITS}) for _, bit in attributes(value, 0, {BITS_BIT}))
    return any(name.rstrip(b"\0") == TC_OFFLOAD for bit in bits for _, name in attributes(bit, 0, {BIT_NAME}))


def tc_offload_wish(*, enabled: bool) -> bytes:
    """What that feature is to become."""
    bit = attribute(BIT_NAME, TC_OFFLOAD + b"\0") + (attribute(BIT_VALUE, b"") if enabled else b"")
    return _nested_attribute(FEATURES_WANTED, _nested_attribute(BITSET_BITS, _nested_attribute(BITS_BIT, bit)))


def family_wish(name: str) -> bytes:
    """The question for the number of a generic family."""
    return text(CTRL_ATTR_FAMILY_NAME, name)


def family_number(body: bytes) -> int:
    """Its number, 0 if that is not told."""
    return next((int.from_bytes(raw, "little") for _, raw in attributes(body, GENERIC.size, {CTRL_ATTR_FAMILY_ID})), 0)
