"""The checks of files as files: what oslo.config cannot read, what is missing, and what is never read where it is."""

import itertools
from collections.abc import Callable, Iterator

from sriov_bootstrap.core.config import PfRule
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.plurals import shortlist
from sriov_bootstrap.core.similar_names import nearest
from sriov_bootstrap.doctor.openstack.remedies import restart_remedy
from sriov_bootstrap.doctor.openstack.survey import OpenStackSurvey, Service
from sriov_bootstrap.formats.ini import Entry, IniFile, fold
from sriov_bootstrap.formats.oslo_files import FILE, FOLDER
from sriov_bootstrap.render.host import Host

# Service -> (section, option) that it reads and that is easily put in another section.
HOMES = {
    "sriov-agent": (("sriov_nic", "physical_device_mappings"), ("sriov_nic", "exclude_devices")),
    "neutron-server": (
        ("ml2", "mechanism_drivers"),
        ("ml2", "type_drivers"),
        ("ml2_type_vlan", "network_vlan_ranges"),
        ("ml2_type_flat", "flat_networks"),
    ),
    "nova-scheduler": (("filter_scheduler", "enabled_filters"), ("filter_scheduler", "available_filters")),
}
# Service -> options of which it takes one value: within a file the last one. The agent's lists have SB-E512.
SINGLE = {
    "neutron-server": HOMES["neutron-server"],
    "nova-scheduler": (("filter_scheduler", "enabled_filters"),),
    "nova-compute": (("pci", "report_in_placement"),),
}
# Sections of other agents that share a file, with an option of the same name.
OTHERS = {
    ("ovs", "network_vlan_ranges"),
    ("vlans", "network_vlan_ranges"),
    ("linux_bridge", "physical_interface_mappings"),
}
SHOWN = 8  # PFs
AGENT_OPTIONS = ("physical_device_mappings", "exclude_devices")


def check_files(survey: OpenStackSurvey) -> Iterator[Finding]:
    """nova-compute's sections are checked with nova-compute."""
    yield from _malformed_files(survey)
    for service in survey.services:
        yield from _missing_files(service)
        yield from _default_in_small_letters(service)
        yield from _wrong_section(service)
        yield from _repeated_options(service)
    yield from _unread_files(survey)


def check_start(
    host: Host, survey: OpenStackSurvey, service: Service, code: str, effect: str, *, serves: Callable[[PfRule], object]
) -> Iterator[Finding]:
    """A service that started before VFs changed, and was not restarted since; `effect`: what follows for it.

    `serves`: whether the VFs of a PF with this rule are of interest to it.
    """
    foreign = {wish.pf.pci_address for wish in host.wishes if wish.pf and not serves(wish.rule)}
    changes = [change for change in survey.unnoticed_changes(service) if change.pf not in foreign]
    if not changes or service.started_at is None:
        return
    names = {pf.pci_address: f" of {pf.pci_address} ({pf.netdevs[0].name})" for pf in host.pfs if pf.netdevs}
    addresses = [change.pf for change in changes if change.pf]
    which = f" of {shortlist(addresses, SHOWN)}" if addresses else ""
    seconds = min(change.at for change in changes) - service.started_at
    said = [f"started {survey.time_of(service.started_at)}"]
    for change in changes[:SHOWN]:
        name = names.get(change.pf, f" of {change.pf}") if change.pf else ""
        said.append(f"VFs{name} changed {survey.time_of(change.at)}")
    problem = f"it started {seconds:.0f} s before the VFs{which} changed, and {effect}"
    remedy = restart_remedy(host, service.name, f"find out why its restart fails: journalctl -u {service.unit}")
    yield Finding(code, service.unit, problem, evidence="; ".join(said), remedy=remedy)


def _malformed_files(survey: OpenStackSurvey) -> Iterator[Finding]:
    users: dict[str, list[Service]] = {}
    files: dict[str, IniFile] = {}
    for service in survey.services:
        for file in service.files:
            users.setdefault(file.path, []).append(service)
            files[file.path] = file
    for path, file in files.items():
        if not file.problems:
            continue
        first, *more = file.problems
        names = " and ".join(dict.fromkeys(service.label for service in users[path]))
        also = f"; also line {shortlist([str(problem.line) for problem in more], 5)}" if more else ""
        yield Finding(
            "SB-E531",
            f"{path}:{first.line}",
            f"oslo.config cannot parse this file, so {names} cannot start: {first.text}{also}",
            evidence="",
            remedy=f"correct line {first.line}, then: systemctl restart {names.replace(' and ', ' ')}",
        )


def _missing_files(service: Service) -> Iterator[Finding]:
    for path in service.missing:
        spelt = {path, f"--config-file={path}", f"--config-dir={path}"}
        yield Finding(
            "SB-E532",
            service.label,
            f"its command names {path}, which does not exist, so it cannot start",
            evidence=next((word for word in service.argv if word in spelt), path),
            remedy=f"restore {path}, or remove it from the command: systemctl edit {service.label}",
        )


def _default_in_small_letters(service: Service) -> Iterator[Finding]:
    """The only section whose name is case-sensitive."""
    if service.name == "nova-compute":
        return
    for file in service.files:
        found = [entry for entry in file.entries if entry.section != "DEFAULT" and entry.section.upper() == "DEFAULT"]
        if found:
            yield Finding(
                "SB-E533",
                found[0].place,
                f"[{found[0].section}] is not [DEFAULT]: {service.label} ignores its contents",
                evidence=found[0].name,
                remedy=f"write [DEFAULT] in {file.path}, then: systemctl restart {service.label}",
            )


def _wrong_section(service: Service) -> Iterator[Finding]:
    """An option that exists, but not in that section."""
    for section, option in HOMES.get(service.name, ()):
        for entry in (line for file in service.files for line in file.entries if line.option == option):
            written = fold(entry.section)
            if written == section or (written, option) in OTHERS or _is_old_place(entry):
                continue
            near = nearest(written, [section])
            yield Finding(
                "SB-E534",
                entry.place,
                f"{service.label} reads {option} only in [{section}] and ignores it in [{entry.section}]"
                + (": the section is misspelt" if near else ""),
                evidence=entry.name,
                remedy=f"move it to [{section}], then: systemctl restart {service.label}",
            )


def _repeated_options(service: Service) -> Iterator[Finding]:
    """Within one file; what a later file overrides, it overrides on purpose."""
    for file, (section, option) in itertools.product(service.files, SINGLE.get(service.name, ())):
        entries = file.values(section, option)
        lost = next((entry for entry in entries if entry.value != entries[-1].value), None)
        if lost:
            last = entries[-1]
            yield Finding(
                "SB-W535",
                lost.place,
                f"{option} is set again in line {last.line}, and {service.label} only takes the last",
                evidence=f"{lost.name}; {last.place}: {last.name}",
                remedy=f"merge both into {last.place}, then: systemctl restart {service.label}",
            )


def _is_old_place(entry: Entry) -> bool:
    """[default] in lower case has a finding of its own."""
    return entry.section.upper() == "DEFAULT" and entry.section != "DEFAULT"


def _unread_files(survey: OpenStackSurvey) -> Iterator[Finding]:
    """The agent's settings are in a file that its unit does not name."""
    agent = survey.agent
    if not agent.is_known:
        return
    for file in survey.strays:
        entry = next((setting for name in AGENT_OPTIONS for setting in file.values("sriov_nic", name)), None)
        if entry is None:
            continue
        read = agent.last_entry(("sriov_nic", entry.option))
        beside = f"; it uses {read.place}" if read else ", and it has no other"
        yield Finding(
            "SB-E522",
            entry.place,
            f"the agent does not read this file: its command does not name it{beside}",
            evidence=f"{entry.name}; the command names {' '.join(agent.config_files) or 'no file'}",
            remedy=f"systemctl edit {agent.unit}: ExecStart= and ExecStart={_command_with_file(agent, file.path)}"
            if not read
            else f"merge the two into {read.path}, and remove {file.path}",
        )


def _command_with_file(agent: Service, path: str) -> str:
    """Its command, without other options: one of oslo.config's may be a password."""
    words = list(agent.argv[:1])
    for before, word in itertools.pairwise(agent.argv):
        is_known = before in {FILE, FOLDER} or word.partition("=")[0] in {FILE, FOLDER}
        words += [word] if is_known else ["..."] if words[-1] != "..." else []
    return " ".join((*words, f"{FILE}={path}"))
