"""Nouns for tests: each builder gives a sound default and takes by keyword what the test is about.

`...Values` are those keywords. mypy holds a call against them, and them against the noun.
"""

from typing import TypedDict, Unpack

from sriov_bootstrap.core.config import (
    Boot,
    Config,
    Match,
    Method,
    Metrics,
    OpenStack,
    PfRule,
    Services,
    Switch,
    VfBinding,
    WhenInUse,
)
from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.drivers import is_vfio
from sriov_bootstrap.core.eswitch_config import DevlinkParam, Eswitch, ParamValue
from sriov_bootstrap.core.facts import EswitchFacts, Netdev, PfFacts, RawChild, RawNetdev, RawPf, RawVf, VfFacts
from sriov_bootstrap.core.vf_attributes import LinkState, VfAttributes, VfTable, VlanProtocol
from sriov_bootstrap.core.vf_users import Use, UseKind

PF = "0000:3b:00.0"
PF2 = "0000:3b:00.1"
PF3 = "0000:5e:00.0"
NEW_VF = VfAttributes(
    mac="00:00:00:00:00:00",
    vlan=0,
    vlan_qos=0,
    vlan_protocol=VlanProtocol.DOT1Q,
    min_tx_rate=0,
    max_tx_rate=0,
    trust=False,
    spoofchk=True,
    link_state=LinkState.AUTO,
)


class NetdevValues(TypedDict, total=False):
    """Of a Netdev."""

    name: str
    altnames: tuple[str, ...]
    mac: str
    ifindex: int
    is_up: bool
    uppers: tuple[str, ...]
    device: str
    driver: str
    is_representor: bool


class VfValues(TypedDict, total=False):
    """Of VfFacts; where it is follows from its index."""

    driver: str
    iommu_group: str
    netdevs: tuple[str, ...]
    infiniband: tuple[str, ...]
    incarnation: int
    modalias: str
    use: Use | None
    devices: dict[str, str]
    is_vfio: bool
    is_nic: bool
    has_made_netdev: bool
    mtu: int


class PfValues(TypedDict, total=False):
    """Of PfFacts."""

    pci_address: str
    total_vfs: int
    driver: str
    vendor_id: str
    device_id: str
    numa_node: int
    autoprobe: bool
    altnames_known: bool
    netdevs: tuple[Netdev, ...]
    vfs: tuple[VfFacts, ...]
    is_nic: bool
    serial_number: str | None
    eswitch: EswitchFacts | None
    eswitch_problem: str


class RuleValues(TypedDict, total=False):
    """Of a PfRule."""

    name: str
    match: Match
    num_vfs: int | str
    physical_network: str
    vf_driver: str
    vf_binding: VfBinding
    method: Method
    reload_driver: bool
    when_in_use: WhenInUse
    pf_up: bool
    required: bool
    exclude_vfs: tuple[int, ...]
    trusted: bool
    live_migratable: bool
    alias: str
    resource_class: str
    traits: tuple[str, ...]
    bandwidth_kbps: int
    vf_id: str
    tunnels: bool
    mtu: int
    promisc: Switch | None
    vf: tuple[VfTable, ...]
    eswitch: Eswitch | None
    devlink_params: dict[str, ParamValue | DevlinkParam]


class ConfigValues(TypedDict, total=False):
    """Of a Config, but for its rules."""

    services: Services
    metrics: Metrics
    boot: Boot
    openstack: OpenStack


class RawVfValues(TypedDict, total=False):
    """Of a RawVf."""

    index: str
    pci_address: str
    driver: str
    iommu_group: str
    inode: int
    modalias: str
    netdevs: tuple[RawNetdev, ...]
    nodes: tuple[str, ...]
    infiniband: tuple[str, ...]
    children: tuple[RawChild, ...]
    has_net: bool


def make_netdev(**values: Unpack[NetdevValues]) -> Netdev:
    """A netdev of a PF, up."""
    defaults: NetdevValues = {
        "name": "ens1f0",
        "altnames": (),
        "mac": "3c:fd:fe:aa:bb:00",
        "ifindex": 2,
        "is_up": True,
    }
    return Netdev(**(defaults | values))


def vf_address(pf: str, index: int) -> str:
    """Where the VF of that index is found."""
    return f"{pf[:-4]}{2 + index // 8:02x}.{index % 8}"


def make_vf(*, index: int = 0, pf: str = PF, **values: Unpack[VfValues]) -> VfFacts:
    """A VF that is ready and that nobody uses."""
    driver = values.get("driver", "igbvf")
    defaults: VfValues = {
        "driver": driver,
        "netdevs": (f"v{index}",),
        "incarnation": 100 + index,
        "is_vfio": is_vfio(driver),
    }
    return VfFacts(index, vf_address(pf, index), **(defaults | values))


def make_pf(*, num_vfs: int = 0, holder: str = "", **values: Unpack[PfValues]) -> PfFacts:
    """An igb with a driver and a netdev that is up; `holder` has its first VF open."""
    address = values.get("pci_address", PF)
    use = Use(UseKind.HELD, holder) if holder else None
    defaults: PfValues = {
        "pci_address": PF,
        "total_vfs": 7,
        "driver": "igb",
        "vendor_id": "8086",
        "device_id": "10c9",
        "netdevs": (make_netdev(),),
        "vfs": tuple(make_vf(index=index, pf=address, use=None if index else use) for index in range(num_vfs)),
    }
    return PfFacts(**(defaults | values))


def make_rule(**values: Unpack[RuleValues]) -> PfRule:
    """A rule for 4 VFs on PF, which the kernel binds as it creates them: one step less than by default."""
    defaults: RuleValues = {
        "name": "tenant-a",
        "match": Match(pci_address=PF),
        "num_vfs": 4,
        "vf_binding": VfBinding.KERNEL,
    }
    return PfRule(**(defaults | values))


def make_config(*rules: PfRule, **values: Unpack[ConfigValues]) -> Config:
    """A config of these rules."""
    return Config(pf=rules, **values)


def make_wish(*, pf: PfFacts | None = None, **rule: Unpack[RuleValues]) -> DesiredPf:
    """A rule and the PF that it took; no PF: it took none."""
    return DesiredPf(make_rule(**rule), pf)


def make_raw_vf(**values: Unpack[RawVfValues]) -> RawVf:
    """A VF as /sys shows it, with igbvf and a netdev that is down."""
    defaults: RawVfValues = {
        "index": "0",
        "pci_address": "0000:3b:02.0",
        "driver": "igbvf",
        "iommu_group": "17",
        "inode": 100,
        "netdevs": (RawNetdev("v0"),),
    }
    return RawVf(**(defaults | values))


def make_raw_pf(*, vfs: tuple[RawVf, ...] = (), attributes: dict[str, str] | None = None) -> RawPf:
    """A PF as /sys shows it."""
    texts = {
        "class": "0x020000",
        "sriov_totalvfs": "7",
        "vendor": "0x8086",
        "device": "0x10c9",
        "numa_node": "1",
        "sriov_numvfs": "",
    }
    dev = RawNetdev("ens1f0", "3C:FD:FE:AA:BB:00", "0x1003", "2")
    return RawPf(PF, texts | (attributes or {}), "igb", (dev,), vfs)
