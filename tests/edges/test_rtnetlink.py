import errno
import os
import shlex
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from netlink import LINK_LOCAL, address, answers, attribute, done, error, link, message
from sriov_bootstrap.base.netlink import (
    BUFFER_BYTES,
    IFLA_IFNAME,
    MAX_TRIES,
    NLM_F_DUMP_INTR,
    NLMSG_DONE,
    NLMSG_ERROR,
    READ_SECONDS,
    RTM_GETLINK,
    RTM_NEWLINK,
)
from sriov_bootstrap.core.facts import Link, Links
from sriov_bootstrap.edges import rtnetlink
from sriov_bootstrap.edges.rtnetlink import RTM_GETADDR, RTM_NEWADDR, Dumps, read_links

UNUSABLE = "the kernel's list of netdevs cannot be used: "
NOT_LISTED = "the kernel did not list the netdevs: "
LO = link(1, b"lo")
NO_ADDRESS = struct.pack("=BBBBI", socket.AF_INET, 24, 0, 0, 1)
NETDEV = struct.pack("=BxHiII", 0, 1, 1, 0, 0)


class Changing:
    """A list of which each read is another one; the last one is read for ever."""

    def __init__(self, *reads: Iterable[bytes]) -> None:
        self._reads = reads
        self.count = 0

    def __call__(self, request: int) -> Iterable[bytes]:
        if request == RTM_GETADDR:
            return [done()]
        self.count += 1
        return self._reads[min(self.count, len(self._reads)) - 1]


def test_names_and_addresses_are_read_without_link_local_ones() -> None:
    links = [LO, link(3, b"ens1f0", b"enp59s0f0", b"tenant-a")]
    addresses = [
        address(3, "192.0.2.7/24"),
        address(3, "2001:db8::7/64"),
        address(3, "fe80::7cf4:56ff:fe81:9572/64", scope=LINK_LOCAL),
    ]
    ens1f0 = Link("ens1f0", ("enp59s0f0", "tenant-a"), ("192.0.2.7/24", "2001:db8::7/64"), ifindex=3)
    expected = Links({"lo": Link("lo", ifindex=1), "ens1f0": ens1f0})
    assert read_links(answers(links, addresses)) == expected
    assert read_links(answers([b"".join(links)], [b"".join(addresses)])) == expected, "several to a datagram"


@pytest.mark.parametrize(("ours", "peer"), [("10.0.0.1/32", "10.0.0.2"), ("2001:db8::1/128", "2001:db8::2")])
def test_of_two_ends_ours_is_the_address(ours: str, peer: str) -> None:
    links = read_links(answers([LO], [address(1, ours, peer=peer)]))
    assert links == Links({"lo": Link("lo", (), (ours,), ifindex=1)})


def test_an_address_of_another_kind_is_one_too() -> None:
    """AF_MCTP, one byte long: whoever has set it up uses the netdev."""
    mctp = message(RTM_NEWADDR, struct.pack("=BBBBI", 45, 0, 0, 0, 1) + attribute(rtnetlink.IFA_LOCAL, b"\x08"))
    assert read_links(answers([LO], [mctp])) == Links({"lo": Link("lo", (), ("08/0",), ifindex=1)})


def test_an_address_of_a_netdev_that_came_later_is_left_out() -> None:
    assert read_links(answers([LO], [address(9, "192.0.2.7/24")])) == Links({"lo": Link("lo", ifindex=1)})


def test_names_are_the_bytes_that_the_kernel_has() -> None:
    links = read_links(answers([link(2, b"a\x1bb\x7f", "größe".encode(), b'a\\b"\n', b"\xf6"), link(3, b"\xff")]))
    altnames = ("größe", r"a\x5cb" + '"' + r"\x0a", r"\xf6")
    name = r"a\x1bb\x7f"
    assert links == Links({name: Link(name, altnames, ifindex=2), r"\xff": Link(r"\xff", ifindex=3)})


def test_an_xdp_program_is_seen() -> None:
    links = read_links(answers([link(1, b"v0", xdp=2), link(2, b"v1", xdp=0), link(3, b"v2")]))
    assert {name for name, one in links.by_name.items() if one.has_xdp} == {"v0"}
    assert len(links.by_name) == 3


@pytest.mark.parametrize(
    ("raw", "port_name"),
    [
        pytest.param(None, "", id="none"),
        pytest.param(b"pf0vf3", "pf0vf3", id="without an end, as the kernel has it"),
        pytest.param(b"p0\0", "p0", id="with an end"),
        pytest.param(b"p\xff", r"p\xff", id="not UTF-8"),
    ],
)
def test_the_name_of_a_port_is_read(raw: bytes | None, port_name: str) -> None:
    links = [link(2, b"eth0", b"tenant-a", port_name=raw), link(3, b"eth1", xdp=2, port_name=raw)]
    first = Link("eth0", ("tenant-a",), ("192.0.2.7/24",), ifindex=2, port_name=port_name)
    second = Link("eth1", ifindex=3, has_xdp=True, port_name=port_name)
    assert read_links(answers(links, [address(2, "192.0.2.7/24")])) == Links({"eth0": first, "eth1": second})


def test_a_list_that_changed_while_it_was_read_is_read_again() -> None:
    """The mark is on any message of it, also on the last one."""
    marked = [link(1, b"lo", flags=NLM_F_DUMP_INTR), link(2, b"old"), done()]
    dump = Changing(marked, [LO, done(flags=NLM_F_DUMP_INTR)], [LO, link(2, b"new"), done()])
    assert set(read_links(dump).by_name) == {"lo", "new"}
    assert dump.count == 3


def test_a_list_that_never_stays_the_same_is_a_problem() -> None:
    dump = Changing([LO, done(flags=NLM_F_DUMP_INTR)])
    assert read_links(dump) == Links(problem="the kernel's list of netdevs changed 10 times while it was read")
    assert dump.count == MAX_TRIES


@pytest.mark.parametrize(
    ("links", "problem"),
    [
        pytest.param([error(errno.EPERM)], f"{NOT_LISTED}Operation not permitted", id="refused"),
        pytest.param([LO, done(errno.EMSGSIZE)], f"{NOT_LISTED}Message too long", id="failed at its end"),
        pytest.param([error(0)], f"{NOT_LISTED}no answer, only an acknowledgement", id="acknowledged"),
        pytest.param([message(NLMSG_ERROR, b"")], f"{UNUSABLE}an error is cut off", id="error cut off"),
        pytest.param([LO], f"{UNUSABLE}it has no end", id="no end"),
        pytest.param([LO[:-5]], f"{UNUSABLE}a message is cut off", id="message cut off"),
        pytest.param([LO + b"\x10\0\0"], f"{UNUSABLE}a message is cut off", id="header cut off"),
        pytest.param([b"\0" * 16], f"{UNUSABLE}a message is cut off", id="message without length"),
        pytest.param([message(RTM_NEWLINK, b"\0" * 8)], f"{UNUSABLE}a message is too short", id="too short"),
        pytest.param([message(RTM_NEWLINK, NETDEV)], f"{UNUSABLE}a netdev has no name", id="no name"),
        pytest.param([link(1, b"")], f"{UNUSABLE}a netdev has no name", id="empty name"),
        pytest.param(
            [message(RTM_NEWLINK, NETDEV + b"\x09\0\x03\0lo\0\0")], f"{UNUSABLE}an attribute is cut off", id="attribute"
        ),
        pytest.param(
            [message(RTM_NEWLINK, NETDEV + b"\x03\0\x03\0")], f"{UNUSABLE}an attribute is cut off", id="no progress"
        ),
    ],
)
def test_an_answer_that_makes_no_sense_is_a_problem(links: list[bytes], problem: str) -> None:
    assert read_links(answers(links) if done() in links else lambda _: links) == Links(problem=problem)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param(NO_ADDRESS, "an address is missing", id="none"),
        pytest.param(NO_ADDRESS + attribute(rtnetlink.IFA_LOCAL, b"12345"), "an address has 5 bytes", id="length"),
    ],
)
def test_an_address_that_makes_no_sense_is_a_problem(body: bytes, problem: str) -> None:
    assert read_links(answers([LO], [message(RTM_NEWADDR, body)])) == Links(problem=UNUSABLE + problem)


def test_an_end_without_an_errno_is_one() -> None:
    """As before Linux 4.16."""
    bare = message(NLMSG_DONE, b"")
    assert read_links(lambda request: [LO, bare] if request == RTM_GETLINK else [bare]).by_name == {
        "lo": Link("lo", ifindex=1)
    }


# -- the socket --


class Connection:
    """A netlink socket of which each read gives the next of these: a datagram and the port that it is from."""

    def __init__(self, *received: tuple[bytes, int]) -> None:
        self._received = list(received)
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> int:
        self.sent.append(data)
        return len(data)

    def settimeout(self, seconds: float) -> None:
        assert 0 < seconds <= READ_SECONDS

    def recvfrom_into(self, buffer: bytearray, _size: int, flags: int) -> tuple[int, tuple[int, int]]:
        assert flags == socket.MSG_TRUNC
        datagram, port = self._received.pop(0)
        kept = datagram[: len(buffer)]
        buffer[: len(kept)] = kept
        return len(datagram), (port, 0)


def test_only_the_kernels_answer_to_this_question_counts() -> None:
    late = message(RTM_NEWLINK, NETDEV + attribute(IFLA_IFNAME, b"late\0"), sequence=7)
    connection: Any = Connection((link(2, b"forged"), 4711), (late, 0), (LO, 0))
    assert next(Dumps(connection)(RTM_GETLINK)) == LO
    assert connection.sent == [struct.pack("=IHHIIBxHiIIHHI", 40, 18, 0x301, 1, 0, 0, 0, 0, 0, 0, 8, 29, 8)]


def test_a_message_that_does_not_fit_is_refused() -> None:
    connection: Any = Connection((LO + b"\0" * BUFFER_BYTES, 0))
    assert read_links(Dumps(connection)) == Links(problem=f"{UNUSABLE}a message of {65536 + len(LO)} bytes")


def test_a_kernel_that_does_not_answer_is_a_problem() -> None:
    ours, kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, kernel:
        assert read_links(Dumps(ours, timeout_seconds=0.0)) == Links(problem=f"{NOT_LISTED}timed out")


def test_the_netdevs_of_this_host_are_read() -> None:
    links = read_links()
    assert links.problem == ""
    found = {(one.ifindex, os.fsencode(name)) for name, one in links.by_name.items()}
    assert found == {(index, os.fsencode(name)) for index, name in socket.if_nameindex()}


SCRIPT = """\
set -e
ip tuntap add t0 mode tap
ip link property add dev t0 altname größe altname b
ip address add 10.0.0.1 peer 10.0.0.2/30 dev t0
ip address add 192.0.2.9/24 dev t0
ip address add 2001:db8::9/64 dev t0
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="needs root, to make netdevs, and ip")
def test_what_ip_has_set_is_read() -> None:
    """In a network namespace of its own."""
    code = "from sriov_bootstrap.edges.rtnetlink import read_links; import msgspec\n"
    code += "print(msgspec.json.encode(read_links().by_name['t0']).decode())"
    command = ["unshare", "--net", "sh", "-c", f"{SCRIPT}exec {sys.executable} -c {shlex.quote(code)}"]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    if ended.returncode:
        pytest.skip(f"no such netdev can be made here: {ended.stderr}")
    addresses = ("10.0.0.1/30", "192.0.2.9/24", "2001:db8::9/64")
    found = msgspec.json.decode(ended.stdout, type=Link)
    assert (found.altnames, found.addresses) == (("größe", "b"), addresses)
