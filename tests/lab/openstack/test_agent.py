"""Debian's own neutron-sriov-nic-agent and nova-compute unit, on VFs of ours."""

import sys

import pytest

from lab.host import DEVICES, PF1, PF2, UNIT
from lab.openstack_host import AGENT_UNIT, NETWORK, NOVA_STARTS, NOVA_UNIT, OpenstackGuest, tenant_rules

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(3600)]

POLLS = 8


@pytest.fixture(scope="module")
def late(openstack_guest: OpenstackGuest) -> OpenstackGuest:
    """An agent that started while the second PF had no VFs; they have come since, and nobody has restarted it."""
    guest = openstack_guest
    guest.ask_for(*tenant_rules("kernel", second="none"))
    guest.settle({PF1: 7, PF2: 7})
    guest.check("sriov-bootstrap render sriov-agent --write")
    guest.check(f"systemctl stop {UNIT}")
    guest.set_num_vfs(PF2, 0)
    guest.start_agent()
    guest.check(f"systemctl start {UNIT}")
    guest.settle({PF1: 7, PF2: 7})
    return guest


@pytest.mark.long
def test_the_agent_finds_vfs_through_our_file_and_later_ones_only_if_it_is_restarted(late: OpenstackGuest) -> None:
    """VFs without a netdev are in VMs, to the agent, and of these it says whether it knows them."""
    guest, (first, *_), others = late, late.vf_addresses(PF1), set(late.vf_addresses(PF2))
    assert f"{{'{NETWORK}': ['{guest.netdev(PF1)}', '{guest.netdev(PF2)}']}}" in guest.agent_log()
    guest.check(f"echo {first} >{DEVICES}/{first}/driver/unbind")
    with guest.held_vf(PF1, 0):
        guest.wait_for_assigned({first})
        # Without a restart.
        before = guest.invocation(AGENT_UNIT)
        guest.lose(PF2)
        guest.wait_for_polls(3)
        assert (guest.assigned(), guest.invocation(AGENT_UNIT)) == ({first}, before)
        # With it.
        guest.ask_for(*tenant_rules("kernel", second="none"), restart=(AGENT_UNIT,))
        guest.settle({PF1: 7, PF2: 7})
        assert guest.invocation(AGENT_UNIT) == before  # nothing has changed
        restarts = guest.restarts(AGENT_UNIT)
        guest.lose(PF2)
        after = guest.invocation(AGENT_UNIT)
        assert after != before
        guest.wait_for_assigned({first} | others)
        guest.make_pass()
        assert (guest.invocation(AGENT_UNIT), guest.restarts(AGENT_UNIT)) == (after, restarts + 1)


@pytest.mark.long
def test_what_vfs_without_a_driver_cost_the_agent(late: OpenstackGuest) -> None:
    """The figures are in docs/openstack.md."""
    guest, figures = late, []
    for vf_driver in ("kernel", "none"):
        guest.ask_for(*tenant_rules(vf_driver))
        guest.lose(PF1, PF2)
        guest.wait_for_polls(3)
        known, calls, before = len(guest.assigned()), guest.calls(), guest.cost()
        guest.wait_for_polls(POLLS)
        after = guest.cost()
        print(f"{vf_driver}: {known} VFs are assigned; {after.since(before)}; {calls[-3:]}", file=sys.stderr)
        figures.append((known, after.calls - before.calls))
    (kernel_known, kernel_calls), (none_known, none_calls) = figures
    assert (kernel_known, kernel_calls) == (0, 0)
    assert none_known >= 7  # all that it knows
    assert none_calls == 0  # asked once, when they came


@pytest.mark.long
def test_debians_nova_compute_unit_is_restarted_once(openstack_guest: OpenstackGuest) -> None:
    guest = openstack_guest
    unit = guest.check(f"systemctl cat {NOVA_UNIT}")
    assert "\nType=notify\n" in unit
    assert "\nExecStart=/etc/init.d/nova-compute systemd-start\n" in unit
    guest.ask_for(*tenant_rules("none"), restart=(NOVA_UNIT,))
    guest.settle({PF1: 7, PF2: 7})
    starts, restarts = guest.starts(NOVA_STARTS), guest.restarts(NOVA_UNIT)
    guest.lose(PF1)
    guest.make_pass()
    assert len(guest.starts(NOVA_STARTS)) == len(starts) + 1
    assert guest.starts(NOVA_STARTS)[-1].endswith(f" {PF1}=7 {PF2}=7")
    assert guest.restarts(NOVA_UNIT) == restarts + 1
