"""The guest with libvirt, QEMU and KVM: a VM runs in it on the CPU that QEMU imitates for the guest."""

from collections.abc import Iterator

import pytest

from lab.conftest import at_work, prepared
from lab.host import Guest
from lab.kept import kept
from lab.qemu import VIRTUALIZING_CPU, Hardware
from lab.verify_image import verify_image

HARDWARE = Hardware(cpus=1, cpu=VIRTUALIZING_CPU)


@pytest.fixture(scope="package")
def saved_virtualizing_guest(request: pytest.FixtureRequest) -> Iterator[Guest]:
    """That guest, with the package and the stand-ins for services, for all tests of this folder."""
    with prepared(lambda: kept(verify_image(), HARDWARE, Guest, at_work), request).running() as guest:
        yield guest


@pytest.fixture
def guest(saved_virtualizing_guest: Guest) -> Guest:
    """7 VFs on both igb, and libvirt with /dev/kvm."""
    saved_virtualizing_guest.restore()
    saved_virtualizing_guest.check("modprobe -a kvm-amd vfio-pci && systemctl start libvirtd")
    return saved_virtualizing_guest
