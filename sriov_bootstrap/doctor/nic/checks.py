"""The checks of NICs, drivers and VFs, in the order in which they are shown."""

from collections.abc import Iterator

from sriov_bootstrap.core.finding import Finding
from sriov_bootstrap.doctor.nic.absent import check_absent
from sriov_bootstrap.doctor.nic.attributes import check_addresses, check_attributes, check_machine_id
from sriov_bootstrap.doctor.nic.driver import check_driver, check_parameters
from sriov_bootstrap.doctor.nic.network_manager import check_network_manager
from sriov_bootstrap.doctor.nic.room import check_room
from sriov_bootstrap.doctor.nic.survey import NicSurvey
from sriov_bootstrap.doctor.nic.switch import check_open_vswitch, check_switch
from sriov_bootstrap.doctor.nic.vfs import (
    check_link,
    check_link_flaps,
    check_network,
    check_vectors,
    check_vf_drivers,
    check_vf_netdevs,
)
from sriov_bootstrap.render.host import Host


def check_nics(host: Host, survey: NicSurvey) -> Iterator[Finding]:
    """Only of PFs that a rule is about."""
    yield from check_absent(host, survey)
    yield from check_parameters(host, survey)
    for wish in host.wishes:
        yield from check_driver(wish, survey)
        yield from check_room(host, wish, survey)
        yield from check_link(wish)
        yield from check_link_flaps(wish, survey)
        yield from check_network(wish)
        yield from check_vf_drivers(wish, survey)
        yield from check_vf_netdevs(wish, survey)
        yield from check_network_manager(wish, survey)
        yield from check_attributes(wish)
        yield from check_addresses(wish, survey)
        yield from check_switch(wish)
    yield from check_machine_id(host)
    yield from check_open_vswitch(host, survey)
    yield from check_vectors(host, survey)
