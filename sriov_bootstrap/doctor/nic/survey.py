"""What `doctor` knows of NICs beyond the facts of a pass, as read; the checks make sense of it."""

import re

from msgspec import Struct

from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.presence import Inventory
from sriov_bootstrap.core.report import PassReport
from sriov_bootstrap.core.vf_attributes import PfLink
from sriov_bootstrap.formats.modprobe import ModprobeLine

LONGEST_RANGE = 16
MANAGED = re.compile(r"^[ \t]*managed[ \t]*=[ \t]*(true|1|false|0)[ \t]*$", re.MULTILINE)


class Detail(Struct, frozen=True):
    """One function in detail. `bridge` is the one directly above it, `last_bus` the last bus that it forwards."""

    config: bytes = b""
    resource: str = ""
    modalias: str = ""
    bridge: str = ""
    last_bus: str = ""


class NetdevTraces(Struct, frozen=True):
    """What shows who takes care of a VF's netdev.

    `record`: NetworkManager's, which it makes once the device is `disconnected`, and no sooner; without a carrier it
    is `unavailable`. `is_barred`: udev's database has NM_UNMANAGED for it. `awaits_carrier`: it is up without one.
    `is_prepared`: the kernel gives it no IPv6 address; NetworkManager sees to that when it takes a device.
    """

    record: str = ""
    is_barred: bool = False
    awaits_carrier: bool = False
    is_prepared: bool = False

    @property
    def is_managed(self) -> bool:
        """By NetworkManager: as recorded, or else as far as can be told."""
        if self.record:
            return self._recorded in {"true", "1"}
        return self.awaits_carrier and (self.is_prepared or not self.is_barred)

    @property
    def is_let_go(self) -> bool:
        """Whether NetworkManager was told to leave it, and udev would not keep it from the next one."""
        return not self.is_barred and self._recorded in {"false", "0"}

    @property
    def _recorded(self) -> str:
        found = MANAGED.search(self.record)
        return found[1] if found else ""


class NicSurvey(Struct, frozen=True):
    """By PCI address unless stated otherwise.

    `devices` are read while a rule has no PF. `details`: of PFs without a driver, and of PFs whose number of VFs is not
    as asked. `modules`: modalias -> modules that drive it;
    `in_tree`: module -> whether it is the kernel's own. `traces`: netdev of a VF -> what NetworkManager and udev have
    noted about it, empty while NetworkManager does not run. `is_told_what_to_leave`: its own settings say what it does
    not manage, or may.
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
    traces: dict[str, NetdevTraces] = {}
    is_told_what_to_leave: bool = False
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
