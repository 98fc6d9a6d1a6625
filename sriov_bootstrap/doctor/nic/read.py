"""Reads what `doctor` wants to know of NICs, drivers and VFs, each only where a check may need it."""

import re
from collections.abc import Iterable

from msgspec.structs import replace

from sriov_bootstrap.conflicts.networkmanager import parse_profile
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.doctor.nic.absent import unseen_of_absent
from sriov_bootstrap.doctor.nic.attributes import netdevs_to_ask
from sriov_bootstrap.doctor.nic.driver import concerned_drivers, pfs_without_driver
from sriov_bootstrap.doctor.nic.survey import Detail, NetdevTraces, NicSurvey, count_cpus, falls_short, is_missing
from sriov_bootstrap.doctor.nic.switch import wants_switchdev
from sriov_bootstrap.edges.pci import Pci
from sriov_bootstrap.edges.text_files import TextFiles
from sriov_bootstrap.formats import modprobe
from sriov_bootstrap.machine.ask_ovs import read_hw_offload, read_lost_ports
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.passes.presence import find_devices
from sriov_bootstrap.render.host import Host

# Its unit's control group, which exists while it runs: the service's sandbox hides other users' processes.
NETWORK_MANAGER = tuple(
    f"/sys/fs/cgroup{hierarchy}/system.slice/NetworkManager.service" for hierarchy in ("", "/systemd")
)
NETWORK_MANAGER_SETTINGS = (
    "/etc/NetworkManager/NetworkManager.conf",
    "/var/lib/NetworkManager/NetworkManager-intern.conf",  # its own, from nmcli device set --permanent
    *(f"{folder}/NetworkManager/conf.d/*.conf" for folder in ("/etc", "/run", "/usr/lib")),
)
UP_WITHOUT_CARRIER = "0"
NO_KERNEL_ADDRESSES = "1"  # Documentation/networking/ip-sysctl.rst
UNMANAGED = re.compile(r"^E:NM_UNMANAGED=(?:1|true)$", re.MULTILINE | re.IGNORECASE)  # of udev's database


def survey_nics(machine: HostMachine, host: Host) -> tuple[NicSurvey, tuple[str, ...]]:
    """And what could not be seen."""
    if not host.config.pf:
        return NicSurvey(), ()
    pci, texts = machine.pci, machine.text_files()
    pfs = [wish.pf for wish in host.wishes if wish.pf]
    traces = _traces(machine, pfs, texts)
    survey = NicSurvey(
        lines=_modprobe_lines(machine, texts),
        traces=traces,
        is_told_what_to_leave=any(seen.is_let_go for seen in traces.values()) and _names_devices(texts),
        vectors=pci.count_vectors() if any(vf.netdevs or vf.infiniband for pf in pfs for vf in pf.vfs) else {},
        cpus=count_cpus(pci.read_online_cpus()),
        report=host.state.report,
        is_busy=machine.locks.read_jam(machine.monotonic()) is not None or bool(machine.read_bindings()),
    )
    if rules := [wish.rule for wish in filter(is_missing, host.wishes)]:
        survey = replace(survey, devices=find_devices(machine, rules, host.pfs, is_thorough=True))
    survey = replace(survey, details={address: _detail(pci, address) for address in _addresses(host)})
    survey = _add_modules(machine, host, survey, texts)
    survey, unread = _add_links(machine, host, survey)
    if wants_switchdev(host) and not machine.is_tree:
        survey = replace(survey, ovs_offload=read_hw_offload(), ovs_lost=read_lost_ports())
    return survey, (*unseen_of_absent(host, survey), *unread, *texts.problems)


def _modprobe_lines(machine: HostMachine, texts: TextFiles) -> tuple[modprobe.ModprobeLine, ...]:
    files = texts.read_matching(*modprobe.GLOBS)
    return modprobe.parse(modprobe.effective(files), machine.procfs.kernel_command_line())


def _traces(machine: HostMachine, pfs: Iterable[PfFacts], texts: TextFiles) -> dict[str, NetdevTraces]:
    """Of the netdevs of VFs; none while NetworkManager does not run, as its records outlive it."""
    netdevs = [dev for pf in pfs for vf in pf.vfs for dev in vf.netdevs]
    if not netdevs or not machine.files.keep_existing(NETWORK_MANAGER):
        return {}
    return {dev: _traces_of(dev, machine.pci.read_ifindex(dev), machine.pci, texts) for dev in netdevs}


def _traces_of(netdev: str, ifindex: str, pci: Pci, texts: TextFiles) -> NetdevTraces:
    return NetdevTraces(
        texts.read(f"/run/NetworkManager/devices/{ifindex}"),
        is_barred=bool(UNMANAGED.search(texts.read(f"/run/udev/data/n{ifindex}"))),
        awaits_carrier=pci.read_carrier(netdev) == UP_WITHOUT_CARRIER,
        is_prepared=texts.read(f"/proc/sys/net/ipv6/conf/{netdev}/addr_gen_mode").strip() == NO_KERNEL_ADDRESSES,
    )


def _names_devices(texts: TextFiles) -> bool:
    """Whether NetworkManager's own settings say which devices it leaves alone; which these are is not looked at."""
    files = texts.read_matching(*NETWORK_MANAGER_SETTINGS)
    keys = {key for text in files.values() for key in parse_profile(text).values}
    return any(
        key == "managed" if section.startswith("device") else key.startswith("unmanaged-devices")
        for section, key in keys
    )


def _addresses(host: Host) -> tuple[str, ...]:
    """The PFs to read in detail."""
    short = [wish.pf for wish in host.wishes if wish.pf and falls_short(wish)]
    return tuple(dict.fromkeys(pf.pci_address for pf in (*short, *pfs_without_driver(host))))


def _detail(pci: Pci, address: str) -> Detail:
    bridge, last_bus = pci.read_bridge(address)
    return Detail(
        config=pci.read_config(address),
        resource=pci.read_text(address, "resource"),
        modalias=pci.read_text(address, "modalias"),
        bridge=bridge,
        last_bus=last_bus,
    )


def _add_modules(machine: HostMachine, host: Host, survey: NicSurvey, texts: TextFiles) -> NicSurvey:
    """Which modules drive the devices without a driver, and which of them are the kernel's own."""
    folder = f"/lib/modules/{machine.procfs.kernel_release()}"
    bare = [vf for wish in host.wishes if wish.pf for vf in wish.pf.vfs if vf.lacks_driver]
    wanted = {vf.modalias for vf in bare} | {
        survey.details[pf.pci_address].modalias for pf in pfs_without_driver(host) if pf.pci_address in survey.details
    }
    if wanted := wanted - {""}:
        aliases = texts.read(f"{folder}/modules.alias")
        modules = {name: modprobe.modules_for(aliases, name) for name in wanted}
        survey = replace(survey, modules=modules, has_module_list=bool(aliases))
    drivers = concerned_drivers(host, survey)
    if any(modprobe.parameters(survey.lines, "max_vfs")):
        dep = texts.read(f"{folder}/modules.dep")
        survey = replace(survey, in_tree={driver: modprobe.is_in_tree(dep, driver) for driver in drivers})
    return survey


def _add_links(machine: HostMachine, host: Host, survey: NicSurvey) -> tuple[NicSurvey, tuple[str, ...]]:
    """What these PFs have set for their VFs, and what could not be read of it."""
    if not (netdevs := netdevs_to_ask(host)):
        return survey, ()
    found = machine.read_pf_links(tuple(netdevs.values()))
    links = {address: found.by_name[netdev] for address, netdev in netdevs.items() if netdev in found.by_name}
    return replace(survey, links=links), (f"MAC addresses of VFs: {found.problem}",) if found.problem else ()
