"""The lists in neutron's files, parsed as its agent does: neutron_lib.utils.helpers.parse_mappings and others.

If it refuses one, the agent exits with code 1.
"""

from msgspec import Struct

from sriov_bootstrap.formats.ini import Entry


class Mapping(Struct, frozen=True):
    """One item of physical_device_mappings. `number`: which one, from 1."""

    network: str
    netdev: str
    number: int


class Exclusion(Struct, frozen=True):
    """One of exclude_devices."""

    netdev: str
    addresses: tuple[str, ...]
    number: int


class Mappings(Struct, frozen=True):
    """The whole list; `problems`: what the agent refuses, and the number of the item, which itself is not shown."""

    mappings: tuple[Mapping, ...] = ()
    problems: tuple[str, ...] = ()


class Exclusions(Struct, frozen=True):
    """Likewise."""

    exclusions: tuple[Exclusion, ...] = ()
    problems: tuple[str, ...] = ()


class Bandwidths(Struct, frozen=True):
    """resource_provider_bandwidths: netdev -> the number of its item."""

    netdevs: dict[str, int] = {}
    problems: tuple[str, ...] = ()


def items(entry: Entry | None) -> tuple[str, ...]:
    """A ListOpt; () where oslo.config substitutes something that only it knows."""
    return () if entry is None or entry.has_reference else _split_at_commas(entry.resolved)


def _split_at_commas(value: str) -> tuple[str, ...]:
    """What stands between the commas.

    A line indented by mistake belongs to the list, whatever it is, and items are shown: if one continues past the end
    of its line, the rest is left out, and on a later line an item with an "=" is left out altogether.
    """
    text, found, is_later = value.strip().rstrip(","), list[str](), False
    for part in text.split(",") if text else ():
        item = part.strip()
        first, more, _ = item.partition("\n")
        is_later = is_later or "\n" in part[: len(part) - len(part.lstrip())]
        found.append("..." if is_later and "=" in item else f"{first.rstrip()} ..." if more else item)
        is_later = is_later or "\n" in part
    return tuple(found)


def parse_mappings(entry: Entry | None) -> Mappings:
    """`physnet2:ens1f0,physnet2:ens1f1`; empty items are skipped."""
    found: dict[tuple[str, str], Mapping] = {}
    problems = []
    for number, item in enumerate(items(entry), 1):
        network, *rest = (part.strip() for part in item.split(":"))
        if len(rest) == 1 and network and rest[0]:
            found.setdefault((network, rest[0]), Mapping(network, rest[0], number))
        elif item:
            problems.append(f"entry {number} is not NETWORK:NETDEV")
    return Mappings(tuple(found.values()), tuple(problems))


def parse_exclusions(entry: Entry | None) -> Exclusions:
    """`ens1f0:0000:07:00.2;0000:07:00.3,ens1f1:...`."""
    found: dict[str, Exclusion] = {}
    problems = []
    for number, item in enumerate(items(entry), 1):
        netdev, colon, addresses = item.partition(":")
        netdev = netdev.strip()
        if not colon or not netdev:
            problems.append(f"entry {number} is not NETDEV:ADDRESS;ADDRESS")
        elif netdev in found:
            twice = f"entry {number} repeats the netdev of entry {found[netdev].number}"
            problems.append(f'{twice}: put all addresses of a netdev in one item, separated by ";"')
        else:
            found[netdev] = Exclusion(
                netdev, tuple(filter(None, (address.strip() for address in addresses.split(";")))), number
            )
    return Exclusions(tuple(found.values()), tuple(problems))


def parse_bandwidths(entry: Entry | None) -> Bandwidths:
    """`ens1f0:10000000:10000000` (neutron_lib.placement.utils.parse_rp_bandwidths)."""
    found: dict[str, int] = {}
    problems = []
    for number, item in enumerate(items(entry), 1):
        netdev, *numbers = item.split(":")
        if len(numbers) not in {0, 2} or not netdev or not all(_is_number(part) for part in numbers):
            problems.append(f"entry {number} is not NETDEV:EGRESS:INGRESS, in kbit/s")
        elif netdev in found:
            problems.append(f"entry {number} repeats the netdev of entry {found[netdev]}")
        else:
            found[netdev] = number
    return Bandwidths(found, tuple(problems))


def _is_number(text: str) -> bool:
    return not text or (text.isascii() and text.isdigit())
