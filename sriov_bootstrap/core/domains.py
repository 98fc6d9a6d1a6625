"""Which VM owns which VF: a libvirt domain's XML, parsed.

A VM that is shut off holds nothing open and still owns its VFs.
"""

from collections.abc import Iterator
from xml.etree import ElementTree as ET

from sriov_bootstrap.base.printable import text_of
from sriov_bootstrap.core.pci_address import kernel_name
from sriov_bootstrap.core.vf_users import Owner


def parse_domain(text: bytes) -> dict[str, Owner] | None:
    """PCI address, netdev or device node of each host device -> the domain; empty if it is no domain, None if not XML.

    Covers `<hostdev type='pci'>`, `<interface type='hostdev'>`, macvtap (`type='direct'`) and vDPA; of an interface
    that takes its VF from a pool (`type='network'`) only a running domain's file says which one, in `<actual>`:
    https://libvirt.org/formatdomain.html#host-device-assignment
    """
    try:
        root = ET.fromstring(text)  # noqa: S314 - root's own files, and expat expands no external entity
    except (ET.ParseError, ValueError, LookupError):
        return None
    domain = root if root.tag == "domain" else root.find("domain")  # /run/libvirt wraps it in <domstatus>
    if domain is None:
        return {}
    owner = Owner(domain.findtext("name") or "an unnamed domain", is_running=root is not domain)
    return dict.fromkeys(_devices(domain), owner)


def _devices(domain: ET.Element) -> Iterator[str]:
    interfaces = domain.findall("devices/interface") + domain.findall("devices/interface/actual")
    for device in (*domain.iterfind("devices/hostdev"), *interfaces):
        if name := _address(device.find("source/address")):
            yield name
        if device.get("type") in {"direct", "vdpa"}:
            yield from (text_of(dev.encode()) for source in device.iterfind("source") if (dev := source.get("dev")))


def _address(element: ET.Element | None) -> str:
    """`domain='0x0000' bus='0x3b' slot='0x10' function='0x6'` -> `0000:3b:10.6`, "" for a USB or broken one."""
    try:
        attributes = element.attrib if element is not None else {}
        domain, bus, slot, function = (int(attributes[key], 0) for key in ("domain", "bus", "slot", "function"))
    except (KeyError, ValueError):
        return ""
    return kernel_name(domain, bus, slot, function)
