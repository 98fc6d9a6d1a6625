"""Why the kernel refused to set the switch of a NIC: its own words, the driver and the errno -> cause and remedy.

From net/devlink/dev.c, and what the drivers say in mlx5/core/eswitch_offloads.c, ice/ice_eswitch.c, bnxt/bnxt_vfr.c
and netdevsim/dev.c. What they only write to the kernel's log comes with the errno alone.
"""

import errno
import os
from collections.abc import Iterator

from msgspec import Struct

from sriov_bootstrap.core.errnos import name_of


class SwitchRefusal(Struct, frozen=True):
    """`words`: a part of what the kernel says. `drivers`: () for all. `is_transient`: worth another try in a moment."""

    cause: str
    remedy: str
    words: str = ""
    errno: int = 0
    drivers: tuple[str, ...] = ()
    is_transient: bool = False


ENOTSUPP = 524  # include/linux/errno.h: meant for the kernel alone, and told all the same (bnxt_dl_eswitch_mode_set)
_AGAIN = "none needed: it is tried again"
_LOG = "journalctl -k shows the driver's messages; sriov-bootstrap --once tries again"

# The first row that fits counts.
REFUSALS = (
    SwitchRefusal(
        "flows are offloaded, or another change is under way",
        "remove the offloaded flows: take its netdevs out of Open vSwitch, and tc qdisc del dev NETDEV ingress",
        words="E-Switch is busy",
        is_transient=True,
    ),
    SwitchRefusal("the firmware is being reset", _AGAIN, words="during firmware reset", is_transient=True),
    SwitchRefusal(
        "the uplink is part of a bridge or of Open vSwitch",
        "take it out, and let what adds it start after sriov-bootstrap.service",
        words="Uplink port cannot be a bridge port",
    ),
    SwitchRefusal(
        "the netdev is in another network namespace than its device",
        "move it back with ip link set NETDEV netns 1, or the device with devlink dev reload",
        words="has diverged",
    ),
    SwitchRefusal(
        "IPsec is offloaded to it", "remove its states and policies: ip xfrm state, ip xfrm policy", words="IPsec"
    ),
    SwitchRefusal("devlink traps are active", "switch them off: devlink trap set ... action drop", words="traps"),
    SwitchRefusal(
        "the card serves one netdev through two PFs (Socket Direct)", "switch that off in its firmware", words="Socket"
    ),
    SwitchRefusal(
        "VFs exist, and the driver changes the mode only without them",
        "none needed: they are made again in the other order",
        words="there is no VFs created",
    ),
    SwitchRefusal(
        "the steering is changed only in legacy mode",
        'free its VFs, and let a rule with mode = "legacy" come first: docs/offload.md',
        words="not supported when eswitch offloads enabled",
    ),
    SwitchRefusal(
        "ADQ is active (traffic classes by mqprio), an address is missing, or VFs exist",
        "remove its traffic classes: tc qdisc del dev NETDEV root; journalctl -k says which it is",
        errno=errno.EOPNOTSUPP,
        drivers=("ice",),
    ),
    SwitchRefusal(
        "the uplink is part of a bridge or of Open vSwitch",
        "take it out, and let what adds it start after sriov-bootstrap.service; journalctl -k tells more",
        errno=errno.EINVAL,
        drivers=("ice",),
    ),
    SwitchRefusal(
        "this kernel's driver sets it only while there are VFs, or the PF is down",
        "set num_vfs above 0, and pf_up = true",
        errno=errno.EPERM,
        drivers=("bnxt_en",),
    ),
    SwitchRefusal(
        "the firmware of this card has no such mode",
        "update the firmware; until then remove [pf.eswitch] from the rule",
        errno=ENOTSUPP,
        drivers=("bnxt_en",),
    ),
    SwitchRefusal(
        "it is in this mode already", "none needed: the next pass looks again", errno=errno.EINVAL, drivers=("bnxt_en",)
    ),
    SwitchRefusal(
        "the firmware or this card has no switch that the driver may set, or it refuses while there are VFs",
        "update the firmware; on a DPU the switch is set on the DPU itself",
        errno=errno.EOPNOTSUPP,
        drivers=("mlx5_core",),
    ),
    SwitchRefusal("this driver cannot set it", "leave it out of the rule", errno=errno.EOPNOTSUPP),
    SwitchRefusal("this driver does not have it", "leave it out: devlink dev param show", errno=errno.ENOENT),
    SwitchRefusal("the driver refuses this value", f"correct the rule; {_LOG}", errno=errno.EINVAL),
    SwitchRefusal("the device or its driver is busy", _AGAIN, errno=errno.EBUSY, is_transient=True),
    SwitchRefusal("the device or its driver is busy", _AGAIN, errno=errno.EAGAIN, is_transient=True),
    SwitchRefusal("the firmware took too long", _LOG, errno=errno.ETIMEDOUT, is_transient=True),
    SwitchRefusal("there is no such device any more", "none needed: the next pass looks again", errno=errno.ENODEV),
    SwitchRefusal("no memory, or no room in the NIC's tables", _LOG, errno=errno.ENOMEM),
    SwitchRefusal("no room in the NIC's tables", _LOG, errno=errno.ENOSPC),
    SwitchRefusal("the firmware did not do it", f"{_LOG}; update the firmware", errno=errno.EIO),
    SwitchRefusal(
        "CAP_NET_ADMIN is missing, or another PF or a DPU controls the switch",
        "run as root; check CapabilityBoundingSet= if the unit was changed",
        errno=errno.EPERM,
    ),
)
_UNKNOWN = SwitchRefusal("the kernel gave no known reason", _LOG)


def find_refusal(words: str, number: int, driver: str) -> SwitchRefusal:
    """What is known of it. `words`: the kernel's, which say more than its errno does."""
    return next(_rows_for(words, number, driver), _UNKNOWN)


def _rows_for(words: str, number: int, driver: str) -> Iterator[SwitchRefusal]:
    for row in REFUSALS:
        is_said = row.words.lower() in words.lower() if row.words else row.errno == number
        if is_said and (not row.drivers or driver in row.drivers):
            yield row


def explain(what: str, words: str, number: int, driver: str) -> tuple[str, str]:
    """Message and hint: `what` could not be done, errno, the kernel's words if it has any, cause; remedy."""
    row = find_refusal(words, number, driver)
    own = "" if words == os.strerror(number) else f' and says "{words}"'
    return f"{what}: {name_of(number)}: the kernel refuses{own}: {row.cause}", row.remedy
