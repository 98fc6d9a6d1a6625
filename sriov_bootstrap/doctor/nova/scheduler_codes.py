"""The long form of the codes about nova-scheduler: 6xx."""

from sriov_bootstrap.core.finding import Explanation

SCHEDULER_CODES: dict[str, Explanation] = {
    "SB-E601": Explanation(
        "nova-scheduler is configured with filters that it does not have",
        """\
Filters are removed from nova from time to time: CoreFilter, RamFilter and DiskFilter in 20.0.0, RetryFilter in
22.0.0, AvailabilityZoneFilter in 28.0.0. If the list names one that does not exist, nova-scheduler does not start
("Scheduler Host Filter ... could not be found"): no VM starts in the whole cloud.

Looked at: the filters that nova-scheduler reads, against those no longer in the release set with [openstack] release
in our config. Custom filters in available_filters count as present.

What to do: remove the line, then sriov-bootstrap render nova-scheduler --write: it writes the release's defaults, the
config's scheduler_filters, and PciPassthroughFilter.
""",
    ),
    "SB-E602": Explanation(
        "the scheduler does not look for free VFs",
        """\
PciPassthroughFilter skips hosts that have no free VF for a port or a flavor. It is not one of the defaults. Without
it VMs are sent to any host, fail there, and are sent to the next until nova gives up.

Looked at: the filters that nova-scheduler on this host reads, or its defaults.

What to do: sriov-bootstrap render nova-scheduler --write on every controller, and restart nova-scheduler.
""",
    ),
    "SB-E603": Explanation(
        "the filters are set under the option name of another release",
        """\
The list is [filter_scheduler] enabled_filters since nova 15.0.0 (Ocata); its former name, [DEFAULT]
scheduler_default_filters, was still read up to nova 23 and is ignored since 24.0.0 (Xena). The scheduler then uses
its defaults, which do not look for free VFs.

Looked at: both options in the files that nova-scheduler reads, against [openstack] release in our config.

What to do: remove the line, then sriov-bootstrap render nova-scheduler --write; additional filters belong in
scheduler_filters in [openstack] in the config.
""",
    ),
}
