"""What the PF sets for a VF (MAC, VLAN, rates, ...): as a rule asks for it, as the kernel has it, and the difference.

An attribute that is None is not said: a rule leaves it alone, or the kernel does not tell. What the kernel tells proves
little (net/core/rtnetlink.c, rtnl_fill_vfinfo, and the drivers): a trusted VF replaces the MAC, message-signalled
interrupts and most GUIDs are not told at all. For these it counts what was set last (`is_given`).
"""

import binascii
from collections.abc import Container, Iterable
from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import asdict, replace

from sriov_bootstrap.core.port_functions import PortFunction

STABLE = "stable"  # instead of a MAC
ALL = "all"  # instead of numbers of VFs
MAX_VLAN = 4094  # 4095 is reserved (IEEE 802.1Q)


class VlanProtocol(StrEnum):
    """The tag of a VF's VLAN."""

    DOT1Q = "802.1Q"
    DOT1AD = "802.1ad"


class LinkState(StrEnum):
    """A VF's carrier: that of the PF, or fixed."""

    AUTO = "auto"
    ENABLE = "enable"
    DISABLE = "disable"


# What the kernel is asked for at once, in the order in which it would take several (do_setvfinfo), MSI-X before.
Request = Literal[
    "msix", "mac", "vlan", "rate", "spoofchk", "link_state", "query_rss", "trust", "node_guid", "port_guid"
]
REQUESTS: dict[Request, tuple[str, ...]] = {
    "msix": ("msix_vectors",),
    "mac": ("mac",),
    "vlan": ("vlan", "vlan_qos", "vlan_protocol"),
    "rate": ("min_tx_rate", "max_tx_rate"),
    "spoofchk": ("spoofchk",),
    "link_state": ("link_state",),
    "query_rss": ("query_rss",),
    "trust": ("trust",),
    "node_guid": ("node_guid",),
    "port_guid": ("port_guid",),
}


class VfAttributes(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of one VF. `mac` in lower case, or STABLE in a rule; rates in Mbit/s, 0 is no limit; `vlan` 0 is none.

    GUIDs are 16 hexadecimal digits in lower case, in pairs with colons. `msix_vectors` is never told by the kernel.
    """

    mac: str | None = None
    vlan: int | None = None
    vlan_qos: int | None = None
    vlan_protocol: VlanProtocol | None = None
    min_tx_rate: int | None = None
    max_tx_rate: int | None = None
    trust: bool | None = None
    spoofchk: bool | None = None
    link_state: LinkState | None = None
    query_rss: bool | None = None
    node_guid: str | None = None
    port_guid: str | None = None
    msix_vectors: int | None = None

    @property
    def said(self) -> dict[str, object]:
        """Every attribute that is said."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def requests(self) -> tuple[Request, ...]:
        """What has to be asked for, to set all that is said."""
        said = self.said
        return tuple(request for request, names in REQUESTS.items() if {*names} & said.keys())

    def only(self, request: Request) -> "VfAttributes":
        """The part of it that this request sets."""
        return VfAttributes(**{name: value for name in REQUESTS[request] if (value := getattr(self, name)) is not None})

    def without(self, request: Request) -> "VfAttributes":
        """All but that."""
        return replace(self, **dict.fromkeys(REQUESTS[request]))

    def worth_telling(self, wish: "VfAttributes") -> "VfAttributes":
        """What is said by `wish`, or is not as usual: a report has it of every VF, and there may be 16384."""
        asked = wish.said
        said = {key: value for key, value in self.said.items() if key in asked or getattr(USUAL, key) != value}
        return VfAttributes(**said)  # type: ignore[arg-type]

    def __str__(self) -> str:
        """For people: `mac 02:..., vlan 100`."""
        return ", ".join(f"{name} {_shown(value)}" for name, value in self.said.items())


# Of a VF of which nobody has set anything, with most drivers.
USUAL = VfAttributes(
    mac="00:00:00:00:00:00",
    vlan=0,
    vlan_qos=0,
    vlan_protocol=VlanProtocol.DOT1Q,
    min_tx_rate=0,
    max_tx_rate=0,
    trust=False,
    spoofchk=True,
    link_state=LinkState.AUTO,
    query_rss=False,
)


class VfTable(VfAttributes, frozen=True, forbid_unknown_fields=True):
    """One [[pf.vf]] of the config: `vfs` is ALL, or numbers and ranges such as `0-3,7`.

    Not set by the PF's netdev: their `driver`, in the words of vf_driver, the `mtu` of the netdev that it makes, and
    what is set at their port of the switch, see port_functions.py.
    """

    vfs: str
    driver: str | None = None
    mtu: Annotated[int, Meta(ge=68, le=65535)] | None = None
    roce: bool | None = None
    migratable: bool | None = None
    max_io_eqs: Annotated[int, Meta(ge=1, le=65535)] | None = None

    @property
    def wishes_text(self) -> str:
        """For people, all but which VFs it is for: `driver vfio-pci, vlan 100`."""
        return ", ".join(f"{name} {_shown(value)}" for name, value in self.said.items() if name != "vfs")

    @property
    def without_own_keys(self) -> "VfTable":
        """Only what the PF sets for these VFs."""
        return replace(self, driver=None, mtu=None, roce=None, migratable=None, max_io_eqs=None)

    @property
    def port_function(self) -> PortFunction:
        """What it says of their ports of the switch."""
        return PortFunction(self.roce, self.migratable, self.max_io_eqs)

    @property
    def attributes(self) -> VfAttributes:
        """All but which VFs it is for."""
        return VfAttributes(**{name: getattr(self, name) for name in VfAttributes.__struct_fields__})


class PfLink(Struct, frozen=True):
    """A PF's netdev as rtnetlink tells it. `vfs`: number of a VF -> its attributes; none where the driver has none."""

    ifindex: int
    mtu: int = 0
    is_promiscuous: bool = False
    has_carrier: bool = False
    vfs: dict[int, VfAttributes] = {}


class PfLinks(Struct, frozen=True):
    """Netdev -> what is known of it; `problem` says why something could not be read."""

    by_name: dict[str, PfLink] = {}
    problem: str = ""


class RefusedSetting(Struct, frozen=True):
    """One request for one VF that the kernel has refused; `asked` is what was asked for."""

    vf: int
    request: Request
    asked: VfAttributes
    errno: int


def numbers_of(vfs: str, num_vfs: int) -> range | frozenset[int]:
    """Which of `num_vfs` VFs a table means. ValueError if the text says none, see `VfTable`."""
    if vfs == ALL:
        return range(num_vfs)
    return frozenset(number for part in vfs.split(",") for number in _range_of(part) if number < num_vfs)


def highest_of(vfs: str) -> int:
    """The highest number that a table names, -1 if it names none. ValueError as above."""
    return -1 if vfs == ALL else max(_range_of(part)[-1] for part in vfs.split(","))


def _range_of(part: str) -> range:
    first, dash, last = (text.strip() for text in part.partition("-"))
    if not all(text.isascii() and text.isdigit() and len(text) <= 5 for text in (first, last or first)):  # noqa: PLR2004 - a count has five digits
        raise ValueError(part)
    if dash and not last:
        raise ValueError(part)
    found = range(int(first), int(last or first) + 1)
    if not found:
        raise ValueError(part)
    return found


def combine_tables(
    tables: Iterable[VfTable], num_vfs: int, *, only: frozenset[int] | None = None
) -> dict[int, VfAttributes]:
    """VF number -> what the tables say of it, later ones over earlier ones, key by key; no VF that they do not name.

    `only`: of these VFs.
    """
    found: dict[int, dict[str, object]] = {}
    for table in tables:
        said = table.attributes.said
        numbers = numbers_of(table.vfs, num_vfs) if said else ()
        for number in numbers if only is None else only.intersection(numbers):
            found.setdefault(number, {}).update(said)
    return {number: VfAttributes(**said) for number, said in sorted(found.items())}  # type: ignore[arg-type]


def stable_mac(machine_id: str, pf: str, vf: int) -> str:
    """A MAC for a VF that is the same after each boot, and on no other host: locally administered, unicast.

    The first 46 free bits of HMAC-SHA-256 with the machine id (machine-id(5)) as its key, over `PF ADDRESS/VF NUMBER`.
    """
    import hashlib
    import hmac  # only rules that ask for it pay for the import

    digest = hmac.digest(machine_id.encode(), f"sriov-bootstrap {pf}/{vf}".encode(), hashlib.sha256)
    first = digest[0] & 0xFC | 0x02
    return ":".join(f"{byte:02x}" for byte in (first, *digest[1:6]))


def difference(
    wish: VfAttributes, actual: VfAttributes | None, *, is_given: bool, refused: Container[Request] = ()
) -> VfAttributes:
    """What is to be set, complete for each request.

    `is_given`: this wish was the last that was set for this VF, but for what was `refused`.
    """
    found = VfAttributes()
    for request in wish.requests:
        part, has = wish.only(request), (actual or VfAttributes()).only(request)
        if not _is_fulfilled(request, part, has, actual, wish, is_given=is_given and request not in refused):
            found = _merge(found, _complete(request, part, has))
    return found


def fingerprint(actual: VfAttributes | None, driver: str) -> int:
    """Another one for other attributes, or another driver."""
    return binascii.crc32(repr((driver, actual and sorted(actual.said.items()))).encode())


def differences_text(wish: VfAttributes, actual: VfAttributes | None) -> str:
    """For people, of what `difference` found: `vlan 0, not 100`; what the kernel does not tell is `unknown`."""
    has = actual or VfAttributes()
    return ", ".join(
        f"{name} {_shown(getattr(has, name))}, not {_shown(value)}"
        for name, value in wish.said.items()
        if getattr(has, name) != value
    )


def _is_fulfilled(
    request: Request,
    part: VfAttributes,
    has: VfAttributes,
    actual: VfAttributes | None,
    wish: VfAttributes,
    *,
    is_given: bool,
) -> bool:
    if request == "mac" and is_given and (wish.trust or (actual and actual.trust and wish.trust is None)):
        return True  # a trusted VF may change it, and the kernel then tells that one
    told = has.said
    is_told = part.said.keys() <= told.keys()
    return (is_told or is_given) and all(told.get(name, value) == value for name, value in part.said.items())


def _complete(request: Request, part: VfAttributes, has: VfAttributes) -> VfAttributes:
    """The kernel takes a VLAN and its tag, or both rates, together: what the rule leaves alone stays as it is."""
    defaults: dict[Request, VfAttributes] = {
        "vlan": VfAttributes(vlan=0, vlan_qos=0, vlan_protocol=VlanProtocol.DOT1Q),
        "rate": VfAttributes(min_tx_rate=0, max_tx_rate=0),
    }
    full = _merge(_merge(defaults.get(request, VfAttributes()), has), part)
    return replace(full, vlan_qos=0, vlan_protocol=VlanProtocol.DOT1Q) if request == "vlan" and full.vlan == 0 else full


def _merge(lower: VfAttributes, upper: VfAttributes) -> VfAttributes:
    return replace(lower, **upper.said)


def _shown(value: object) -> str:
    match value:
        case None:
            return "unknown"
        case bool():
            return "on" if value else "off"
        case _:
            return str(value)
