"""The guest with other NICs: a newer kernel, and a virtio-net PF beside the two igb."""

from collections.abc import Iterator

import pytest

from lab.conftest import prepared_vm
from lab.consumers import install_consumers, install_package, newest_package
from lab.host import DEVICES, Guest
from lab.image import guest_image
from lab.qemu import Hardware
from lab.rootfs import NICS
from lab.vm import Vm

VIRTIO = "0000:05:00.0"


@pytest.fixture(scope="package")
def nics_vm(request: pytest.FixtureRequest) -> Iterator[Vm]:
    """That guest, with the package and the stand-ins, for all tests of this folder."""
    with prepared_vm(lambda: guest_image(NICS), request, Hardware(virtio_pf=True)) as vm:
        install_package(vm, newest_package())
        install_consumers(vm)
        yield vm


@pytest.fixture
def guest(nics_vm: Vm) -> Iterator[Guest]:
    """7 VFs on both igb, none on the virtio PF, which no rule matches yet."""
    guest = Guest(nics_vm)
    guest.reset()
    yield guest
    guest.run(f"ip -all netns delete; echo 0 >{DEVICES}/{VIRTIO}/sriov_numvfs")
