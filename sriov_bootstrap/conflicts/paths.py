"""Paths of a sriov_numvfs: whose it is. The folder that has it is the PCI function, in whatever way it is reached."""

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from sriov_bootstrap.conflicts.master import MAX_COUNT, count
from sriov_bootstrap.conflicts.survey import DeviceLinks
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.desired import matches
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.formats.shell import ADDRESS_OF, FILE, TOTAL_OF, UNKNOWN
from sriov_bootstrap.formats.shell_totals import apply_total

ADDRESS = r"[0-9A-Fa-f*?\[\]]{1,8}:[0-9A-Fa-f*?\[\]]{1,2}:[0-9A-Fa-f*?\[\]]{1,2}\.[0-7*?\[\]]"
ADDRESS_ALONE = re.compile(ADDRESS)
DRIVER = re.compile(r"/sys/(?:bus/pci/drivers|module/[^/]+/drivers/pci:)/?([^/]+)/([^/]+)")
PCI = re.compile(r"/sys/(?:bus/pci/devices|devices/\S*)/([^/]+)")
NETDEV = re.compile(r"/sys/(?:class/net|devices/\S*/net)/([^/]+)")
BELOW_NETDEV = re.compile(r"(/sys/class/net/)[^/]+/(?:lower|slave|upper)_([^/]+)")  # links to other netdevs
OF_VF = "/physfn"  # a link of each VF to its PF
OF_VF_NAME = re.compile(r"(?:/device)?/physfn\Z")
TO_VF_AND_BACK = re.compile(r"/virtfn[\d*?]+/physfn(?=/)")
RDMA = re.compile(r"/sys/(?:class/infiniband(?:_verbs|_mad)?|devices/\S*/infiniband)/([^/]+)")
# No NIC, or no device at all.
OF_OTHERS = re.compile(r"/(?!sys/)|/sys/(?:class|bus)/(?!net/|infiniband|virtio/|pci/)")
THERE_AND_BACK = re.compile(r"/virtio[\d*?]+/\.\.(?=/)")  # into a folder of the PF and out again
SAME_FOLDER = re.compile(r"//+|/\.(?=/)")
UP = re.compile(r"/(?!device/|\.\./)[^/]+/\.\.(?=/)")
TOTAL = "sriov_totalvfs"  # in the same folder
MAX_NAME = 64  # of a netdev: the kernel has 15
MAX_PATH = 1 << 12

NO_LINKS = DeviceLinks()


def devices_of(paths: Iterable[str], links: DeviceLinks = NO_LINKS) -> tuple[Match, ...] | None:
    """Whose sriov_numvfs these are; () if that is not known, None if they do not belong to a network device."""
    found: list[Match] = []
    is_unknown = False
    for path in paths:
        device = _device_of(_folder_of(path), links)
        if device:
            found += device
        elif device is not None:
            is_unknown = True
    if not found and not is_unknown:
        return None
    return () if is_unknown else tuple(dict.fromkeys(found))


def _device_of(folder: str, links: DeviceLinks) -> list[Match] | None:
    if folder.endswith(OF_VF):
        return _by_vf(OF_VF_NAME.sub("", folder).rpartition("/")[2], links)
    is_of_child, folder = folder.endswith("/device"), folder.removesuffix("/device")
    if is_of_child and (named := NETDEV.fullmatch(folder)):
        is_name = UNKNOWN not in named[1] and len(named[1]) <= MAX_NAME
        is_comment = named[1].startswith("#")  # in a list that a loop goes through
        return None if is_comment else [Match(netdev=named[1])] if is_name else []
    if is_of_child and (named := RDMA.fullmatch(folder)):
        return _by_rdma(named[1], links.rdma)
    if not is_of_child and (driven := DRIVER.fullmatch(folder)):
        return _by_address(driven[2], "" if UNKNOWN in driven[1] else driven[1])
    if not is_of_child and (address := PCI.fullmatch(folder)):
        return _by_address(address[1], "")
    return None if UNKNOWN not in folder and OF_OTHERS.match(folder) else []


def _folder_of(path: str) -> str:
    """The folder that has the file, without detours."""
    path = path.rpartition(ADDRESS_OF)[2]
    at = path.find("/sys/")
    folder = path[max(at, 0) : MAX_PATH].removesuffix(FILE).removesuffix(TOTAL).rstrip("/")
    folder = SAME_FOLDER.sub(lambda found: "/" if found[0].startswith("//") else "", f"{folder}/")
    folder = THERE_AND_BACK.sub("", TO_VF_AND_BACK.sub("", folder)).rstrip("/")
    while folder.endswith("/device/.."):
        folder = folder.removesuffix("/..")
    folder = BELOW_NETDEV.sub(r"\1\2", folder)
    return UP.sub("", f"{folder}/").rstrip("/")


def _by_vf(name: str, links: DeviceLinks) -> list[Match]:
    """The PF of a VF, by its address or its netdev."""
    parent = links.parents.get(name.lower() if ADDRESS_ALONE.fullmatch(name) else name, "")
    return [Match(pci_address=parent)] if parent else []


def _by_address(text: str, driver: str) -> list[Match]:
    if ADDRESS_ALONE.fullmatch(text):
        return [Match(pci_address=text.lower())]
    if text in {"*", "????:??:??.?", "*:*", "0*", "0000*", "0000:*"}:
        return [Match(driver=driver) if driver else Match(pci_address="*")]
    return []


def _by_rdma(name: str, rdma: Mapping[str, str]) -> list[Match]:
    if UNKNOWN in name:
        return []
    addresses = [address for device, address in rdma.items() if fnmatchcase(device, name)]
    return [Match(pci_address=address) for address in addresses]


def number_of(text: str, pfs: Iterable[PfFacts], links: DeviceLinks) -> int | None:
    """What a text comes to; what a sriov_totalvfs says is that of its PFs here, if they agree."""
    if not text.startswith(TOTAL_OF):
        return count(text)
    path, _, expression = text.removeprefix(TOTAL_OF).strip().partition(UNKNOWN)
    devices = devices_of((path.strip(),), links) or ()
    totals = {pf.total_vfs for pf in pfs if any(matches(device, pf) for device in devices)}
    number = apply_total(expression, totals.pop()) if len(totals) == 1 else None
    return number if number is not None and 0 <= number <= MAX_COUNT else None
