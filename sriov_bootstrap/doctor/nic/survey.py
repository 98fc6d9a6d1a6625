"""What `doctor` knows of NICs beyond the facts of a pass, as read; the checks make sense of it."""

from msgspec import Struct

from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.presence import Inventory
from sriov_bootstrap.core.report import PassReport
from sriov_bootstrap.core.vf_attributes import PfLink
from sriov_bootstrap.formats.modprobe import ModprobeLine

LONGEST_RANGE = 16


class Detail(Struct, frozen=True):
    """One function in detail. `bridge` is the one directly above it, `last_bus` the last bus that it forwards."""

    config: bytes = b""
    resource: str = ""
    modalias: str = ""
    bridge: str = ""
    last_bus: str = ""


class NicSurvey(Struct, frozen=True):
    """By PCI address unless stated otherwise.

    `devices` are read while a rule has no PF. `details`: of PFs without a driver, and of PFs whose number of VFs is not
    as asked. `modules`: modalias -> modules that drive it;
    `in_tree`: module -> whether it is the kernel's own. `managed`: netdev of a VF -> what NetworkManager has recorded
    about it, empty while it does not run. `unrecorded`: those that it may manage without a record: they are up and have
    no carrier, and nothing in udev keeps it from them.
    `links`: of PFs whose VFs may have no address, as far as no rule asks for what the PF sets.
    `vectors` are of every PCI function. `is_busy`: a write is in progress, so only half of the VFs may exist yet.
    `ovs_offload`: Open vSwitch's hw-offload, "" if it is not set, None if that is not known or nobody asks. `ovs_lost`:
    its ports whose netdev is gone.
    """

    devices: Inventory = Inventory()
    details: dict[str, Detail] = {}
    lines: tuple[ModprobeLine, ...] = ()
    modules: dict[str, tuple[str, ...]] = {}
    has_module_list: bool = False
    in_tree: dict[str, bool | None] = {}
    managed: dict[str, str] = {}
    unrecorded: frozenset[str] = frozenset()
    links: dict[str, PfLink] = {}
    vectors: dict[str, int] = {}
    cpus: int = 0
    report: PassReport = PassReport()
    is_busy: bool = False
    ovs_offload: str | None = None
    ovs_lost: tuple[str, ...] = ()


def falls_short(wish: DesiredPf) -> bool:
    """Whether a PF has fewer VFs than its rule asks for."""
    return bool(wish.pf and wish.pf.num_vfs < (wish.target or 0))


def is_missing(wish: DesiredPf) -> bool:
    """Whether a required NIC is missing."""
    return wish.pf is None and wish.rule.required and wish.rule.num_vfs != 0


def count_cpus(online: str) -> int:
    """The text of /sys/devices/system/cpu/online, such as `0-3,8`; 0 for what cannot be understood."""
    total = 0
    for part in online.split(","):
        first, _, last = part.strip().partition("-")
        if not (first.isdecimal() and (last or first).isdecimal() and len(part) < LONGEST_RANGE):
            return 0
        total += int(last or first) - int(first) + 1
    return max(total, 0)
