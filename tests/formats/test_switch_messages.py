"""Switches as messages have them: what the kernel says is understood, and what it is asked for is as it reads it."""

import struct

import pytest

from netlink import attribute
from sriov_bootstrap.base.netlink import UnusableError
from sriov_bootstrap.core.eswitch_config import EncapMode, EswitchMode, InlineMode, ParamMode, ParamValue
from sriov_bootstrap.core.port_functions import PortFunction
from sriov_bootstrap.formats import switch_messages as messages
from sriov_bootstrap.formats.switch_messages import GENERIC, FunctionPort, SwitchPort

HEAD = GENERIC.pack(29, 1, 0)
SWITCH = bytes.fromhex("0a0b0c")


def port(
    index: int, name: str, *, switch: bytes = SWITCH, port_name: str = "", parent: str = "", master: int = 0
) -> bytes:
    """As rtnetlink lists it."""
    body = struct.pack("=BxHiII", 0, 1, index, 0x1003, 0) + attribute(3, name.encode() + b"\0")
    body += attribute(10, struct.pack("=I", master)) if master else b""
    body += attribute(36, switch) if switch else b""
    body += attribute(38, port_name.encode() + b"\0") if port_name else b""
    return body + (attribute(56, parent.encode() + b"\0") if parent else b"")


def param(kind: int, *values: tuple[int, bytes | None]) -> bytes:
    """A parameter; mode, and the bytes of its value, None for a switch that is off."""
    inner = b"".join(
        attribute(85, (attribute(86, raw) if raw is not None else b"") + attribute(87, bytes([mode])))
        for mode, raw in values
    )
    return HEAD + attribute(80, attribute(81, b"name\0") + attribute(83, bytes([kind])) + attribute(84, inner))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            attribute(25, b"\x01\x00") + attribute(26, b"\x03") + attribute(62, b"\x01"),
            ("switchdev", "transport", "basic"),
        ),
        (attribute(25, b"\x00\x00"), ("legacy", "", "")),
        (attribute(25, b"\x02\x00"), ("", "", "")),  # switchdev_inactive, of Linux 6.19: none of ours
        (b"", ("", "", "")),
    ],
)
def test_modes_are_words_and_unknown_ones_are_none(body: bytes, expected: tuple[str, str, str]) -> None:
    assert messages.eswitch_modes(HEAD + body) == expected


def test_a_wish_has_what_is_said_and_no_more() -> None:
    assert messages.eswitch_wish(EswitchMode.SWITCHDEV) == attribute(25, b"\x01\x00")
    assert messages.eswitch_wish(inline=InlineMode.LINK) == attribute(26, b"\x01")
    assert messages.eswitch_wish(encap=EncapMode.NONE) == attribute(62, b"\x00")
    assert messages.handle("pci", "0000:3b:00.0") == attribute(1, b"pci\0") + attribute(2, b"0000:3b:00.0\0")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (param(6, (0, b""), (2, None)), (6, {"runtime": True, "permanent": False})),
        (param(3, (1, struct.pack("=I", 64))), (3, {"driverinit": 64})),
        (param(1, (1, b"\x07")), (1, {"driverinit": 7})),
        (param(5, (0, b"smfs\0")), (5, {"runtime": "smfs"})),
        (param(5, (0, None)), (5, {"runtime": ""})),
        (param(3, (9, struct.pack("=I", 64))), (3, {})),
        (HEAD, (0, {})),
    ],
)
def test_a_parameter_has_a_value_in_each_of_its_modes(body: bytes, expected: tuple[int, dict[str, ParamValue]]) -> None:
    assert messages.param_values(body) == expected


@pytest.mark.parametrize("raw", [b"\x01", None])
def test_a_number_that_is_cut_off_is_not_relied_on(raw: bytes | None) -> None:
    with pytest.raises(UnusableError, match="cut off"):
        messages.param_values(param(3, (0, raw)))


@pytest.mark.parametrize(
    ("kind", "value", "data"),
    [
        (6, True, attribute(86, b"")),
        (6, False, b""),
        (5, "smfs", attribute(86, b"smfs\0")),
        (1, 255, attribute(86, b"\xff")),
        (4, 1 << 40, attribute(86, struct.pack("=Q", 1 << 40))),
    ],
)
def test_a_value_is_sent_as_its_type_is(kind: int, value: ParamValue, data: bytes) -> None:
    head = attribute(81, b"x\0") + attribute(83, bytes([kind])) + attribute(87, b"\x01")
    assert messages.param_wish("x", kind, value, ParamMode.DRIVERINIT) == head + data


@pytest.mark.parametrize(("kind", "value"), [(6, 1), (5, 1), (1, 256), (1, True), (3, "64"), (0, 1), (6, "true")])
def test_a_value_of_another_type_is_not_sent(kind: int, value: ParamValue) -> None:
    with pytest.raises(ValueError, match=str(value)):
        messages.param_wish("x", kind, value, ParamMode.RUNTIME)


def test_a_port_says_what_it_stands_for() -> None:
    uplink = messages.port(port(2, "ens1f0", port_name="p0", parent="0000:3b:00.0", master=7))
    assert uplink == SwitchPort(2, "ens1f0", "0a0b0c", "p0", "0000:3b:00.0", has_master=True)
    assert uplink.vf is None
    plain = messages.port(port(1, "lo", switch=b""))
    assert (plain.switch_id, plain.vf, plain.has_master) == ("", None, False)


@pytest.mark.parametrize(
    ("text", "number"),
    [("pf0vf3", 3), ("c1pf0vf12", 12), ("pf1vf0", 0), ("p0", None), ("pf0", None), ("pf0sf3", None), ("pf0vf3x", None)],
)
def test_the_name_of_a_port_has_the_number_of_its_vf(text: str, number: int | None) -> None:
    assert SwitchPort(1, "eth0", port_name=text).vf == number


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (SwitchPort(3, "r0", "aa", "pf0vf0", "0000:3b:00.0"), True),
        (SwitchPort(3, "r0", "aa", "pf0vf0"), True),  # bnxt_en on kernels that do not tell the parent
        (SwitchPort(3, "r0", "aa", "pf1vf0", "0000:3b:00.1"), False),  # two PFs of a card may share a switch
        (SwitchPort(3, "r0", "bb", "pf0vf0", "0000:3b:00.0"), False),
        (SwitchPort(3, "r0", "", "pf0vf0", "0000:3b:00.0"), False),
        (SwitchPort(3, "r0", "aa", "pf0sf0", "0000:3b:00.0"), False),
    ],
)
def test_a_representor_is_known_by_its_switch_its_port_and_its_parent(other: SwitchPort, *, expected: bool) -> None:
    assert other.stands_beside(SwitchPort(2, "ens1f0", "aa", "p0", "0000:3b:00.0")) is expected


def test_features_are_known_by_their_name() -> None:
    def features(*names: bytes) -> bytes:
        bits = b"".join(attribute(1, attribute(1, b"\0\0\0\0") + attribute(2, name + b"\0")) for name in names)
        return HEAD + attribute(4, attribute(1, b"") + attribute(3, bits))

    assert messages.has_tc_offload(features(b"rx-gro", b"hw-tc-offload"))
    assert not messages.has_tc_offload(features(b"rx-gro"))
    assert not messages.has_tc_offload(HEAD)
    assert messages.features_of(7) == attribute(0x8001, attribute(1, struct.pack("=I", 7)))
    on, off = messages.tc_offload_wish(enabled=True), messages.tc_offload_wish(enabled=False)
    name = attribute(2, b"hw-tc-offload\0")
    assert on == attribute(0x8003, attribute(0x8003, attribute(0x8001, name + attribute(3, b""))))
    assert off == attribute(0x8003, attribute(0x8003, attribute(0x8001, name)))


def test_a_family_is_asked_for_by_name_and_has_a_number() -> None:
    assert messages.family_wish("devlink") == attribute(2, b"devlink\0")
    assert messages.family_number(HEAD + attribute(2, b"devlink\0") + attribute(1, b"\x14\x00")) == 20
    assert messages.family_number(HEAD) == 0


def function_port(*, device: str = "0000:3b:00.0", flavour: int = 4, external: int = 0, function: bytes = b"") -> bytes:
    """As devlink lists it; nothing of it is in the order of its numbers."""
    body = HEAD + attribute(2, device.encode() + b"\0") + attribute(1, b"pci\0") + attribute(77, bytes([flavour, 0]))
    body += attribute(3, struct.pack("=I", 131072)) + attribute(128, struct.pack("=H", 3))
    return body + attribute(149, bytes([external])) + attribute(145 | 0x8000, function)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (b"", PortFunction()),
        (attribute(1, b"\2" * 6) + attribute(4, struct.pack("=II", 1, 3)), PortFunction(roce=True, migratable=False)),
        (attribute(4, struct.pack("=II", 2, 2)) + attribute(6, struct.pack("=I", 8)), PortFunction(None, True, 8)),  # noqa: FBT003
        (attribute(4, b"cut"), PortFunction()),
    ],
)
def test_the_function_behind_a_port(function: bytes, expected: PortFunction) -> None:
    body = function_port(function=function)
    assert messages.function_port(body, "pci", "0000:3b:00.0") == FunctionPort(131072, 3, expected)


@pytest.mark.parametrize(
    "body", [function_port(device="0000:3b:00.1"), function_port(flavour=3), function_port(external=1), HEAD]
)
def test_a_port_of_another_device_or_host_or_kind(body: bytes) -> None:
    assert messages.function_port(body, "pci", "0000:3b:00.0") is None


@pytest.mark.parametrize(
    ("wish", "inner"),
    [
        (PortFunction(roce=False), attribute(4, struct.pack("=II", 0, 1))),
        (PortFunction(roce=True, migratable=False), attribute(4, struct.pack("=II", 1, 3))),
        (PortFunction(max_io_eqs=8), attribute(6, struct.pack("=I", 8))),
        (PortFunction(None, True, 4), attribute(4, struct.pack("=II", 2, 2)) + attribute(6, struct.pack("=I", 4))),  # noqa: FBT003
    ],
)
def test_what_a_port_is_to_say(wish: PortFunction, inner: bytes) -> None:
    """Nested attributes carry the flag on which nla_parse_nested insists."""
    assert messages.function_wish(5, wish) == attribute(3, struct.pack("=I", 5)) + attribute(145 | 0x8000, inner)
