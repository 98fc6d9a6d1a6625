"""nova's [pci] device_spec: what one says, whether nova accepts it, and which devices it matches.

The rules are those of nova.pci.devspec and nova.pci.whitelist; tests/openstack/test_device_spec.py proves for two
releases that both accept, refuse and match the same. What is worth knowing:

- A value is one JSON object or a list of them. One mistake in one of them, and nova-compute does not start.
- A spec matches what fits all of vendor_id, product_id and address (or devname). A key left out matches anything.
- devname, and the address of a PF, match the PF and its VFs; in Newton only its VFs.
- devname is looked up in /sys/class/net, so altnames do not count. `remote_managed` with a PF is always refused: nova
  looks for a file `product` that no kernel has in /sys.

nova treats every other key as a tag. So a spec with just `devnam` or `adress` matches every PCI device on the host, as
`{}` does. The matching here is nova's; its callers are stricter: `unknown` lists such keys, and each is a finding.
"""

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from sriov_bootstrap.core.nova_options import SPEC_KEYS
from sriov_bootstrap.core.openstack_releases import ADDRESS_REGEX_SINCE, OpenStackRelease
from sriov_bootstrap.doctor.nova.pci_address import ANY, FIELDS, AddressPattern, number, parse_glob, parse_regex
from sriov_bootstrap.formats.json_text import dropped_in, load

SELECTORS = ("vendor_id", "product_id", "address", "devname")
STRICT_BOOLEANS = ("managed", "live_migratable", "one_time_use")
TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})  # oslo_utils.strutils.bool_from_string
FALSE = frozenset({"0", "f", "false", "off", "n", "no"})


class PciDevice(Struct, frozen=True):
    """A PCI function as nova's libvirt driver describes it. `parent`: its PF; `card_serial`: from its VPD."""

    address: str
    vendor_id: str = ""
    product_id: str = ""
    dev_type: str = "type-PCI"
    parent: str = ""
    card_serial: str = ""


class SpecContext(Struct, frozen=True):
    """What nova looks up for a spec: which addresses are PFs, which netdev is which device's, its own config."""

    pfs: frozenset[str] = frozenset()
    netdevs: dict[str, str] = {}
    report_in_placement: bool = False


class SpecProblem(Struct, frozen=True):
    """Why nova refuses a value. `line` and `column` within it, from 1; 0 if JSON is not the problem."""

    reason: str
    line: int = 0
    column: int = 0


class DeviceSpec(Struct, frozen=True):
    """One object. `place` None: `devname` says where. `unknown`: keys that mean nothing to this release.

    `dropped`: key that comes twice -> the value that nova drops.
    """

    release: OpenStackRelease
    vendor_id: str = ANY
    product_id: str = ANY
    place: AddressPattern | None = None
    devname: str = ""
    tags: dict[str, Any] = {}
    unknown: tuple[str, ...] = ()
    dropped: dict[str, Any] = {}

    @property
    def is_everything(self) -> bool:
        """Whether it matches every PCI device on any host."""
        return self.vendor_id == self.product_id == ANY and self.place is not None and self.place.is_everywhere

    @property
    def remote_managed(self) -> bool:
        """Whether it only matches devices with a serial number in their VPD."""
        since = SPEC_KEYS["remote_managed"]
        return self.release.nova >= since and bool(parse_boolean(self.tags.get("remote_managed")))

    def place_in(self, here: SpecContext) -> AddressPattern | None:
        """Where it points on this host; None if its netdev does not exist or does not belong to a PCI device."""
        if self.place is not None or self.devname not in here.netdevs:
            return self.place
        try:
            return parse_glob(here.netdevs[self.devname])
        except ValueError:
            return None

    def matches(self, device: PciDevice, here: SpecContext) -> bool:
        """Whether nova would match this device with it."""
        place = self.place_in(here)
        return (
            place is not None
            and self.vendor_id in {ANY, device.vendor_id}
            and self.product_id in {ANY, device.product_id}
            and self._points_to(place, device, here)
            and (bool(device.card_serial) or not self.remote_managed)
        )

    def refusal(self, here: SpecContext) -> str:
        """Why nova refuses it on this host, though its grammar is right; "" if it does not."""
        place, since = self.place_in(here), SPEC_KEYS["one_time_use"]
        if place is None and self.devname in here.netdevs:
            return f"devname {self.devname} does not belong to a PCI device, but to {here.netdevs[self.devname]}"
        if self.release.nova >= since and parse_boolean(self.tags.get("one_time_use")) and not here.report_in_placement:
            return "one_time_use needs report_in_placement = true"
        if self.remote_managed and place is None:
            return f"remote_managed needs its device: there is no netdev {self.devname}"
        if self.remote_managed and place and place.single in here.pfs:
            return "remote_managed does not go with the address or devname of a PF"
        return ""

    def _points_to(self, place: AddressPattern, device: PciDevice, here: SpecContext) -> bool:
        if place.single not in here.pfs:
            return place.names(device.address)
        if self.release.nova < ADDRESS_REGEX_SINCE:
            return bool(device.parent) and place.names(device.parent)
        return (bool(device.parent) and place.names(device.parent)) or place.names(device.address)


def parse_specs(text: str, release: OpenStackRelease) -> tuple[DeviceSpec, ...] | SpecProblem:
    """All specs of one value of the option, or the first thing that nova refuses in it."""
    try:
        value = load(text)
        values = [value] if isinstance(value, dict) else value
        if not isinstance(values, list):
            return SpecProblem("it must be a JSON object, or a list of them")
        return tuple(_parse_spec(spec, release) for spec in values)
    except json.JSONDecodeError as error:
        return SpecProblem(error.msg, error.lineno, error.colno)
    except RecursionError:
        return SpecProblem("it is nested too deeply")
    except ValueError as error:
        return SpecProblem(str(error))


def parse_boolean(value: object) -> bool | None:
    """As bool_from_string parses it; None if it cannot."""
    word = str(value).strip().lower()
    return True if word in TRUE else False if word in FALSE else None


def _parse_spec(value: object, release: OpenStackRelease) -> DeviceSpec:
    if not isinstance(value, dict):
        raise ValueError(f"{json.dumps(value)} in the list must be an object")  # noqa: TRY004 - a bad value
    devname, address = value.get("devname"), value.get("address")
    if devname and address:
        raise ValueError("devname and address are mutually exclusive")
    tags = {key: tag for key, tag in value.items() if key not in SELECTORS}
    _check_booleans(tags, release)
    return DeviceSpec(
        release,
        vendor_id=_parse_id(value, "vendor_id"),
        product_id=_parse_id(value, "product_id"),
        place=None if devname else _parse_address(address, release),
        devname=str(devname) if devname else "",
        tags=tags,
        unknown=_unknown_keys(value, release),
        dropped=dropped_in(value),
    )


def _parse_id(value: Mapping[str, object], key: str) -> str:
    text = value.get(key, ANY)
    if not isinstance(text, str):
        raise ValueError(f"{key} must be a string of hexadecimal digits, but is {json.dumps(text)}")  # noqa: TRY004
    return number(text.strip() if key == "vendor_id" else text, key, 0xFFFF, 4)


def _parse_address(address: object, release: OpenStackRelease) -> AddressPattern:
    if not address:
        return AddressPattern()
    if isinstance(address, str):
        return parse_glob(address)
    if isinstance(address, dict) and release.nova >= ADDRESS_REGEX_SINCE:
        return parse_regex(address)
    since = f", or an object since {OpenStackRelease(ADDRESS_REGEX_SINCE)}"
    raise ValueError(f"address must be a string{since}, but is {json.dumps(address)}")


def _check_booleans(tags: Mapping[str, object], release: OpenStackRelease) -> None:
    for key in STRICT_BOOLEANS:
        said = tags.get(key)
        if release.nova >= SPEC_KEYS[key] and said is not None and parse_boolean(said) is None:
            raise ValueError(f'{key} must be "yes" or "no", but is {json.dumps(said)}')


def _unknown_keys(value: Mapping[str, object], release: OpenStackRelease) -> tuple[str, ...]:
    keys = [key for key in value if release.nova < SPEC_KEYS.get(key, release.nova + 1)]
    address = value.get("address")
    if isinstance(address, dict):
        fields = {name for name, _, _ in FIELDS}
        keys += [f"address.{key}" for key in address if key not in fields]
    return tuple(keys)
