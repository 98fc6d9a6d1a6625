"""Where this host's nova and neutron look for drop-ins, and what makes them read one."""

from sriov_bootstrap.core import packagings
from sriov_bootstrap.core.config import Distribution
from sriov_bootstrap.core.openstack_releases import CONF_D_SINCE, OpenStackRelease
from sriov_bootstrap.core.packagings import PackagedService
from sriov_bootstrap.render.host import Draft, Host

OWN_NAME = "sriov-bootstrap"


def place_of(service: str, host: Host) -> PackagedService:
    """`service` is the name of its target. Debian's Newton had the units that Ubuntu has to this day."""
    is_old = host.distribution is Distribution.DEBIAN and host.release.nova < CONF_D_SINCE
    return packagings.packaging_named(Distribution.UBUNTU if is_old else host.distribution).services[service]


def drop_in(place: PackagedService, name: str = OWN_NAME) -> str:
    """Our drop-in, "" where a host has none."""
    return f"{place.folder}/{name}.conf" if place.folder else ""


def restart_command(place: PackagedService, release: OpenStackRelease) -> str:
    """What has to be done after a change."""
    if not place.folder:
        return place.instead
    reload = "systemctl daemon-reload && " if unit_drafts(place, release) else ""
    return f"{reload}systemctl restart {' '.join(unit.removesuffix('.service') for unit in place.units)}"


def unit_drafts(place: PackagedService, release: OpenStackRelease) -> tuple[Draft, ...]:
    """A unit drop-in that names our folder, for releases that do not look there by themselves."""
    if release.nova >= CONF_D_SINCE or not place.command:
        return ()
    return tuple(
        Draft(
            "unit.conf.j2",
            {"command": " ".join((*place.command, f"--config-dir={place.folder}")), "release": release},
            f"/etc/systemd/system/{unit}.d/{OWN_NAME}.conf",
        )
        for unit in place.units
    )
