"""Other masters against our rules: who sets the VFs of a PF that a rule of ours takes.

An error is what certainly sets another number: VFs come and go between the two, under whoever uses them. A warning is
what sets the same number, or where the PF, the number or the moment cannot be told. PFs that no rule takes are theirs.
"""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from msgspec.structs import replace

from sriov_bootstrap.core.config import Match, VfDriver
from sriov_bootstrap.core.counted import counted
from sriov_bootstrap.core.desired import DesiredPf, matches
from sriov_bootstrap.core.doctor.codes_masters import CODES_OF
from sriov_bootstrap.core.doctor.finding import Finding
from sriov_bootstrap.core.doctor.masters.ini_formats import read_links, read_profiles
from sriov_bootstrap.core.doctor.masters.master import Master
from sriov_bootstrap.core.doctor.masters.modules import read_modules
from sriov_bootstrap.core.doctor.masters.scripts import read_scripts, read_units
from sriov_bootstrap.core.doctor.masters.udev import read_udev
from sriov_bootstrap.core.doctor.masters.yaml_formats import read_yaml
from sriov_bootstrap.core.doctor.masters_survey import Format, MastersSurvey, visible
from sriov_bootstrap.core.facts import PfFacts, is_vfio, vf_places
from sriov_bootstrap.core.openstack.host import Host, VfLayout
from sriov_bootstrap.core.openstack.kernel import INITRAMFS


def find_masters(survey: MastersSurvey, pfs: Iterable[PfFacts]) -> tuple[Master, ...]:
    """Everything that sets VFs, of whichever PF."""
    found = (
        *read_scripts(survey),
        *read_units(survey),
        *read_udev(survey),
        *read_links(survey, pfs),
        *read_yaml(survey),
        *read_profiles(survey),
        *read_modules(survey),
    )
    return tuple(dict.fromkeys(found))


def check_masters(host: Host, survey: MastersSurvey) -> Iterator[Finding]:
    """Those that set VFs of a PF that a rule of ours takes."""
    if not host.config.pf:
        return
    for master in find_masters(survey, host.pfs):
        yield from (_with_initramfs(one, master.format, host) for one in _judge(master, host))
    yield from _overrides(host, survey)


def _with_initramfs(finding: Finding, kind: Format, host: Host) -> Finding:
    """A module option is in force at the next boot from the initramfs, whatever the file says by then."""
    command = next((command for path, command in INITRAMFS.items() if path in host.paths), "")
    if kind is not Format.MODPROBE or not command:
        return finding
    return replace(finding, remedy=f"{finding.remedy}, then: {command}")


def _judge(master: Master, host: Host) -> Iterator[Finding]:
    if not master.devices:
        yield _finding(master, "of a PF that cannot be told from here", is_error=False)
        return
    hit = [pf.pci_address for pf in host.pfs if any(matches(one, pf) for one in master.devices)]
    wishes = [
        wish
        for wish in host.wishes
        if (wish.pf and wish.pf.pci_address in hit)
        or (wish.pf is None and not hit and any(_may_name(one, wish.rule.match) for one in master.devices))
    ]
    if wishes:
        others = [wish for wish in wishes if wish.target != master.num_vfs]
        is_error = bool(others) and master.is_certain and None not in {master.num_vfs, *(one.target for one in others)}
        yield _finding(master, "; ".join(_against(master, wish) for wish in others or wishes), is_error=is_error)
    elif not hit and (names := [one.netdev for one in master.devices if _is_name_alone(one)]):
        yield _finding(master, f"of {', '.join(names)}, which is no PF of this host now", is_error=False)


def _may_name(device: Match, match: Match) -> bool:
    """Whether a rule whose PF is not there may mean this device."""
    names = [match.netdev, match.altname] if device.netdev else []
    pairs = [(device.pci_address, match.pci_address), (device.mac, match.mac), (device.driver, match.driver)]
    pairs += [(device.netdev, name) for name in names]
    return any(have and glob and fnmatchcase(have, glob) for have, glob in pairs)


def _is_name_alone(device: Match) -> bool:
    return device == Match(netdev=device.netdev)


def _against(master: Master, wish: DesiredPf) -> str:
    pf = wish.pf
    name = f"{pf.pci_address} ({pf.netdev})" if pf and pf.netdev else pf.pci_address if pf else "a PF that is not there"
    more = (
        f" ({pf.total_vfs} is what the device offers)"
        if pf and pf.driver and (master.num_vfs or 0) > pf.total_vfs
        else ""
    )
    asked = wish.target if wish.target is not None else f'"{wish.rule.num_vfs}"'
    also = " too" if wish.target == master.num_vfs else ""
    return f'of {name}, for which rule "{wish.rule.name}" asks {asked}{also}{more}'


def _finding(master: Master, whose: str, *, is_error: bool) -> Finding:
    verb = "sets" if master.is_certain else "may set"
    number = "the VFs" if master.num_vfs is None else counted(master.num_vfs, "VF")
    unknown = ", in a number that cannot be told" if master.num_vfs is None else ""
    doubt = f" ({master.doubt})" if master.doubt else ""
    error, warning = CODES_OF[master.format]
    problem = f"{verb} {number} {whose}{unknown}{doubt}"
    return Finding(error if is_error else warning, master.place, problem, master.evidence, master.remedy)


def _overrides(host: Host, survey: MastersSurvey) -> Iterator[Finding]:
    """driverctl sets no number: it gives a PF, or a VF, another driver at each boot."""
    error, warning = CODES_OF[Format.DRIVERCTL]
    wishes = [(wish, wish.pf) for wish in host.wishes if wish.pf]
    for source in visible(survey.of(Format.DRIVERCTL)):
        address, driver = source.name.removeprefix("pci-").lower(), source.text.strip()
        remedy = f"driverctl unset-override {address}"
        for wish, pf in wishes:
            if address == pf.pci_address and driver != pf.driver:
                problem = f'gives the PF of rule "{wish.rule.name}" the driver {driver}: one that makes no VFs for it'
                yield Finding(error, f"{source.path}:1", problem, driver, remedy)
            if address in _vfs(pf, host) and is_vfio(driver) and wish.rule.vf_driver is VfDriver.KERNEL:
                problem = (
                    f'gives a VF of {pf.pci_address} the driver {driver}, and rule "{wish.rule.name}" the kernel\'s own'
                )
                yield Finding(
                    warning, f"{source.path}:1", problem, driver, f'{remedy}, or vf_driver = "none" in the rule'
                )


def _vfs(pf: PfFacts, host: Host) -> frozenset[str]:
    layout = host.layouts.get(pf.pci_address, VfLayout())
    texts = {"sriov_totalvfs": pf.total_vfs, "sriov_offset": layout.offset, "sriov_stride": layout.stride}
    places = vf_places(pf.pci_address, {name: str(number) for name, number in texts.items()})
    return frozenset((*places, *(vf.pci_address for vf in pf.vfs)))
