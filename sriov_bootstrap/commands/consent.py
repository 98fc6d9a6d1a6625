"""--force: says on stderr whom it will cost a VF, and asks where somebody is there to answer."""

import sys

from sriov_bootstrap.base.printable import printable
from sriov_bootstrap.core.report import PassReport


def has_consent(plan: PassReport) -> bool:
    """Whether what `plan` says may be done. Without a terminal nothing is asked: who calls us has said --force."""
    users = [(pf, vf) for pf in plan.pfs if pf.will_change_vfs for vf in pf.vfs if vf.user]
    for pf, vf in users:
        sys.stderr.write(f"{pf}: VF {vf.index} {vf.pci_address} will be destroyed: {printable(vf.user)}\n")
    if not users or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    sys.stderr.write("Destroy VFs that are in use? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() in {"y", "yes"}:
        return True
    sys.stderr.write("nothing was changed\n")
    return False
