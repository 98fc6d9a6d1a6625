"""udev rules that assign sriov_numvfs, or run something that does; see udev(7)."""

import itertools
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from msgspec import Struct

from sriov_bootstrap.conflicts.master import Master, Search, count, setting
from sriov_bootstrap.conflicts.scripts import Script, describe_write, follow_commands, follow_script, known_writes
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, without_overridden
from sriov_bootstrap.conflicts.udev_lines import Token, rule_lines
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.formats.shell import FILE, UNKNOWN

ASSIGNMENTS = frozenset({"=", ":=", "+="})
SUBSTITUTION = re.compile(
    r"%[a-zA-Z](?:\{[^{}]*\})?|\$(?:env|attr|sysfs|kernel|name|devpath|id|number|result|root|sys|devnode|links|parent|driver|major|minor)(?:\{[^{}]*\})?"
)
OS_NET_CONFIG = re.compile(r"os-net-config-sriov\s+-n\s+(\S+?):(\d+)")
ALLOCATE_VFS = "allocate_vfs"  # puppet-tripleo's script, which its own udev rule runs with the netdev
OTHERS_PROGRAMS = ("os-net-config-sriov", ALLOCATE_VFS)  # whose names say what they do
DEVICE_KEYS = {
    "KERNELS": "pci_address",
    "DRIVERS": "driver",
    "DRIVER": "driver",
    "ENV{ID_NET_DRIVER}": "driver",
    "ENV{INTERFACE}": "netdev",
    "NAME": "netdev",
    "ATTR{address}": "mac",
    "ATTRS{vendor}": "vendor_id",
    "ATTRS{device}": "device_id",
    "ATTR{vendor}": "vendor_id",
    "ATTR{device}": "device_id",
    "ATTR{device/vendor}": "vendor_id",
    "ATTR{device/device}": "device_id",
    "ENV{PCI_SLOT_NAME}": "pci_address",
}
# [subsystem/name]: not of the event's device.
OF_ANOTHER = re.compile(
    rf"ATTR\{{\[(?:net/([^]*/]+)\]device|pci/([^]*/]+)\]|drivers/pci:[\w-]+\]/?([^]*/]+))/?{FILE}\}}"
)
# The kernel writes these in lower case, and udev compares letter by letter: what has a capital never matches.
IN_LOWER_CASE = frozenset({"mac", "vendor_id", "device_id"})
NAMES = re.compile(r"ENV\{ID_NET_NAME\w*\}")
NEUTRAL = re.compile(
    r"ACTION|SUBSYSTEM|SUBSYSTEMS|LABEL|ATTR\{(?:device/(?:\.\./)*)?sriov_(?:num|total)vfs\}|TEST(\{.*\})?"
)
ALTERNATIVES = 32
RDMA = frozenset({"infiniband", "infiniband_verbs", "infiniband_mad"})
OF_PFS = RDMA | {"net", "pci"}  # subsystems of devices that have a number of VFs, or lead to one
BESIDE_PFS = OF_PFS | {"module", "drivers", "auxiliary"}  # of what belongs to a PF or its driver
ASKS = ("PROGRAM", "RESULT", "IMPORT")  # udev runs these while it still matches: udev(7)
RUNS = ("RUN", "PROGRAM", "IMPORT{program}")
NOT_JUDGED = "the rule has conditions that only udev can judge"
OF_NO_PF = "only udev can tell whether the PF is there at that event"
REMOVES = "it is only done when a device is removed"

SELECTING = ("phys_port_name", "dev_port", "dev_id", "phys_port_id")  # of the netdev: they tell ports apart
OF_PORT = re.compile(rf"ATTR\{{({'|'.join(SELECTING)})\}}")


class Effect(Struct, frozen=True):
    """What a rule does to a number of VFs. `devices` (): the device of the event. `text`: the evidence.

    `is_run`: by a command; `is_first`: while udev still matches, whatever it finds then.
    """

    text: str
    number: str
    devices: tuple[Match, ...] = ()
    is_first: bool = False
    is_run: bool = False


class RuleEvent(Struct, frozen=True):
    """What a rule is for: devices of which of the kernel's subsystems, and whether they go."""

    subsystems: frozenset[str]
    is_removal: bool

    @property
    def has_numbers(self) -> bool:
        """Whether its device may have a number of VFs, or lead to one, which can be written."""
        return not self.is_removal and not OF_PFS.isdisjoint(self.subsystems)

    @property
    def is_beside_pf(self) -> bool:
        """Whether a command that is run for it may mean a PF that it does not name."""
        return not BESIDE_PFS.isdisjoint(self.subsystems)

    @property
    def doubt(self) -> str:
        """Why what it does may come to nothing, "" if it does not."""
        if self.is_removal:
            return REMOVES
        return OF_NO_PF if OF_PFS.isdisjoint(self.subsystems) else ""


def selecting_attributes(survey: MastersSurvey) -> frozenset[str]:
    """The attributes of netdevs that rules with a number of VFs select by."""
    texts = [source.text for source in survey.sources_of(Format.UDEV) if "vfs" in source.text]
    return frozenset(name for text in texts for name in OF_PORT.findall(text))


def read(search: Search) -> Iterator[Master]:
    """All rules that are in force."""
    for source in without_overridden(search.survey.sources_of(Format.UDEV)):
        if search.library.concerns_source(source) or any(program in source.text for program in OTHERS_PROGRAMS):
            yield from follow_script(source, search, _rules)


def _rules(script: Script) -> Iterator[Master]:
    for line in rule_lines(script.source.text):
        yield from _rule(script, line.number, line.tokens, is_certain=line.is_reached)


def _rule(script: Script, number: int, tokens: tuple[Token, ...], *, is_certain: bool) -> Iterator[Master]:
    effects = tuple(_effects(tokens, script, number))
    if not effects:
        return
    event = _event(tokens)
    path = script.source.path
    devices, is_exact = _devices(tokens, script.search, event)
    is_asked = any(token.is_match and token.key.startswith(ASKS) for token in tokens)
    for effect in effects:
        found = effect.devices or (devices if event.has_numbers else ())
        if not found and not (effect.is_run and event.is_beside_pf):
            continue
        is_judged = is_certain and is_exact and (effect.is_first or not is_asked)
        doubt = event.doubt or ("" if is_judged else NOT_JUDGED)
        yield Master(
            Format.UDEV,
            path,
            number,
            effect.text,
            found,
            count(effect.number),
            is_certain=not doubt,
            doubt=doubt,
            remedy=f"remove that assignment from line {number} of {path}, then: udevadm control --reload",
        )


def _event(tokens: tuple[Token, ...]) -> RuleEvent:
    said = {token.key: token.value for token in tokens if token.operator == "=="}
    return RuleEvent(frozenset(said.get("SUBSYSTEM", "net").split("|")), said.get("ACTION") == "remove")


def _effects(tokens: tuple[Token, ...], script: Script, line: int) -> Iterator[Effect]:
    for token in tokens:
        if token.key.startswith(RUNS) and (token.operator in ASSIGNMENTS or not token.key.startswith("RUN")):
            yield from _effects_of_run(token, script, line)
        elif token.operator in ASSIGNMENTS and token.key.startswith("ATTR{") and token.key.endswith(f"{FILE}}}"):
            key = token.key if NEUTRAL.fullmatch(token.key) else f"ATTR{{.../{FILE}}}"
            other = OF_ANOTHER.fullmatch(token.key)
            yield Effect(setting(key, token.value), token.value, (_another(*other.groups("")),) if other else ())


def _another(netdev: str, pci_address: str, address_of_driver: str) -> Match:
    """Of which one of these is named."""
    return Match(netdev=netdev, pci_address=pci_address or address_of_driver)


def _effects_of_run(token: Token, script: Script, line: int) -> Iterator[Effect]:
    value, is_first = token.value, not token.key.startswith("RUN")
    key = token.key if is_first else "RUN"
    if found := OS_NET_CONFIG.search(value):
        netdev = () if found[1] in {"%k", "$name"} else (Match(netdev=found[1]),)
        yield Effect(f"{key}: os-net-config-sriov -n {found[1]}:{found[2]}", found[2], netdev, is_first, is_run=True)
    elif ALLOCATE_VFS in value:
        yield Effect(f"{key}: {ALLOCATE_VFS}", "", (), is_first, is_run=True)
    if not script.search.library.concerns(value):
        return
    command = SUBSTITUTION.sub(UNKNOWN, value.replace("$$", "\ue001")).replace("\ue001", "$")
    quoted = command.replace("\\'", "'").replace('\\"', '"')
    reading = follow_commands(script, quoted, first_line=line, is_shell=False)
    for known in known_writes(reading.writes, script.search):
        number = "" if known.num_vfs is None else str(known.num_vfs)
        said = f"{key}: {describe_write(known.devices, known.numbers)}"
        yield Effect(said, number, known.devices, is_first, is_run=True)


def _devices(tokens: tuple[Token, ...], search: Search, event: RuleEvent) -> tuple[tuple[Match, ...], bool]:
    """Which devices the rule is for, and whether its conditions are understood, but for what it asks programs."""
    is_pci = any(token.key == "SUBSYSTEM" and token.value == "pci" for token in tokens)
    choices: list[tuple[tuple[str, str], ...]] = []
    if event.has_numbers and event.subsystems <= RDMA:
        choices = [_of_rdma_devices(tokens, search.links.rdma)]
        tokens = tuple(token for token in tokens if (token.key, token.operator) != ("KERNEL", "=="))
        if choices == [()]:
            return (), False
    is_exact = True
    for token in (token for token in tokens if token.is_match and not _is_neutral(token.key)):
        if token.operator == "==" and (names := _ports(token, search.survey.netdev_attributes)):
            choices.append(tuple(("netdev", name) for name in names))
            continue
        key = _selector(token.key, is_pci=is_pci)
        if token.operator == "!=" or not key:
            is_exact = False
            continue
        if key in IN_LOWER_CASE and token.key.startswith("ATTR") and token.value != token.value.lower():
            is_exact = False
        choices.append(tuple((key, _match_value(key, text)) for text in token.value.split("|")))
    combined = itertools.islice(filter(_is_possible, itertools.product(*choices)), ALTERNATIVES)
    found = tuple(Match(**dict(selectors)) for selectors in combined if selectors)
    return found or (Match(pci_address="*"),), is_exact and (bool(found) or not choices)


def _is_neutral(key: str) -> bool:
    return NEUTRAL.fullmatch(key) is not None or key.startswith(ASKS)


def _of_rdma_devices(tokens: tuple[Token, ...], rdma: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The functions whose RDMA devices an event is for."""
    globs = next((token.value for token in tokens if (token.key, token.operator) == ("KERNEL", "==")), "*").split("|")
    named = {address for name, address in rdma.items() if any(fnmatchcase(name, glob) for glob in globs)}
    return tuple(("pci_address", address) for address in sorted(named))


def _ports(token: Token, attributes: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The netdevs that an attribute of the port selects."""
    if not (of_port := OF_PORT.fullmatch(token.key)):
        return []
    wanted = token.value.split("|")[:ALTERNATIVES]
    texts = {netdev: values.get(of_port[1], "") for netdev, values in attributes.items()}
    return sorted(netdev for netdev, text in texts.items() if text and any(fnmatchcase(text, glob) for glob in wanted))


def _is_possible(selectors: tuple[tuple[str, str], ...]) -> bool:
    """Whether a netdev that is selected twice may be one; the name that an attribute gives comes last."""
    names = sorted((text for key, text in selectors if key == "netdev"), key=lambda text: "*" not in text)
    return not names or all(fnmatchcase(names[-1], name) for name in names)


def _selector(key: str, *, is_pci: bool) -> str:
    if key == "KERNEL":
        return "pci_address" if is_pci else "netdev"
    if NAMES.fullmatch(key):
        return "netdev"
    if key == "ENV{ID_PATH}":
        return "pci_address"
    return DEVICE_KEYS.get(key, "")


def _match_value(key: str, text: str) -> str:
    if key == "pci_address":
        return text.removeprefix("pci-").lower()
    return text.removeprefix("0x").lower() if key in {"vendor_id", "device_id", "mac"} else text
