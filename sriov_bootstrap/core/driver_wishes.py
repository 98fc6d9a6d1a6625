"""What drives the VFs of a PF: the words of vf_driver, and which of them holds for which VF."""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from sriov_bootstrap.core.drivers import is_module_name


class VfDriver(StrEnum):
    """What drives the VFs, where it is not a driver's name: the kernel's own choice, or nothing."""

    KERNEL = "kernel"
    NONE = "none"


def named_driver(vf_driver: str) -> str:
    """The driver that this vf_driver names; "" for the kernel's choice, for none, and for one that is not known."""
    return "" if vf_driver in {VfDriver.KERNEL, VfDriver.NONE} else vf_driver


def vf_driver_problem(value: str) -> str:
    """Why this is neither one of our words nor the name of a driver, "" if it is."""
    words = tuple(map(str, VfDriver))
    if value in words:
        return ""
    if value.strip().lower() in words:
        return f'"{value}" is written "{value.strip().lower()}"'
    if is_module_name(value):
        return ""
    return f'"{value}" is neither "kernel", "none", nor the name of a driver, such as "vfio-pci"'


class DriverWishes(Struct, frozen=True):
    """What drives each VF of a PF, as vf_driver says it: `usual`, or for the VFs of these numbers that in `others`."""

    usual: str
    others: dict[int, str] = {}

    def wish_for(self, number: int) -> str:
        """That of one VF."""
        return self.others.get(number, self.usual)

    @property
    def kinds(self) -> frozenset[str]:
        """Everything that some VF has."""
        return frozenset({self.usual, *self.others.values()})

    @property
    def names(self) -> tuple[str, ...]:
        """The drivers that are named."""
        return tuple(sorted({*map(named_driver, self.kinds)} - {""}))

    @property
    def without_probing(self) -> "DriverWishes":
        """The same where the kernel may not choose: those VFs get none."""
        none = {VfDriver.KERNEL.value: VfDriver.NONE.value}
        others = {number: none.get(driver, driver) for number, driver in self.others.items()}
        return DriverWishes(none.get(self.usual, self.usual), others)

    def among(self, numbers: Iterable[int]) -> "DriverWishes":
        """The same for these VFs alone, in the shortest way: `usual` is what the first of them has."""
        said = {number: self.wish_for(number) for number in sorted(numbers)}
        usual = next(iter(said.values()), self.usual)
        return DriverWishes(usual, {number: driver for number, driver in said.items() if driver != usual})
