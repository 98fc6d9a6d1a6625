"""What a rule says of its VFs and cannot come true; VFs that a VM counts on, and that have no address."""

from collections.abc import Iterator

from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.drivers import driver_of
from sriov_bootstrap.core.facts import VfFacts
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.plurals import quantity, shortlist
from sriov_bootstrap.core.vf_attributes import STABLE, VfAttributes, combine_tables
from sriov_bootstrap.core.vf_settings import MACHINE_ID_REMEDY, NO_MACHINE_ID, lacks_machine_id
from sriov_bootstrap.core.vf_tables import refused_by_driver
from sriov_bootstrap.doctor.nic.survey import NicSurvey
from sriov_bootstrap.render.host import Host

SHOWN = 3
NO_ADDRESS = "00:00:00:00:00:00"


def check_attributes(wish: DesiredPf) -> Iterator[Finding]:
    """Where the rule names the driver, such a config is refused; others find out on this host."""
    pf, rule = wish.pf, wish.rule
    if pf is None or not (refused := refused_by_driver(rule.vf, driver_of(pf.driver))):
        return
    problem = f'rule "{rule.name}" sets for VFs what the driver {pf.driver} cannot set'
    evidence = shortlist(refused, SHOWN, "; ")
    remedy = f"remove it from the rule, or give PFs with {pf.driver} a rule of their own: docs/drivers.md"
    yield Finding("SB-E230", pf.pci_address, problem, evidence=evidence, remedy=remedy)


def check_machine_id(host: Host) -> Iterator[Finding]:
    """Of all rules at once: there is one machine id."""
    pfs = [wish.pf for wish in host.wishes if wish.pf and lacks_machine_id(wish.rule, host.machine_id)]
    if pfs:
        evidence = f"a rule asks for it on {shortlist([pf.pci_address for pf in pfs], SHOWN)}"
        yield Finding("SB-E231", "host", NO_MACHINE_ID, evidence=evidence, remedy=MACHINE_ID_REMEDY)


def netdevs_to_ask(host: Host) -> dict[str, str]:
    """PCI address -> netdev of the PFs whose links `check_addresses` needs, and nobody has read."""
    return {
        wish.pf.pci_address: wish.ports[0].name
        for wish in host.wishes
        if wish.pf and wish.ports and not wish.pf.link and not wish.rule.asks_link and _without_mac(wish)
    }


def check_addresses(wish: DesiredPf, survey: NicSurvey) -> Iterator[Finding]:
    """Only where nobody else sets one: nova gives a VF the address of its port."""
    pf, rule = wish.pf, wish.rule
    if pf is None or not (link := pf.link or survey.links.get(pf.pci_address)):
        return
    told = {vf.index: link.vfs.get(vf.index, VfAttributes()) for vf in _without_mac(wish)}
    bare = [number for number, has in told.items() if has.mac == NO_ADDRESS]
    if not bare:
        return
    problem = (
        f'{quantity(len(bare), "free VF has", "free VFs have")} no MAC address, and rule "{rule.name}" gives them'
        f' to VMs by the alias "{rule.alias}": a VM may find another address at each start'
    )
    evidence = f"ip link show {wish.ports[0].name}: {NO_ADDRESS} for VF {shortlist([*map(str, bare)], SHOWN)}"
    if any(told[number].spoofchk for number in bare):
        evidence += "; spoof checking is on, and has no address to compare with"
    remedy = f'mac = "{STABLE}" for them in a [[pf.vf]] table of the rule, then: systemctl reload sriov-bootstrap'
    yield Finding("SB-W229", pf.pci_address, problem, evidence=evidence, remedy=remedy)


def _without_mac(wish: DesiredPf) -> list[VfFacts]:
    """Free VFs for VMs without a port, whose rule could set an address, and does not."""
    pf, rule = wish.pf, wish.rule
    if pf is None or not driver_of(pf.driver).can_set("mac") or not rule.alias or rule.physical_network:
        return []
    said = combine_tables(rule.vf, pf.num_vfs)
    return [
        vf
        for vf in pf.vfs
        if not vf.use and vf.index not in rule.exclude_vfs and not said.get(vf.index, VfAttributes()).mac
    ]
