"""VF attributes, on a kernel that takes and answers messages as net/core/rtnetlink.c does."""

import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace

from builders import NEW_VF, PF, vf_address
from netlink import attribute, error, link, message, pf_link, vf_info
from sriov_bootstrap.base.errors import KernelError
from sriov_bootstrap.base.netlink import NLM_F_ACK, NLMSG_ERROR, RTM_GETLINK, attributes
from sriov_bootstrap.core.vf_attributes import (
    LinkState,
    PfLink,
    PfLinks,
    RefusedSetting,
    Request,
    VfAttributes,
    VlanProtocol,
)
from sriov_bootstrap.edges.vf_attributes import (
    MOST_VFS,
    RTM_SETLINK,
    read_pf_links,
    set_link,
    set_vf_attributes,
    write_msix,
)
from sriov_bootstrap.formats.vf_info import IFLA_MTU, IFLA_VFINFO_LIST, read_vfs

NAME = b"ens1f0"
PROTOCOLS = {None: 0x8100, VlanProtocol.DOT1Q: 0x8100, VlanProtocol.DOT1AD: 0x88A8}
STATES = {None: 0, LinkState.AUTO: 0, LinkState.ENABLE: 1, LinkState.DISABLE: 2}
UNSET = replace(NEW_VF, query_rss=False)

# What a driver says of a wish for a VF: an errno, 0 for yes.
Driver = Callable[[int, VfAttributes], int]


@dataclass
class Kernel:
    """One PF with index 5. `driver` decides; `untold` attributes do not read back; `error` is for every message."""

    vfs: dict[int, VfAttributes]
    driver: Driver = lambda _vf, _asked: 0
    untold: frozenset[str] = frozenset()
    error: int = 0
    has_reads: bool = True
    sets: list[list[int]] = field(default_factory=list)

    def ask(self, kind: int, body: bytes, flags: int) -> Iterator[bytes]:
        if kind == RTM_GETLINK:
            assert flags == 0
            yield pf_link(5, NAME, map(self.info, sorted(self.vfs))) if self.has_reads else error(errno.EMSGSIZE)
            return
        assert (kind, flags) == (RTM_SETLINK, NLM_F_ACK)
        yield error(self.error or self.set(body))

    def set(self, body: bytes) -> int:
        """In turn, and to the first error."""
        wishes = [value for _, value in attributes(body, 16, {IFLA_VFINFO_LIST})]
        if not wishes:
            return 0
        [content] = wishes
        wanted = read_vfs(content, 0)
        assert content.count(attribute(1, b"")[2:4]) >= len(wanted)
        self.sets.append([*wanted])
        for vf, asked in wanted.items():
            if number := errno.EINVAL if vf not in self.vfs else self.driver(vf, asked):
                return number
            self.vfs[vf] = replace(self.vfs[vf], **asked.said)
        return 0

    def info(self, vf: int) -> bytes:
        """What reads back, as rtnl_fill_vfinfo says it."""
        has = replace(self.vfs[vf], **dict.fromkeys(self.untold))
        guids = (int((has.node_guid or "0").replace(":", ""), 16), int((has.port_guid or "0").replace(":", ""), 16))
        return vf_info(
            vf,
            has.mac or "00:00:00:00:00:00",
            vlan=(has.vlan or 0, has.vlan_qos or 0, PROTOCOLS[has.vlan_protocol]),
            rates=(has.min_tx_rate or 0, has.max_tx_rate or 0),
            guids=None if "node_guid" in self.untold else guids,
            settings={
                "spoofchk": 0xFFFFFFFF if has.spoofchk is None else has.spoofchk,
                "link_state": STATES[has.link_state],
                "query_rss": 0xFFFFFFFF if has.query_rss is None else has.query_rss,
                "trust": 0xFFFFFFFF if has.trust is None else has.trust,
            },
        )

    def wishes(self, wishes: Mapping[int, VfAttributes]) -> tuple[RefusedSetting, ...]:
        return set_vf_attributes(5, wishes, ask=self.ask)


def kernel(count: int, driver: Driver = lambda _vf, _asked: 0, *untold: str) -> Kernel:
    return Kernel(dict.fromkeys(range(count), UNSET), driver, frozenset(untold))


def refuses(vfs: set[int], number: int, request: Request | None = None) -> Driver:
    return lambda vf, asked: number if vf in vfs and request in {None, *asked.requests} else 0


# -- reading --


def test_a_pf_and_its_vfs_are_read() -> None:
    said = kernel(2)
    said.vfs[1] = replace(UNSET, mac="02:00:00:00:00:01", trust=True, query_rss=None)
    guids = {"node_guid": "00:00:00:00:00:00:00:00", "port_guid": "00:00:00:00:00:00:00:00"}
    expected = {vf: replace(vf_attributes, **guids) for vf, vf_attributes in said.vfs.items()}
    link_ = PfLink(5, 9000, is_promiscuous=False, has_carrier=True, vfs=expected)
    assert read_pf_links(["ens1f0"], said.ask) == PfLinks({"ens1f0": link_})


def answering(*datagrams: bytes) -> PfLinks:
    """Each netdev has the next of these for an answer."""
    left = list(datagrams)
    names = [f"n{index}" for index in range(len(left))]
    return read_pf_links(names, lambda _kind, _body, _flags: [left.pop(0)])


def test_promiscuous_is_what_somebody_has_set() -> None:
    found = answering(pf_link(1, NAME, flags=0x100), pf_link(2, NAME)).by_name
    assert [found[name].is_promiscuous for name in ("n0", "n1")] == [True, False]


def test_a_driver_that_says_nothing_of_vfs_has_none() -> None:
    assert answering(pf_link(7, NAME, None)) == PfLinks({"n0": PfLink(7, 9000, has_carrier=True)})


def test_a_vf_of_ipoib_has_no_mac() -> None:
    guid = "00:00:00:00:00:00:00:01"
    [found] = answering(pf_link(7, NAME, [vf_info(0, "02:00:00:00:00:01", guids=(1, 1))], kind=32)).by_name.values()
    assert (found.vfs[0].mac, found.vfs[0].node_guid, found.vfs[0].port_guid) == (None, guid, guid)


def test_a_netdev_without_carrier_or_mtu_has_none() -> None:
    bare = message(16, struct.pack("=BxHiII", 0, 1, 4, 0x1003, 0) + attribute(33, b"\0"))
    assert answering(bare) == PfLinks({"n0": PfLink(4)})


def test_a_netdev_that_is_gone_is_left_out_and_the_others_are_read() -> None:
    found = answering(error(errno.ENODEV), pf_link(1, NAME))
    assert ([*found.by_name], found.problem) == (["n1"], "")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        pytest.param(
            error(errno.EMSGSIZE), "EMSGSIZE: its VFs do not fit into one message of the kernel", id="EMSGSIZE"
        ),
        pytest.param(error(errno.EPERM), "EPERM: Operation not permitted", id="refused"),
        pytest.param(
            pf_link(1, NAME, [vf_info(0)])[:-30], "the kernel's answer cannot be used: a message is cut off", id="cut"
        ),
        pytest.param(
            pf_link(1, NAME, [vf_info(0), attribute(1, b"")]),
            "the kernel's answer cannot be used: a VF has no number",
            id="VF",
        ),
        pytest.param(b"", "the kernel's answer cannot be used: a message is cut off", id="nothing"),
        pytest.param(
            message(20, b""),
            "the kernel's answer cannot be used: it is neither what was asked for nor an error",
            id="kind",
        ),
    ],
)
def test_an_answer_that_is_none_is_a_problem_and_never_no_vfs(answer: bytes, problem: str) -> None:
    assert answering(answer, pf_link(1, NAME)) == PfLinks({"n1": PfLink(1, 9000, has_carrier=True)}, f"n0: {problem}")


@pytest.mark.parametrize("count", [256, 334, 335, 512, 2000])
def test_every_vf_of_many_is_read(count: int) -> None:
    """From 335 VFs on the length of the list has overflown, as it does before Linux 7.3."""
    macs = {vf: f"02:00:00:00:{vf >> 8:02x}:{vf & 0xFF:02x}" for vf in range(count)}
    datagram = pf_link(1, NAME, [vf_info(vf, mac) for vf, mac in macs.items()])
    [found] = answering(datagram).by_name.values()
    assert {vf: has.mac for vf, has in found.vfs.items()} == macs


def test_a_list_that_the_kernel_has_cut_off_is_a_problem() -> None:
    """As Linux 7.3 does after 256 VFs."""
    found = answering(pf_link(1, NAME, map(vf_info, range(256)), num_vfs=257))
    assert found.problem == "n0: the kernel lists 256 of its 257 VFs"
    assert found.by_name["n0"].vfs.keys() == {*range(256)}


def test_a_vf_of_which_the_driver_says_nothing_now_is_no_problem() -> None:
    found = answering(pf_link(1, NAME, [vf_info(0), vf_info(2)], num_vfs=3))
    assert (found.problem, [*found.by_name["n0"].vfs]) == ("", [0, 2])


def test_256_vfs_with_guids_fit_into_one_attribute() -> None:
    assert 256 * len(vf_info(0, guids=(1, 1))) < 0xFFFF


def test_a_question_names_one_netdev_and_wants_its_vfs_without_statistics() -> None:
    asked: list[tuple[int, bytes, int]] = []

    def ask(kind: int, body: bytes, flags: int) -> list[bytes]:
        asked.append((kind, body, flags))
        return [error(errno.ENODEV)]

    assert read_pf_links([r"a\xff"], ask) == PfLinks()
    body = struct.pack("=BxHiII", 0, 0, 0, 0, 0) + attribute(3, b"a\xff\0") + attribute(29, struct.pack("=I", 1 | 8))
    assert asked == [(18, body, 0)]


def test_a_kernel_that_does_not_answer_is_asked_once() -> None:
    asked = []

    def ask(*question: object) -> list[bytes]:
        asked.append(question)
        raise TimeoutError("timed out")

    assert read_pf_links(["a", "b"], ask) == PfLinks(problem="the kernel did not tell of PFs and their VFs: timed out")
    assert len(asked) == 1


def test_the_netdevs_of_this_host_are_read() -> None:
    names = [name for _, name in socket.if_nameindex()]
    found = read_pf_links([*names, "no-such-netdev"])
    assert found.problem == ""
    assert {name: one.ifindex for name, one in found.by_name.items()} == {
        name: socket.if_nametoindex(name) for name in names
    }
    assert all(one.mtu for one in found.by_name.values())


# -- setting --


WISH = VfAttributes(
    mac="02:00:00:00:00:01",
    vlan=100,
    vlan_qos=5,
    vlan_protocol=VlanProtocol.DOT1AD,
    min_tx_rate=1,
    max_tx_rate=500,
    spoofchk=False,
    link_state=LinkState.ENABLE,
    query_rss=True,
    trust=True,
    node_guid="00:00:00:00:00:00:00:01",
    port_guid="00:00:00:00:00:00:00:02",
)


def test_everything_is_set_with_one_message_for_each_request_and_all_vfs() -> None:
    pf = kernel(256)
    assert pf.wishes({vf: replace(WISH, msix_vectors=9) for vf in range(256)}) == ()
    assert set(pf.vfs.values()) == {WISH}
    assert pf.sets == [[*range(256)]] * 9


def test_nothing_to_set_is_no_message() -> None:
    pf = kernel(2)
    assert pf.wishes({}) == pf.wishes({0: VfAttributes(msix_vectors=3)}) == ()
    assert pf.sets == []


def test_each_vf_has_its_own_requests() -> None:
    pf = kernel(4)
    assert pf.wishes({3: VfAttributes(trust=True), 1: VfAttributes(spoofchk=False, trust=True)}) == ()
    assert pf.sets == [[1], [1, 3]]


def test_a_refused_vf_is_named_and_the_others_are_set() -> None:
    pf = kernel(256, refuses({3, 200, 255}, errno.EINVAL, "trust"))
    wishes = {vf: VfAttributes(spoofchk=False, trust=True) for vf in range(256)}
    expected = tuple(RefusedSetting(vf, "trust", VfAttributes(trust=True), errno.EINVAL) for vf in (3, 200, 255))
    assert pf.wishes(wishes) == expected
    assert {vf for vf, has in pf.vfs.items() if not has.trust} == {3, 200, 255}
    assert not any(has.spoofchk for has in pf.vfs.values())
    assert len(pf.sets) == 2 + 2  # the last VF of all leaves nothing to send


def test_every_vf_that_is_refused_costs_one_message() -> None:
    """As igb without carrier."""
    pf = kernel(7, refuses({*range(7)}, errno.EINVAL))
    refused = pf.wishes({vf: VfAttributes(min_tx_rate=0, max_tx_rate=100) for vf in range(7)})
    assert [(one.vf, one.errno) for one in refused] == [(vf, errno.EINVAL) for vf in range(7)]
    assert len(pf.sets) == 7


def test_a_vf_beyond_the_last_is_refused() -> None:
    pf = kernel(2)
    wishes = {vf: VfAttributes(trust=True) for vf in (1, 2)}
    assert pf.wishes(wishes) == (RefusedSetting(2, "trust", VfAttributes(trust=True), errno.EINVAL),)
    assert pf.vfs[1].trust


def test_an_operation_that_the_driver_has_not_is_tried_for_two_vfs() -> None:
    pf = kernel(256, refuses({*range(256)}, errno.EOPNOTSUPP, "link_state"))
    wishes = {vf: VfAttributes(link_state=LinkState.ENABLE, trust=True) for vf in range(256)}
    asked = VfAttributes(link_state=LinkState.ENABLE)
    assert pf.wishes(wishes) == tuple(RefusedSetting(vf, "link_state", asked, errno.EOPNOTSUPP) for vf in range(256))
    assert all(has.trust for has in pf.vfs.values())
    assert len(pf.sets) == 2 + 1


def test_macs_differ_and_are_the_same_operation() -> None:
    pf = kernel(9, refuses({*range(9)}, errno.EOPNOTSUPP))
    assert len(pf.wishes({vf: VfAttributes(mac=f"02:00:00:00:00:0{vf}") for vf in range(9)})) == 9
    assert len(pf.sets) == 2


def test_what_the_driver_does_for_one_value_is_still_set() -> None:
    """A minimum rate may be what it cannot do."""
    pf = kernel(6, lambda _vf, asked: errno.EOPNOTSUPP if asked.min_tx_rate else 0)
    wishes = {vf: VfAttributes(min_tx_rate=vf % 2, max_tx_rate=100) for vf in range(6)}
    assert [one.vf for one in pf.wishes(wishes)] == [1, 3, 5]
    assert [vf for vf, has in pf.vfs.items() if has.max_tx_rate == 100] == [0, 2, 4]


def test_what_the_driver_has_done_for_one_vf_it_may_do_for_another() -> None:
    pf = kernel(6, refuses({1, 2, 3}, errno.EOPNOTSUPP))
    assert [one.vf for one in pf.wishes({vf: VfAttributes(trust=True) for vf in range(6)})] == [1, 2, 3]
    assert [vf for vf, has in pf.vfs.items() if has.trust] == [0, 4, 5]


def test_what_does_not_read_back_is_set_one_by_one_after_an_error() -> None:
    pf = kernel(5, refuses({2}, errno.EINVAL), "node_guid", "port_guid")
    asked = VfAttributes(node_guid="00:00:00:00:00:00:00:01")
    assert pf.wishes(dict.fromkeys(range(5), asked)) == (RefusedSetting(2, "node_guid", asked, errno.EINVAL),)
    assert [vf for vf, has in pf.vfs.items() if has.node_guid] == [0, 1, 3, 4]
    assert pf.sets == [[*range(5)], [0], [1], [2], [3], [4]]


def test_what_does_not_read_back_and_is_not_supported_is_tried_for_two_vfs() -> None:
    pf = kernel(256, refuses({*range(256)}, errno.EOPNOTSUPP), "trust")
    assert len(pf.wishes({vf: VfAttributes(trust=True) for vf in range(256)})) == 256
    assert [len(vfs) for vfs in pf.sets] == [256, 1, 1]


def test_vfs_that_cannot_be_read_are_set_one_by_one_after_an_error() -> None:
    pf = kernel(3, refuses({1}, errno.EBUSY))
    pf.has_reads = False
    asked = VfAttributes(trust=True)
    assert pf.wishes(dict.fromkeys(range(3), asked)) == (RefusedSetting(1, "trust", asked, errno.EBUSY),)
    assert [vf for vf, has in pf.vfs.items() if has.trust] == [0, 2]


def test_an_error_with_everything_as_asked_is_looked_into() -> None:
    """A driver may refuse what a VF has already."""
    pf = kernel(3, refuses({1}, errno.EINVAL))
    asked = VfAttributes(trust=False)
    assert pf.wishes(dict.fromkeys(range(3), asked)) == (RefusedSetting(1, "trust", asked, errno.EINVAL),)


def test_vfs_are_read_as_the_caller_says() -> None:
    pf = kernel(3, refuses({1}, errno.EINVAL))
    pf.has_reads = False
    asked = VfAttributes(trust=True)
    refused = set_vf_attributes(5, dict.fromkeys(range(3), asked), lambda: pf.vfs, ask=pf.ask)
    assert refused == (RefusedSetting(1, "trust", asked, errno.EINVAL),)
    assert pf.sets == [[0, 1, 2], [2]]


def test_more_vfs_than_fit_into_a_message_have_several() -> None:
    pf = kernel(MOST_VFS + 1)
    assert pf.wishes({vf: VfAttributes(trust=True) for vf in range(MOST_VFS + 1)}) == ()
    assert [len(vfs) for vfs in pf.sets] == [MOST_VFS, 1]
    assert MOST_VFS * len(attribute(1, attribute(1, b"\0" * 36))) < 0xFFFF


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENODEV])
def test_an_error_of_the_driver_is_no_other_vfs(number: int) -> None:
    pf = kernel(3, refuses({1}, number))
    asked = VfAttributes(trust=True)
    assert pf.wishes(dict.fromkeys(range(3), asked)) == (RefusedSetting(1, "trust", asked, number),)
    assert pf.vfs[2].trust


@pytest.mark.parametrize(
    ("number", "message_", "hint"),
    [
        pytest.param(errno.EPERM, "EPERM: CAP_NET_ADMIN is missing", "run as root", id="EPERM"),
        pytest.param(errno.ENODEV, "ENODEV: there is no such netdev any more", "none needed", id="gone"),
    ],
)
def test_an_error_for_whatever_is_asked_is_raised(number: int, message_: str, hint: str) -> None:
    pf = kernel(3)
    pf.error = number
    with pytest.raises(KernelError) as raised:
        set_vf_attributes(1_000_000, {0: WISH}, ask=pf.ask)
    said = f"the netdev with index 1000000: cannot set attributes of its VFs: {message_}"
    assert (raised.value.message, raised.value.errno) == (said, number)
    assert raised.value.hint.startswith(hint)


def test_a_kernel_that_does_not_answer_is_an_error_with_the_name_of_the_netdev() -> None:
    def ask(*_question: object) -> list[bytes]:
        raise TimeoutError("timed out")

    with pytest.raises(KernelError) as raised:
        set_vf_attributes(socket.if_nametoindex("lo"), {0: WISH}, ask=ask)
    assert raised.value.message == "lo: cannot set attributes of its VFs: ETIMEDOUT: the kernel did not answer"
    assert raised.value.errno == errno.ETIMEDOUT


def test_an_answer_that_makes_no_sense_is_an_error() -> None:
    with pytest.raises(
        KernelError, match=r"^lo: cannot set mtu to 9000: the kernel's answer cannot be used: a message"
    ):
        set_link(socket.if_nametoindex("lo"), mtu=9000, ask=lambda *_: [])


# -- the PF itself --


def recorded(number: int = 0, *, words: str = "") -> tuple[list[bytes], Callable[[int, bytes, int], list[bytes]]]:
    bodies = []

    def ask(kind: int, body: bytes, flags: int) -> list[bytes]:
        assert (kind, flags) == (RTM_SETLINK, NLM_F_ACK)
        bodies.append(body)
        said = struct.pack("=i", -number) + b"\0" * 16
        if words:
            return [message(NLMSG_ERROR, said + attribute(1, words.encode() + b"\0"), flags=0x300)]
        return [message(NLMSG_ERROR, said)]

    return bodies, ask


def test_mtu_and_promisc_are_set_by_a_message_each() -> None:
    bodies, ask = recorded()
    set_link(5, mtu=9000, promisc=True, ask=ask)
    set_link(5, promisc=False, ask=ask)
    set_link(5, ask=ask)
    assert bodies == [
        struct.pack("=BxHiII", 0, 0, 5, 0, 0) + attribute(IFLA_MTU, struct.pack("=I", 9000)),
        struct.pack("=BxHiII", 0, 0, 5, 0x100, 0x100),
        struct.pack("=BxHiII", 0, 0, 5, 0, 0x100),
    ]


def test_the_kernels_own_words_are_the_cause() -> None:
    _, ask = recorded(errno.EINVAL, words="mtu greater than device maximum")
    with pytest.raises(KernelError) as raised:
        set_link(socket.if_nametoindex("lo"), mtu=99999, ask=ask)
    assert raised.value.message == "lo: cannot set mtu to 99999: EINVAL: mtu greater than device maximum"
    assert raised.value.hint.startswith("mtu: `ip -d link show` tells the least and the most")


def test_without_words_the_errno_is_the_cause() -> None:
    _, ask = recorded(errno.EBUSY)
    with pytest.raises(KernelError, match=r"^lo: cannot set promisc to off: EBUSY: Device or resource busy$"):
        set_link(socket.if_nametoindex("lo"), promisc=False, ask=ask)


def test_other_answers_are_not_waited_for() -> None:
    with pytest.raises(KernelError, match="neither what was asked for nor an error"):
        set_link(1, mtu=1500, ask=lambda *_: [message(NLMSG_ERROR, b"\0\0")])
    assert answering(link(3, b"x")).by_name["n0"].ifindex == 3


# -- MSI-X --


def test_msix_vectors_are_written_to_the_vfs_file(tmp_path: Path) -> None:
    vf = vf_address(PF, 0)
    count = tmp_path / "bus/pci/devices" / vf / "sriov_vf_msix_count"
    count.parent.mkdir(parents=True)
    count.write_text("0")
    assert write_msix(vf, 0, 17, root=f"{tmp_path}") is None
    assert count.read_text() == "17"


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EOPNOTSUPP, errno.EINVAL])
def test_msix_vectors_that_are_refused(number: int) -> None:
    def write(_path: str, _text: str) -> None:
        raise OSError(number, os.strerror(number))

    assert write_msix("0000:01:10.0", 4, 17, write=write) == RefusedSetting(
        4, "msix", VfAttributes(msix_vectors=17), number
    )


def test_a_vf_without_the_file_is_not_a_vf_that_is_gone(tmp_path: Path) -> None:
    vf, asked = vf_address(PF, 0), VfAttributes(msix_vectors=17)
    assert write_msix(vf, 0, 17, root=f"{tmp_path}") == RefusedSetting(0, "msix", asked, errno.ENODEV)
    (tmp_path / "bus/pci/devices" / vf).mkdir(parents=True)
    assert write_msix(vf, 0, 17, root=f"{tmp_path}") == RefusedSetting(0, "msix", asked, errno.ENOENT)
