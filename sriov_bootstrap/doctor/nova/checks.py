"""The checks of nova-compute: its files, its device_spec, and whether it knows the current VFs."""

from collections.abc import Iterator

from msgspec.structs import replace

from sriov_bootstrap.conflicts.survey import Note
from sriov_bootstrap.core.eswitch_config import EswitchMode
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.core.nova_version import NovaVersion
from sriov_bootstrap.doctor.nova.alias import check_aliases
from sriov_bootstrap.doctor.nova.files import check_nova_files
from sriov_bootstrap.doctor.nova.placement import check_placement
from sriov_bootstrap.doctor.nova.rules import check_rules
from sriov_bootstrap.doctor.nova.specs import check_specs
from sriov_bootstrap.doctor.nova.view import View, view_of
from sriov_bootstrap.doctor.openstack.checks import SHOWN, check_start
from sriov_bootstrap.doctor.openstack.survey import OpenStackSurvey
from sriov_bootstrap.render.host import Host

WHILE_FREE = "; do it while VFs in switchdev are free: one in a VM lacks the capability switchdev until the next start"


def check_nova(host: Host, survey: OpenStackSurvey, note: Note) -> Iterator[Finding]:
    """Only where nova-compute is on this host; `note` receives what was too much to look at."""
    if not survey.compute.is_installed:
        return
    yield from check_nova_files(host, survey)
    view = view_of(host, survey.compute)
    for text in view.unseen:
        note(text)
    yield from check_specs(view)
    yield from check_rules(view, survey)
    yield from check_placement(view)
    yield from check_aliases(view)
    version = _version(host, survey)
    if version.finds_new_vfs:
        yield from _check_late_pfs(view, survey, version)
    else:
        yield from _check_start(host, survey, version)


def _check_late_pfs(view: View, survey: OpenStackSurvey, version: NovaVersion) -> Iterator[Finding]:
    """nova finds new VFs itself, but not those of a PF that came later: it looks for the address when it starts."""
    host, started_at = view.host, survey.compute.started_at
    since = host.state.present_since
    addresses = {row.spec.place.single for row in view.rows if row.spec.place}
    late = tuple(
        change
        for change in survey.changes
        if change.pf in addresses and started_at is not None and since.get(change.pf, started_at) > started_at
    )
    effect = f"{version} decides when it starts whether an address in a device_spec is a PF; it may not have been there"
    said = [f"{change.pf} seen since {survey.time_of(since[change.pf])}" for change in late[:SHOWN]]
    for finding in check_start(
        host,
        replace(survey, changes=late),
        survey.compute,
        "SB-W416",
        effect,
        serves=lambda rule: rule.is_for_nova,
    ):
        yield replace(finding, evidence="; ".join((finding.evidence, *said)))


def _check_start(host: Host, survey: OpenStackSurvey, version: NovaVersion) -> Iterator[Finding]:
    """What nova reads once, it reads of a VF in a VM without its netdev on the host."""
    has_switchdev = any(pf.eswitch and pf.eswitch.mode == EswitchMode.SWITCHDEV for pf in host.pfs)
    care = WHILE_FREE if has_switchdev and version.scans_once else ""
    for finding in check_start(
        host,
        survey,
        survey.compute,
        "SB-W416",
        version.habit,
        serves=lambda rule: rule.is_for_nova,
    ):
        yield replace(finding, remedy=finding.remedy + care)


def _version(host: Host, survey: OpenStackSurvey) -> NovaVersion:
    """As it was found; where nothing told it, as the config says."""
    if survey.nova.text or not host.config.openstack.release:
        return survey.nova
    return NovaVersion(str(host.release.nova), "[openstack] release")
