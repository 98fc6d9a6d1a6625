"""The nouns for what other programs' files say about VFs: as read, not yet parsed."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Any

from msgspec import Struct

from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.formats.hidden_texts import hidden_texts

SPELLINGS = (
    *("num_vfs", "numvfs", "num-vfs", "max_vfs", "maxvfs", "max-vfs", "total-vfs", "total_vfs"),
    "virtual-function-count",
)
Note = Callable[[str], None]  # called with what was not seen, and why


class Format(StrEnum):
    """Whose file it is, which says how to read it."""

    SCRIPT = "script"
    INTERFACES = "interfaces"
    CRON = "cron"
    UNIT = "unit"
    ENVIRONMENT = "environment file"
    UDEV = "udev rule"
    LINK = ".link file"
    NETPLAN = "netplan"
    NMSTATE = "nmstate"
    NETWORK_MANAGER = "NetworkManager profile"
    NETWORK_MANAGER_CONF = "NetworkManager.conf"
    IFCFG = "ifcfg file"
    OS_NET_CONFIG = "os-net-config"
    SHIM = "sriov-netplan-shim"
    OPERATOR = "sriov-network-operator"
    DRIVERCTL = "driverctl"
    MODPROBE = "modprobe.d"
    MODULE_LIST = "list of modules"
    KERNEL = "kernel command line"
    SYSFS = "sysfsutils"
    CLOUD_INIT = "cloud-init"
    TMPFILES = "tmpfiles.d"
    TUNED = "tuned"
    PLAYBOOK = "playbook"
    PROGRAM = "program"
    DATA = "file with numbers"
    OTHER = "another file"


class Source(Struct, frozen=True, dict=True):
    """One file. `document`: what a YAML or JSON file says, with `Word`s for its texts; None for the other formats.

    `caller`: the `file:line` that runs this script, where it was found by that. `is_run` False: its mode keeps
    others from running it, or from reading it. `is_executable`: of a script that another one runs, which may do
    that by a shell. `is_by_folder`: its caller runs what is in its folder. `is_doubtful`: whether that runs it at all,
    or what does, is not known. `owner`: the user whose file it is. `runner`: who runs this script, "" for root; of
    tables and units, which have several, conflicts/runners.py and unit_instances.py know it.
    """

    format: Format
    path: str
    text: str = ""
    document: Any = None
    caller: str = ""
    is_run: bool = True
    owner: int = 0
    is_executable: bool = True
    is_by_folder: bool = False
    is_doubtful: bool = False
    runner: str = ""

    @property
    def name(self) -> str:
        """The file's own name, by which files of several folders replace each other."""
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """The name of the folder that it is in."""
        return self.path.rpartition("/")[0].rpartition("/")[2]

    @cached_property  # there may be thousands, and several ask each of them
    def mentions_vfs(self) -> bool:
        """Whether it mentions a number of VFs, as any of the programs that set one spell it."""
        return mentions_vfs(self.text)


class DeviceLinks(Struct, frozen=True, dict=True):
    """How the kernel names a PF. `rdma`: name of an RDMA device -> the PCI address of its function."""

    rdma: Mapping[str, str] = {}
    pfs: tuple[PfFacts, ...] = ()

    @cached_property  # there may be thousands, and hardly anybody asks
    def parents(self) -> Mapping[str, str]:
        """PCI address or netdev of a VF -> the PCI address of its PF."""
        return {name: pf.pci_address for pf in self.pfs for vf in pf.vfs for name in (vf.pci_address, *vf.netdevs)}


class MastersSurvey(Struct, frozen=True):
    """`sources`: the folder that wins first; `wanted_units`: names of units that some target or unit pulls in.

    `linked_units`: those of them that do so by a link, as that of an enabled unit.

    `rdma`: name of an RDMA device -> the PCI address of its function. `pulled_by`: unit -> the `file:line` of units
    that start it by a Wants= or its kind. `elsewhere`: what is on this host and never looked at. `initramfs`: what
    makes it again, "" if there is no such command. `conditions`: kind and value of a condition of units -> whether it
    holds now; only of those that can be looked at. `netdev_attributes`: netdev -> attribute -> its text, of those that
    udev rules select by. `script_names`: how texts name the scripts that set VFs, None if that is to be found out.
    """

    sources: tuple[Source, ...] = ()
    wanted_units: frozenset[str] = frozenset()
    unseen: tuple[str, ...] = ()
    rdma: Mapping[str, str] = {}
    pulled_by: Mapping[str, tuple[str, ...]] = {}
    elsewhere: tuple[str, ...] = ()
    initramfs: str = ""
    conditions: Mapping[tuple[str, str], bool] = {}
    script_names: frozenset[str] | None = None
    netdev_attributes: Mapping[str, Mapping[str, str]] = {}
    linked_units: frozenset[str] = frozenset()

    def sources_of(self, *formats: Format) -> tuple[Source, ...]:
        """Those of these formats."""
        return tuple(source for source in self.sources if source.format in formats)


def mentions_vfs(text: str) -> bool:
    """Whether a text mentions a number of VFs, as any of the programs that set one spell it."""
    return _spells_count(text) or any(_spells_count(hidden) for _, hidden in hidden_texts(text))


def _spells_count(text: str) -> bool:
    folded = text.lower()
    if "sriov_num" in folded or "sriov_total" in folded:  # also as a glob begins, or to make the one of the other
        return True
    return ("vfs" in folded or "function" in folded) and any(spelling in folded for spelling in SPELLINGS)


def without_overridden(sources: tuple[Source, ...]) -> tuple[Source, ...]:
    """Those that count, in the order of their names: a file hides those of the same name in later folders.

    Drop-ins (`NAME.d/*.conf`) hide each other by the name of their folder and their own.
    """
    first: dict[tuple[str, str], Source] = {}
    for source in sources:
        folder, _, name = source.path.rpartition("/")
        first.setdefault((name, source.folder if folder.endswith(ADDING) else ""), source)
    return tuple(first[key] for key in sorted(first))


def is_drop_in_folder(name: str) -> bool:
    """Whether its files add to units: to one, to those with a beginning of their names, or to all services."""
    return name == "service.d" or name.endswith(DROP_IN_FOLDERS)


DROP_IN_FOLDERS = (".service.d", ".link.d", ".timer.d", ".path.d", ".socket.d", ".target.d")
ADDING = (*DROP_IN_FOLDERS, "/service.d")
