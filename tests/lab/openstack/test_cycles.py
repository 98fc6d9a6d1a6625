"""libvirt takes one VF and gives it back, again and again, while the daemon has attributes to set for it."""

import os
import re
from typing import Final

import pytest

from lab.cache import HERE
from lab.host import PF1, PF2
from lab.openstack.test_libvirt import node
from lab.openstack_host import OpenstackGuest, tenant_rules

CYCLES: Final = int(os.environ.get("SRIOV_CYCLES", "0"))
pytestmark = [
    pytest.mark.openstack,
    pytest.mark.timeout(7200),
    pytest.mark.skipif(not CYCLES, reason="takes minutes: make test-cycles"),
]
SCRIPT: Final = HERE / "guest" / "cycles" / "attach-detach"
OURS: Final = "sriov-bootstrap"  # the comm of the daemon, and of all that it forks
TABLES: Final = """
[[pf.vf]]
vfs = "all"
mac = "stable"
vlan = 100
"""
# <comm>-<pid> [<cpu>] <flags> <seconds>: <event>: ...
LINE: Final = re.compile(r"^ *(?P<comm>\S.*)-[0-9]+ +\[[0-9]+\] \S+ +[0-9.]+: (?P<event>\w+): ?(?P<text>.*)$")


def writes(trace: str) -> tuple[list[str], list[str], int]:
    """Return who wrote what within cycles, the same outside of them, and how many cycles there were."""
    within, outside, cycles, is_within = list[str](), list[str](), 0, False
    for found in filter(None, map(LINE.match, trace.splitlines())):
        if found["event"] == "tracing_mark_write":
            is_within = found["text"].startswith("begin")
            cycles += not is_within
        else:
            (within if is_within else outside).append(f"{found['comm']} {found['event']}")
    return within, outside, cycles


def _seconds(trace: str) -> float:
    times = [float(found[1]) for found in re.finditer(r" ([0-9]+\.[0-9]+): tracing_mark_write: ", trace)]
    return times[-1] - times[0]


def vlan(host: OpenstackGuest) -> int:
    """Return the VLAN that the PF has set for its first VF."""
    said = host.check(f"ip link show {host.netdev(PF1)}")
    found = re.search(r"vf 0 .*vlan (\d+)", said)
    return int(found[1]) if found else 0


def test_nothing_of_ours_falls_between_libvirts_first_write_and_its_last(openstack_guest: OpenstackGuest) -> None:
    host = openstack_guest
    first, second = tenant_rules("kernel")
    host.ask_for(first + TABLES, second)
    host.settle({PF1: 7, PF2: 7})
    host.until(lambda: vlan(host) == 100, "attributes")
    host.check("modprobe vfio; systemctl start libvirtd", timeout_seconds=300)
    host.vm.push(SCRIPT, "/run/attach-detach")
    passes = host.scrape().value("sriov_bootstrap_passes_total")
    words = f"{host.netdev(PF1)} 0 {node(host.vf_addresses(PF1)[0])} {CYCLES}"
    trace = host.check(f"sh /run/attach-detach {words}", timeout_seconds=120 + 60 * CYCLES)
    within, _, cycles = writes(trace)
    print(f"{cycles} cycles in {_seconds(trace):.0f} s")
    assert cycles == CYCLES
    assert sum(not write.startswith(OURS) for write in within) >= 4 * CYCLES, "libvirt's own are seen"
    assert not [write for write in within if write.startswith(OURS)]
    assert host.scrape().value("sriov_bootstrap_passes_total") > passes, "passes looked at it meanwhile"
    host.until(lambda: vlan(host) == 100, "the VF that has been left alone")
    assert any(write.startswith(OURS) for write in writes(host.check("cat /sys/kernel/tracing/trace"))[1])
    host.check("echo 0 >/sys/kernel/tracing/events/cycles/enable")
