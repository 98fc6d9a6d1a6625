"""The checks of nova-compute: its files, its device_spec, and whether it knows the current VFs."""

from collections.abc import Iterator

from sriov_bootstrap.conflicts.survey import Note
from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.doctor.nova.alias import check_aliases
from sriov_bootstrap.doctor.nova.files import check_nova_files
from sriov_bootstrap.doctor.nova.placement import check_placement
from sriov_bootstrap.doctor.nova.rules import check_rules
from sriov_bootstrap.doctor.nova.specs import check_specs
from sriov_bootstrap.doctor.nova.view import look
from sriov_bootstrap.doctor.openstack.remedies import restarted
from sriov_bootstrap.doctor.openstack.survey import OpenStackSurvey
from sriov_bootstrap.render.host import Host

SEES_NEW_VFS_SINCE = 32  # bug 2115729: before, VFs created again keep the old ones' data until a restart


def check_nova(host: Host, survey: OpenStackSurvey, note: Note) -> Iterator[Finding]:
    """Only where nova-compute is on this host; `note` receives what was too much to look at."""
    if not survey.compute.is_installed:
        return
    yield from check_nova_files(host, survey)
    view = look(host, survey.compute)
    for text in view.unseen:
        note(text)
    yield from check_specs(view)
    yield from check_rules(view, survey)
    yield from check_placement(view)
    yield from check_aliases(view)
    yield from _started_before(host, survey)


def _started_before(host: Host, survey: OpenStackSurvey) -> Iterator[Finding]:
    """Its periodic task finds VFs at new addresses, but in older releases not those created again."""
    compute, seconds = survey.compute, survey.seconds_behind(survey.compute)
    if host.release.nova < SEES_NEW_VFS_SINCE and seconds is not None:
        problem = f"it started {seconds:.0f} s before the VFs changed, and has the old ones' data"
        change = f"find out why its restart fails: journalctl -u {compute.unit}"
        yield Finding("SB-W416", compute.unit, problem, remedy=restarted(host, "nova-compute", change))
