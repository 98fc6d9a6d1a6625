"""What a pass can do to the host: one small class per action, its stage, and how long it may take.

Order matters. Some settings only affect VFs that are created later, and a count destroys whatever was done to the VFs
before it. So the steps of a plan come in stages, and `STAGES` says which class of action belongs to which.
"""

from collections.abc import Mapping
from enum import IntEnum, auto

from msgspec import Struct

from sriov_bootstrap.core.driver_wishes import DriverWishes, VfDriver
from sriov_bootstrap.core.plurals import quantity
from sriov_bootstrap.core.switch_actions import SetDevlinkParams, SetEswitchMode, SetUpEswitch
from sriov_bootstrap.core.vf_attributes import VfTable
from sriov_bootstrap.core.vf_settings import Before

SHORT_SECONDS = 30.0  # for an action that waits for no VF
LOAD_SECONDS = 60.0  # a driver probes every VF that waits for it before its module is loaded


class SetLinkUp(Struct, frozen=True, tag="set_link_up", omit_defaults=True):
    """Bring the PF's netdev up: after the count, unless `precedes_count`."""

    pci_address: str
    netdev: str
    precedes_count: bool = False

    def __str__(self) -> str:
        """For people."""
        return f"bring {self.netdev} up"


class SetAutoprobe(Struct, frozen=True, tag="set_autoprobe"):
    """Set whether new VFs get a driver automatically."""

    pci_address: str
    enabled: bool

    def __str__(self) -> str:
        """For people."""
        return f"set sriov_drivers_autoprobe to {self.enabled:d}"


class LoadModule(Struct, frozen=True, tag="load_module"):
    """Load the module of the driver that VFs of this PF are to get."""

    pci_address: str
    module: str

    def __str__(self) -> str:
        """For people."""
        return f"load the module {self.module}"


class SetNumVfs(Struct, frozen=True, tag="set_num_vfs"):
    """Write sriov_numvfs, if it still says `before`."""

    pci_address: str
    before: int
    after: int
    allow_in_use: bool = False

    def __str__(self) -> str:
        """For people."""
        return f"set sriov_numvfs from {self.before} to {self.after}"


class WriteFile(Struct, frozen=True, tag="write_file"):
    """Put `text` into `path`, atomically."""

    pci_address: str
    path: str
    text: str

    def __str__(self) -> str:
        """For people."""
        return f"write {self.path}"


class ReloadDriver(Struct, frozen=True, tag="reload_driver"):
    """Unload and load a module; every PF in `pci_addresses` disappears in between."""

    pci_address: str
    driver: str
    pci_addresses: tuple[str, ...]
    expected: int

    def __str__(self) -> str:
        """For people."""
        return f"reload the driver {self.driver} ({', '.join(self.pci_addresses)})"


class SetPfLink(Struct, frozen=True, tag="set_pf_link", omit_defaults=True):
    """Set what a rule says of the PF's own netdev: `mtu`, 0 if it is right, and promiscuous mode, None if that is."""

    pci_address: str
    netdev: str
    mtu: int = 0
    promisc: bool | None = None

    def __str__(self) -> str:
        """For people."""
        mtu = f"mtu {self.mtu}" if self.mtu else ""
        promisc = "" if self.promisc is None else f"promisc {'on' if self.promisc else 'off'}"
        return f"set {', '.join(filter(None, (mtu, promisc)))} of {self.netdev}"


class SetVfAttributes(Struct, frozen=True, tag="set_vf_attributes", omit_defaults=True):
    """Set, through the PF's netdev, what the `tables` of its rule say of its VFs; there have to be `num_vfs` of them.

    `vfs`: those that are meant, number -> how they were when that was decided; none: every VF, as the count before it
    has made them. VFs that have to leave their driver for it get it back by a BindVfs, unless `keeps_drivers`.
    """

    pci_address: str
    netdev: str
    tables: tuple[VfTable, ...]
    num_vfs: int
    vfs: dict[int, Before] = {}
    keeps_drivers: bool = False

    def __str__(self) -> str:
        """For people."""
        return f"set attributes of {quantity(len(self.vfs), 'VF') if self.vfs else 'its VFs'}"


class SetVfMtus(Struct, frozen=True, tag="set_vf_mtus"):
    """Set the MTU of VFs' netdevs, where they are here; there have to be `num_vfs` VFs. `mtus`: VF number -> MTU."""

    pci_address: str
    mtus: dict[int, int]
    num_vfs: int

    def __str__(self) -> str:
        """For people."""
        return f"set the MTU of {quantity(len(self.mtus), 'VF')}"


class BindVfs(Struct, frozen=True, tag="bind_vfs"):
    """Give VFs their driver, all at once; `driver` is the rule's vf_driver, "" to take back `former` alone.

    `vfs`: the PCI addresses of those that are meant; none: every VF that the count before it has made. `former`: the
    driver that an earlier rule named, which is theirs by driver_override. `returns`: they had this driver before.
    `others`, `others_former`: both where they differ, by the VF's number. `are_probed`: the kernel has given new VFs a
    driver while it made them, which those of another one have to leave.
    """

    pci_address: str
    driver: str
    vfs: tuple[str, ...] = ()
    former: str = ""
    returns: bool = False
    others: dict[int, str] = {}
    others_former: dict[int, str] = {}
    are_probed: bool = False

    @property
    def drivers(self) -> DriverWishes:
        """For each VF that is meant."""
        return DriverWishes(self.driver, self.others)

    @property
    def formers(self) -> DriverWishes:
        """The same of what an earlier rule named."""
        return DriverWishes(self.former, self.others_former)

    @property
    def concerns_consumers(self) -> bool:
        """Whether VFs that were there before get another driver: to nova-compute and the agent these are other VFs."""
        return bool(self.vfs and self.driver and not self.returns)

    def __str__(self) -> str:
        """For people."""
        vfs = quantity(len(self.vfs), "VF") if self.vfs else "its VFs"
        if self.others:
            return f"give {vfs} their drivers ({', '.join(sorted(self.drivers.kinds))})"
        match self.driver:
            case "":
                return f"clear driver_override of {vfs}"
            case VfDriver.KERNEL:
                return f"bind {vfs}"
            case VfDriver.NONE:
                return f"unbind {vfs}"
            case name:
                return f"bind {vfs} to {name}"


Action = (
    SetLinkUp
    | SetAutoprobe
    | SetNumVfs
    | WriteFile
    | ReloadDriver
    | LoadModule
    | SetPfLink
    | SetVfAttributes
    | SetDevlinkParams
    | SetEswitchMode
    | SetUpEswitch
    | BindVfs
    | SetVfMtus
)


class Stage(IntEnum):
    """When an action runs, within the plan of its PF."""

    BEFORE = auto()  # what must be in place before VFs are created
    COUNT = auto()  # creates VFs, and destroys existing ones
    COUNTED = auto()  # once, when the VFs exist, before any new one has a driver
    BIND = auto()  # gives the VFs their drivers, once all PFs have come as far
    AFTER = auto()  # once, when every VF of every PF is done


STAGES: dict[type, Stage] = {
    SetAutoprobe: Stage.BEFORE,
    WriteFile: Stage.BEFORE,
    SetDevlinkParams: Stage.BEFORE,
    SetNumVfs: Stage.COUNT,
    ReloadDriver: Stage.COUNT,
    SetLinkUp: Stage.COUNTED,
    LoadModule: Stage.COUNTED,  # without it there are VFs all the same
    SetPfLink: Stage.COUNTED,
    SetEswitchMode: Stage.COUNTED,  # before attributes: some drivers set others in each mode
    SetUpEswitch: Stage.COUNTED,
    SetVfAttributes: Stage.COUNTED,
    BindVfs: Stage.BIND,
    SetVfMtus: Stage.AFTER,
}


# What else a rule asks for does not depend on them.
OPTIONAL = (SetPfLink, SetVfAttributes, SetVfMtus, SetUpEswitch, SetDevlinkParams)


def stage_of(action: object, stages: Mapping[type, Stage] = STAGES) -> Stage:
    """When it runs. Some drivers create no VFs while their PF is down; its netdev then comes up first.

    A mode that is set while there are no VFs comes between the count that removes them and the one that makes them.
    """
    if isinstance(action, SetLinkUp) and action.precedes_count:
        return Stage.BEFORE
    if isinstance(action, SetEswitchMode) and action.precedes_count:
        return Stage.COUNT
    return stages[type(action)]


def addresses_of(action: Action) -> tuple[str, ...]:
    """The PFs that it concerns."""
    return action.pci_addresses if isinstance(action, ReloadDriver) else (action.pci_address,)


def deadline_seconds(action: Action) -> float:
    """How long it may take before it counts as stuck; nothing can end it then. mlx5 takes 0.5 s per VF, ixgbe 1 s."""
    seconds = SHORT_SECONDS
    match action:
        case SetNumVfs(before=before, after=after):
            seconds = 60.0 + 5.0 * max(before, after)
        case BindVfs(vfs=vfs):
            seconds = 120.0 + 5.0 * len(vfs)  # mlx5 waits that long for a VF whose firmware does not answer
        case ReloadDriver(pci_addresses=addresses, expected=expected):  # each VF of each PF is destroyed and created
            seconds = 60.0 + 5.0 * 2 * expected * len(addresses)
        case SetVfAttributes(vfs=vfs, num_vfs=number):  # i40e resets a VF, others are taken from their driver
            seconds = SHORT_SECONDS + 5.0 * (len(vfs) or number)
        case SetEswitchMode(num_vfs=number) | SetUpEswitch(num_vfs=number):  # mlx5 takes 3.6 s with 60 VFs
            seconds = 60.0 + 5.0 * number
        case LoadModule():
            seconds = LOAD_SECONDS
    return seconds
