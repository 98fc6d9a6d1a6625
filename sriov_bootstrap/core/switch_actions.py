"""What a pass can do to the switch in a NIC; the other actions, and the stages of all, are in actions.py."""

from msgspec import Struct

from sriov_bootstrap.core.eswitch_config import DevlinkParam, Eswitch, EswitchMode, ParamMode
from sriov_bootstrap.core.plurals import quantity
from sriov_bootstrap.core.port_functions import PortFunction
from sriov_bootstrap.core.reasons import Verdict

TAKES_EFFECT = {
    ParamMode.RUNTIME: "",
    ParamMode.DRIVERINIT: " (driverinit: from the next devlink dev reload, or boot)",
    ParamMode.PERMANENT: " (permanent: from the next reset of the device, or power cycle)",
}


class SetDevlinkParams(Struct, frozen=True, tag="set_devlink_params"):
    """Set devlink parameters of the PF, in their order."""

    pci_address: str
    params: dict[str, DevlinkParam]

    def __str__(self) -> str:
        """For people."""
        return f"set {', '.join(_param_text(name, param) for name, param in self.params.items())}"


def _param_text(name: str, param: DevlinkParam) -> str:
    value = str(param.value).lower() if isinstance(param.value, bool) else str(param.value)
    return f"{name} to {value}{TAKES_EFFECT[param.cmode]}"


class SetEswitchMode(Struct, frozen=True, tag="set_eswitch_mode", omit_defaults=True):
    """Set the mode of the PF's switch, if it is still in `before` and there are still `num_vfs` VFs.

    `precedes_count`: its driver can do it only while there are none. `may_precede_count`: it can do it then as well,
    which is tried if it refuses.
    """

    pci_address: str
    before: str
    after: EswitchMode
    num_vfs: int = 0
    allow_in_use: bool = False
    precedes_count: bool = False
    may_precede_count: bool = False

    def __str__(self) -> str:
        """For people."""
        if self.before == self.after:
            return f"make sure that the eswitch mode is still {self.after}"
        return f"set the eswitch mode from {self.before} to {self.after}"


class SetUpEswitch(Struct, frozen=True, tag="set_up_eswitch", omit_defaults=True):
    """Wait for the representors of `num_vfs` VFs, then set what `wish` says beyond the mode and is not so.

    `functions`: VF number -> what is to be set at its port, while it has no driver.
    """

    pci_address: str
    wish: Eswitch
    num_vfs: int = 0
    functions: dict[int, PortFunction] = {}

    def __str__(self) -> str:
        """For people."""
        wish = self.wish
        said = {"inline_mode": wish.inline_mode, "encap_mode": wish.encap_mode}
        texts = [f"{name} {value}" for name, value in said.items() if value]
        texts += [] if wish.hw_tc_offload is None else [f"hw-tc-offload {'on' if wish.hw_tc_offload else 'off'}"]
        texts += [f"port functions of {quantity(len(self.functions), 'VF')}"] if self.functions else []
        awaited = quantity(self.num_vfs, "representor")
        settings = f"set {', '.join(texts)}" if texts else ""
        waits = wish.is_switchdev and self.num_vfs
        return " and ".join(filter(None, (f"wait for {awaited}" if waits else "", settings)))


class SwitchSteps(Struct, frozen=True):
    """What the switch of a PF takes: `before` VFs are made, the `mode`, and what comes `after` both.

    `remakes`: VFs that exist have to go for it. `binds_late`: those that are made must not have a driver before the
    mode is set. `holds_drivers`: none may get one in this pass. `verdict`: why the mode stays as it is. `remark`: what
    will not be so, although nothing is held off. `victims`: what loses its traffic by another mode, beside VFs that go.
    `refused`: why the mode is not asked for again.
    """

    before: tuple[SetDevlinkParams, ...] = ()
    mode: tuple[SetEswitchMode, ...] = ()
    after: tuple[SetUpEswitch, ...] = ()
    remakes: bool = False
    binds_late: bool = False
    holds_drivers: bool = False
    verdict: Verdict | None = None
    remark: str = ""
    victims: tuple[str, ...] = ()
    refused: Verdict | None = None
