"""Existing VFs: the PF's link, drivers that the rule does not ask for, interrupt vectors."""

from collections.abc import Iterator

from sriov_bootstrap.base.printable import shell_name, shell_quoted
from sriov_bootstrap.core.actions import SetNumVfs
from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.driver_sources import SOURCES
from sriov_bootstrap.core.driver_wishes import VfDriver
from sriov_bootstrap.core.drivers import driver_of
from sriov_bootstrap.core.eswitch import awaits_lag
from sriov_bootstrap.core.facts import PfFacts, VfFacts
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.plurals import quantity, shortlist
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import PassReport, PfReport
from sriov_bootstrap.doctor.nic.survey import NicSurvey, falls_short
from sriov_bootstrap.formats import modprobe
from sriov_bootstrap.render.host import Host

SHOWN = 3
# x86 has 256 vectors on each CPU: 32 are exceptions, about 20 the kernel's own (arch/x86/include/asm/irq_vectors.h).
VECTORS_OF_A_CPU = 200
CROWDED = 0.8


def check_link(wish: DesiredPf) -> Iterator[Finding]:
    """libvirt starts no VM with a VF of a PF that is down; some drivers create no VFs while it is."""
    pf = wish.pf
    if pf is None or not (pf.vfs or falls_short(wish)):
        return
    for dev in wish.ports:
        if not dev.is_up:
            yield _down_finding(wish, pf, dev.name)


def _down_finding(wish: DesiredPf, pf: PfFacts, netdev: str) -> Finding:
    evidence = f"IFF_UP is not set in /sys/class/net/{netdev}/flags; the PF has {quantity(pf.num_vfs, 'VF')}"
    by_hand = f"ip link set {shell_name(netdev)} up"
    if wish.rule.pf_up:
        remedy = f"sriov-bootstrap --once, or {by_hand}; if it goes down again, find out what takes it down"
        return Finding("SB-E217", pf.pci_address, f"the PF {netdev} is down", evidence=evidence, remedy=remedy)
    left_down = f'the PF {netdev} is down, and rule "{wish.rule.name}" leaves it down (pf_up = false)'
    remedy = f"set pf_up = true in the rule, or {by_hand}" if wish.target else by_hand
    if driver_of(pf.driver).up_first and pf.num_vfs != wish.target:
        problem = f"{left_down}: until it is up, {pf.driver} neither creates nor removes VFs"
        evidence += f", not {wish.target}; {SOURCES[pf.driver].place_of('up_first')}"
        remedy += "; then sriov-bootstrap --once"
        return Finding("SB-E224", pf.pci_address, problem, evidence=evidence, remedy=remedy)
    return Finding("SB-W218", pf.pci_address, left_down, evidence=evidence, remedy=remedy)


def check_network(wish: DesiredPf) -> Iterator[Finding]:
    """The word on what no NIC can have; the VFs are created all the same."""
    if wish.pf is None or wish.pf.is_nic or not wish.rule.physical_network:
        return
    problem = f'rule "{wish.rule.name}" puts it into the network "{wish.rule.physical_network}", but it is no NIC'
    evidence = f"/sys/bus/pci/devices/{wish.pf.pci_address}/class is not that of a network function"
    remedy = "set alias instead of physical_network in the rule: a flavor asks for such VFs, no port does"
    yield Finding("SB-W225", wish.pf.pci_address, problem, evidence=evidence, remedy=remedy)


def check_link_flaps(wish: DesiredPf, survey: NicSurvey) -> Iterator[Finding]:
    """A PF that carries something, and whose driver takes its link down for each change of the number of VFs."""
    pf = wish.pf
    if pf is None or not driver_of(pf.driver).count_flaps_link:
        return
    (netdev, upper) = next(((dev.name, dev.uppers[0]) for dev in pf.netdevs if dev.is_up and dev.uppers), ("", ""))
    if not netdev or not (change := _coming_change(wish, pf) or _past_change(pf, survey)):
        return
    problem = f"{upper} is built on the PF {netdev}, whose link goes down at each change of its number of VFs"
    evidence = f"{change}; {SOURCES[pf.driver].place_of('count_flaps_link')}"
    remedy = (
        f"change the number while nothing needs {upper}, or while another member of it has the traffic;"
        " at boot, VFs are created before the network is set up"
    )
    yield Finding("SB-W223", pf.pci_address, problem, evidence=evidence, remedy=remedy)


def _coming_change(wish: DesiredPf, pf: PfFacts) -> str:
    """What the rule asks for and a pass can write, "" where that is there. max_vfs needs a reload, which does more."""
    if wish.rule.uses_max_vfs or wish.target is None or wish.target > pf.total_vfs or wish.target == pf.num_vfs:
        return ""
    return f'{quantity(pf.num_vfs, "VF")}, and rule "{wish.rule.name}" asks for {wish.target}'


def _past_change(pf: PfFacts, survey: NicSurvey) -> str:
    """What the last pass wrote, "" where there were no VFs before: at boot, nothing uses the PF's link yet."""
    done = [result.action for result in survey.report.results if result.is_done]
    writes = [action for action in done if isinstance(action, SetNumVfs) and action.pci_address == pf.pci_address]
    before = next((write.before for write in writes if write.before), 0)
    return f"the last pass changed the number of VFs from {before} to {writes[-1].after}" if before else ""


def check_vf_drivers(wish: DesiredPf, survey: NicSurvey) -> Iterator[Finding]:
    """VFs given to a VM or bound to vfio are as they should be, whatever the rule."""
    if wish.pf is None or survey.is_busy:
        return
    drivers = wish.rule.drivers(wish.pf.num_vfs)
    free = [(vf, drivers.wish_for(vf.index)) for vf in wish.pf.vfs if not vf.use]
    if taken := [vf for vf, wanted in free if wanted == VfDriver.NONE and vf.is_ready and not vf.is_vfio]:
        yield _probed_finding(wish, wish.pf, taken)
    if awaits_lag(wish.rule, wish.pf):
        return
    if bare := [vf for vf, wanted in free if wanted != VfDriver.NONE and vf.lacks_driver]:
        if line := _incomplete_line(wish.pf, survey.report):
            yield _refused_finding(wish, wish.pf, bare, line)
        elif drivers.wish_for(bare[0].index) == VfDriver.KERNEL and wish.pf.autoprobe:
            yield _driverless_finding(wish, wish.pf, bare, survey)


def _probed_finding(wish: DesiredPf, pf: PfFacts, taken: list[VfFacts]) -> Finding:
    vf = taken[0]
    wanted = f'rule "{wish.rule.name}" asks for none ({_driver_key(wish, vf)})'
    problem = f"VFs with a driver: {len(taken)} of {pf.num_vfs}; {wanted}"
    evidence = f"VF {vf.index} {vf.pci_address} has driver {vf.driver}: it was created before probing was disabled"
    remedy = (
        f"echo {vf.pci_address} > /sys/bus/pci/devices/{vf.pci_address}/driver/unbind, and so on, while no VM uses them"
    )
    return Finding("SB-W219", pf.pci_address, problem, evidence=evidence, remedy=remedy)


def _driver_key(wish: DesiredPf, vf: VfFacts) -> str:
    """How the rule says which driver this VF has."""
    wanted = wish.rule.drivers(wish.pf.num_vfs if wish.pf else 0).wish_for(vf.index)
    key = "vf_driver" if wanted == wish.rule.vf_driver else "driver in a [[pf.vf]]"
    return f'{key} = "{wanted}"'


def _incomplete_line(pf: PfFacts, report: PassReport) -> PfReport | None:
    """What the last pass ran into when it gave VFs their driver."""
    lines = (line for line in report.pfs if line.pci_address == pf.pci_address)
    return next((line for line in lines if line.reason is Reason.VFS_INCOMPLETE), None)


def _refused_finding(wish: DesiredPf, pf: PfFacts, bare: list[VfFacts], line: PfReport) -> Finding:
    """The kernel's errno says more than which module there is."""
    remedy = f'set vf_driver = "none" in the rule if only VMs use them; if not: {line.hint}'
    evidence = f"the last pass: {line.message}"
    return Finding("SB-W220", pf.pci_address, _bare_problem(wish, pf, bare), evidence=evidence, remedy=remedy)


def _bare_problem(wish: DesiredPf, pf: PfFacts, bare: list[VfFacts]) -> str:
    wanted = f'rule "{wish.rule.name}" asks for one ({_driver_key(wish, bare[0])})'
    return f"VFs without a driver: {len(bare)} of {pf.num_vfs}; {wanted}"


def _driverless_finding(wish: DesiredPf, pf: PfFacts, bare: list[VfFacts], survey: NicSurvey) -> Finding:
    vf, problem = bare[0], _bare_problem(wish, pf, bare)
    evidence = f"VF {vf.index} {vf.pci_address} has no driver, although sriov_drivers_autoprobe is 1"
    if vf.driver:
        evidence = f"VF {vf.index} {vf.pci_address} has driver {vf.driver}, but its device on another bus has none"
    modules = survey.modules.get(vf.modalias, ())
    if served := [sibling for sibling in pf.vfs if sibling.is_ready and not sibling.is_vfio]:
        evidence = f"{evidence}; {quantity(len(served), 'VF')} of the same PF {_have(served)} driver {served[0].driver}"
        remedy = _probe_remedy(bare)
    else:
        evidence, remedy = _module_words(vf, modules, survey, evidence)
    remedy = f'set vf_driver = "none" in the rule if this is intended; if not, {remedy}'
    return Finding("SB-W220", pf.pci_address, problem, evidence=evidence, remedy=remedy)


def _have(vfs: list[VfFacts]) -> str:
    return "has" if len(vfs) == 1 else "have"


def _module_words(vf: VfFacts, modules: tuple[str, ...], survey: NicSurvey, evidence: str) -> tuple[str, str]:
    """Evidence and remedy where no VF of that PF has a driver: there is something about its module."""
    for module in modules:
        if line := modprobe.blocking_line(survey.lines, module):
            said = f"{line.place}: {line}; {module} drives {vf.pci_address}"
            return said, f"remove that line from {line.place}, then: modprobe {shell_quoted(module)}"
    if not modules and survey.has_module_list:
        evidence += f"; no module in modules.alias drives {vf.modalias or 'it'}"
    return evidence, f"modprobe {shell_quoted(modules[0]) if modules else 'their driver'}"


def _probe_remedy(vfs: list[VfFacts]) -> str:
    """The driver is there, and only has to be offered them again; where it is on another bus, from the start."""
    more = f"; and {quantity(len(vfs) - SHOWN, 'more VF')} likewise" if len(vfs) > SHOWN else ""
    return "; ".join(map(_probe_command, vfs[:SHOWN])) + more


def _probe_command(vf: VfFacts) -> str:
    unbind = f"echo {vf.pci_address} > /sys/bus/pci/drivers/{vf.driver}/unbind; " if vf.driver else ""
    return f"{unbind}echo {vf.pci_address} > /sys/bus/pci/drivers_probe"


def check_vf_netdevs(wish: DesiredPf, survey: NicSurvey) -> Iterator[Finding]:
    """VFs without a netdev, where VFs of the same PF and with the same driver have one."""
    if wish.pf is None or survey.is_busy or wish.rule.vf_driver == VfDriver.NONE:
        return
    silent = [vf for vf in wish.pf.vfs if not vf.has_made_netdev and vf.is_nic and not vf.lacks_driver]
    siblings = [vf for vf in wish.pf.vfs if vf.netdevs and vf.driver in {mute.driver for mute in silent}]
    if not siblings:
        return
    vf, names = silent[0], shortlist([f"VF {vf.index} {vf.pci_address}" for vf in silent], SHOWN)
    problem = f"{quantity(len(silent), 'VF')} with driver {vf.driver} and no netdev: {names}"
    others = f"{quantity(len(siblings), 'VF')} of the same PF {_have(siblings)} one"
    folder = f"/sys/bus/pci/devices/{vf.pci_address} has no folder net"
    evidence = f"{others}; {folder}, which a netdev in another network namespace leaves behind"
    message = f"journalctl -k -g {vf.pci_address} has the driver's message"
    remedy = f"{message}; unless a program uses the VF: {_probe_command(vf)}"
    yield Finding("SB-W228", wish.pf.pci_address, problem, evidence=evidence, remedy=remedy)


def check_vectors(host: Host, survey: NicSurvey) -> Iterator[Finding]:
    """Only where it is VFs with a kernel driver that use up the vectors of all CPUs."""
    host_driven = [vf for wish in host.wishes if wish.pf for vf in wish.pf.vfs if vf.netdevs or vf.infiniband]
    of_vfs = sum(survey.vectors.get(vf.pci_address, 0) for vf in host_driven)
    everything, room = sum(survey.vectors.values()), survey.cpus * VECTORS_OF_A_CPU
    if not host.cpu_vendor or not room or everything <= CROWDED * room or of_vfs * 2 <= everything:
        return
    problem = f"VFs driven by the host hold {of_vfs} interrupt vectors, and few are left"
    evidence = f"{everything} entries in /sys/bus/pci/devices/*/msi_irqs; {survey.cpus} CPUs have about {room} vectors"
    remedy = 'set vf_driver = "none" in the rules, so that only VMs drive VFs; or reduce their queues (ethtool -L)'
    yield Finding("SB-W222", "host", problem, evidence=evidence, remedy=remedy)
