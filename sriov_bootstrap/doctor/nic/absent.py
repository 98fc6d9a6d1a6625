"""A rule without a PF: whether there is a NIC that it matches, and why that is not a PF to the kernel."""

import difflib
from collections.abc import Iterator

from msgspec.structs import replace

from sriov_bootstrap.core.desired import DesiredPf, matches
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.plurals import quantity
from sriov_bootstrap.doctor.nic.survey import Detail, NetworkFunction, NicSurvey, is_missing
from sriov_bootstrap.formats.pci_config import capability
from sriov_bootstrap.render.host import Host
from sriov_bootstrap.render.ports import exact_name

NO_PCI_IOV = "# CONFIG_PCI_IOV is not set"
NVIDIA = "15b3"


def check_absent(host: Host, survey: NicSurvey) -> Iterator[Finding]:
    """One finding for each rule, or for each function that it matches."""
    for wish in filter(is_missing, host.wishes):
        if _may_be_hidden(wish, host):
            continue
        if wish.lost:
            yield _lost_finding(wish, *wish.lost)
            continue
        meant = matching_functions(wish, survey)
        pfs = [function for function in meant if not function.physfn]
        if pfs:
            yield from (_no_pf_finding(wish, pf, host, survey) for pf in pfs)
        elif meant:
            yield _vf_finding(wish, meant[0])
        else:
            yield _no_nic_finding(wish, host, survey.others)


def matching_functions(wish: DesiredPf, survey: NicSurvey) -> list[NetworkFunction]:
    """Network functions that the rule matches and that are not PFs."""
    return [function for function in survey.functions if matches(wish.rule.match, function.facts)]


def unseen_of_absent(host: Host, survey: NicSurvey) -> Iterator[str]:
    """What could not be judged, and why."""
    for wish in filter(is_missing, host.wishes):
        if _may_be_hidden(wish, host):
            why = "altnames cannot be read: check `ip -json address`"
            if _has_hidden_serial(wish, host):
                why = "serial numbers cannot be read: run doctor as root"
            yield f'which NIC rule "{wish.rule.name}" matches: {why}'
            continue
        for function in matching_functions(wish, survey):
            address = function.facts.pci_address
            if not function.physfn and not capability(_detail(function, survey).config).is_seen:
                yield f"{address}: whether it has an SR-IOV capability: config space is truncated: run doctor as root"


def _detail(function: NetworkFunction, survey: NicSurvey) -> Detail:
    return survey.details.get(function.facts.pci_address, Detail())


def _may_be_hidden(wish: DesiredPf, host: Host) -> bool:
    """Whether a PF may be the one by an altname or a serial number that could not be read."""
    by_name = wish.rule.match.netdev or wish.rule.match.altname
    return (bool(by_name) and any(not pf.altnames_known for pf in host.pfs)) or _has_hidden_serial(wish, host)


def _has_hidden_serial(wish: DesiredPf, host: Host) -> bool:
    return bool(wish.rule.match.serial_number) and any(pf.serial_number is None for pf in host.pfs)


def _no_pf_finding(wish: DesiredPf, function: NetworkFunction, host: Host, survey: NicSurvey) -> Finding:
    chip = capability(_detail(function, survey).config)
    if chip.total_vfs and not function.offers:
        return _not_offered_finding(wish, function, host, chip.total_vfs)
    code, problem, evidence = "SB-E202", "it offers no VFs", "there is no file sriov_totalvfs"
    remedy = _enable_remedy(wish, function)
    if function.offers:
        code, problem = "SB-E203", "SR-IOV is disabled: its firmware or driver offers no VFs"
        evidence = f"sriov_totalvfs is {function.offers}"
    elif chip.total_vfs == 0:
        code, problem = "SB-E203", "SR-IOV is disabled in the NIC's firmware"
        evidence = "the SR-IOV capability in its config space has TotalVFs 0"
    elif chip.is_seen:
        problem = "it has no SR-IOV: the chip does not support it, or it is disabled in the NIC's firmware"
        evidence = "no SR-IOV capability in its config space"
    else:
        remedy = "run doctor as root, which can read its SR-IOV capability: sudo sriov-bootstrap doctor"
    return Finding(
        code, function.facts.pci_address, problem, evidence=f"{evidence}; {_rule_matches(wish)}", remedy=remedy
    )


def _not_offered_finding(wish: DesiredPf, function: NetworkFunction, host: Host, total_vfs: int) -> Finding:
    address = function.facts.pci_address
    offer = f"its config space offers {quantity(total_vfs, 'VF')}, but there is no file sriov_totalvfs"
    evidence = f"{offer}; {_rule_matches(wish)}"
    problem, remedy = (
        "the kernel does not offer its SR-IOV",
        f"check the kernel log: journalctl -k -g {address}",
    )
    if NO_PCI_IOV in host.kernel_config.splitlines():
        problem, remedy = "this kernel was built without SR-IOV", "boot a kernel with CONFIG_PCI_IOV=y, 3.8 or newer"
    return Finding("SB-E204", address, problem, evidence=evidence, remedy=remedy)


def _rule_matches(wish: DesiredPf) -> str:
    return f'rule "{wish.rule.name}" matches it'


def _enable_remedy(wish: DesiredPf, function: NetworkFunction) -> str:
    if function.facts.vendor_id == NVIDIA:
        number = wish.rule.num_vfs if isinstance(wish.rule.num_vfs, int) else "N"
        return f"mlxconfig -d {function.facts.pci_address} set SRIOV_EN=1 NUM_OF_VFS={number}, and power-cycle the host"
    return "enable SR-IOV for this port in the NIC's own setup (at boot, or with its vendor's tool) and in the server's"


def _vf_finding(wish: DesiredPf, function: NetworkFunction) -> Finding:
    problem = f'rule "{wish.rule.name}" matches a VF, which cannot have VFs'
    evidence = f"physfn of {function.facts.pci_address} is {function.physfn}; match: {wish.rule.match}"
    remedy = f'match its PF: match = {{ pci_address = "{function.physfn}" }}'
    return Finding("SB-E205", function.facts.pci_address, problem, evidence=evidence, remedy=remedy)


def _lost_finding(wish: DesiredPf, address: str, first: str) -> Finding:
    problem = f'rule "{wish.rule.name}" ({wish.rule.match}) gets no PF: rule "{first}" comes first'
    evidence = f"{address} matches both rules; the first one in the config takes it"
    remedy = "keep one of the two rules: a PF has one number of VFs, whichever of its netdevs a rule names"
    return Finding("SB-E201", address, problem, evidence=evidence, remedy=remedy)


def _no_nic_finding(wish: DesiredPf, host: Host, others: tuple[PfFacts, ...]) -> Finding:
    names = [dev.name for pf in host.pfs for dev in pf.ports]
    near = difflib.get_close_matches(exact_name(wish.rule.match.netdev), names, n=1)
    driverless = [pf.pci_address for pf in host.pfs if not pf.driver]
    have = (
        ", ".join(f"{pf.pci_address} {' '.join(dev.name for dev in pf.ports) or '(no netdev)'}" for pf in host.pfs)
        or "none"
    )
    remedy = "sriov-bootstrap init shows the NICs; correct match in the rule, or reseat the NIC"
    if other := next((pf for pf in others if matches(wish.rule.match, replace(pf, is_nic=True))), None):
        remedy = (
            f'{other.pci_address} is no NIC, and has to be named: match = {{ pci_address = "{other.pci_address}" }}'
        )
    elif near:
        remedy = f'did you mean {near[0]}? match = {{ netdev = "{near[0]}" }}'
    elif driverless and not wish.rule.match.pci_address:
        remedy = f"{driverless[0]} has no driver, and so no netdev: modprobe $(cat {_modalias(driverless[0])})"
    problem = f'no NIC matches rule "{wish.rule.name}" ({wish.rule.match})'
    return Finding("SB-E201", "host", problem, evidence=f"PFs here: {have}", remedy=remedy)


def _modalias(address: str) -> str:
    return f"/sys/bus/pci/devices/{address}/modalias"
