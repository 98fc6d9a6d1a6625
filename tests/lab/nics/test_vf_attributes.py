"""VF attributes on real kernel code: what edges/vf_attributes.py sets is read back by ip, and errors name the VF."""

import errno
import json
from typing import Any, Final

import msgspec
import pytest

from lab.host import DEVICES, PF1, Guest
from sriov_bootstrap.core.vf_attributes import LinkState, RefusedSetting, VfAttributes, VlanProtocol

NSIM: Final = "/sys/bus/netdevsim"
CODE: Final = """\
import msgspec, sys
from sriov_bootstrap.core.vf_attributes import VfAttributes
from sriov_bootstrap.edges.vf_attributes import read_pf_links, set_vf_attributes
wishes = msgspec.json.decode(sys.argv[2], type=dict[int, VfAttributes])
links = read_pf_links([sys.argv[1]])
refused = set_vf_attributes(links.by_name[sys.argv[1]].ifindex, wishes)
print(msgspec.json.encode(refused).decode())
"""


def refusals(guest: Guest, netdev: str, wishes: dict[int, VfAttributes]) -> list[RefusedSetting]:
    """Have the package in the guest set them."""
    guest.vm.write("/root/wishes.py", CODE)
    text = msgspec.json.encode(wishes).decode()
    return msgspec.json.decode(guest.check(f"python3 /root/wishes.py {netdev} '{text}'"), type=list[RefusedSetting])


def ip(guest: Guest, netdev: str) -> dict[int, dict[str, Any]]:
    [link] = json.loads(guest.check(f"ip -d -j link show dev {netdev}"))
    return {vf["vf"]: vf for vf in link["vfinfo_list"]}


@pytest.fixture
def netdevsim(guest: Guest) -> str:
    """A netdev with 4 VFs, whose driver has every operation."""
    guest.check(f"modprobe netdevsim && echo '1 1' >{NSIM}/new_device && udevadm settle")
    guest.check(f"echo 4 >{NSIM}/devices/netdevsim1/sriov_numvfs")
    return guest.check(f"ls {NSIM}/devices/netdevsim1/net").strip()


def test_every_attribute_is_set_and_read_back(guest: Guest, netdevsim: str) -> None:
    wish = VfAttributes(
        mac="02:00:00:00:00:2a",
        vlan=100,
        vlan_qos=5,
        vlan_protocol=VlanProtocol.DOT1AD,
        min_tx_rate=10,
        max_tx_rate=1000,
        spoofchk=True,
        link_state=LinkState.DISABLE,
        query_rss=True,
        trust=True,
    )
    assert (
        refusals(guest, netdevsim, {1: wish, 3: VfAttributes(vlan=7, vlan_qos=0, vlan_protocol=VlanProtocol.DOT1Q)})
        == []
    )
    vfs = ip(guest, netdevsim)
    said = {
        name: vfs[1][name]
        for name in ("address", "vlan_list", "rate", "spoofchk", "link_state", "query_rss_en", "trust")
    }
    assert said == {
        "address": "02:00:00:00:00:2a",
        "vlan_list": [{"vlan": 100, "qos": 5, "protocol": "802.1ad"}],
        "rate": {"max_tx": 1000, "min_tx": 10},
        "spoofchk": True,
        "link_state": "disable",
        "query_rss_en": True,
        "trust": True,
    }
    assert vfs[3]["vlan_list"] == [{"vlan": 7}]
    assert vfs[0]["address"] == vfs[2]["address"] == "00:00:00:00:00:00"


@pytest.mark.long
def test_what_igb_refuses_is_named_and_the_rest_is_set(guest: Guest) -> None:
    netdev = guest.netdev(PF1)
    guest.until(lambda: guest.vm.read(f"{DEVICES}/{PF1}/net/{netdev}/carrier").strip() == "1", "the carrier")
    wishes = {
        vf: VfAttributes(mac=f"02:00:00:00:00:0{vf}", trust=True, min_tx_rate=0, max_tx_rate=50 + vf) for vf in range(7)
    }
    wishes[1] = VfAttributes(mac="03:00:00:00:00:01", trust=True, link_state=LinkState.ENABLE)
    wishes[4] = VfAttributes(vlan=9, vlan_qos=0, vlan_protocol=VlanProtocol.DOT1AD, min_tx_rate=5, max_tx_rate=50)
    wishes[7] = VfAttributes(trust=True)
    assert [(no.vf, no.request, no.errno) for no in refusals(guest, netdev, wishes)] == [
        (1, "mac", errno.EINVAL),
        (4, "vlan", errno.EPROTONOSUPPORT),
        (4, "rate", errno.EINVAL),
        (1, "link_state", errno.EOPNOTSUPP),
        (7, "trust", errno.EINVAL),
    ]
    vfs = ip(guest, netdev)
    assert [vf for vf in vfs if vfs[vf]["trust"]] == [0, 1, 2, 3, 5, 6]
    assert {vf: (vfs[vf]["address"], vfs[vf]["rate"]["max_tx"]) for vf in (0, 2, 3, 5, 6)} == {
        vf: (f"02:00:00:00:00:0{vf}", 50 + vf) for vf in (0, 2, 3, 5, 6)
    }
