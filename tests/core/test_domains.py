"""A libvirt domain's XML, understood: which VFs it owns."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sriov_bootstrap.core.domains import parse_domain
from sriov_bootstrap.core.vf_users import Owner

ADDRESS = "<address domain='0x0000' bus='0x3b' slot='0x10' function='0x6'/>"
# As nova 34 defines an instance with a direct port and one with a PCI device; shortened.
DOMAIN = f"""<domain type='kvm'><name>instance-0000002a</name><devices>
<interface type='hostdev' managed='yes'><mac address='fa:16:3e:00:00:01'/><source>{ADDRESS}</source></interface>
<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0001' bus='0x5e' slot='0x02'
function='0x0'/></source><address type='pci' domain='0x0000' bus='0x05' slot='0x00' function='0x0'/></hostdev>
<hostdev mode='subsystem' type='usb'><source><address bus='1' device='4'/></source></hostdev>
<interface type='bridge'><source bridge='br-int'/></interface>
</devices></domain>"""
OWNS = ("0000:3b:10.6", "0001:5e:02.0")


def test_a_domain_owns_its_pci_host_devices_and_nothing_else() -> None:
    assert parse_domain(DOMAIN.encode()) == dict.fromkeys(OWNS, Owner("instance-0000002a"))


def test_a_running_domains_status_file_is_read_as_well() -> None:
    text = f"<domstatus state='running'>{DOMAIN}</domstatus>"
    assert parse_domain(text.encode()) == dict.fromkeys(OWNS, Owner("instance-0000002a", is_running=True))


@pytest.mark.parametrize(
    ("interface", "owns"),
    [
        ("<interface type='direct'><source dev='ens1f0v3' mode='passthrough'/></interface>", ["ens1f0v3"]),
        ("<interface type='vdpa'><source dev='/dev/vhost-vdpa-0'/></interface>", ["/dev/vhost-vdpa-0"]),
        ("<interface type='network'><source network='pool'/></interface>", []),
        (f"<interface type='network'><actual type='hostdev'><source>{ADDRESS}</source></actual></interface>", OWNS[:1]),
        ("<interface type='direct'/>", []),
        ("<interface type='direct'><source/></interface>", []),
    ],
    ids=["macvtap", "vDPA", "from a pool", "from a pool, running", "no source", "no device"],
)
def test_an_interface_may_have_a_vf_in_other_ways(interface: str, owns: Sequence[str]) -> None:
    text = f"<domain><name>vm</name><devices>{interface}</devices></domain>"
    assert parse_domain(text.encode()) == dict.fromkeys(owns, Owner("vm"))


@pytest.mark.parametrize("text", ["", "<domain", "<domain>" * 3])
def test_what_is_no_xml_is_told_from_what_is_no_domain(text: str) -> None:
    assert parse_domain(text.encode()) is None
    assert parse_domain(b"<network><name>default</name></network>") == {}


def test_a_domain_without_a_name_still_owns_its_vf() -> None:
    text = f"<domain><devices><hostdev><source>{ADDRESS}</source></hostdev></devices></domain>"
    assert parse_domain(text.encode()) == {"0000:3b:10.6": Owner("an unnamed domain")}


def test_an_address_that_is_no_address_is_passed_over() -> None:
    text = "<domain><devices><hostdev><source><address domain='0' bus='x' slot='1' function='2'/></source></hostdev>"
    assert parse_domain(f"{text}</devices></domain>".encode()) == {}


@given(st.binary())
def test_no_bytes_raise(text: bytes) -> None:
    assert parse_domain(text) in (None, {})


def test_a_vf_behind_a_vmd_controller() -> None:
    address = ADDRESS.replace("0x0000", "0x10000")
    text = f"<domain><name>a</name><devices><hostdev type='pci'><source>{address}</source></hostdev></devices></domain>"
    assert list(parse_domain(text.encode()) or ()) == ["10000:3b:10.6"]
