"""The MTU of VFs' netdevs, set in a writer: the kernel holds its rtnl lock meanwhile, and a driver may for good."""

import errno
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from sriov_bootstrap.base.errors import KernelError
from sriov_bootstrap.core.actions import SetVfMtus
from sriov_bootstrap.core.facts import NAMED, RawVf
from sriov_bootstrap.core.plurals import shortlist
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.edges.vf_attributes import set_link
from sriov_bootstrap.passes.apply import apply

if TYPE_CHECKING:
    from sriov_bootstrap.machine.host_machine import HostMachine

HINT = "`ip -d link show` tells the least and the most; journalctl -k shows the driver's messages"


def work(machine: "HostMachine", action: SetVfMtus, guard: Callable[[], str]) -> Callable[[], Result]:
    """What a writer has to do for this action."""
    return partial(apply, action, partial(_set_all, machine, action, guard))


def _set_all(machine: "HostMachine", action: SetVfMtus, guard: Callable[[], str]) -> Outcome:
    """A VF without a netdev here is left out; one that refuses keeps no other from its MTU."""
    vfs = {vf.index: vf for raw in machine.read_pfs((action.pci_address,)) for vf in raw.vfs}
    if len(vfs) != action.num_vfs or guard():
        return Outcome.STALE
    wanted = [(vfs[f"{number}"], mtu) for number, mtu in action.mtus.items() if vfs[f"{number}"].netdevs]
    found = machine.read_mtus(tuple(vf.netdevs[0].name for vf, _ in wanted))
    wrong = [(vf, mtu) for vf, mtu in wanted if found.get(vf.netdevs[0].name, mtu) != mtu]
    if problems := [problem for vf, mtu in wrong if (problem := _problem_of(vf, mtu))]:
        raise KernelError(f"{action.pci_address}: {shortlist(problems, NAMED, '; ')}", hint=HINT)
    return Outcome.CHANGED if wrong else Outcome.UNCHANGED


def _problem_of(vf: RawVf, mtu: int) -> str:
    """Sets it; why the kernel refused, "" if it did not, or if the netdev is gone by now."""
    try:
        set_link(int(vf.netdevs[0].ifindex), mtu=mtu)
    except ValueError:  # no ifindex
        return ""
    except KernelError as error:
        return "" if error.errno == errno.ENODEV else f"VF {vf.index}: {error.message}"
    return ""
