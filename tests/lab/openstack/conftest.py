"""The guest of OpenStack: idle it costs half a core, so it ends with the last test of this folder."""

from collections.abc import Iterator

import pytest

from lab.conftest import prepared
from lab.kept import kept
from lab.openstack_host import OpenstackGuest
from lab.openstack_image import openstack_image
from lab.qemu import Hardware

HARDWARE = Hardware(cpus=1)


@pytest.fixture(scope="package")
def openstack_guest(request: pytest.FixtureRequest) -> Iterator[OpenstackGuest]:
    """A guest with the package, the real agent, libvirt and nova-compute's unit, for all tests of this folder."""
    with prepared(
        lambda: kept(openstack_image(), HARDWARE, OpenstackGuest, OpenstackGuest.install), request
    ).running() as guest:
        yield guest
