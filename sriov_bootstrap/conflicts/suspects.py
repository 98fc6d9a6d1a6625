"""What else sets the VFs of a PF, as it is to be named where that PF's number was overwritten."""

from collections.abc import Iterable

from sriov_bootstrap.conflicts.master import Master
from sriov_bootstrap.conflicts.survey import Format
from sriov_bootstrap.core.desired import DesiredPf, matches
from sriov_bootstrap.core.suspects import Suspect
from sriov_bootstrap.render.host import Host

MAX_OF_A_PF = 16
WHO = {
    Format.SCRIPT: "the script",
    Format.CRON: "cron, by",
    Format.UNIT: "systemd, by the unit",
    Format.UDEV: "udev, by the rule",
    Format.LINK: "udev, by the .link file",
    Format.NETPLAN: "netplan, by",
    Format.NETWORK_MANAGER: "NetworkManager, by the profile",
    Format.NETWORK_MANAGER_CONF: "NetworkManager, by",
    Format.IFCFG: "NetworkManager, by",
    Format.NMSTATE: "NetworkManager, by nmstate's",
    Format.INTERFACES: "ifupdown, by",
}

# It writes 0 when it deactivates a profile, and when it starts, before it activates one again.
WRITES_ZERO = frozenset({Format.NETWORK_MANAGER, Format.IFCFG})


def suspects_of(host: Host, masters: Iterable[Master]) -> dict[str, tuple[Suspect, ...]]:
    """PCI address of each PF with a rule -> what sets another number of its VFs than it should have, or 0 at times.

    What a user runs may not set any, unless by sudo.
    """
    listed = tuple(master for master in masters if not master.runner or master.by_sudo)
    found = {
        wish.pf.pci_address: [suspect for master in listed if (suspect := _suspect(master, wish))]
        for wish in host.wishes
        if wish.pf
    }
    return {address: tuple(suspects[:MAX_OF_A_PF]) for address, suspects in found.items() if suspects}


def _suspect(master: Master, wish: DesiredPf) -> Suspect | None:
    numbers = (master.num_vfs,) if master.num_vfs is not None else master.possible
    names_pf = bool(wish.pf and any(matches(device, wish.pf) for device in master.devices))
    is_elsewhere = master.devices and not names_pf
    is_vague = not names_pf and not numbers
    if master.format in WRITES_ZERO and not is_vague:
        numbers = tuple(dict.fromkeys((*numbers, 0)))
    if is_elsewhere or is_vague or numbers == (wish.target,) or master.format is Format.DRIVERCTL:
        return None
    who = WHO.get(master.format, f"{master.format}, by")
    return Suspect(who, master.place, numbers, names_pf, master.remedy)
