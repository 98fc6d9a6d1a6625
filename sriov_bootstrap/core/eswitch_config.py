"""What was asked for of the switch in a NIC, and of its driver: [pf.eswitch] and [pf.devlink_params]."""

from enum import StrEnum

from msgspec import Struct

STEERING = "flow_steering_mode"


class EswitchMode(StrEnum):
    """How the switch in a NIC treats its VFs: by address alone, or as ports with a netdev each on the host."""

    LEGACY = "legacy"
    SWITCHDEV = "switchdev"


class InlineMode(StrEnum):
    """How many headers of each packet a VF's driver has to hand to the device (ConnectX-4)."""

    NONE = "none"
    LINK = "link"
    NETWORK = "network"
    TRANSPORT = "transport"


class EncapMode(StrEnum):
    """Whether the device encapsulates: VXLAN and its kind."""

    NONE = "none"
    BASIC = "basic"


class SteeringMode(StrEnum):
    """Who writes mlx5's steering rules: its firmware, or the driver."""

    DMFS = "dmfs"
    SMFS = "smfs"
    HMFS = "hmfs"


class ParamMode(StrEnum):
    """When a devlink parameter takes effect: at once, at the next reload of the device, after a reset of it."""

    RUNTIME = "runtime"
    DRIVERINIT = "driverinit"
    PERMANENT = "permanent"


class Eswitch(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """[pf.eswitch]. What is not said is left alone. `vf_lag`: VFs get their driver once the PF's bond is offloaded."""

    mode: EswitchMode
    inline_mode: InlineMode | None = None
    encap_mode: EncapMode | None = None
    flow_steering_mode: SteeringMode | None = None
    hw_tc_offload: bool | None = None
    vf_lag: bool = False

    @property
    def is_switchdev(self) -> bool:
        """Whether VFs are to be ports of the switch."""
        return self.mode is EswitchMode.SWITCHDEV


ParamValue = bool | int | str


class DevlinkParam(Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of [pf.devlink_params] that says more than its value."""

    value: ParamValue
    cmode: ParamMode = ParamMode.RUNTIME
