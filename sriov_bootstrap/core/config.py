"""What was asked: the nouns of the config file. decode.py makes them, validate.py knows what is valid."""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, TypeVar

from msgspec import Meta, Struct

from sriov_bootstrap.core.driver_wishes import DriverWishes, VfDriver, named_driver
from sriov_bootstrap.core.eswitch_config import STEERING, DevlinkParam, Eswitch, ParamValue
from sriov_bootstrap.core.packagings import KNOWN_CONSUMERS
from sriov_bootstrap.core.port_functions import NOTHING_SAID, PortFunction
from sriov_bootstrap.core.vf_attributes import STABLE, VfTable, numbers_of

T = TypeVar("T")

GLOB_CHARACTERS = frozenset("*?[")
MAX_NUM_VFS = 65535  # drivers/pci/iov.c parses sriov_numvfs with kstrtou16


class VfBinding(StrEnum):
    """When VFs of `vf_driver = "kernel"` get their driver: after they exist, all at once, or while they are created.

    `auto` is the former, except where that would change the names of netdevs.
    """

    AUTO = "auto"
    KERNEL = "kernel"


class Method(StrEnum):
    """How the count reaches the kernel: at run time through sysfs, or as a module parameter."""

    AUTO = "auto"
    SRIOV_NUMVFS = "sriov_numvfs"
    MAX_VFS = "max_vfs"


class Switch(StrEnum):
    """Something of the PF's netdev that is on or off."""

    ON = "on"
    OFF = "off"


class WhenInUse(StrEnum):
    """What happens to VFs in use when the number changes."""

    KEEP = "keep"
    REPLACE = "replace"


class NovaRestart(StrEnum):
    """Whether nova-compute restarts after each change of VFs, or only if its version does not find new VFs itself."""

    ALWAYS = "always"
    WHEN_NEEDED = "when_needed"


class SpecStyle(StrEnum):
    """How nova's device_spec names the VFs: by their PF's address, by its netdev, by chip, or one by one."""

    PF_ADDRESS = "pf_address"
    DEVNAME = "devname"
    VENDOR_PRODUCT = "vendor_product"
    VF_ADDRESS = "vf_address"


class Distribution(StrEnum):
    """Who packages nova and neutron here, which decides where their files are; `auto` looks at /etc/os-release."""

    AUTO = "auto"
    DEBIAN = "debian"
    UBUNTU = "ubuntu"
    RDO = "rdo"
    KOLLA = "kolla"
    OTHER = "other"


def is_exact(text: str) -> bool:
    """Whether a selector is given, and takes one value only."""
    return bool(text) and not GLOB_CHARACTERS & {*text}


class Match(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Selectors of a PF: all that are given must hold; texts are shell globs."""

    netdev: str = ""
    altname: str = ""
    pci_address: str = ""
    mac: str = ""
    driver: str = ""
    vendor_id: str = ""
    device_id: str = ""
    serial_number: str = ""

    def __str__(self) -> str:
        """For people: `netdev ens1f0, driver igb`."""
        return ", ".join(f"{key} {value}" for key in self.__struct_fields__ if (value := getattr(self, key)))

    @property
    def names_any_pf(self) -> bool:
        """Whether it names a PF beyond doubt, so that it may take one that is no NIC: by address, or by both ids."""
        return is_exact(self.pci_address) or (is_exact(self.vendor_id) and is_exact(self.device_id))


class RenderKeys(Struct, frozen=True, kw_only=True):
    """The keys of a [[pf]] that are for `render` alone. None of them is set by default.

    `tunnels`: its VFs are for networks without a physical one, such as VXLAN and Geneve.
    """

    exclude_vfs: tuple[int, ...] = ()
    trusted: bool = False
    live_migratable: bool = False
    alias: str = ""
    resource_class: str = ""
    traits: tuple[str, ...] = ()
    bandwidth_kbps: int = 0
    vf_id: str = ""
    tunnels: bool = False

    @property
    def asks_openstack(self) -> bool:
        """Whether one of them is set."""
        return any(getattr(self, key) for key in RenderKeys.__struct_fields__)


class PfRule(RenderKeys, frozen=True, forbid_unknown_fields=True):
    """One [[pf]] of the config: which PFs, and what they should have.

    `mtu` and `promisc` are those of the PF's own netdev; 0 and None: left alone. `vf`: what its VFs should have.
    """

    name: str
    match: Match
    num_vfs: int | str
    physical_network: str = ""
    vf_driver: str = VfDriver.KERNEL.value
    vf_binding: VfBinding = VfBinding.AUTO
    method: Method = Method.AUTO
    reload_driver: bool = False
    when_in_use: WhenInUse = WhenInUse.KEEP
    pf_up: bool = True
    required: bool = True
    mtu: Annotated[int, Meta(ge=68, le=65535)] = 0  # the limits hold for what is written
    promisc: Switch | None = None
    vf: tuple[VfTable, ...] = ()
    eswitch: Eswitch | None = None
    devlink_params: dict[str, ParamValue | DevlinkParam] = {}

    def __hash__(self) -> int:
        """Of what tells rules apart: a table of parameters has none."""
        return hash((self.name, self.match))

    @property
    def is_for_nova(self) -> bool:
        """Whether VMs may get its VFs from nova."""
        return bool(self.physical_network or self.alias or self.tunnels)

    @property
    def wants_switchdev(self) -> bool:
        """Whether its VFs are to be ports of the NIC's switch."""
        return self.eswitch is not None and self.eswitch.is_switchdev

    @property
    def is_for_sriov_agent(self) -> bool:
        """Whether neutron's SR-IOV agent serves its VFs: ports of a switch are Open vSwitch's or OVN's."""
        return bool(self.physical_network) and not self.wants_switchdev

    @property
    def asks_devlink(self) -> bool:
        """Whether it says something that only devlink can tell."""
        return self.eswitch is not None or bool(self.devlink_params)

    @property
    def params(self) -> dict[str, DevlinkParam]:
        """Every devlink parameter that it sets; that of the steering is one as well."""
        found = {
            name: value if isinstance(value, DevlinkParam) else DevlinkParam(value)
            for name, value in self.devlink_params.items()
        }
        if self.eswitch and self.eswitch.flow_steering_mode:
            found[STEERING] = DevlinkParam(self.eswitch.flow_steering_mode.value)
        return found

    @property
    def uses_max_vfs(self) -> bool:
        """`auto` means sriov_numvfs: every kernel since 3.8 has that file on every PF."""
        return self.method is Method.MAX_VFS

    @property
    def asks_link(self) -> bool:
        """Whether it says something that only the PF's netdev can tell."""
        return bool(self.attribute_tables) or self.asks_own_link

    @property
    def asks_own_link(self) -> bool:
        """The same of that netdev itself."""
        return bool(self.mtu or self.promisc)

    @property
    def asks_vf_mtus(self) -> bool:
        """Whether it says something that only the netdevs of VFs can tell."""
        return any(table.mtu is not None for table in self.vf)

    @property
    def has_stable_mac(self) -> bool:
        """Whether a VF gets its MAC from us."""
        return any(table.mac == STABLE for table in self.vf)

    def drivers(self, num_vfs: int) -> DriverWishes:
        """What is to drive each of so many VFs: `driver` of the last table that says it, or `vf_driver`."""
        said = self._said_of_vfs(num_vfs, lambda table: table.driver)
        others = {number: driver for number, driver in sorted(said.items()) if driver != self.vf_driver}
        wishes = DriverWishes(self.vf_driver, others)
        return wishes.among(others) if len(others) == num_vfs else wishes  # no VF may have the usual one

    def vf_mtus(self, num_vfs: int) -> dict[int, int]:
        """VF number -> the MTU that its netdev is to have; no VF of which nothing is said."""
        return self._said_of_vfs(num_vfs, lambda table: table.mtu)

    @property
    def asks_port_functions(self) -> bool:
        """Whether it says something of the functions behind VFs' ports of the switch."""
        return any(table.port_function.said for table in self.vf)

    def port_functions(self, num_vfs: int) -> dict[int, PortFunction]:
        """VF number -> what its port of the switch is to say; no VF of which nothing is said."""
        said: dict[int, PortFunction] = {}
        for table in self.vf:
            if (wish := table.port_function).said:
                numbers = numbers_of(table.vfs, num_vfs)
                said |= {number: said.get(number, NOTHING_SAID).merge(wish) for number in numbers}
        return dict(sorted(said.items()))

    def _said_of_vfs(self, num_vfs: int, value_of: Callable[[VfTable], T | None]) -> dict[int, T]:
        """VF number -> what the last table says that says it."""
        said: dict[int, T] = {}
        for table in self.vf:
            if (value := value_of(table)) is not None:
                said |= dict.fromkeys(numbers_of(table.vfs, num_vfs), value)
        return said

    @property
    def driver_names(self) -> frozenset[str]:
        """The drivers that it names, for some VFs or for all."""
        said = (self.vf_driver, *(table.driver for table in self.vf if table.driver is not None))
        return frozenset(map(named_driver, said)) - {""}

    @property
    def attribute_tables(self) -> tuple[VfTable, ...]:
        """What the PF is to set for VFs; nothing of their drivers and netdevs."""
        return tuple(table.without_own_keys for table in self.vf if table.attributes.said)

    @property
    def vf_problems(self) -> tuple[str, ...]:
        """What is wrong with its [[pf.vf]] tables: see IncompleteRule."""
        return ()


class IncompleteRule(PfRule, frozen=True):
    """A [[pf]] that counts without its [[pf.vf]] tables, as something is wrong with them: nothing of VFs is set."""

    vf_problems: tuple[str, ...] = ()


class Services(Struct, frozen=True, forbid_unknown_fields=True):
    """[services]: which units restart after VFs changed, and with which delays. Times in seconds."""

    restart: tuple[str, ...] = KNOWN_CONSUMERS
    settle_seconds: float = 2.0
    min_interval_seconds: float = 30.0
    job_timeout_seconds: float = 300.0  # nova-compute may take 180 s to stop, and then has to start
    nova_restart: NovaRestart = NovaRestart.ALWAYS

    @property
    def restart_seconds(self) -> float:
        """How long after a change of VFs a unit may still be about to be restarted."""
        return self.settle_seconds + self.min_interval_seconds + self.job_timeout_seconds


class OpenStack(Struct, frozen=True, forbid_unknown_fields=True):
    """[openstack]: `protect_shutoff`: a VM that is shut off still owns its VFs; the rest is for `render` alone.

    `release` "" is the newest one that is known here.
    """

    protect_shutoff: bool = True
    release: str | int | float = ""
    distribution: Distribution = Distribution.AUTO
    spec_style: SpecStyle = SpecStyle.PF_ADDRESS
    report_in_placement: bool = False
    scheduler_filters: tuple[str, ...] = ()
    mechanism_drivers: tuple[str, ...] = ()
    network_vlan_ranges: tuple[str, ...] = ()
    flat_networks: tuple[str, ...] = ()


class Metrics(Struct, frozen=True, forbid_unknown_fields=True):
    """[metrics]: where Prometheus scrapes, who else may, and how much; "" disables a place."""

    listen: str = "localhost:10049"
    web_config: str = ""
    textfile: str = ""
    per_vf: bool = True


class Boot(Struct, frozen=True, forbid_unknown_fields=True):
    """[boot]: how long "ready" waits for required PFs that have not appeared."""

    wait_for_pf_seconds: float = 60.0


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of it. The default is what no config file at all means: nothing to do."""

    pf: tuple[PfRule, ...] = ()
    services: Services = Services()
    metrics: Metrics = Metrics()
    boot: Boot = Boot()
    openstack: OpenStack = OpenStack()
