"""What files say of the switch in a NIC, as lines of the [pf.eswitch] that replaces them."""

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.conflicts.master import Master
from sriov_bootstrap.conflicts.runners import doubt_of_runner, runner_of
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.core import pci_address
from sriov_bootstrap.core.eswitch_config import EncapMode, EswitchMode, InlineMode, SteeringMode
from sriov_bootstrap.core.facts import PfFacts

WORDS: dict[str, tuple[str, ...]] = {
    "mode": tuple(EswitchMode),
    "inline_mode": tuple(InlineMode),
    "encap_mode": tuple(EncapMode),
    "flow_steering_mode": tuple(SteeringMode),
}
# By iproute2, devlink/devlink.c, and by libnm-core's enums, in which -1 leaves it alone.
SPELLINGS = {"enable": "basic", "disable": "none"}
COMMANDS = (Format.SCRIPT, Format.UNIT, Format.UDEV, Format.INTERFACES, Format.CRON, Format.CLOUD_INIT)
COMMAND = re.compile(r"\bdevlink\s+(?:-\S+\s+)*dev\s+(eswitch|param)\s+set\s+pci/([0-9A-Fa-f:.]{7,16})\s+([^\n;&|]*)")
FEATURES = re.compile(r"\bethtool\s+(?:-K|--features|--offload)\s+(\S{1,64})\s+([^\n;&|]*)")
OFFLOAD = {"on": "true", "off": "false"}
KEYS = {"mode": "mode", "inline-mode": "inline_mode", "encap-mode": "encap_mode", "encap": "encap_mode"}
SHOWN = 8
MOST = 64  # commands of one file
NO_RUNNERS: Mapping[str, str] = {}


SwitchWish = tuple[tuple[str, str], ...]  # our keys and words


class SwitchCommand(Struct, frozen=True):
    """A command of devlink or ethtool in a file: of which PF, by either name, and what it sets of its switch.

    `doubt`: why it may set nothing, "" if it does.
    """

    place: str
    pci_address: str
    said: SwitchWish
    netdev: str = ""
    doubt: str = ""

    @property
    def program(self) -> str:
        """What it runs."""
        return "ethtool" if self.netdev else "devlink"

    def is_about(self, pf: PfFacts) -> bool:
        """Whether it sets the switch of this PF."""
        return self.pci_address == pf.pci_address or self.netdev in {dev.name for dev in pf.netdevs}


def switch_of(said: Mapping[str, str], *, by_number: bool = False) -> SwitchWish:
    """Values of our keys in our words; what is none of them is left out. `by_number`: as NetworkManager has them."""
    found = list[tuple[str, str]]()
    for key, text in said.items():
        words = WORDS[key]
        value = text.strip().lower()
        if by_number:  # it drops words without one of its own
            is_known = value.isascii() and value.isdigit() and len(value) == 1 and int(value) < len(words)
            value = words[int(value)] if is_known else ""
        value = SPELLINGS.get(value, value) if key == "encap_mode" else value
        if value in words:
            found.append((key, str(value)))
    return tuple(found)


def sets_switches(source: Source) -> bool:
    """Whether a file may have such commands."""
    return "devlink" in source.text or "hw-tc-offload" in source.text


def switch_commands(survey: MastersSurvey, runners: Mapping[str, str] = NO_RUNNERS) -> tuple[SwitchCommand, ...]:
    """Those that name their PF, in scripts, units and whatever else runs commands.

    `runners`: `file:line` of a unit's command -> the user who runs it, if that is not root.
    """
    return tuple(command for source in survey.sources_of(*COMMANDS) for command in _commands_of(source, runners))


def _commands_of(source: Source, runners: Mapping[str, str]) -> Iterator[SwitchCommand]:
    begun = ""  # where a line begins that a backslash goes on with
    for number, line in enumerate(source.text.split("\n") if sets_switches(source) else (), 1):
        place = f"{source.path}:{number}"
        begun, is_within = begun or place, line.endswith("\\")
        runner = runners.get(begun, "") or runner_of(source, line)
        begun = begun if is_within else ""
        if not line.lstrip().startswith("#"):
            doubt = doubt_of_runner(runner, line) if runner else ""
            yield from (replace(command, doubt=doubt) for command in _commands_of_line(line, place))


def _commands_of_line(line: str, place: str) -> Iterator[SwitchCommand]:
    for found in list(COMMAND.finditer(line))[:MOST]:
        address = pci_address.normalize(found[2].lower())
        if address and (said := _switch_wish(found[1], found[3].split())):
            yield SwitchCommand(place, address, said)
    for found in list(FEATURES.finditer(line))[:MOST]:
        words = [word.strip("\"'") for word in found[2].split()]
        value = dict(zip(words[::2], words[1::2], strict=False)).get("hw-tc-offload", "")
        if value in OFFLOAD:
            yield SwitchCommand(place, "", (("hw_tc_offload", OFFLOAD[value]),), found[1].strip("\"'"))


def _switch_wish(what: str, words: list[str]) -> SwitchWish:
    pairs = dict(zip(words[::2], words[1::2], strict=False))
    if what == "param":
        is_steering = pairs.get("name") == "flow_steering_mode"
        return switch_of({"flow_steering_mode": pairs.get("value", "").strip("\"'")}) if is_steering else ()
    return switch_of({KEYS[key]: value.strip("\"'") for key, value in pairs.items() if key in KEYS})


def eswitch_lines(
    masters: Iterable[Master], commands: Iterable[SwitchCommand], pf: PfFacts | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """[pf.eswitch] for the rule of this PF, and notes: what disagrees, and which commands it replaces."""
    of_pf = [command for command in commands if pf and command.is_about(pf)]
    own = [command for command in of_pf if not command.doubt]
    doubts = [
        f"{command.place} may set the switch of this PF with {command.program}; not taken over: {command.doubt}"
        for command in of_pf
        if command.doubt
    ][:SHOWN]
    told = [(master.place, master.eswitch) for master in masters] + [(command.place, command.said) for command in own]
    values: dict[str, tuple[str, str]] = {}
    notes: list[str] = []
    disputed = set[str]()
    for place, said in told:
        for key, value in said:
            first, other = values.setdefault(key, (value, place))
            if first != value:
                disputed.add(key)
                notes.append(f"{other} and {place} disagree on the eswitch's {key}")
    agreed = {key: value for key, (value, _) in values.items() if key not in disputed}
    places = dict.fromkeys((command.place, command.program) for command in own)
    if "mode" not in agreed:
        stay = (f"{place} sets the switch of this PF with {program}, and stays" for place, program in places)
        return (), (*notes, *stay, *doubts)
    notes += (
        f"{place} sets the switch of this PF: [pf.eswitch] replaces that {program} command" for place, program in places
    )
    lines = [f'{key} = "{agreed[key]}"' for key in WORDS if key in agreed]
    lines += [f"{key} = {agreed[key]}" for key in ("hw_tc_offload",) if key in agreed]
    return ("[pf.eswitch]", *lines), (*notes, *doubts)
