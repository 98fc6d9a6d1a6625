"""Every errno of a failed write has words; one that has none gets the general advice."""

import errno
import re

import pytest

from builders import PF
from sriov_bootstrap.core import errnos


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.EAGAIN, "EAGAIN (Resource temporarily unavailable): the driver is busy with another operation"),
        (
            errno.EBUSY,
            "EBUSY (Device or resource busy): the driver is not ready, or VFs already exist or are assigned to a VM",
        ),
        (
            errno.ENOENT,
            "ENOENT (No such file or directory): no driver is bound to the PF, or it cannot create VFs at run time",
        ),
        (
            errno.EINVAL,
            "EINVAL (Invalid argument): the driver refuses this number, or (i40e) a VF is assigned to a VM",
        ),
        (errno.ERANGE, "ERANGE (Numerical result out of range): the device has fewer VFs than that"),
        (
            errno.ENOMEM,
            "ENOMEM (Cannot allocate memory): no room for the VFs' memory windows (BARs) or bus numbers",
        ),
        (errno.ENOSPC, "ENOSPC (No space left on device): the device or the CPU is out of MSI-X vectors"),
        (errno.EIO, "EIO (Input/output error): the NIC's firmware did not answer"),
        (errno.ENODEV, "ENODEV (No such device): the device disappeared during the write"),
        (errno.ENXIO, "ENXIO (No such device or address): the device disappeared during the write"),
        (errno.EACCES, "EACCES (Permission denied): no permission to write to it"),
        (errno.EPERM, "EPERM (Operation not permitted): the kernel is locked down, or permission is missing"),
        (errno.EROFS, "EROFS (Read-only file system): /sys is mounted read-only here"),
        (errno.ENOSYS, "ENOSYS (Function not implemented): this kernel or driver has no SR-IOV support"),
        (
            errno.EOPNOTSUPP,
            "EOPNOTSUPP (Operation not supported): the driver does not support this in its current mode",
        ),
        (errno.ETIMEDOUT, "ETIMEDOUT (Connection timed out): the NIC's firmware took too long"),
        (errno.EFAULT, "EFAULT (Bad address): the kernel gave no known reason"),
        (4242, "4242 (Unknown error 4242): the kernel gave no known reason"),
    ],
)
def test_an_errno_is_described_with_its_name_and_its_cause(number: int, text: str) -> None:
    assert errnos.describe(number) == text


def test_only_what_may_pass_by_itself_is_transient() -> None:
    transient = {number for number, cause in errnos.WRITE_CAUSES.items() if cause.is_transient}
    assert transient == {errno.EAGAIN, errno.EBUSY, errno.ETIMEDOUT}


def test_every_cause_has_a_remedy_that_can_be_typed_as_it_is() -> None:
    """Without a name that stands for something: `PCI_ADDRESS` was told to people who have a card."""
    numbers = (*errnos.WRITE_CAUSES, errno.EFAULT, 0)
    assert all(errnos.explain(number).cause for number in numbers)
    remedies = [errnos.remedy(number, PF) for number in numbers]
    assert all(remedies)
    assert [text for text in remedies if re.search(r"[{<]|(?<!CONFIG_)\b(?!CONFIG_)[A-Z]+_[A-Z]+\b", text)] == []


def test_without_a_known_reason_the_kernel_is_asked_about_this_device() -> None:
    assert errnos.remedy(errno.EFAULT, PF) == f"check the kernel log: journalctl -k -g {PF}"
    assert errnos.remedy(errno.ERANGE, PF) == "lower num_vfs; sriov_totalvfs is the maximum"


def test_no_errno_has_no_name() -> None:
    assert errnos.name_of(0) == ""
