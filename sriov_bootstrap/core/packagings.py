"""How nova and neutron are packaged for a host, and where each packaging puts things: a table, one row per packaging.

Everything that differs between packagings is here: which units to restart, which of them to order after ours (`make
consumers` writes that into units/), whose files doctor reads, where a drop-in belongs, where libvirt keeps its domains.
A row is all that a new packaging needs. Only packagings that `render` can write for have a name in the config.

Since 3.20.0 (Ocata), oslo.config also reads /etc/PROJECT/PROJECT.conf.d and /etc/PROJECT/PROGRAM.conf.d by default. A
--config-file in the unit wins over them; a --config-dir replaces them. So Debian's server and all of RDO's neutron,
whose units name folders, have folders of their own. Older releases read only what the unit names.
"""

from collections.abc import Iterable

from msgspec import Struct


class PackagedService(Struct, frozen=True):
    """One service in one packaging.

    `folder`: of the drop-ins that it reads; "" if a host has none, in which case `instead` says where the text belongs.
    `command`: what a systemd drop-in starts if the release reads no folder by default, () if the unit names the folder.
    `container`: the folder of its container, with kolla's config.json, "" if there is none.
    """

    units: tuple[str, ...]
    folder: str = ""
    command: tuple[str, ...] = ()
    instead: str = ""
    container: str = ""


class Packaging(Struct, frozen=True):
    """One way of installing nova and neutron on a host.

    `name`: its value in `[openstack] distribution`, "" if `render` knows no place. `services`: by the target of
    `render`. It is recognized by a path, `marker`, or by an ID of os-release(5). `domains`: where libvirt keeps
    persistent domains; `running`: the same for those that run, including transient ones.
    """

    title: str
    services: dict[str, PackagedService]
    name: str = ""
    marker: str = ""
    os_ids: tuple[str, ...] = ()
    domains: tuple[str, ...] = ("/etc/libvirt/qemu",)
    running: tuple[str, ...] = ("/run/libvirt/qemu",)

    @property
    def consumers(self) -> tuple[str, ...]:
        """Units that look at VFs when they start."""
        return tuple(unit for name in CONSUMERS if name in self.services for unit in self.services[name].units)


NOVA_COMPUTE, NOVA_SCHEDULER = "nova-compute", "nova-scheduler"
SRIOV_AGENT, NEUTRON_SERVER = "sriov-agent", "neutron-server"
CONSUMERS = (NOVA_COMPUTE, SRIOV_AGENT)

_NOVA = "/etc/nova/nova.conf.d"
_NOVA_CONF = "--config-file=/etc/nova/nova.conf"
_NEUTRON_CONF = "--config-file=/etc/neutron/neutron.conf"
_COMPUTE = ("/usr/bin/nova-compute", _NOVA_CONF)
_SCHEDULER = ("/usr/bin/nova-scheduler", _NOVA_CONF)
_AGENT = (
    "/usr/bin/neutron-sriov-nic-agent",
    _NEUTRON_CONF,
    "--config-file=/etc/neutron/plugins/ml2/sriov_agent.ini",
)
_SERVER = ("/usr/bin/neutron-server", _NEUTRON_CONF, "--config-file=/etc/neutron/plugins/ml2/ml2_conf.ini")
_AGENT_FOLDER = "/etc/neutron/neutron-sriov-nic-agent.conf.d"


def _kolla(name: str, file: str) -> PackagedService:
    """`file`: below the configs of a deployment host, which are merged into those of every container."""
    return PackagedService(
        (f"kolla-{name}-container.service",),
        instead=f"merge it into /etc/kolla/config/{file} on the deployment host, then: kolla-ansible reconfigure",
        container=f"/etc/kolla/{name.replace('_', '-')}",
    )


_UBUNTU = {
    NOVA_COMPUTE: PackagedService(("nova-compute.service",), _NOVA, _COMPUTE),
    NOVA_SCHEDULER: PackagedService(("nova-scheduler.service",), _NOVA, _SCHEDULER),
    SRIOV_AGENT: PackagedService(("neutron-sriov-agent.service",), _AGENT_FOLDER, _AGENT),
    NEUTRON_SERVER: PackagedService(("neutron-server.service",), "/etc/neutron/neutron.conf.d", _SERVER),
}

UBUNTU = Packaging("Ubuntu", _UBUNTU, "ubuntu", os_ids=("ubuntu",))
DEBIAN = Packaging(
    "Debian",
    _UBUNTU
    | {
        NEUTRON_SERVER: PackagedService(
            ("neutron-rpc-server.service", "neutron-api.service"), "/etc/neutron/server.conf.d", _SERVER
        )
    },
    "debian",
    os_ids=("debian",),
)
OTHER = Packaging(
    "openstack-ansible, and hosts about which nothing is known",
    _UBUNTU | {SRIOV_AGENT: PackagedService(("neutron-sriov-nic-agent.service",), _AGENT_FOLDER, _AGENT)},
    "other",
)

# The order in which doctor looks for the units of a service.
PACKAGINGS = (
    UBUNTU,
    DEBIAN,
    Packaging(
        "RDO",
        {
            NOVA_COMPUTE: PackagedService(("openstack-nova-compute.service",), _NOVA, _COMPUTE),
            NOVA_SCHEDULER: PackagedService(("openstack-nova-scheduler.service",), _NOVA, _SCHEDULER),
            SRIOV_AGENT: PackagedService(
                ("neutron-sriov-nic-agent.service",), "/etc/neutron/conf.d/neutron-sriov-nic-agent"
            ),
            NEUTRON_SERVER: PackagedService(("neutron-server.service",), "/etc/neutron/conf.d/neutron-server"),
        },
        "rdo",
        os_ids=("rhel", "centos", "fedora"),
    ),
    Packaging(
        "kolla-ansible",
        {
            NOVA_COMPUTE: _kolla("nova_compute", "nova/nova-compute.conf"),
            NOVA_SCHEDULER: _kolla("nova_scheduler", "nova/nova-scheduler.conf"),
            SRIOV_AGENT: _kolla("neutron_sriov_agent", "neutron/sriov_agent.ini"),
            NEUTRON_SERVER: _kolla("neutron_server", "neutron/ml2_conf.ini"),
        },
        "kolla",
        marker="/etc/kolla",
        domains=(  # its volume, of docker and of podman
            "/var/lib/docker/volumes/nova_libvirt_qemu/_data",
            "/var/lib/containers/storage/volumes/nova_libvirt_qemu/_data",
        ),
    ),
    Packaging(
        "EDPM",
        {
            NOVA_COMPUTE: PackagedService(("edpm_nova_compute.service",)),
            SRIOV_AGENT: PackagedService(("edpm_neutron_sriov_agent.service",)),
        },
    ),
    Packaging("TripleO", {NOVA_COMPUTE: PackagedService(("tripleo_nova_compute.service",))}),
    Packaging(
        "Sunbeam",
        {NOVA_COMPUTE: PackagedService(("snap.openstack-hypervisor.nova-compute.service",))},
        domains=("/var/snap/openstack-hypervisor/common/etc/libvirt/qemu",),
        running=("/var/snap/openstack-hypervisor/common/run/libvirt/qemu",),
    ),
    OTHER,
)


def packaged_services(service: str) -> tuple[PackagedService, ...]:
    """A service, by the target of `render`, in every packaging that has it."""
    return tuple(packaging.services[service] for packaging in PACKAGINGS if service in packaging.services)


def units_of(service: str) -> tuple[str, ...]:
    """Every name that its unit may have."""
    return tuple(dict.fromkeys(unit for packaged in packaged_services(service) for unit in packaged.units))


def packaging_named(distribution: str) -> Packaging:
    """`distribution` as in the config, but not `auto`."""
    return next(packaging for packaging in PACKAGINGS if packaging.name == distribution)


def recognize(paths: frozenset[str], os_ids: Iterable[str]) -> Packaging:
    """By existing paths, otherwise by the first known ID of os-release(5)."""
    marked = [packaging for packaging in PACKAGINGS if packaging.marker in paths]
    familiar = [packaging for os_id in os_ids for packaging in PACKAGINGS if os_id in packaging.os_ids]
    return next(iter((*marked, *familiar)), OTHER)


MARKERS = tuple(packaging.marker for packaging in PACKAGINGS if packaging.marker)
KNOWN_CONSUMERS = tuple(unit for service in CONSUMERS for unit in units_of(service))
