"""What [[pf.vf]] may say: everything that a type alone does not. Loaded only if a rule has such a table.

A table by itself comes first. Then what the tables of a rule make of each VF together, as later ones override earlier
ones key by key: a QoS may be in one and its VLAN in another.
"""

import re
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from sriov_bootstrap.core.config import MAX_NUM_VFS, Config, Match, PfRule, VfBinding
from sriov_bootstrap.core.driver_wishes import VfDriver, vf_driver_problem
from sriov_bootstrap.core.drivers import Driver, VfAttribute, driver_of, is_vfio
from sriov_bootstrap.core.port_functions import PortFunction
from sriov_bootstrap.core.vf_attributes import (
    MAX_VLAN,
    STABLE,
    VfAttributes,
    VfTable,
    VlanProtocol,
    combine_tables,
    highest_of,
    numbers_of,
)
from sriov_bootstrap.core.vf_operations import missing_operations

MAC = r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}"
INFINIBAND_MAC = r"[0-9a-f]{2}(?::[0-9a-f]{2}){19}"
GUID = r"(?:0x)?[0-9a-f]{16}|[0-9a-f]{2}(?::[0-9a-f]{2}){7}|[0-9a-f]{4}(?::[0-9a-f]{4}){3}"
GUID_KEYS = ("node_guid", "port_guid")
REMEDY = ": remove it, or match another driver"  # where the driver cannot set it
ADDRESS_KEYS = ("mac", *GUID_KEYS)
# Only netdevs of InfiniBand take GUIDs (net/core/rtnetlink.c), and only mlx5 has the operation behind it. Besides, such
# a netdev can only set the link state (ipoib_main.c, ipoib_netdev_ops_pf).
GUID_DRIVER = "mlx5_core"
BESIDE_GUIDS = frozenset({*GUID_KEYS, "link_state", "msix_vectors"})
MAX_RATE = (1 << 32) - 1  # include/uapi/linux/if_link.h, ifla_vf_rate
MAX_VECTORS = 2048  # of MSI-X, PCI Express 7.7.2.2
LIMITS = {
    "vlan": (0, MAX_VLAN, "0 is no VLAN"),
    "vlan_qos": (0, 7, ""),
    "min_tx_rate": (0, MAX_RATE, "in Mbit/s"),
    "max_tx_rate": (0, MAX_RATE, "in Mbit/s, 0 is no limit"),
    "msix_vectors": (1, MAX_VECTORS, ""),
}
LACKS: dict[VfAttribute, str] = {"min_rate": "has no minimum rates", "vlan_8021ad": f'only sets "{VlanProtocol.DOT1Q}"'}


def with_kernel_spelling(tables: Iterable[VfTable]) -> tuple[VfTable, ...]:
    """With the spellings that the kernel uses; what is no address stays as it is."""
    return tuple(
        replace(table, **{key: _normal(key, text) for key in ADDRESS_KEYS if (text := getattr(table, key)) is not None})
        for table in tables
    )


def _normal(key: str, text: str) -> str:
    lower = text.lower()
    if key == "mac" or not re.fullmatch(GUID, lower):
        return lower if lower != STABLE else text
    digits = lower.removeprefix("0x").replace(":", "")
    return ":".join(digits[at : at + 2] for at in range(0, 16, 2))


def problems(rule: PfRule) -> list[str]:
    """What is wrong with the tables of a rule whose num_vfs is valid."""
    tables = with_kernel_spelling(rule.vf)
    rule = replace(rule, vf=tables)
    found = [
        f"{place_of(number)}: {problem}"
        for number, table in enumerate(tables, 1)
        for problem in (
            *_problems_of(table),
            *_refused_by_rule(table, rule),
            *_refused_driver(table, rule),
            *_refused_functions(table, rule),
        )
    ]
    found += [f"{problem}{REMEDY}" for problem in refused_by_driver(tables, driver_of(rule.match.driver))]
    return found or list(_problems_together(rule))


def refused_by_driver(tables: Iterable[VfTable], driver: Driver) -> list[str]:
    """What the tables of a rule say although a PF with this driver has no operation for it."""
    return [f"{place_of(number)}: {text}" for number, table in enumerate(tables, 1) for text in _lacks(table, driver)]


def place_of(number: int) -> str:
    return f"[[pf.vf]] number {number}"


def _problems_of(table: VfTable) -> Iterator[str]:
    try:
        highest_of(table.vfs)
    except ValueError:
        yield f'vfs: "{table.vfs}" is neither "all" nor numbers and ranges of VFs, counted from 0, such as "0-3,7"'
    if table.said.keys() == {"vfs"}:
        yield "says nothing about these VFs: set an attribute, or remove the table"
    for key, (lowest, highest, meaning) in LIMITS.items():
        value = getattr(table, key)
        if value is not None and not lowest <= value <= highest:
            text = str(value) if value.bit_length() < 64 else "the number"  # noqa: PLR2004 - str() has a limit, 0xf... none
            yield f"{key}: {text} is not between {lowest} and {highest}" + (f" ({meaning})" if meaning else "")
    if table.driver is not None and (problem := vf_driver_problem(table.driver)):
        yield f"driver: {problem}"
    if table.mac is not None and (problem := mac_problem(table.mac)):
        yield f"mac: {problem}"
    for key in GUID_KEYS:
        if (guid := getattr(table, key)) is not None and (problem := _guid_problem(guid)):
            yield f"{key}: {problem}"


def mac_problem(mac: str) -> str:
    """Why a VF cannot have this address, in lower case; "" if it can."""
    if mac != STABLE and mac.strip().lower() == STABLE:
        return f'"{mac}" is written "{STABLE}"'
    if re.fullmatch(INFINIBAND_MAC, mac):
        return f"{mac} is an address of InfiniBand, which no VF can be given: set node_guid and port_guid"
    if mac != STABLE and not re.fullmatch(MAC, mac):
        return f'"{mac}" is neither an address, such as 02:00:00:aa:bb:00, nor "{STABLE}"'
    if mac != STABLE and int(mac[:2], 16) & 1:
        return f"{mac} is a multicast address, which no interface can have: its first byte must be even"
    if not mac.strip("0:"):
        return f'{mac} means that there is no address: remove it, or write mac = "{STABLE}"'
    return ""


def _guid_problem(guid: str) -> str:
    if not re.fullmatch(GUID, guid):
        return f'"{guid}" is not a GUID: write it like 00:11:22:33:44:55:66:77'
    return f"{guid} means that there is no GUID: remove it" if {*guid} <= {"0", ":"} or {*guid} <= {"f", ":"} else ""


def _refused_by_rule(table: VfTable, rule: PfRule) -> Iterator[str]:
    last = rule.num_vfs - 1 if isinstance(rule.num_vfs, int) else MAX_NUM_VFS - 1
    if (named := _highest_number(table)) > last:
        because = f"num_vfs = {rule.num_vfs}" if isinstance(rule.num_vfs, int) else f"a PF has at most {MAX_NUM_VFS}"
        count = f"the last one is {last}" if last >= 0 else "there are none"
        yield f'vfs: "{table.vfs}" names VF {named}, and {count} ({because}, counted from 0)'
    if table.msix_vectors is not None and (rule.vf_binding is VfBinding.KERNEL or rule.uses_max_vfs):
        why = 'method = "max_vfs"' if rule.uses_max_vfs else 'vf_binding = "kernel"'
        yield f"msix_vectors: cannot be set for a VF that has a driver, as with {why}: remove one of them"


def _refused_functions(table: VfTable, rule: PfRule) -> Iterator[str]:
    said = [name for name in PortFunction.__struct_fields__ if getattr(table, name) is not None]
    if said and not rule.wants_switchdev:
        yield f'{said[0]}: is set at the port of a switch: it needs [pf.eswitch] with mode = "switchdev"'
    if said and rule.vf_binding is VfBinding.KERNEL:
        yield f'{said[0]}: is read while a VF gets its driver: it does not work with vf_binding = "kernel"'


def _refused_driver(table: VfTable, rule: PfRule) -> Iterator[str]:
    if table.driver is not None and rule.vf_binding is VfBinding.KERNEL:
        yield 'driver: does not work with vf_binding = "kernel": remove one of them'


def _highest_number(table: VfTable) -> int:
    """The highest number that it names, -1 if that is not known."""
    try:
        return highest_of(table.vfs)
    except ValueError:
        return -1


def _lacks(table: VfTable, driver: Driver) -> Iterator[str]:
    """One without a row may have each operation."""
    if driver.attributes is None:
        return
    for key, operation in missing_operations(table, driver).items():
        yield f"{key}: {driver.name} {LACKS.get(operation, 'cannot set it for a VF')}"
    yield from (
        f"{key}: {driver.name} has no GUIDs, which are for InfiniBand"
        for key in GUID_KEYS
        if getattr(table, key) is not None and driver.name != GUID_DRIVER
    )


def _problems_together(rule: PfRule) -> Iterator[str]:
    """Each mistake once, for the first VF that has it."""
    wishes = _wishes(rule)
    seen: set[tuple[int, str]] = set()
    together = (*_problems_of_vfs(wishes), *_shared_addresses(wishes, rule.match), *_mtus_without_netdev(rule))
    for vf, key, problem in together:
        number = _said_by(rule, vf, key)
        if (number, key) not in seen:
            seen.add((number, key))
            yield f"{place_of(number)}: {key}: {problem}"


def _wishes(rule: PfRule) -> dict[int, VfAttributes]:
    """For VFs that stand for all."""
    samples, num_vfs = _samples(rule)
    return combine_tables(rule.vf, num_vfs, only=samples)


def _samples(rule: PfRule) -> tuple[frozenset[int], int]:
    """VFs that stand for all, and how many there are.

    Between two numbers that a table begins or ends with, VFs are alike. Of these the first two, as what cannot be said
    of two VFs is a mistake as well. If the number of VFs is not known, there are two beyond those that are named.
    """
    named = max(highest_of(table.vfs) for table in rule.vf)
    num_vfs = rule.num_vfs if isinstance(rule.num_vfs, int) else min(named + 3, MAX_NUM_VFS)
    numbers = [frozenset(numbers_of(table.vfs, num_vfs)) for table in rule.vf]
    first = {0, *(vf for every in numbers for vf in every if vf - 1 not in every)}
    first |= {vf + 1 for every in numbers for vf in every if vf + 1 not in every}
    samples = {vf for start in first for vf in (start, start + 1)}
    return frozenset(vf for vf in samples if vf < num_vfs), num_vfs


def _said_by(rule: PfRule, vf: int, key: str) -> int:
    """Which table says in the end what this key of a VF is."""
    return max(
        number
        for number, table in enumerate(rule.vf, 1)
        if getattr(table, key) is not None and vf in numbers_of(table.vfs, vf + 1)
    )


def _problems_of_vfs(wishes: dict[int, VfAttributes]) -> Iterator[tuple[int, str, str]]:
    """VF, key and problem."""
    for vf, wish in wishes.items():
        for key in ("vlan_qos", "vlan_protocol"):
            if getattr(wish, key) is not None and wish.vlan is None:
                yield vf, key, f"VF {vf} has no vlan: set it as well, or remove {key}"
        if wish.vlan == 0 and wish.vlan_qos:
            yield vf, "vlan_qos", f"VF {vf} has vlan = 0, which is none: set vlan_qos = 0 as well, or another vlan"
        if wish.vlan == 0 and wish.vlan_protocol is VlanProtocol.DOT1AD:
            instead = f'set vlan_protocol = "{VlanProtocol.DOT1Q}" as well, or another vlan'
            yield vf, "vlan_protocol", f"VF {vf} has vlan = 0, which is none: {instead}"
        if wish.min_tx_rate and wish.max_tx_rate and wish.min_tx_rate > wish.max_tx_rate:
            yield vf, "min_tx_rate", f"{wish.min_tx_rate} is above max_tx_rate, {wish.max_tx_rate}, of VF {vf}"
        if wish.node_guid or wish.port_guid:
            yield from (
                (vf, key, f"VF {vf} has a GUID, and a VF of InfiniBand has no {key}: remove one of them")
                for key in wish.said
                if key not in BESIDE_GUIDS
            )


def _mtus_without_netdev(rule: PfRule) -> Iterator[tuple[int, str, str]]:
    samples, num_vfs = _samples(rule)
    drivers, mtus = rule.drivers(num_vfs), rule.vf_mtus(num_vfs)
    for vf in sorted(samples & mtus.keys()):
        if (driver := drivers.wish_for(vf)) == VfDriver.NONE or is_vfio(driver):
            yield vf, "mtu", f'VF {vf} has no interface with driver "{driver}": remove one of them'


def _shared_addresses(wishes: dict[int, VfAttributes], match: Match) -> Iterator[tuple[int, str, str]]:
    for key in ADDRESS_KEYS:
        owners = {match.mac.lower(): "the PF itself"} if key == "mac" else {}
        for vf, wish in wishes.items():
            address = getattr(wish, key)
            if address is None or address == STABLE:
                continue
            if owner := owners.get(address):
                instead = f', or write mac = "{STABLE}"' if key == "mac" else ""
                yield vf, key, f"{address} would be that of VF {vf} and of {owner}: give it to one VF only{instead}"
            owners[address] = f"VF {vf}"


def shared_between_rules(config: Config) -> Iterator[tuple[str, str]]:
    """Names of rules, and which address they give to a VF although another rule gives it away as well: both of them.

    Only of required rules: both are then meant to have a PF on this host.
    """
    for key in ADDRESS_KEYS:
        owners: dict[str, tuple[PfRule, int]] = {}  # address -> the first rule that says it, and for which VF
        for rule in config.pf:
            for vf, wish in (_wishes(rule) if rule.vf and rule.required else {}).items():
                address = getattr(wish, key)
                if address in {None, STABLE}:
                    continue
                first, owner = owners.setdefault(address, (rule, vf))
                if first is not rule:
                    yield first.name, _shared_text(key, address, (first, owner), (rule, vf))
                    yield rule.name, _shared_text(key, address, (rule, vf), (first, owner))


def _shared_text(key: str, address: str, own: tuple[PfRule, int], other: tuple[PfRule, int]) -> str:
    (rule, vf), (another, owner) = own, other
    text = f'{address} would be that of VF {vf} and of VF {owner} of [[pf]] "{another.name}"'
    return f"{place_of(_said_by(rule, vf, key))}: {key}: {text}: give it to one VF only"
