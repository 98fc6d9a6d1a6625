"""What a value in the config may be: everything that a type alone does not say.

Works on decoded values, so that a mistake is reported with its rule, before anything is done.
"""

import re

from msgspec.structs import replace

from sriov_bootstrap.core import pci_address
from sriov_bootstrap.core.config import MAX_NUM_VFS, Boot, Match, Metrics, OpenStack, PfRule, Services, VfBinding
from sriov_bootstrap.core.driver_wishes import VfDriver, named_driver, vf_driver_problem
from sriov_bootstrap.core.drivers import DRIVERS, driver_of, is_vfio
from sriov_bootstrap.core.eswitch_config import STEERING
from sriov_bootstrap.core.plurals import quantity
from sriov_bootstrap.core.vf_attributes import VfTable

# Compiled when first used: at boot, most are not.
GLOB = r"[*?\[]"
MAC = r"(?i:[0-9a-f]{2}(?::[0-9a-f]{2}){5,19})"  # 20 bytes on InfiniBand
HEX_ID = r"(?i:(?:0x)?[0-9a-f]{4})"
SERIAL_NUMBER = r"(?i:[0-9a-f]{2}(?:-[0-9a-f]{2}){7})"  # drivers/pci/pci-sysfs.c, serial_number_show
PERCENT = r"(\d{1,3})%"
UNIT = r"[A-Za-z0-9:_.\\-]{1,200}(@[A-Za-z0-9:_.\\-]+)?\.service"  # a template without an instance is not a unit
PARAM = r"[A-Za-z0-9_-]{1,64}"
MAX_LABEL = 64
MAX_PARAM = 31  # include/net/devlink.h, __DEVLINK_PARAM_MAX_STRING_VALUE
MAX_NUMBER = (1 << 64) - 1
MAX_PORT = 65535


def normalise(rule: PfRule) -> PfRule:
    """The rule with the spellings that /sys uses: lower case, a PCI domain, ids without 0x."""
    match = rule.match
    address = match.pci_address.lower()
    if address.count(":") == 1:
        address = f"0000:{address}"
    return replace(
        rule,
        vf_id=rule.vf_id.lower(),
        vf=_normal_tables(rule.vf) if rule.vf else (),
        match=replace(
            match,
            pci_address=pci_address.normalize(address) or address,
            mac=match.mac.lower(),
            vendor_id=match.vendor_id.lower().removeprefix("0x"),
            device_id=match.device_id.lower().removeprefix("0x"),
            serial_number=match.serial_number.lower(),
        ),
    )


def _normal_tables(tables: tuple[VfTable, ...]) -> tuple[VfTable, ...]:
    from sriov_bootstrap.core.vf_tables import with_kernel_spelling  # only rules with such tables pay for the import

    return with_kernel_spelling(tables)


def pf_problems(rule: PfRule) -> list[str]:
    """What is wrong with one decoded [[pf]], but for its [[pf.vf]] tables."""
    problems = match_problems(rule.match)
    if not rule.name or not _is_label(rule.name):
        problems.append("name: must be 1 to 64 printable characters: it is a label in metrics and logs")
    if not _is_label(rule.physical_network):
        problems.append("physical_network: must be at most 64 printable characters")
    if problem := num_vfs_problem(rule.num_vfs):
        problems.append(f"num_vfs: {problem}")
    if problem := vf_driver_problem(rule.vf_driver):
        problems.append(f"vf_driver: {problem}")
    if rule.vf_binding is VfBinding.KERNEL and named_driver(rule.vf_driver):
        problems.append(f'vf_binding = "kernel" does not work with vf_driver = "{rule.vf_driver}": remove one of them')
    if rule.reload_driver and not rule.uses_max_vfs:
        problems.append('reload_driver only works with method = "max_vfs": sriov_numvfs needs no reload')
    return problems + _switch_problems(rule) if rule.asks_devlink else problems


def _switch_problems(rule: PfRule) -> list[str]:
    """What is wrong with its [pf.eswitch] and [pf.devlink_params]."""
    problems = []
    if rule.eswitch and rule.uses_max_vfs:
        problems.append('[pf.eswitch] does not work with method = "max_vfs": the mode is set between VFs and drivers')
    if rule.eswitch and rule.eswitch.flow_steering_mode and STEERING in rule.devlink_params:
        problems.append(f"{STEERING} is in both [pf.eswitch] and [pf.devlink_params]: remove one of them")
    if rule.eswitch and rule.eswitch.vf_lag and not rule.wants_switchdev:
        problems.append('[pf.eswitch]: vf_lag needs mode = "switchdev"')
    for name, param in rule.params.items():
        if not re.fullmatch(PARAM, name):
            problems.append(f'[pf.devlink_params]: "{name}" is not a parameter: devlink dev param show lists them')
        value = param.value
        if isinstance(value, str) and not (value.isascii() and value.isprintable() and 0 < len(value) <= MAX_PARAM):
            problems.append(f"[pf.devlink_params]: {name}: must be 1 to {MAX_PARAM} printable ASCII characters")
        if isinstance(value, int) and not 0 <= value <= MAX_NUMBER:
            problems.append(f"[pf.devlink_params]: {name}: must be a number from 0 to {MAX_NUMBER}")
    return problems


def switch_mistakes(rule: PfRule) -> list[str]:
    """What the driver that a rule names can never do for its switch: the VFs are made all the same."""
    driver = driver_of(rule.match.driver)
    if not rule.wants_switchdev or not driver.no_eswitch:
        return []
    return [f"[pf.eswitch]: {driver.name} has no eswitch mode that can be set: remove it, or name another driver"]


def vf_problems(rule: PfRule) -> list[str]:
    """What is wrong with its [[pf.vf]] tables; nothing while its num_vfs is wrong, on which they depend."""
    if not rule.vf or num_vfs_problem(rule.num_vfs):
        return []
    from sriov_bootstrap.core import vf_tables

    return vf_tables.problems(rule)


def driver_doubts(rule: PfRule) -> list[str]:
    """What the driver that a rule names will not do: valid, as another driver may be bound by then, or the PF be up."""
    driver = driver_of(rule.match.driver)
    doubts = []
    if driver.up_first and not rule.pf_up and rule.num_vfs not in {0, "0%"}:
        doubts.append(
            f"{driver.name} creates no VFs while its PF is down, and pf_up = false leaves it down:"
            " set pf_up = true, unless something else brings it up earlier"
        )
    if driver.max_vfs and isinstance(rule.num_vfs, int) and rule.num_vfs > driver.max_vfs:
        doubts.append(
            f"{driver.name} creates at most {quantity(driver.max_vfs, 'VF')}, and more are refused:"
            f' lower num_vfs to {driver.max_vfs} or "max"'
        )
    if rule.wants_switchdev:
        doubts += _offload_doubts(rule)
    if rule.eswitch and rule.eswitch.vf_lag and driver in DRIVERS and not driver.tells_lag:
        doubts.append(f"{driver.name} does not tell whether a bond is offloaded: vf_lag does nothing")
    if rule.vf:
        from sriov_bootstrap.core.vf_doubts import doubts_of_tables

        doubts += doubts_of_tables(rule)
    return doubts


def _offload_doubts(rule: PfRule) -> list[str]:
    """What nova and Open vSwitch will not do with such VFs."""
    said = (rule.vf_driver, *(table.driver for table in rule.vf if table.driver))
    bare = [name for name in said if name == VfDriver.NONE or is_vfio(name)]
    return [
        f'VFs with the driver "{name}" have no netdev on the host, by which nova-compute tells that they are ports of a'
        ' switch: it offers them to no port that asks for one; use "kernel"'
        for name in bare[:1]
    ]


def _is_label(text: str) -> bool:
    return len(text) <= MAX_LABEL and text.isprintable()


def match_problems(match: Match) -> list[str]:
    """A match that matches everything, or cannot match anything."""
    if not str(match):
        return ["match: is empty and would match every PF: set one of " + ", ".join(match.__struct_fields__)]
    shapes = (
        ("pci_address", pci_address.WRITTEN, "0000:3b:00.0"),
        ("mac", MAC, "3c:fd:fe:aa:bb:00"),
        ("vendor_id", HEX_ID, "8086"),
        ("device_id", HEX_ID, "10c9"),
        ("serial_number", SERIAL_NUMBER, "3c-fd-fe-ff-ff-aa-bb-00"),
    )
    problems = []
    for key, shape, example in shapes:
        value = getattr(match, key)
        is_glob = re.search(GLOB, value) and value.isprintable()
        if value and not is_glob and not re.fullmatch(shape, value):
            problems.append(f'match: {key} "{value}" cannot match anything: write it like {example}, or as a glob')
    names = {key: getattr(match, key) for key in ("netdev", "altname", "driver")}
    return problems + [
        f'match: {key} "{value}" cannot match anything: a name has no / and no space'
        for key, value in names.items()
        if "/" in value or " " in value or not value.isprintable()
    ]


def num_vfs_problem(value: int | str) -> str:
    """Why this is not a VF count, "" if it is one."""
    if isinstance(value, int):
        if value < 0:
            return f"{value} is negative"
        text = str(value) if value.bit_length() < 64 else "the number"  # noqa: PLR2004 - str() has a limit, 0xf... none
        return f"{text} is more than the kernel accepts ({MAX_NUM_VFS})" if value > MAX_NUM_VFS else ""
    percent = re.fullmatch(PERCENT, value)
    if value == "max" or (percent and int(percent[1]) <= 100):  # noqa: PLR2004 - per cent
        return ""
    return f'"{value}" is neither a number, "max", nor a percentage from "0%" to "100%"'


def table_problems(table: Services | Metrics | Boot | OpenStack) -> list[str]:
    """What is wrong with one decoded table."""
    problems = []
    for key in table.__struct_fields__:
        value = getattr(table, key)
        if value == getattr(type(table)(), key):
            continue  # a default is valid, and at boot most values are defaults
        if key.endswith("_seconds") and not 0 <= value <= 86400:  # noqa: PLR2004 - a day
            problems.append(f"{key}: {value:g} is not between 0 and 86400 seconds")
        if key == "restart":
            bad = [unit for unit in value if not re.fullmatch(UNIT, unit)]
            problems += [f'{key}: "{unit}" is not a service: write it like nova-compute.service' for unit in bad]
        if key == "textfile" and value and not _is_textfile(value):
            must_be = "must be an absolute path without .. that ends in .prom, as node_exporter reads it"
            problems.append(f"{key}: {value!r} {must_be}")
        if key == "web_config" and value and not (value.startswith("/") and value.isprintable()):
            must_be = "must be an absolute path of printable characters: the service has no folder of its own"
            problems.append(f'{key}: "{value}" {must_be}')
        if key == "listen" and value and parse_listen(value) is None:
            problems.append(
                f'{key}: "{value}" must be ADDRESS:PORT, with localhost, an IP address, or no ADDRESS for all'
            )
    return problems


def _is_textfile(path: str) -> bool:
    """An unambiguous path: it is root that writes there."""
    is_plain = path.isprintable() and not {".", ".."} & {*path.split("/")}
    return is_plain and path.startswith("/") and path.endswith(".prom")


def parse_listen(value: str) -> tuple[tuple[str, ...], int] | None:
    """`localhost:10049` -> (addresses, port). Names are never looked up: a silent DNS server must not delay a boot."""
    host, colon, port_text = value.rpartition(":")
    if not colon or not port_text.isascii() or not port_text.isdigit() or not 0 < int(port_text) <= MAX_PORT:
        return None
    if host == "localhost":
        return ("127.0.0.1", "::1"), int(port_text)
    if host in {"", "*"}:
        return ("0.0.0.0", "::"), int(port_text)  # noqa: S104 - asked for in words
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    return ((bare,), int(port_text)) if _is_address(bare, version=4 if bare == host else 6) else None


def _is_address(text: str, *, version: int) -> bool:
    from ipaddress import ip_address  # the default needs none, and the boot must be fast

    try:
        return ip_address(text).version == version
    except ValueError:
        return False
