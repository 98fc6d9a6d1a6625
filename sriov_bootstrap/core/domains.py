"""Which VM owns which VF: a libvirt domain's XML, understood.

A VM that is shut off holds nothing open and still owns its VFs.
"""

from xml.etree import ElementTree as ET


def parse_domain(text: bytes) -> dict[str, str] | None:
    """The PCI devices of one domain, PCI address -> the domain's name; None if this is no domain's XML.

    Covers `<hostdev type='pci'>` and `<interface type='hostdev'>`: https://libvirt.org/formatdomain.html#host-device-assignment
    """
    try:
        root = ET.fromstring(text)  # noqa: S314 - root's own files, and expat expands no external entity
    except (ET.ParseError, ValueError, LookupError):
        return None
    domain = root if root.tag == "domain" else root.find("domain")  # /run/libvirt wraps it in <domstatus>
    if domain is None:
        return None
    name = domain.findtext("name") or "a domain without a name"
    sources = [*domain.iterfind("devices/hostdev/source/address"), *domain.iterfind("devices/interface/source/address")]
    return {address: name for one in sources if (address := _address(one.attrib))}


def _address(attributes: dict[str, str]) -> str:
    """`domain='0x0000' bus='0x3b' slot='0x10' function='0x6'` -> `0000:3b:10.6`, "" for a USB or broken one."""
    try:
        domain, bus, slot, function = (int(attributes[key], 0) for key in ("domain", "bus", "slot", "function"))
    except (KeyError, ValueError):
        return ""
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"
