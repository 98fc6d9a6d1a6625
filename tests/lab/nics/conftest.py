"""The guest with other NICs: a newer kernel, and a virtio-net PF beside the two igb."""

from collections.abc import Iterator

import pytest

from lab.conftest import at_work, prepared
from lab.host import Guest
from lab.image import guest_image
from lab.kept import kept
from lab.qemu import Hardware
from lab.rootfs import NICS

VIRTIO = "0000:05:00.0"
HARDWARE = Hardware(virtio_pf=True)


@pytest.fixture(scope="package")
def saved_nics_guest(request: pytest.FixtureRequest) -> Iterator[Guest]:
    """That guest, with the package and the stand-ins, for all tests of this folder."""
    with prepared(lambda: kept(guest_image(NICS), HARDWARE, Guest, at_work), request).running() as guest:
        yield guest


@pytest.fixture
def guest(saved_nics_guest: Guest) -> Guest:
    """7 VFs on both igb, none on the virtio PF, which no rule matches yet."""
    saved_nics_guest.restore()
    return saved_nics_guest
