"""Why a consumer restarts after VFs changed, and when nova-compute can do without: what depends on nova's version.

With `nova_restart = "when_needed"`, nova-compute is spared if its version finds new VFs itself (nova_version.py), and
if each PF whose VFs changed was there when it started: nova decides at its start whether an address in a device_spec
is a PF. Every other consumer, and a restart that is tried again, stays as planned.
"""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from sriov_bootstrap.core.config import NovaRestart
from sriov_bootstrap.core.eswitch_config import EswitchMode
from sriov_bootstrap.core.followup import Need, UnitPlan, UnitState
from sriov_bootstrap.core.nova_version import NovaVersion
from sriov_bootstrap.core.packagings import NOVA_COMPUTE, SRIOV_AGENT, units_of
from sriov_bootstrap.core.state import PendingRestart, State

DUE = frozenset({Need.RESTART, Need.START, Need.WAIT})
NOVA_UNITS = frozenset(units_of(NOVA_COMPUTE))
AGENT_UNITS = frozenset(units_of(SRIOV_AGENT))
AGENT_HABIT = "the agent reads the VFs of a PF once"
IN_USE = "; VFs in use lack the capability switchdev until it starts with them free"


def novas_in(plans: Iterable[UnitPlan]) -> tuple[str, ...]:
    """The units of nova-compute that are to restart: those whose version matters."""
    return tuple(plan.name for plan in plans if plan.need in DUE and plan.name in NOVA_UNITS)


def give_reasons(
    plans: Iterable[UnitPlan],
    units: Iterable[UnitState],
    versions: Mapping[str, NovaVersion],
    nova_restart: NovaRestart,
    saved: State,
    pending: PendingRestart,
) -> tuple[UnitPlan, ...]:
    """The plans with what each restart is for.

    `versions`: unit of nova-compute -> its nova; `saved`: since when PFs are there.
    """
    started = {unit.name: unit.started_at for unit in units}
    reasoned = []
    for plan in plans:
        version = versions.get(plan.name)
        if version is None:
            is_agent = plan.need in DUE and plan.name in AGENT_UNITS
            reasoned.append(replace(plan, why=AGENT_HABIT) if is_agent else plan)
            continue
        is_asked = nova_restart is NovaRestart.WHEN_NEEDED and plan.name not in pending.failed
        can_do_without = version.finds_new_vfs and _knew_all_pfs(started[plan.name], saved, pending)
        if is_asked and can_do_without:
            text = f'{plan.name}: not restarted (nova_restart = "when_needed"): {version.habit}'
            reasoned.append(UnitPlan(plan.name, Need.FINDS_VFS, why=text))
        else:
            cost = IN_USE if version.scans_once and _has_switchdev_vf_in_use(saved) else ""
            reasoned.append(replace(plan, why=_why(version, can_do_without=can_do_without) + cost))
    return tuple(reasoned)


def _knew_all_pfs(started_at: float, saved: State, pending: PendingRestart) -> bool:
    """Whether a unit that started then found each PF whose VFs changed; for a preview, each PF of this host."""
    addresses = pending.pci_addresses or tuple(saved.present_since)
    return all(saved.present_since.get(address, started_at) < started_at for address in addresses)


def _has_switchdev_vf_in_use(saved: State) -> bool:
    """A VF that a VM has is without its netdev on the host, by which nova tells whether it is a port of a switch."""
    return any(pf.eswitch_mode == EswitchMode.SWITCHDEV and pf.vfs_in_use for pf in saved.report.pfs)


def _why(version: NovaVersion, *, can_do_without: bool) -> str:
    if not version.finds_new_vfs:
        return version.habit
    if can_do_without:
        return f'{version.habit}, but nova_restart is "always"'
    return f"{version} may have started before a PF was there"
