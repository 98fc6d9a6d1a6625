"""The address of a PCI function: as people may write it, as the kernel does, and as numbers."""

import re

WRITTEN = r"(?i:(?:([0-9a-f]{4,}):)?([0-9a-f]{2}):([01][0-9a-f])\.([0-7]))"  # domain, bus, device, function


def parse(text: str) -> tuple[int, int, int, int] | None:
    """Domain, bus, device and function; domain 0 where none is said. None for what is no address."""
    found = re.fullmatch(WRITTEN, text)
    if not found:
        return None
    domain, bus, device, function = (int(part or "0", 16) for part in found.groups())
    return domain, bus, device, function


def domain(text: str) -> int:
    """Its domain, 0 for what is no address; above ffff behind a VMD controller (drivers/pci/controller/vmd.c)."""
    found = parse(text)
    return found[0] if found else 0


def kernel_name(domain: int, bus: int, device: int, function: int) -> str:
    """As the kernel names it (drivers/pci/probe.c, pci_setup_device)."""
    return f"{domain:04x}:{bus:02x}:{device:02x}.{function:x}"


def parts(text: str) -> dict[str, str]:
    """Of an address as the kernel names it: domain, bus, slot and function in hexadecimal, as libvirt has them."""
    return dict(zip(("domain", "bus", "slot", "function"), re.split("[:.]", text), strict=True))


def label(text: str, netdev: str) -> str:
    """How messages call a function: `0000:3b:00.0 (ens1f0)`; without its netdev, if it has none."""
    return f"{text} ({netdev})" if netdev else text


def normalize(text: str) -> str:
    """As the kernel names it, "" for what is no address."""
    found = parse(text)
    return kernel_name(*found) if found else ""
