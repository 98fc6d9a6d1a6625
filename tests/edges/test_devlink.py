"""devlink, ethtool and rtnetlink, against answers as the kernel gives them."""

import errno
import struct
from collections.abc import Iterable, Iterator
from contextlib import closing

import pytest

from netlink import attribute, done, error, message
from sriov_bootstrap.base.errors import KernelError
from sriov_bootstrap.base.netlink import NLM_F_DUMP_INTR, RTM_NEWLINK, Asker
from sriov_bootstrap.core.eswitch_config import EswitchMode, ParamMode
from sriov_bootstrap.core.facts import DevlinkQuestion, EswitchFacts, Representor
from sriov_bootstrap.core.port_functions import PortFunction
from sriov_bootstrap.edges.devlink import Devlink, Sockets

PF = "0000:3b:00.0"
DEVLINK, ETHTOOL = 20, 21
SWITCHDEV = attribute(25, b"\x01\x00") + attribute(26, b"\x00") + attribute(62, b"\x01")


def netdev(index: int, name: str, port_name: str, parent: str = PF, switch: bytes = b"\x0a", master: int = 0) -> bytes:
    body = struct.pack("=BxHiII", 0, 1, index, 0x1003, 0) + attribute(3, name.encode() + b"\0")
    body += attribute(36, switch) + attribute(38, port_name.encode() + b"\0") + attribute(56, parent.encode() + b"\0")
    return message(RTM_NEWLINK, body + attribute(10, struct.pack("=I", master)))


LINKS = (
    netdev(2, "ens1f0", "p0", master=9),
    netdev(3, "eth7", "pf0vf0"),
    netdev(4, "eth8", "pf0vf1"),
    netdev(5, "other", "pf1vf0", "0000:3b:00.1"),
    netdev(6, "elsewhere", "p0", "0000:5e:00.0", b"\x0b"),
)


def generic(family: int, command: int, body: bytes) -> bytes:
    return message(family, struct.pack("=BBH", command, 1, 0) + body)


def said(number: int, words: bytes) -> bytes:
    """An error with the kernel's words."""
    return message(2, struct.pack("=i", -number) + b"\0" * 16 + attribute(1, words + b"\0"), flags=0x300)


class FakeKernel:
    """`answers`: a family's command -> what is answered, in turn; the last one stays."""

    def __init__(self, answers: dict[tuple[str, int], list[bytes]], links: Iterable[bytes] = LINKS) -> None:
        self.answers = answers
        self.links = [*links, done()]
        self.asked: list[tuple[str, int, bytes]] = []
        self.absent: set[str] = set()

    def __call__(self, family: str) -> tuple[int, Asker]:
        if family in self.absent:
            raise FileNotFoundError(errno.ENOENT, f"this kernel has no {family}")
        number = {"devlink": DEVLINK, "ethtool": ETHTOOL, "rtnetlink": 0}[family]

        def ask(kind: int, body: bytes, flags: int = 0) -> Iterator[bytes]:  # noqa: ARG001
            if family == "rtnetlink":
                yield from self.links
                return
            command = body[0]
            self.asked.append((family, command, body[4:]))
            script = self.answers.get((family, command), [error(errno.EOPNOTSUPP)])
            yield script.pop(0) if len(script) > 1 else script[0]

        return number, ask


def features(*names: bytes) -> bytes:
    bits = b"".join(attribute(1, attribute(2, name + b"\0")) for name in names)
    return generic(ETHTOOL, 11, attribute(4, attribute(3, bits)))


def answering(**more: list[bytes]) -> FakeKernel:
    known = {"eswitch_get": ("devlink", 29), "eswitch_set": ("devlink", 30), "param_get": ("devlink", 38)}
    known |= {
        "port_get": ("devlink", 5),
        "port_set": ("devlink", 6),
        "param_set": ("devlink", 39),
        "features_get": ("ethtool", 11),
        "features_set": ("ethtool", 12),
    }
    usual = {("devlink", 29): [generic(DEVLINK, 29, SWITCHDEV)]}
    return FakeKernel(usual | {known[name]: value for name, value in more.items()})


def facts(kernel: FakeKernel, *params: str, tc_offload: bool = False) -> EswitchFacts:
    told = Devlink(families=kernel).read((DevlinkQuestion(PF, params, tc_offload),))
    assert (told.problem, told.problems) == ("", {})
    return told.by_address[PF]


def problem(kernel: FakeKernel) -> str:
    told = Devlink(families=kernel).read((DevlinkQuestion(PF, ("x",)),))
    return told.problem or told.problems[PF]


def test_a_switch_is_read_with_the_representors_that_are_its_own() -> None:
    assert facts(answering()) == EswitchFacts(
        "switchdev",
        "none",
        "basic",
        "0a",
        Representor("ens1f0", 2, has_master=True, port_name="p0"),
        {0: Representor("eth7", 3, port_name="pf0vf0"), 1: Representor("eth8", 4, port_name="pf0vf1")},
    )


def test_offload_is_read_where_it_is_asked_for() -> None:
    kernel = answering(features_get=[features(b"hw-tc-offload"), error(errno.ENODEV), features()])
    found = facts(kernel, tc_offload=True)
    assert found.uplink == Representor("ens1f0", 2, has_master=True, has_tc_offload=True, port_name="p0")
    assert [port.has_tc_offload for port in found.representors.values()] == [None, False]


def test_parameters_are_read_by_name_and_one_that_is_not_there_is_left_out() -> None:
    value = attribute(85, attribute(86, b"smfs\0") + attribute(87, b"\x00"))
    known = generic(DEVLINK, 38, attribute(80, attribute(83, b"\x05") + attribute(84, value)))
    kernel = answering(param_get=[known, error(errno.EINVAL)])
    assert facts(kernel, "flow_steering_mode", "nothing").params == {"flow_steering_mode": {"runtime": "smfs"}}


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENODEV])
def test_a_device_without_a_switch_has_no_mode(number: int) -> None:
    kernel = answering(eswitch_get=[error(number)])
    assert facts(kernel).mode == ""
    assert Devlink(families=kernel).mode(PF) == ""


def test_a_kernel_without_devlink_has_no_mode() -> None:
    kernel = answering()
    kernel.absent.add("devlink")
    assert facts(kernel).mode == ""


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"eswitch_get": [error(errno.EIO)]}, "the kernel did not tell of its switch: Input/output error"),
        ({"eswitch_get": [said(errno.EBUSY, b"resetting")]}, "the kernel did not tell of its switch: resetting"),
        ({"eswitch_get": [message(77, b"")]}, "the kernel did not tell of its switch: its answer cannot be used"),
        ({"eswitch_get": [error(0)]}, "the kernel did not tell of its switch: No data available"),
        ({"param_get": [error(errno.EIO)]}, "the kernel did not tell of its switch: Input/output error"),
    ],
)
def test_what_cannot_be_read_is_said(more: dict[str, list[bytes]], text: str) -> None:
    assert problem(answering(**more)).startswith(text)


def test_features_that_cannot_be_read_are_said() -> None:
    kernel = answering(features_get=[error(errno.EIO)])
    told = Devlink(families=kernel).read((DevlinkQuestion(PF, (), tc_offload=True),))
    assert told.problems == {PF: "the kernel did not tell of its switch: Input/output error"}


def test_a_list_of_netdevs_that_keeps_changing_is_given_up() -> None:
    kernel = answering()
    kernel.links = [done(flags=NLM_F_DUMP_INTR)]
    assert problem(kernel) == "the kernel did not list the netdevs: its list of netdevs keeps changing while it is read"


def test_a_pf_without_netdevs_has_no_representors() -> None:
    kernel = answering()
    kernel.links = [LINKS[3], done()]
    assert facts(kernel) == EswitchFacts("switchdev", "none", "basic")


def test_a_mode_is_set_by_its_number_and_the_kernels_words_are_kept() -> None:
    kernel = answering(eswitch_set=[error(0), said(errno.EBUSY, b"mlx5_core: Can't change mode, E-Switch is busy")])
    devlink = Devlink(families=kernel)
    devlink.set_eswitch(PF, mode=EswitchMode.SWITCHDEV)
    handle = attribute(1, b"pci\0") + attribute(2, f"{PF}\0".encode())
    assert kernel.asked == [("devlink", 30, handle + attribute(25, b"\x01\x00"))]
    with pytest.raises(KernelError, match="E-Switch is busy") as raised:
        devlink.set_eswitch(PF, mode=EswitchMode.LEGACY)
    assert raised.value.errno == errno.EBUSY


def test_a_parameter_is_set_in_its_own_type() -> None:
    value = attribute(85, attribute(86, b"\x07\0\0\0") + attribute(87, b"\x01"))
    known = generic(DEVLINK, 38, attribute(80, attribute(83, b"\x03") + attribute(84, value)))
    kernel = answering(param_get=[known], param_set=[error(0)])
    devlink = Devlink(families=kernel)
    devlink.set_param(PF, "max_macs", 9, ParamMode.DRIVERINIT)
    assert kernel.asked[-1][2].endswith(attribute(86, b"\x09\0\0\0"))
    for wrong, mode, number in (
        ("nine", ParamMode.DRIVERINIT, errno.EINVAL),
        (9, ParamMode.RUNTIME, errno.ENOENT),
    ):
        with pytest.raises(KernelError) as raised:
            devlink.set_param(PF, "max_macs", wrong, mode)
        assert raised.value.errno == number


def test_an_unknown_parameter_is_not_set() -> None:
    with pytest.raises(KernelError, match="unknown by this driver"):
        Devlink(families=answering(param_get=[error(errno.EINVAL)])).set_param(PF, "x", 1, ParamMode.RUNTIME)


def test_offload_is_set_by_ethtool() -> None:
    kernel = answering(features_set=[error(0)])
    Devlink(families=kernel).set_tc_offload(4, enabled=True)
    assert [(family, command) for family, command, _ in kernel.asked] == [("ethtool", 12)]


def test_the_kernel_of_this_machine_is_asked_and_every_socket_closed() -> None:
    with Devlink() as devlink:
        told = devlink.read((DevlinkQuestion("ffff:ff:1f.7", ("x",), tc_offload=True),))
    assert told.by_address["ffff:ff:1f.7"] == EswitchFacts()


def test_a_family_that_this_kernel_does_not_have_is_absent() -> None:
    sockets = Sockets()
    with closing(sockets), pytest.raises(OSError, match="this kernel has no nothing"):
        sockets("nothing")


def function_ports(*devices: str) -> bytes:
    """A dump, with VF 0 of each; older kernels tell of all devices."""
    head = attribute(1, b"pci\0") + attribute(77, b"\x04\x00") + attribute(128, b"\0\0")
    function = attribute(145, attribute(4, struct.pack("=II", 1, 1)))
    ports = (
        generic(
            DEVLINK,
            7,
            head + attribute(2, device.encode() + b"\0") + attribute(3, struct.pack("=I", number)) + function,
        )
        for number, device in enumerate(devices, 7)
    )
    return b"".join(ports) + done()


def test_what_ports_say_of_functions_is_read_where_it_is_asked_for() -> None:
    kernel = answering(port_get=[function_ports("0000:5e:00.0", PF)])
    told = Devlink(families=kernel).read((DevlinkQuestion(PF, functions=True),))
    assert told.by_address[PF].functions == {0: PortFunction(roce=True)}
    assert facts(answering()).functions == {}


def test_port_functions_are_set_by_the_number_of_the_port() -> None:
    kernel = answering(port_get=[function_ports("0000:5e:00.0", PF)], port_set=[error(0)])
    Devlink(families=kernel).set_functions(PF, {0: PortFunction(roce=False)})
    [sent] = [body for family, command, body in kernel.asked if (family, command) == ("devlink", 6)]
    assert attribute(3, struct.pack("=I", 8)) in sent
    with pytest.raises(KernelError, match="devlink has no port of VF 1"):
        Devlink(families=kernel).set_functions(PF, {1: PortFunction(roce=False)})


def test_a_device_without_ports_says_why() -> None:
    told = Devlink(families=answering(port_get=[error(errno.EOPNOTSUPP)])).read((DevlinkQuestion(PF, functions=True),))
    assert "Operation not supported" in told.problems[PF]
