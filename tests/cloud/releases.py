"""Which OpenStack the control plane is of: RELEASE of `make test-cloud`, as make test-openstack names them."""

import os
from pathlib import Path
from typing import NamedTuple

BUILD = Path(__file__).parents[2] / "build" / "cloud"


class Api(NamedTuple):
    """A service's API: the module and name of its WSGI application, or of what makes it if the name ends in `()`."""

    application: str
    port: int


class Release(NamedTuple):
    """What differs between releases: where they are installed, where their APIs are, and neutron's drivers."""

    name: str
    apis: dict[str, Api]
    drivers: tuple[str, ...]

    @property
    def has_ovn(self) -> bool:
        """Whether ports with switchdev are bound."""
        return "ovn" in self.drivers

    @property
    def venv(self) -> Path:
        return BUILD / self.name

    @property
    def databases(self) -> Path:
        """With all tables, to be copied."""
        return BUILD / f"databases-{self.name}"


RELEASES = {
    "newest": Release(
        "newest",
        {
            "keystone": Api("keystone.wsgi.api:application", 5000),
            "glance-api": Api("glance.wsgi.api:application", 9292),
            "placement": Api("placement.wsgi.api:application", 8778),
            "neutron-api": Api("neutron.wsgi.api:application", 9696),
            "nova-api": Api("nova.wsgi.osapi_compute:application", 8774),
        },
        ("sriovnicswitch", "ovn"),
    ),
    # nova 28 and neutron 23, as their scripts for WSGI servers have it, where the ovn driver never hears of a chassis.
    "older": Release(
        "older",
        {
            "keystone": Api("keystone.server.wsgi:initialize_public_application()", 5000),
            "glance-api": Api("glance.common.wsgi_app:init_app()", 9292),
            "placement": Api("placement.wsgi:init_application()", 8778),
            "neutron-api": Api("neutron.cmd.eventlet.server:main_api_eventlet()", 9696),
            "nova-api": Api("nova.api.openstack.compute.wsgi:init_application()", 8774),
        },
        ("sriovnicswitch",),
    ),
}
RELEASE = RELEASES[os.environ.get("SRIOV_CLOUD_RELEASE") or "newest"]
