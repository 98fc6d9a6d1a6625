"""The long form of the codes about nova-scheduler: 6xx."""

from sriov_bootstrap.core.finding import Explanation

SCHEDULER_CODES: dict[str, Explanation] = {
    "SB-E601": Explanation(
        "nova-scheduler is to use filters that it does not have",
        """\
Filters leave nova from time to time: CoreFilter, RamFilter and DiskFilter in 20.0.0, RetryFilter in 22.0.0,
AvailabilityZoneFilter in 28.0.0. A name in the list that is not there, and nova-scheduler does not start ("Scheduler
Host Filter ... could not be found"): no VM is started in the whole cloud.

Looked at: the filters that nova-scheduler reads, against those that the release in [openstack] release of our config
has no more. A filter of somebody's own in available_filters counts as there.

What to do: take the line out, then sriov-bootstrap render nova-scheduler --write: the defaults of the release, those
of scheduler_filters in the config, and PciPassthroughFilter.
""",
    ),
    "SB-E602": Explanation(
        "the scheduler does not look for free VFs",
        """\
PciPassthroughFilter passes over hosts that have no free VF for a port or a flavor. It is not one of the defaults.
Without it VMs are sent to any host, fail there, and are sent to the next until nova gives up.

Looked at: the filters that nova-scheduler, which is on this host, reads, or its defaults.

What to do: sriov-bootstrap render nova-scheduler --write on every controller, and restart nova-scheduler.
""",
    ),
    "SB-E603": Explanation(
        "the filters stand under the name of another release",
        """\
The list is [filter_scheduler] enabled_filters since nova 15.0.0 (Ocata); [DEFAULT] scheduler_default_filters, its
name before, was still read until nova 23 and is ignored since 24.0.0 (Xena). The scheduler then uses its defaults,
which do not look for free VFs.

Looked at: both options in the files that nova-scheduler reads, against [openstack] release in our config.

What to do: take the line out, then sriov-bootstrap render nova-scheduler --write; filters that you need besides
belong into scheduler_filters below [openstack] in the config.
""",
    ),
}
