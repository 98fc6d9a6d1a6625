"""Where each distribution's nova and neutron look for drop-ins, and which units read them: a table.

oslo.config reads /etc/PROJECT/PROJECT.conf.d and /etc/PROJECT/PROGRAM.conf.d by default (since 3.20.0, Ocata's),
in addition to a unit's --config-file, which overrides them, but not with a --config-dir. So Debian's server and all of
RDO's neutron, whose units name folders, have folders of their own. Before that, only what the unit names is
read.
"""

from msgspec import Struct

from sriov_bootstrap.core.config import Distribution
from sriov_bootstrap.core.releases import CONF_D_SINCE, Release
from sriov_bootstrap.render.host import Draft, Host

OWN_NAME = "sriov-bootstrap"


class Place(Struct, frozen=True):
    """A service. `folder` "": there is no drop-in on the host, `instead` says where the text belongs."""

    folder: str
    units: tuple[str, ...]
    command: tuple[str, ...] = ()
    instead: str = ""

    @property
    def path(self) -> str:
        """Our drop-in."""
        return f"{self.folder}/{OWN_NAME}.conf" if self.folder else ""

    def restart(self, release: Release) -> str:
        """What has to be done after a change."""
        if not self.folder:
            return self.instead
        reload = "systemctl daemon-reload && " if unit_drafts(self, release) else ""
        return f"{reload}systemctl restart {' '.join(self.units)}"


_NOVA = "/etc/nova/nova.conf.d"
_COMPUTE = ("/usr/bin/nova-compute", "--config-file=/etc/nova/nova.conf")
_SCHEDULER = ("/usr/bin/nova-scheduler", "--config-file=/etc/nova/nova.conf")
_AGENT = (
    "/usr/bin/neutron-sriov-nic-agent",
    "--config-file=/etc/neutron/neutron.conf",
    "--config-file=/etc/neutron/plugins/ml2/sriov_agent.ini",
)
_SERVER = (
    "/usr/bin/neutron-server",
    "--config-file=/etc/neutron/neutron.conf",
    "--config-file=/etc/neutron/plugins/ml2/ml2_conf.ini",
)
_AGENT_FOLDER = "/etc/neutron/neutron-sriov-nic-agent.conf.d"
_RDO = "/etc/neutron/conf.d"
_KOLLA = "merge it into {} on the deployment host, then: kolla-ansible reconfigure"


def _kolla(name: str, unit: str) -> Place:
    return Place("", (unit,), instead=_KOLLA.format(f"/etc/kolla/config/{name}"))


_DEBIAN = {
    "nova-compute": Place(_NOVA, ("nova-compute",), _COMPUTE),
    "nova-scheduler": Place(_NOVA, ("nova-scheduler",), _SCHEDULER),
    "sriov-agent": Place(_AGENT_FOLDER, ("neutron-sriov-agent",), _AGENT),
    "neutron-server": Place("/etc/neutron/server.conf.d", ("neutron-api", "neutron-rpc-server"), _SERVER),
}
_UBUNTU = _DEBIAN | {"neutron-server": Place("/etc/neutron/neutron.conf.d", ("neutron-server",), _SERVER)}
PLACES: dict[Distribution, dict[str, Place]] = {
    Distribution.DEBIAN: _DEBIAN,
    Distribution.UBUNTU: _UBUNTU,
    Distribution.RDO: {
        "nova-compute": Place(_NOVA, ("openstack-nova-compute",), _COMPUTE),
        "nova-scheduler": Place(_NOVA, ("openstack-nova-scheduler",), _SCHEDULER),
        "sriov-agent": Place(f"{_RDO}/neutron-sriov-nic-agent", ("neutron-sriov-nic-agent",)),
        "neutron-server": Place(f"{_RDO}/neutron-server", ("neutron-server",)),
    },
    Distribution.KOLLA: {
        "nova-compute": _kolla("nova/nova-compute.conf", "kolla-nova_compute-container"),
        "nova-scheduler": _kolla("nova/nova-scheduler.conf", "kolla-nova_scheduler-container"),
        "sriov-agent": _kolla("neutron/sriov_agent.ini", "kolla-neutron_sriov_agent-container"),
        "neutron-server": _kolla("neutron/ml2_conf.ini", "kolla-neutron_server-container"),
    },
    Distribution.OTHER: _UBUNTU | {"sriov-agent": Place(_AGENT_FOLDER, ("neutron-sriov-nic-agent",), _AGENT)},
}


def place_of(service: str, host: Host) -> Place:
    """`service` is the name of its target. Debian's Newton had the units that Ubuntu has to this day."""
    is_old = host.distribution is Distribution.DEBIAN and host.release.nova < CONF_D_SINCE
    return PLACES[Distribution.UBUNTU if is_old else host.distribution][service]


def unit_drafts(place: Place, release: Release) -> tuple[Draft, ...]:
    """A unit drop-in that names our folder, for releases that do not look there by themselves."""
    if release.nova >= CONF_D_SINCE or not place.command:
        return ()
    return tuple(
        Draft(
            "unit.conf.j2",
            {"command": " ".join((*place.command, f"--config-dir={place.folder}")), "release": release},
            f"/etc/systemd/system/{unit}.service.d/{OWN_NAME}.conf",
        )
        for unit in place.units
    )
