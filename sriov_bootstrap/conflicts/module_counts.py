"""What modules make of a parameter with a number of VFs, wherever it is given.

A list is one number for each port of the driver, in the order of their addresses, as Intel's own drivers take it; or,
of mlx4_core, VFs of port 1, of port 2 and of both, on each card (drivers/net/ethernet/mellanox/mlx4/main.c).
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from sriov_bootstrap.conflicts.master import MAX_COUNT, count
from sriov_bootstrap.core import pci_address
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.formats.modprobe import Parameter, module_name

# Modules that have such a parameter; another may have it in one version, and ignores it in another.
KNOWN = {
    "max_vfs": frozenset({"igb", "ixgbe", "sfc", "siena", "sfc_siena"}),
    "num_vfs": frozenset({"mlx4_core", "be2net"}),
}
ONE_NUMBER = frozenset({"igb", "ixgbe"})  # as the kernel has them, module_param(max_vfs, uint, 0)
MLX4 = "mlx4_core"
MLX4_PARTS = 3
MLX4_MOST = 255  # num_vfs is an array of bytes
MLX4_CARD = re.compile(r"([0-9a-fA-F:.]{7,14})-(\d{1,3})(?:;(\d{1,3}))?(?:;(\d{1,3}))?")  # OFED: a number for a card
MAX_PORTS = 64


class ModuleCount(Struct, frozen=True):
    """A number of VFs of some PFs; `doubt`: why it may be another one."""

    device: Match
    num_vfs: int | None
    doubt: str = ""


def doubt_about(counted: ModuleCount, given: Parameter) -> str:
    """Why it may be another number, or none; "" if it is not in doubt."""
    is_known = module_name(given.module) in KNOWN.get(given.name, ())
    unsure = "" if is_known else f"whether the module {given.module} has a parameter {given.name} is not known here"
    return counted.doubt or unsure


def module_counts(given: Parameter, pfs: tuple[PfFacts, ...]) -> Iterator[ModuleCount]:
    """What the module makes of the value; of a list for each of its PFs here."""
    module = module_name(given.module)
    driver = Match(driver=module)
    numbers = [count(part) for part in given.value.split(",")]
    ports = sorted(pf.pci_address for pf in pfs if pf.driver == module)[:MAX_PORTS]
    if module == MLX4 and given.name == "num_vfs":
        yield from _mlx4_counts(given.value, numbers, ports)
    elif given.name == "num_vf":
        yield ModuleCount(driver, None, "what num_vf means is known to the driver alone")
    elif None in numbers:
        yield ModuleCount(driver, None, "it is no number, so the module does not load")
    elif len(numbers) == 1:
        yield ModuleCount(driver, numbers[0])
    else:
        if not ports:
            yield ModuleCount(driver, None, "each number is for one port, and none is here")
        is_one = module in ONE_NUMBER
        doubt = f"only Intel's own {module} takes a list: that of the kernel does not load with it" if is_one else ""
        for port, number in zip(ports, [*numbers, *([0] * len(ports))], strict=False):
            yield ModuleCount(Match(pci_address=port), number, doubt)


def _mlx4_counts(value: str, numbers: list[int | None], ports: list[str]) -> Iterator[ModuleCount]:
    known = [number for number in numbers if number is not None and number <= MLX4_MOST]
    if len(known) == len(numbers) <= MLX4_PARTS:
        yield ModuleCount(Match(driver=MLX4), sum(known))
        return
    cards = [MLX4_CARD.fullmatch(part) for part in value.split(",")]
    if None in cards:
        yield ModuleCount(Match(driver=MLX4), None, "it is neither up to three numbers nor numbers by cards")
        return
    asked = {
        pci_address.normalize(card[1]): sum(int(part) for part in card.groups()[1:] if part) for card in cards if card
    }
    for address in dict.fromkeys((*asked, *ports)):
        yield ModuleCount(Match(pci_address=address), min(asked.get(address, 0), MAX_COUNT))
