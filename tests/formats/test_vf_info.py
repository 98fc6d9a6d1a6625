"""What rtnetlink says of VFs, as bytes that are built here as the kernel builds them."""

import struct

import pytest

from builders import NEW_VF
from netlink import attribute, vf_info
from sriov_bootstrap.base.netlink import UnusableError
from sriov_bootstrap.core.vf_attributes import REQUESTS, LinkState, VfAttributes, VlanProtocol
from sriov_bootstrap.formats.vf_info import CODECS, read_vfs, vf_list

EVERYTHING = VfAttributes(
    mac="02:00:00:00:00:2a",
    vlan=100,
    vlan_qos=5,
    vlan_protocol=VlanProtocol.DOT1AD,
    min_tx_rate=10,
    max_tx_rate=1000,
    spoofchk=False,
    link_state=LinkState.DISABLE,
    query_rss=True,
    trust=True,
    node_guid="00:11:22:33:44:55:66:77",
    port_guid="ff:00:00:00:00:00:00:01",
)


def test_each_attribute_is_read() -> None:
    first = vf_info(0)
    second = vf_info(
        1,
        "02:00:00:00:00:2a",
        vlan=(100, 5, 0x88A8),
        rates=(10, 1000),
        settings={"spoofchk": 0, "link_state": 2, "query_rss": 1, "trust": 1},
        guids=(0x0011223344556677, 0xFF00000000000001),
    )
    assert read_vfs(first + second, 0) == {0: NEW_VF, 1: EVERYTHING}


@pytest.mark.parametrize("name", ["spoofchk", "query_rss", "trust"])
def test_what_a_driver_does_not_tell_is_not_said(name: str) -> None:
    [vf] = read_vfs(vf_info(0, settings={name: 0xFFFFFFFF}), 0).values()
    assert getattr(vf, name) is None


def test_a_state_or_a_protocol_of_a_later_kernel_is_not_said() -> None:
    [vf] = read_vfs(vf_info(0, settings={"link_state": 3}, vlan=(7, 0, 0x9100)), 0).values()
    assert (vf.link_state, vf.vlan, vf.vlan_protocol) == (None, 7, None)


def test_a_vlan_without_a_list_is_one_of_802_1q() -> None:
    info = attribute(1, attribute(2, struct.pack("=III", 3, 7, 2)))
    assert read_vfs(info, 0) == {3: VfAttributes(vlan=7, vlan_qos=2, vlan_protocol=VlanProtocol.DOT1Q)}


def test_a_driver_that_has_set_no_protocol_means_802_1q() -> None:
    """As netdevsim."""
    [vf] = read_vfs(vf_info(0, vlan=(0, 0, 0)), 0).values()
    assert vf.vlan_protocol is VlanProtocol.DOT1Q


def test_vfs_end_where_another_attribute_begins() -> None:
    body = vf_info(0) + vf_info(5) + attribute(43, b"XDP") + vf_info(9)
    assert read_vfs(body, 0).keys() == {0, 5}
    assert read_vfs(body, len(body)) == read_vfs(b"", 0) == read_vfs(b"\0\0\0", 0) == {}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param(vf_info(0)[:-4], "a VF is cut off", id="VF"),
        pytest.param(struct.pack("=HH", 3, 1), "a VF is cut off", id="no progress"),
        pytest.param(attribute(1, attribute(4, b"\0" * 7)), "a VF's attribute is cut off", id="value"),
        pytest.param(attribute(1, attribute(12, attribute(1, b"\0" * 12))), "a VF's attribute is cut off", id="VLAN"),
        pytest.param(attribute(1, attribute(12, b"")), "a VF's attribute is cut off", id="no VLAN"),
        pytest.param(attribute(1, b"\x09\0\x01\0"), "an attribute is cut off", id="attribute"),
        pytest.param(attribute(1, attribute(13, b"\xff" * 32)), "a VF has no number", id="no number"),
    ],
)
def test_bytes_that_make_no_sense_are_refused(body: bytes, problem: str) -> None:
    with pytest.raises(UnusableError, match=f"^{problem}$"):
        read_vfs(body, 0)


def test_what_is_set_reads_back() -> None:
    for request in CODECS:
        part = EVERYTHING.only(request)
        assert read_vfs(vf_list(request, [(7, part)]), 0)[7].only(request) == part


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(
            VfAttributes(mac="02:00:00:00:00:2a"), attribute(1, b"\7\0\0\0\2\0\0\0\0\x2a" + b"\0" * 26), id="mac"
        ),
        pytest.param(VfAttributes(vlan=9, vlan_qos=3), attribute(2, struct.pack("=III", 7, 9, 3)), id="vlan"),
        pytest.param(VfAttributes(vlan=0), attribute(2, struct.pack("=III", 7, 0, 0)), id="no vlan"),
        pytest.param(
            VfAttributes(vlan=9, vlan_qos=3, vlan_protocol=VlanProtocol.DOT1AD),
            attribute(12, attribute(1, struct.pack("=III", 7, 9, 3) + b"\x88\xa8\0\0")),
            id="802.1ad",
        ),
        pytest.param(VfAttributes(max_tx_rate=500), attribute(6, struct.pack("=III", 7, 0, 500)), id="rate"),
        pytest.param(VfAttributes(spoofchk=False), attribute(4, struct.pack("=II", 7, 0)), id="spoofchk"),
        pytest.param(VfAttributes(link_state=LinkState.ENABLE), attribute(5, struct.pack("=II", 7, 1)), id="state"),
        pytest.param(VfAttributes(query_rss=True), attribute(7, struct.pack("=II", 7, 1)), id="rss"),
        pytest.param(VfAttributes(trust=True), attribute(9, struct.pack("=II", 7, 1)), id="trust"),
        pytest.param(
            VfAttributes(node_guid="00:11:22:33:44:55:66:77"),
            attribute(10, struct.pack("@IQ", 7, 0x0011223344556677)),
            id="node_guid",
        ),
        pytest.param(
            VfAttributes(port_guid="00:00:00:00:00:00:00:01"), attribute(11, struct.pack("@IQ", 7, 1)), id="port"
        ),
    ],
)
def test_what_is_sent(asked: VfAttributes, expected: bytes) -> None:
    [request] = asked.requests
    assert vf_list(request, [(7, asked)]) == attribute(1, expected)


def test_several_vfs_share_a_list_in_their_order() -> None:
    wishes = [(vf, VfAttributes(trust=bool(vf % 2))) for vf in (4, 1)]
    assert vf_list("trust", wishes) == vf_list("trust", wishes[:1]) + vf_list("trust", wishes[1:])


def test_every_request_but_that_of_sysfs_is_one_of_rtnetlink() -> None:
    assert [*CODECS] == [request for request in REQUESTS if request != "msix"]
