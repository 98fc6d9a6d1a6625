"""The switch of a NIC: whether it is as its rule says, and what keeps flows from being offloaded nevertheless."""

import re
from collections.abc import Iterator

from sriov_bootstrap.core.config import PfRule
from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.eswitch import (
    READ_HINT,
    UNSUPPORTED_HINT,
    awaits_lag,
    lack_verdict,
    made_anew,
    missing_representors,
    no_eswitch,
    ports_of_switch,
    wrong_steering,
)
from sriov_bootstrap.core.eswitch_config import STEERING, Eswitch, EswitchMode
from sriov_bootstrap.core.facts import EswitchFacts, PfFacts
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.plurals import quantity, shortlist
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.doctor.nic.survey import NicSurvey
from sriov_bootstrap.render.host import Host

SHOWN = 4
STATUS = "sriov-bootstrap status says what holds it off; sriov-bootstrap --once sets it"


def wants_switchdev(host: Host) -> bool:
    """Whether a rule that has a PF here asks for it."""
    return any(wish.rule.wants_switchdev for wish in host.wishes if wish.pf)


def check_switch(wish: DesiredPf) -> Iterator[Finding]:
    """Only of rules with [pf.eswitch]; most of the rest needs the right mode."""
    pf, eswitch = wish.pf, wish.rule.eswitch
    if pf is None or eswitch is None or not (pf.eswitch or pf.eswitch_problem):
        return
    if pf.eswitch is None or eswitch.mode != (pf.eswitch.mode or EswitchMode.LEGACY):
        yield _mode_finding(wish.rule, pf, eswitch)
        return
    yield from _check_steering(wish, pf.pci_address, pf.eswitch)
    if awaits_lag(wish.rule, pf) and (lack := lack_verdict(pf, wish.rule)) and lack.reason is Reason.LAG_INACTIVE:
        evidence = f"/sys/kernel/debug/mlx5/{pf.pci_address}/lag/state: {pf.eswitch.lag or 'cannot be read'}"
        yield Finding("SB-W240", pf.pci_address, lack.message.partition(": ")[2], evidence=evidence, remedy=lack.hint)
    if eswitch.is_switchdev:
        yield from _check_representors(wish, pf)
        yield from _check_port_names(pf)
        yield from _check_offload(pf)
        yield from _check_netdevs(wish.rule, pf)


def _mode_finding(rule: PfRule, pf: PfFacts, eswitch: Eswitch) -> Finding:
    asked = f'and rule "{rule.name}" asks for {eswitch.mode}'
    if pf.eswitch is None:
        problem, evidence, remedy = f"the eswitch mode is unknown, {asked}", pf.eswitch_problem, READ_HINT
    elif not pf.eswitch.mode:
        problem, evidence, remedy = f"{no_eswitch(pf)}, {asked}", "devlink tells of no eswitch", UNSUPPORTED_HINT
    else:
        problem, remedy = f"the eswitch mode is {pf.eswitch.mode}, {asked}", STATUS
        evidence = f"devlink dev eswitch show: mode {pf.eswitch.mode}"
    return Finding("SB-E232", pf.pci_address, problem, evidence=evidence, remedy=remedy)


def _check_representors(wish: DesiredPf, pf: PfFacts) -> Iterator[Finding]:
    if not (missing := missing_representors(pf, wish.rule.eswitch)):
        return
    switch_id = pf.eswitch.switch_id if pf.eswitch else ""
    problem = f"{quantity(len(missing), 'VF has', 'VFs have')} no representor on the host: os-vif cannot plug them"
    names = shortlist([f"VF {number}" for number in missing], SHOWN)
    evidence = (
        f"{names}: no netdev here has the phys_switch_id {switch_id or 'of the uplink'} and such a phys_port_name"
    )
    remedy = "journalctl -k shows the driver's messages; move a representor back that is in another network namespace"
    yield Finding("SB-E233", pf.pci_address, problem, evidence=evidence, remedy=remedy)


def _check_port_names(pf: PfFacts) -> Iterator[Finding]:
    """vif_plug_ovs/linux_net.py, get_representor_port: a PF is known there by its PCI function alone."""
    function = pf.pci_address.rpartition(".")[2]
    names = {port.netdev: port.port_name for port in (pf.eswitch.representors.values() if pf.eswitch else ())}
    found = {netdev: re.search(r"pf(\d+)", name) for netdev, name in names.items()}
    if wrong := [netdev for netdev, number in found.items() if number and number[1] != function]:
        problem = f"os-vif takes {quantity(len(wrong), 'representor')} for those of another PF: RepresentorNotFound"
        told = shortlist([f"{netdev}: phys_port_name {names[netdev]}" for netdev in wrong], SHOWN)
        evidence = f"{told}; os-vif looks for pf{function}, after the PCI function"
        remedy = "update the NIC's driver and firmware, which name the port; until then give these VFs to no such port"
        yield Finding("SB-E238", pf.pci_address, problem, evidence=evidence, remedy=remedy)


def _check_offload(pf: PfFacts) -> Iterator[Finding]:
    ports = [port.netdev for port in ports_of_switch(pf.eswitch) if port.has_tc_offload is False] if pf.eswitch else []
    if ports:
        problem = f"hw-tc-offload is off: flows of {quantity(len(ports), 'netdev')} are switched in software"
        evidence = f"ethtool -k: {shortlist(ports, SHOWN)}"
        remedy = "set hw_tc_offload = true in [pf.eswitch]"
        yield Finding("SB-W234", pf.pci_address, problem, evidence=evidence, remedy=remedy)


def _check_netdevs(rule: PfRule, pf: PfFacts) -> Iterator[Finding]:
    """A VF in use may well be in a VM."""
    if awaits_lag(rule, pf):
        return
    bare = [vf for vf in pf.vfs if not vf.use and vf.is_nic and not vf.netdevs]
    if bare:
        lead = quantity(len(bare), "free VF has", "free VFs have")
        problem = f"{lead} no netdev on the host: nova does not offer such a VF to ports that ask for switchdev"
        evidence = shortlist([f"VF {vf.index}: {vf.driver or 'no driver'}" for vf in bare], SHOWN)
        remedy = 'set vf_driver = "kernel" in the rule, and restart nova-compute once the netdevs are there'
        yield Finding("SB-W235", pf.pci_address, problem, evidence=evidence, remedy=remedy)


def _check_steering(wish: DesiredPf, pci_address: str, actual: EswitchFacts) -> Iterator[Finding]:
    if steering := wrong_steering(wish.rule, actual):
        found, wanted = steering
        problem = f'{STEERING} is {found}, and rule "{wish.rule.name}" asks for {wanted}'
        remedy = f"free its VFs, {made_anew(pci_address)}"
        evidence = f"devlink dev param show: {STEERING}"
        yield Finding("SB-W236", pci_address, problem, evidence=evidence, remedy=remedy)


def check_open_vswitch(host: Host, survey: NicSurvey) -> Iterator[Finding]:
    """Of the host, once: it is one switch for all NICs."""
    if not wants_switchdev(host):
        return
    if survey.ovs_lost:
        problem = f"Open vSwitch has {quantity(len(survey.ovs_lost), 'port')} whose netdev is not on this host"
        evidence = f"ovs-vsctl list Interface: could not open network device {shortlist(survey.ovs_lost, SHOWN)}"
        remedy = "hard reboot the VM, which plugs its representor by the present name; else: ovs-vsctl del-port NAME"
        yield Finding("SB-W239", "host", problem, evidence=evidence, remedy=remedy)
    if survey.ovs_offload is None or survey.ovs_offload == "true":
        return
    evidence = f"ovs-vsctl get Open_vSwitch . other_config: hw-offload {survey.ovs_offload or 'is not set'}"
    remedy = "ovs-vsctl set Open_vSwitch . other_config:hw-offload=true, then restart Open vSwitch while no VM needs it"
    yield Finding("SB-W237", "host", "Open vSwitch offloads no flows", evidence=evidence, remedy=remedy)
