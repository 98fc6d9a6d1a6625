"""VFs that NetworkManager manages, and the two halves of what ends that: a udev rule, and a word to NetworkManager.

The rule holds for netdevs that are made from then on: NetworkManager does not let go of one that it manages already.
The word holds for the netdevs that exist, and for no later ones. So each half without the other is still a finding.
"""

from collections.abc import Iterable, Iterator

from sriov_bootstrap.base.printable import shell_name
from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.plurals import quantity, shortlist
from sriov_bootstrap.doctor.nic.survey import NetdevTraces, NicSurvey
from sriov_bootstrap.render.netdevs import FILE as UDEV_FILE

SHOWN = 3
RULE = (
    f"sriov-bootstrap render udev --write ({UDEV_FILE}),"
    " then udevadm control --reload && udevadm trigger --subsystem-match=net --action=change"
)


def check_network_manager(wish: DesiredPf, survey: NicSurvey) -> Iterator[Finding]:
    """By its own records, so that any kind of rule that keeps it away is taken into account."""
    if wish.pf is None:
        return
    offered = [vf for vf in wish.pf.vfs if vf.index not in wish.rule.exclude_vfs]
    seen = {dev: survey.traces[dev] for vf in offered for dev in vf.netdevs if dev in survey.traces}
    if managed := {dev: traces for dev, traces in seen.items() if traces.is_managed}:
        yield _managed_finding(wish.pf.pci_address, managed)
    elif not survey.is_told_what_to_leave and (let_go := [dev for dev in seen if seen[dev].is_let_go]):
        problem = f"NetworkManager leaves {quantity(len(let_go), 'netdev')} of its VFs alone, but not those that follow"
        evidence = f"managed=false in /run/NetworkManager/devices for {let_go[0]}, as by nmcli device set"
        evidence += ", which ends with the netdev; udev's database has no NM_UNMANAGED for it"
        yield Finding("SB-W221", wish.pf.pci_address, f"{problem}: {_names(let_go)}", evidence=evidence, remedy=RULE)


def _managed_finding(address: str, managed: dict[str, NetdevTraces]) -> Finding:
    """The remedy is what is still missing: the rule may have come too late for these netdevs."""
    problem = f"NetworkManager manages {quantity(len(managed), 'netdev')} of its VFs: {_names(managed)}"
    recorded = [dev for dev, traces in managed.items() if traces.record]
    dev = (recorded or list(managed))[0]
    evidence = (
        f"managed=true in /run/NetworkManager/devices for {dev}" if recorded else f"{dev} is up without a carrier"
    )
    words = f"for dev in {' '.join(map(shell_name, managed))}; do nmcli device set $dev managed no; done"
    if all(traces.is_barred for traces in managed.values()):
        evidence += ", and NM_UNMANAGED in udev's database came too late for it"
        remedy = f"NetworkManager does not let go by itself, not even when it is restarted: {words}"
    else:
        evidence += "" if recorded else ", and udev's database has no NM_UNMANAGED for it"
        remedy = f"{RULE}; and for those that it manages already: {words}"
    evidence += "; NetworkManager is running"
    return Finding("SB-W221", address, problem, evidence=evidence, remedy=remedy)


def _names(netdevs: Iterable[str]) -> str:
    return shortlist(list(netdevs), SHOWN)
