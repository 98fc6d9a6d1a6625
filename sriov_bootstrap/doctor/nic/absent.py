"""A rule without a PF: what is here of it, and why that is not a PF to the kernel."""

from collections.abc import Iterator

from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.obstacles import Absence, Obstacle
from sriov_bootstrap.core.presence import absences, nothing_remedy
from sriov_bootstrap.doctor.nic.survey import NicSurvey, is_missing
from sriov_bootstrap.render.host import Host

CODES = {
    Obstacle.UNNAMED: "SB-E201",
    Obstacle.DEAD: "SB-E201",
    Obstacle.NO_CAPABILITY: "SB-E202",
    Obstacle.SWITCHED_OFF: "SB-E203",
    Obstacle.KERNEL: "SB-E204",
    Obstacle.IS_VF: "SB-E205",
    Obstacle.HYPERVISOR: "SB-E226",
}


def check_absent(host: Host, survey: NicSurvey) -> Iterator[Finding]:
    """One finding for each rule, or for each function that it matches."""
    for wish in filter(is_missing, host.wishes):
        if _may_be_hidden(wish, host):
            continue
        if wish.lost:
            yield _lost_finding(wish, *wish.lost)
            continue
        found = absences(wish.rule, survey.devices)
        others = [absence for absence in found if absence.obstacle is not Obstacle.IS_VF]
        yield from (_absence_finding(wish, absence) for absence in others or found[:1])
        if not found:
            yield _no_nic_finding(wish, host, survey)


def unseen_of_absent(host: Host, survey: NicSurvey) -> Iterator[str]:
    """What could not be judged, and why."""
    for wish in filter(is_missing, host.wishes):
        if _may_be_hidden(wish, host):
            why = "altnames cannot be read: check `ip -json address`"
            if _has_hidden_serial(wish, host):
                why = "serial numbers cannot be read: run doctor as root"
            yield f'which NIC rule "{wish.rule.name}" matches: {why}'
            continue
        for absence in absences(wish.rule, survey.devices):
            if absence.is_unseen:
                which = f"{absence.function.facts.pci_address}: whether it has an SR-IOV capability"
                yield f"{which}: config space is truncated: run doctor as root"


def _may_be_hidden(wish: DesiredPf, host: Host) -> bool:
    """Whether a PF may be the one by an altname or a serial number that could not be read."""
    by_name = wish.rule.match.netdev or wish.rule.match.altname
    return (bool(by_name) and any(not pf.altnames_known for pf in host.pfs)) or _has_hidden_serial(wish, host)


def _has_hidden_serial(wish: DesiredPf, host: Host) -> bool:
    return bool(wish.rule.match.serial_number) and any(pf.serial_number is None for pf in host.pfs)


def _absence_finding(wish: DesiredPf, absence: Absence) -> Finding:
    evidence = f'{absence.evidence}; rule "{wish.rule.name}" ({wish.rule.match}) matches it'
    address = absence.function.facts.pci_address
    return Finding(CODES[absence.obstacle], address, absence.problem, evidence=evidence, remedy=absence.remedy)


def _lost_finding(wish: DesiredPf, address: str, first: str) -> Finding:
    problem = f'rule "{wish.rule.name}" ({wish.rule.match}) gets no PF: rule "{first}" comes first'
    evidence = f"{address} matches both rules; the first one in the config takes it"
    remedy = "keep one of the two rules: a PF has one number of VFs, whichever of its netdevs a rule names"
    return Finding("SB-E201", address, problem, evidence=evidence, remedy=remedy)


def _no_nic_finding(wish: DesiredPf, host: Host, survey: NicSurvey) -> Finding:
    have = (
        ", ".join(f"{pf.pci_address} {' '.join(dev.name for dev in pf.ports) or '(no netdev)'}" for pf in host.pfs)
        or "none"
    )
    missing = "attach the NIC to this VM" if survey.devices.platform.is_guest else "reseat the NIC"
    remedy = nothing_remedy(wish.rule, host.pfs, survey.devices)
    remedy = remedy or f"sriov-bootstrap init shows the NICs; correct match in the rule, or {missing}"
    problem = f'no NIC matches rule "{wish.rule.name}" ({wish.rule.match})'
    return Finding("SB-E201", "host", problem, evidence=f"PFs here: {have}", remedy=remedy)
