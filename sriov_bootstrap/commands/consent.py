"""--force: says on stderr which users will lose a VF or its traffic, and asks for consent on a terminal."""

import sys

from sriov_bootstrap.base.printable import printable
from sriov_bootstrap.commands.terminal import can_ask, is_agreed
from sriov_bootstrap.core.report import PassReport


def has_consent(plan: PassReport) -> bool:
    """Whether `plan` may be carried out. Without a terminal nothing is asked: the caller gave --force."""
    users = [(pf, vf) for pf in plan.pfs if pf.will_change_vfs for vf in pf.vfs if vf.user]
    victims = [(pf, victim) for pf in plan.pfs for victim in pf.eswitch_victims]
    for pf, vf in users:
        sys.stderr.write(f"{pf}: VF {vf.index} {vf.pci_address} will be destroyed: {printable(vf.user)}\n")
    for pf, victim in victims:
        sys.stderr.write(f"{pf}: will lose its traffic by another eswitch mode: {victim}\n")
    if not (users or victims) or not can_ask():
        return True
    if is_agreed("Destroy VFs that are in use?" if users else "Change the eswitch mode?"):
        return True
    sys.stderr.write("nothing was changed\n")
    return False
