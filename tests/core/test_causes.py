"""Every errno of a failed write has words; one that has none gets the general advice."""

import errno

import pytest

from sriov_bootstrap.core import causes


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.EAGAIN, "EAGAIN (Resource temporarily unavailable): the driver is busy with another operation"),
        (
            errno.EBUSY,
            "EBUSY (Device or resource busy): the driver is not ready, or VFs are there already or assigned to a VM",
        ),
        (
            errno.ENOENT,
            "ENOENT (No such file or directory): no driver is bound to the PF, or it cannot make VFs at run time",
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
        (errno.ENODEV, "ENODEV (No such device): the device went away during the write"),
        (errno.ENXIO, "ENXIO (No such device or address): the device went away during the write"),
        (errno.EACCES, "EACCES (Permission denied): no permission to write there"),
        (errno.EPERM, "EPERM (Operation not permitted): the kernel is locked down or permission is missing"),
        (errno.EROFS, "EROFS (Read-only file system): /sys is mounted read-only here"),
        (errno.ENOSYS, "ENOSYS (Function not implemented): this kernel or driver has no SR-IOV support"),
        (
            errno.EOPNOTSUPP,
            "ENOTSUP (Operation not supported): the driver does not support this in its present mode",
        ),
        (errno.ETIMEDOUT, "ETIMEDOUT (Connection timed out): the NIC's firmware took too long"),
        (errno.EFAULT, "EFAULT (Bad address): the kernel gave no known reason"),
        (4242, "4242 (Unknown error 4242): the kernel gave no known reason"),
    ],
)
def test_an_errno_is_described_with_its_name_and_its_cause(number: int, text: str) -> None:
    assert causes.describe(number) == text


def test_only_what_may_pass_by_itself_is_transient() -> None:
    transient = {number for number, cause in causes.WRITE_CAUSES.items() if cause.is_transient}
    assert transient == {errno.EAGAIN, errno.EBUSY, errno.ETIMEDOUT}


def test_every_cause_has_a_remedy_without_braces_left_in_it() -> None:
    everything = [causes.explain(number) for number in (*causes.WRITE_CAUSES, 0)]
    assert all(one.cause and one.remedy for one in everything)
    assert not any("{" in one.cause + one.remedy for one in everything)


def test_no_errno_has_no_name() -> None:
    assert causes.name_of(0) == ""
