"""Module parameters with a number of VFs, in modprobe.d and on the kernel command line.

kmod passes every `options` line, in the order of the files' names, then the kernel command line; what an `install` line
adds comes last. Of equal parameters the kernel takes the last one. A list is one number for each port of the driver, in
the order of their addresses, as Intel's own drivers take it; or, of mlx4_core, VFs of port 1, of port 2 and of both, on
each card (drivers/net/ethernet/mellanox/mlx4/main.c).
"""

import re
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.conflicts.master import MAX_COUNT, Master, Search, count
from sriov_bootstrap.conflicts.survey import Format
from sriov_bootstrap.core import pci_address
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.formats.modprobe import COUNTS, Parameter, effective, module_name, parameters, parse

OURS = re.compile(r"/etc/modprobe\.d/sriov-bootstrap-[\w-]+\.conf")
# Modules that have such a parameter; another may have it in one version, and ignores it in another.
KNOWN = {
    "max_vfs": frozenset({"igb", "ixgbe", "sfc", "siena", "sfc_siena"}),
    "num_vfs": frozenset({"mlx4_core", "be2net", "bnx2x"}),
}
MLX4 = "mlx4_core"
MLX4_PARTS = 3
MLX4_MOST = 255  # num_vfs is an array of bytes
MLX4_CARD = re.compile(r"([0-9a-fA-F:.]{7,14})-(\d{1,3})(?:;(\d{1,3}))?(?:;(\d{1,3}))?")  # OFED: a number for a card
MAX_LINES = 8
MAX_PORTS = 64


class Count(Struct, frozen=True):
    """A number of VFs of some PFs; `doubt`: why it may be another one."""

    device: Match
    num_vfs: int | None
    doubt: str = ""


def read(search: Search) -> Iterator[Master]:
    """Of each module and parameter the last line counts. Our own file does not."""
    texts = effective({source.path: source.text for source in search.survey.sources_of(Format.MODPROBE)})
    others = {path: text for path, text in texts.items() if not OURS.fullmatch(path)}
    command_line = tuple(word for source in search.survey.sources_of(Format.KERNEL) for word in source.text.split())
    lines = parse(others, command_line)
    for name in COUNTS:
        by_module: dict[str, list[Parameter]] = {}
        for given in parameters(lines, name):
            by_module.setdefault(module_name(given.module), []).append(given)
        for module, every in by_module.items():
            every.sort(key=lambda parameter: parameter.line.words[0] == "install")
            for counted in _counts(module, every[-1], search.pfs):
                master = _master(counted, every, is_known=module in KNOWN.get(name, ()))
                yield replace(master, remedy=_remedy(every, search.survey.initramfs))


def _counts(module: str, given: Parameter, pfs: tuple[PfFacts, ...]) -> Iterator[Count]:
    """What the module makes of the value; of a list for each of its PFs here."""
    driver = Match(driver=module)
    numbers = [count(part) for part in given.value.split(",")]
    ports = sorted(pf.pci_address for pf in pfs if pf.driver == module)[:MAX_PORTS]
    if module == MLX4 and given.name == "num_vfs":
        yield from _mlx4_counts(given.value, numbers, ports)
    elif given.name == "num_vf":
        yield Count(driver, None, "what num_vf means is known to the driver alone")
    elif None in numbers:
        yield Count(driver, None, "it is no number, so the module does not load")
    elif len(numbers) == 1:
        yield Count(driver, numbers[0])
    else:
        if not ports:
            yield Count(driver, None, "each number is for one port, and none is here")
        for port, number in zip(ports, [*numbers, *([0] * len(ports))], strict=False):
            yield Count(Match(pci_address=port), number)


def _mlx4_counts(value: str, numbers: list[int | None], ports: list[str]) -> Iterator[Count]:
    known = [number for number in numbers if number is not None and number <= MLX4_MOST]
    if len(known) == len(numbers) <= MLX4_PARTS:
        yield Count(Match(driver=MLX4), sum(known))
        return
    cards = [MLX4_CARD.fullmatch(part) for part in value.split(",")]
    if None in cards:
        yield Count(Match(driver=MLX4), None, "it is neither up to three numbers nor numbers by cards")
        return
    asked = {
        pci_address.normalize(card[1]): sum(int(part) for part in card.groups()[1:] if part) for card in cards if card
    }
    for address in dict.fromkeys((*asked, *ports)):
        yield Count(Match(pci_address=address), min(asked.get(address, 0), MAX_COUNT))


def _master(counted: Count, given: list[Parameter], *, is_known: bool) -> Master:
    last = given[-1]
    unsure = "" if is_known else f"whether the module {last.module} has a parameter {last.name} is not known here"
    doubt = counted.doubt or unsure
    is_file = bool(last.line.number)
    return Master(
        Format.MODPROBE if is_file else Format.KERNEL,
        last.line.path,
        last.line.number,
        str(last) if is_file else _word(last),
        (counted.device,),
        counted.num_vfs,
        is_certain=not doubt,
        doubt=doubt,
    )


def _word(given: Parameter) -> str:
    return f"{given.module}.{given.name}={given.number}"


def _remedy(given: list[Parameter], initramfs: str) -> str:
    """Every line that gives it: without the last one, the one before it would count.

    At the next boot, the lines of files come from the initramfs, whatever the files say by then.
    """
    last = given[-1]
    if module_name(last.module) == MLX4:
        where = f"line {last.line.number} of {last.line.path}" if last.line.number else last.line.path
        return (
            f"leave it: {MLX4} creates VFs only while it is loaded, as many as {last.name} in {where} says, and nothing"
            " can be written to sriov_numvfs; set num_vfs of the rule to the same number"
        )
    places: dict[str, None] = {}
    for parameter in reversed(given):
        file = f"{parameter.name} from line {parameter.line.number} of {parameter.line.path}"
        word = f"{_word(parameter)} from the kernel command line in the boot loader's config, and reboot"
        places.setdefault(file if parameter.line.number else word)
    after = f", then: {initramfs}" if initramfs and any(parameter.line.number for parameter in given) else ""
    return f"remove {' and '.join([*places][:MAX_LINES])}{after}"
