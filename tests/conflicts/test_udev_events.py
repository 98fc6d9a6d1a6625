"""udev rules by the events that they are for, and by when they run a program."""

import pytest

from builders import PF, make_netdev, make_pf
from sriov_bootstrap.conflicts.checks import find_masters
from sriov_bootstrap.conflicts.master import Master
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.core.config import Match

FILE = "/sys/class/net/ens1f0/device/sriov_numvfs"
RDMA = {"mlx5_0": PF, "mlx5_1": "0000:3b:00.1"}
SHELL = "/bin/sh -c 'echo 4 > {}'"
REMOVES = "it is only done when a device is removed"
OF_NO_PF = "only udev can tell whether the PF is there at that event"
NOT_JUDGED = "the rule has conditions that only udev can judge"
THE_PF = (Match(pci_address=PF),)
BY_NAME = (Match(netdev="ens1f0"),)
ITS_FILE = "/sys%p/device/sriov_numvfs"


def found(rule: str) -> list[Master]:
    survey = MastersSurvey((Source(Format.UDEV, "/etc/udev/rules.d/a.rules", f"{rule}\n"),), rdma=RDMA)
    return list(find_masters(survey, (make_pf(netdevs=(make_netdev(),)),)))


@pytest.mark.parametrize(
    ("rule", "devices", "doubt"),
    [
        ('SUBSYSTEM=="infiniband", KERNEL=="mlx5_0", ATTR{device/sriov_numvfs}="4"', THE_PF, ""),
        (f'SUBSYSTEM=="infiniband", KERNEL=="mlx5_0|x", RUN+="{SHELL.format(ITS_FILE)}"', THE_PF, ""),
        (
            'SUBSYSTEM=="infiniband", ATTR{device/sriov_numvfs}="4"',
            (*THE_PF, Match(pci_address="0000:3b:00.1")),
            "",
        ),
        (f'SUBSYSTEM=="module", KERNEL=="mlx5_core", RUN+="{SHELL.format(FILE)}"', BY_NAME, OF_NO_PF),
        (f'SUBSYSTEM=="module", RUN+="{SHELL.format("$X/sriov_numvfs")}"', (), OF_NO_PF),
        (f'SUBSYSTEM=="block", RUN+="{SHELL.format(FILE)}"', BY_NAME, OF_NO_PF),
        (f'ATTR{{[drivers/pci:igb]{PF}/sriov_numvfs}}="4", SUBSYSTEM=="drivers"', THE_PF, OF_NO_PF),
        (f'ACTION=="remove", RUN+="{SHELL.format(FILE)}"', BY_NAME, REMOVES),
        (f'ACTION=="remove", ATTR{{[pci/{PF}]sriov_numvfs}}="4"', THE_PF, REMOVES),
        (f'KERNEL=="ens1f0", PROGRAM=="{SHELL.format(ITS_FILE)}"', BY_NAME, ""),
        (f'PROGRAM="{SHELL.format(FILE)}", RESULT=="x"', BY_NAME, ""),
        (f'IMPORT{{program}}="{SHELL.format(FILE)}"', BY_NAME, ""),
        ('KERNEL=="ens1f0", PROGRAM=="/bin/true", ATTR{device/sriov_numvfs}="4"', BY_NAME, NOT_JUDGED),
        (
            f'PROGRAM=="/bin/true", RUN+="{SHELL.format(FILE)}", TAG=="x"',
            BY_NAME,
            NOT_JUDGED,
        ),
    ],
)  # fmt: skip
def test_rules_by_their_events(rule: str, devices: tuple[Match, ...], doubt: str) -> None:
    (master,) = found(rule)
    assert (master.devices, master.num_vfs, master.doubt) == (devices, 4, doubt)
    assert master.is_certain is not bool(doubt)


@pytest.mark.parametrize(
    "rule",
    [
        'SUBSYSTEM=="block", ATTR{device/sriov_numvfs}="4"',
        f'SUBSYSTEM=="nvme", RUN+="{SHELL.format("/sys%p/device/sriov_numvfs")}"',
        'SUBSYSTEM=="infiniband", KERNEL=="hfi1_0", ATTR{device/sriov_numvfs}="4"',
        'SUBSYSTEM=="module", ATTR{device/sriov_numvfs}="4"',
        'ACTION=="remove", ATTR{device/sriov_numvfs}="4"',
        f'PROGRAM=="/bin/cat {FILE}"',
        f'RUN-="{SHELL.format(FILE)}"',
        f'IMPORT{{file}}="{FILE}"',
    ],
)
def test_rules_that_set_no_vfs_of_a_nic(rule: str) -> None:
    assert found(rule) == []
