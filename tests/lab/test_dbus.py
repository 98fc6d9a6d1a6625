"""Without D-Bus the VFs come back all the same, and the restarts wait for it."""

import pytest

from .host import AGENT, NOVA, PF1, PF2, Guest

BREAK_AND_MEND = {
    "frozen": ("systemctl kill --signal=STOP dbus.service", "systemctl kill --signal=CONT dbus.service"),
    "absent": ("cd /run/dbus && mv system_bus_socket aside", "cd /run/dbus && mv aside system_bus_socket"),
    "lost its library": (
        "cd /usr/lib/python3/dist-packages && mv dbus_next aside",
        "cd /usr/lib/python3/dist-packages && mv aside dbus_next",
    ),
}


@pytest.fixture(params=BREAK_AND_MEND)
def mend_the_bus(guest: Guest, request: pytest.FixtureRequest) -> str:
    """Break the bus; what mends it."""
    breaks, mends = BREAK_AND_MEND[request.param]
    guest.check(breaks)
    return mends


def test_vfs_do_not_need_the_bus_and_restarts_wait_for_it(guest: Guest, mend_the_bus: str) -> None:
    nova, agent = guest.starts(NOVA), guest.starts(AGENT)
    guest.set_num_vfs(PF1, 0)
    guest.until(lambda: "restarts stay pending" in guest.journal(), "a line about the bus")
    assert guest.vfs() == {PF1: 7, PF2: 7}
    guest.until_scrape(lambda scrape: scrape.is_pending, "restarts that are pending")
    assert (guest.starts(NOVA), guest.starts(AGENT)) == (nova, agent)
    guest.check(mend_the_bus)
    guest.settle({PF1: 7, PF2: 7})
    guest.make_pass()
    assert (len(guest.starts(NOVA)), len(guest.starts(AGENT))) == (len(nova) + 1, len(agent) + 1)
