"""A host's PFs and VFs as its `status --json` shows them: what the cloud is compared with."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from sriov_bootstrap.base.errors import UsageError
from sriov_bootstrap.base.undecodable import UNDECODABLE
from sriov_bootstrap.core.pci_address import label
from sriov_bootstrap.verify.openstack.survey import SWITCHDEV


class HostVf(Struct, frozen=True):
    """One VF; `user` says who has it, "" if nobody."""

    pci_address: str
    user: str = ""


class HostPf(Struct, frozen=True):
    """A rule and its PF; without a PF, `pci_address` is "". `eswitch_mode`: "" unless the rule sets one."""

    rule: str
    pci_address: str = ""
    netdev: str = ""
    physical_network: str = ""
    vfs: tuple[HostVf, ...] = ()
    eswitch_mode: str = ""

    @property
    def is_switchdev(self) -> bool:
        """Whether its VFs have representors."""
        return self.eswitch_mode == SWITCHDEV

    def __str__(self) -> str:
        """`0000:3b:00.0 (ens1f0)`."""
        return label(self.pci_address, self.netdev) or f'rule "{self.rule}"'


class _Status(Struct, frozen=True):
    pfs: tuple[HostPf, ...]


class CloudHost(Struct, frozen=True):
    """A host by the name that nova and neutron have for it."""

    name: str
    pfs: tuple[HostPf, ...] = ()

    @property
    def physical_networks(self) -> tuple[str, ...]:
        """Of all its rules, each once."""
        return tuple(dict.fromkeys(pf.physical_network for pf in self.pfs if pf.physical_network))

    def pfs_on(self, physical_network: str) -> tuple[HostPf, ...]:
        """PFs that exist and whose rule names this network."""
        return tuple(pf for pf in self.pfs if pf.pci_address and pf.physical_network == physical_network)

    def needs_switchdev(self, physical_network: str) -> bool:
        """Whether every PF on it is in switchdev mode, so that its ports must ask for it."""
        pfs = self.pfs_on(physical_network)
        return bool(pfs) and all(pf.is_switchdev for pf in pfs)

    def pf_of_vf(self, pci_address: str) -> HostPf | None:
        """The PF that has this VF."""
        return next((pf for pf in self.pfs if any(vf.pci_address == pci_address for vf in pf.vfs)), None)


def parse_status(name: str, place: str, text: bytes) -> CloudHost:
    """From `status --json` of that host. Raises UsageError, which names `place`."""
    try:
        return CloudHost(name, msgspec.json.decode(text, type=_Status).pfs)
    except UNDECODABLE as error:
        hint = f"write it on {name}: sriov-bootstrap status --json"
        raise UsageError((f"{place}: not the output of status --json: {error}",), hint=hint) from None


def host_of(name: str, pfs: Iterable[object]) -> CloudHost:
    """From the report of a look at this host."""
    return CloudHost(name, tuple(msgspec.convert(msgspec.to_builtins(pf), HostPf) for pf in pfs))
