"""sysfsutils: each row was tried with the script of its service, of 2.1.1."""

import pytest

from builders import PF2, make_pf
from sriov_bootstrap.conflicts.checks import find_masters
from sriov_bootstrap.conflicts.master import Master
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.core.config import Match

ENS1F0 = (Match(netdev="ens1f0"),)
FILE = "class/net/ens1f0/device/sriov_numvfs"
MISTAKE = "line 1 of /etc/sysfs.conf, before it, is a mistake at which all ends"


def find(text: str, path: str = "/etc/sysfs.conf") -> tuple[Master, ...]:
    return find_masters(MastersSurvey((Source(Format.SYSFS, path, text),)), (make_pf(),))


@pytest.mark.parametrize(
    ("line", "devices", "number"),
    [
        (f"{FILE} = 8", ENS1F0, 8),
        (f"{FILE}=8", ENS1F0, 8),
        (f"\t{FILE}\t=\t8\t# eight", ENS1F0, 8),
        (f"{FILE} 8", ENS1F0, 8),
        (f"{FILE} = 0x8", ENS1F0, 8),
        (f"{FILE} = 010", ENS1F0, 8),
        (f"{FILE} = 0", ENS1F0, 0),
        (f"{FILE} = many", ENS1F0, None),
        (f"/{FILE} = 8", ENS1F0, 8),
        (f"bus/pci/devices/{PF2}/sriov_numvfs=4", (Match(pci_address=PF2),), 4),
        ("class/net/ens1f*/device/sriov_numvfs = 8", (Match(netdev="ens1f*"),), 8),
        ("bus/pci/devices/*/sriov_numvfs = 8", (Match(pci_address="*"),), 8),
    ],
)
def test_a_line(line: str, devices: tuple[Match, ...], number: int | None) -> None:
    (found,) = find(f"# the NIC\n\n{line}\n")
    assert (found.place, found.devices, found.num_vfs, found.is_certain) == (
        "/etc/sysfs.conf:3",
        devices,
        number,
        True,
    )
    assert found.remedy == "delete line 3 of /etc/sysfs.conf: sed -i 3d /etc/sysfs.conf"


@pytest.mark.parametrize(
    "line",
    [
        f"# {FILE} = 8",
        f"mode {FILE} = 0640",
        f"owner {FILE} = root:kvm",
        "class/net/ens1f0/device/sriov_drivers_autoprobe = 0",
        "class/drm/card0/device/sriov_numvfs = 8",
        f"{FILE} = 8 9",
        f"{FILE} =",
        f"other {FILE} = 8",
    ],
)
def test_lines_that_set_nothing(line: str) -> None:
    assert not find(f"{line}\n")


@pytest.mark.parametrize(
    ("before", "doubt"),
    [
        ("devices/x/power/control = auto", ""),
        (f"mode {FILE} = 0640", ""),
        ("nonsense", MISTAKE),
        ("mode", MISTAKE),
        ("mode = 0640", ""),
        ("a = b c", MISTAKE),
        ("a b = c", MISTAKE),
        ("mode = 0640 x y", ""),
    ],
)
def test_a_mistake_ends_all(before: str, doubt: str) -> None:
    (found,) = find(f"{before}\n{FILE} = 8\n")
    assert (found.doubt, found.is_certain) == (doubt, not doubt)


def test_a_mistake_ends_the_files_after_it_as_well() -> None:
    texts = {"/etc/sysfs.conf": "nonsense\n", "/etc/sysfs.d/a.conf": f"{FILE} = 8\n"}
    sources = tuple(Source(Format.SYSFS, path, text) for path, text in texts.items())
    assert [one.doubt for one in find_masters(MastersSurvey(sources), (make_pf(),))] == [MISTAKE]


def test_the_folder_alone_is_not_read_at_boot() -> None:
    (found,) = find(f"{FILE} = 8\n", "/etc/sysfs.d/sr-iov.conf")
    assert (found.is_certain, found.doubt) == (False, "without /etc/sysfs.conf the service is not started")


def test_a_path_with_anything_else_in_it_is_not_shown() -> None:
    (found,) = find("class/net/$(hunter2)/device/sriov_numvfs = 8\n")
    assert found.evidence == ".../sriov_numvfs = 8"


@pytest.mark.parametrize(
    ("numbers", "lasting"),
    [("8 0 4", [False, False, True]), ("8 4", [True, False]), ("0 4", [False, True]), ("x 4", [True, True])],
)
def test_of_several_lines_the_kernel_takes_the_first_and_what_follows_0(numbers: str, lasting: list[bool]) -> None:
    found = find("".join(f"{FILE} = {number}\n" for number in numbers.split()))
    assert [one.is_lasting for one in found] == lasting
