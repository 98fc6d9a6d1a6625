"""Other masters against our rules: what else sets the VFs of a PF that has a rule.

An error certainly sets another number: VFs come and go between the two, even while in use. A warning sets the same
number, or the PF, the number or the time is not known. PFs without a rule are left to others.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from msgspec.structs import astuple, replace

from sriov_bootstrap.conflicts import mentions
from sriov_bootstrap.conflicts.codes import CODES_OF
from sriov_bootstrap.conflicts.generated import name_generator
from sriov_bootstrap.conflicts.library import Library
from sriov_bootstrap.conflicts.master import Master, Search
from sriov_bootstrap.conflicts.paths import ADDRESS_ALONE
from sriov_bootstrap.conflicts.readers import READERS
from sriov_bootstrap.conflicts.survey import DeviceLinks, Format, MastersSurvey, Note, without_overridden
from sriov_bootstrap.core.config import Match, PfRule
from sriov_bootstrap.core.desired import DesiredPf, matches
from sriov_bootstrap.core.driver_wishes import VfDriver, named_driver
from sriov_bootstrap.core.drivers import is_vfio
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.netdev_names import NetdevNames
from sriov_bootstrap.core.parse import vf_places
from sriov_bootstrap.core.plurals import quantity, shortlist
from sriov_bootstrap.render.host import Host, VfLayout

MAX_OF_A_FILE = 64
MAX_MASTERS = 512
MAX_OF_USERS = 128
MAX_DEVICES = 64
MAX_VALUE = 256  # characters of what names a device
MAX_REMEDY = 1024
SHOWN = 8
MODULE = re.compile(r"[\w-]{1,56}")  # as long as the kernel lets a module's name be


def _ignore_note(_note: str) -> None: ...


def find_masters(survey: MastersSurvey, pfs: Iterable[PfFacts], note: Note = _ignore_note) -> tuple[Master, ...]:
    """Everything that sets VFs, of any PF, up to what anyone can read through; `note` is called for the rest.

    What users run comes last, and not where root runs it too.
    """
    present = tuple(pfs)
    search = Search(survey, present, note, Library(survey), DeviceLinks(survey.rdma, present))
    found = itertools.chain.from_iterable(reader(search) for reader in READERS)
    of_files = Counter[tuple[str, str]]()
    of_root, of_users = dict[Master, None](), dict[Master, None]()  # who use up nothing that is root's
    # These are whole when the mentions begin.
    for master in itertools.chain(found, mentions.read(search, of_root, of_users)):
        kept, most = (of_users, MAX_OF_USERS) if master.runner else (of_root, MAX_MASTERS)
        key = (master.path, master.runner)
        of_files[key] += 1
        if of_files[key] <= MAX_OF_A_FILE and len(kept) < most:
            kept.setdefault(_within_limits(name_generator(master, survey)))
        elif of_files[key] <= MAX_OF_A_FILE + 1:
            note(f"{master.path}: too much to follow: it sets more VFs than are listed")
    places = {master.place for master in of_root}
    return (*of_root, *(master for master in of_users if master.place not in places))


def _within_limits(master: Master) -> Master:
    """Without devices whose name no device can have."""
    devices = tuple(device for device in master.devices[:MAX_DEVICES] if max(map(len, astuple(device))) <= MAX_VALUE)
    return replace(master, devices=devices, remedy=master.remedy[:MAX_REMEDY])


def masters_on(host: Host, survey: MastersSurvey, note: Note = _ignore_note) -> tuple[Master, ...]:
    """Those that are to be judged: none on a host without a rule."""
    return find_masters(survey, host.pfs, note) if host.config.pf else ()


def check_masters(host: Host, survey: MastersSurvey, masters: Iterable[Master]) -> Iterator[Finding]:
    """Those that set VFs of a PF that has a rule."""
    if not host.config.pf:
        return
    known = NetdevNames(host.pfs)
    for master in masters:
        yield from _judge_master(master, host, known)
    yield from _driver_overrides(host, survey)


def _judge_master(master: Master, host: Host, known: NetdevNames) -> Iterator[Finding]:
    if master.is_mention:
        problem = f"may set VFs: {master.doubt}"
        yield Finding(CODES_OF[master.format][1], master.place, problem, evidence=master.evidence, remedy=master.remedy)
        return
    if not master.devices:
        yield _master_finding(master, "of a PF that cannot be determined", is_error=False)
        return
    hit = [pf.pci_address for pf in host.pfs if any(matches(device, pf) for device in master.devices)]
    wishes = [
        wish
        for wish in host.wishes
        if (wish.pf and wish.pf.pci_address in hit)
        or (wish.pf is None and not hit and any(_may_name(device, wish.rule.match) for device in master.devices))
    ]
    if wishes:
        master = _with_strangers(master, host)
        others = [wish for wish in wishes if wish.target != master.num_vfs]
        is_error = (
            bool(others) and master.is_certain and None not in {master.num_vfs, *(other.target for other in others)}
        )
        yield _master_finding(
            master, "; ".join(_whose_vfs(master, wish) for wish in others or wishes), is_error=is_error
        )
    elif not hit and (names := [device.netdev for device in master.devices if _is_name_alone(device)]):
        questions = [question for name in names[:SHOWN] if (question := known.question(name))]
        asked = f": {' '.join(questions)}" if questions else ""
        yield _master_finding(
            master, f"of {shortlist(names, SHOWN)}, which is not a PF on this host now{asked}", is_error=False
        )


def _with_strangers(master: Master, host: Host) -> Master:
    """With what its remedy must not take away: the VFs of what is no PF of a NIC."""
    addresses = [device.pci_address for device in master.devices if ADDRESS_ALONE.fullmatch(device.pci_address)]
    known = {pf.pci_address for pf in host.pfs}
    strange = tuple(address for address in addresses if address not in known and "*" not in address)
    if not strange:
        return master
    return replace(master, remedy=f"{master.remedy}; but keep what it does for {shortlist(strange, SHOWN)}")


def _may_name(device: Match, match: Match) -> bool:
    """Whether a rule whose PF is missing may match this device."""
    names = [match.netdev, match.altname] if device.netdev else []
    pairs = [(device.pci_address, match.pci_address), (device.mac, match.mac), (device.driver, match.driver)]
    pairs += [(device.netdev, name) for name in names]
    return any(have and glob and fnmatchcase(have, glob) for have, glob in pairs)


def _is_name_alone(device: Match) -> bool:
    return device == Match(netdev=device.netdev)


def _whose_vfs(master: Master, wish: DesiredPf) -> str:
    pf = wish.pf
    netdev = f" ({wish.ports[0].name})" if wish.ports else ""
    name = f"{pf.pci_address}{netdev}" if pf else "a missing PF"
    more = f" (the device offers {pf.total_vfs})" if pf and pf.driver and (master.num_vfs or 0) > pf.total_vfs else ""
    asked = wish.target if wish.target is not None else f'"{wish.rule.num_vfs}"'
    also = " too" if wish.target == master.num_vfs else ""
    return f'of {name}, for which rule "{wish.rule.name}" asks for {asked}{also}{more}'


def _master_finding(master: Master, whose: str, *, is_error: bool) -> Finding:
    verb = "sets" if master.is_certain else "may set"
    possible = " or ".join(map(str, master.possible[:SHOWN]))
    number = " ".join((possible or "the", "VF" if master.possible == (1,) else "VFs"))
    unknown = ", an unknown number of them" if master.num_vfs is None and not possible else ""
    number = number if master.num_vfs is None else quantity(master.num_vfs, "VF")
    doubt = f" ({master.doubt})" if master.doubt else ""
    error, warning = CODES_OF[master.format]
    made = f"; {master.made}" if master.made else ""
    problem = f"{verb} {number} {whose}{unknown}{doubt}{made}"
    return Finding(
        error if is_error else warning, master.place, problem, evidence=master.evidence, remedy=master.remedy
    )


def _driver_overrides(host: Host, survey: MastersSurvey) -> Iterator[Finding]:
    """driverctl sets no number: it gives a PF, or a VF, another driver at each boot."""
    error, warning = CODES_OF[Format.DRIVERCTL]
    wishes = [(wish, wish.pf, _vfs(wish.pf, host)) for wish in host.wishes if wish.pf]
    for source in without_overridden(survey.sources_of(Format.DRIVERCTL)):
        address, driver = source.name.removeprefix("pci-").lower(), source.text.strip()
        shown = driver if MODULE.fullmatch(driver) else "(not a valid module name)"
        remedy = f"driverctl unset-override {address}"
        for wish, pf, vfs in wishes:
            if address == pf.pci_address and driver != pf.driver:
                problem = f'binds the PF of rule "{wish.rule.name}" to {shown}, which creates no VFs'
                yield Finding(error, f"{source.path}:1", problem, evidence=shown, remedy=remedy)
            if address in vfs and (wanted := _other_wish(driver, wish.rule)):
                problem = f'binds a VF of {pf.pci_address} to {shown}, but rule "{wish.rule.name}" {wanted}'
                either = f'{remedy}, or set vf_driver = "{driver if shown == driver else VfDriver.NONE}" in the rule'
                yield Finding(warning, f"{source.path}:1", problem, evidence=shown, remedy=either)


def _other_wish(driver: str, rule: PfRule) -> str:
    """What a rule says about the driver of VFs that something else binds to this one, "" if they agree."""
    if driver in rule.driver_names:
        return ""
    if rule.vf_driver == VfDriver.KERNEL:
        return "leaves it to the kernel" if is_vfio(driver) else ""
    return f"asks for {wanted}" if (wanted := named_driver(rule.vf_driver)) else ""


def _vfs(pf: PfFacts, host: Host) -> frozenset[str]:
    layout = host.layouts.get(pf.pci_address, VfLayout())
    texts = {"sriov_totalvfs": pf.total_vfs, "sriov_offset": layout.offset, "sriov_stride": layout.stride}
    places = vf_places(pf.pci_address, {name: str(number) for name, number in texts.items()})
    return frozenset((*places, *(vf.pci_address for vf in pf.vfs)))
