"""The guest of the OpenStack lab: what a compute host's operator sees of agent, nova-compute and libvirt."""

import re
from dataclasses import dataclass
from typing import Final

from .cache import HERE, files_below
from .consumers import CONSUMER_FILES, install_package, newest_package
from .host import CONFIG_FILE, PF1, PF2, UNIT, Guest, address_rule

FILES: Final = HERE / "guest" / "openstack"
AGENT_UNIT: Final = "neutron-sriov-agent.service"
NOVA_UNIT: Final = "nova-compute.service"
NOVA_STARTS: Final = "/var/lib/nova/starts"
LOG: Final = "/var/log/neutron/neutron-sriov-agent.log"
CALLS: Final = "/var/log/neutron/lab-calls"
STARTED: Final = "Physical Devices mappings"
# On an emulated CPU neutron's imports alone take a minute, those of its privsep daemon half of one.
AGENT_SECONDS: Final = 600.0
NETWORK: Final = "physnet2"
RELEASE: Final = '[openstack]\nrelease = "2025.1"\n'  # that of Debian 13


def services(*units: str) -> str:
    """Return [services] that restarts these units and no others, soon."""
    quoted = ", ".join(f'"{unit}"' for unit in units)
    return f"[services]\nrestart = [{quoted}]\nsettle_seconds = 1\nmin_interval_seconds = 0\n{RELEASE}"


def tenant_rules(vf_driver: str, *, num_vfs: int = 7, second: str | None = None) -> tuple[str, str]:
    """Return rules for both PFs; `second` is the vf_driver of the second one, if it is another."""
    more = {"physical_network": NETWORK}
    first = address_rule(PF1, num_vfs, vf_driver=vf_driver, **more)
    return first, address_rule(PF2, num_vfs, vf_driver=second or vf_driver, **more)


@dataclass(frozen=True, slots=True)
class Cost:
    """What the agent did up to some moment."""

    polls: int
    lines: int
    debug_lines: int
    calls: int
    cpu_seconds: float

    def since(self, before: "Cost") -> str:
        """Return what a poll costs."""
        polls = self.polls - before.polls
        parts = (
            f"{(self.lines - before.lines) / polls:.2f} lines",
            f"{(self.debug_lines - before.debug_lines) / polls:.2f} debug lines",
            f"{(self.calls - before.calls) / polls:.2f} RPC calls",
            f"{(self.cpu_seconds - before.cpu_seconds) / polls:.3f} s of CPU",
        )
        return f"{polls} polls, each: {', '.join(parts)}"


class OpenstackGuest(Guest):
    """Wraps a Vm of the OpenStack image."""

    _agent_said = ""

    def install(self) -> None:
        """Install the package and what stands behind Debian's units here, start nova-compute."""
        vm = self.vm
        install_package(vm, newest_package())
        for path in files_below(FILES):
            vm.push(path, f"/{path.relative_to(FILES)}")
        vm.push(CONSUMER_FILES / "lab-consumer", "/usr/local/sbin/lab-consumer")
        vm.check(f"chmod 755 /usr/local/sbin/lab-consumer /usr/bin/nova-compute; systemctl start {NOVA_UNIT}")
        self.wait_for_inspection()

    def ask_for(self, *rules: str, restart: tuple[str, ...] = ()) -> None:
        """Make both PFs as these rules say, with new VFs, whatever was there; nobody but `restart` is restarted."""
        self.vm.write(CONFIG_FILE, "\n".join(rules) + services(*restart))
        self.check(f"systemctl reload-or-restart {UNIT}")
        self.make_pass()

    def lose(self, *pfs: str) -> None:
        """Take VFs away behind the daemon's back, and wait until they are back and everybody is restarted."""
        before = self.scrape()
        for pf in pfs:
            self.set_num_vfs(pf, 0)
        self.until_scrape(lambda it: all(it.losses(pf) > before.losses(pf) for pf in pfs), "a loss")
        self.settle({PF1: 7, PF2: 7})

    def restarts(self, unit: str) -> float:
        """Return how often the daemon has restarted a unit."""
        return self.scrape().value("sriov_bootstrap_service_restarts_total", unit=unit)

    def invocation(self, unit: str) -> str:
        """Return what differs after each start of a unit."""
        return self.check(f"systemctl show --value -p InvocationID {unit}").strip()

    def vf_addresses(self, pf: str) -> list[str]:
        return self.check(f"cd /sys/bus/pci/devices/{pf}; for n in virtfn*; do basename $(readlink $n); done").split()

    # -- the agent --

    def start_agent(self) -> None:
        self.check(f"rm -f {LOG} {CALLS}; systemctl restart {AGENT_UNIT}")
        self._agent_said = ""
        self.wait_for_polls(3)

    def wait_for_polls(self, more: int) -> None:
        """Wait until the agent has begun so many further polls; one that has just started counts from nothing."""
        goal = self.polls() + more
        self.vm.wait_until(lambda: self.polls() >= goal, deadline_seconds=AGENT_SECONDS, what=f"{goal} polls")

    def agent_log(self) -> str:
        """Return what the agent has said since its last start; only what is new comes over the connection."""
        self._agent_said += self.vm.peek(LOG, offset=len(self._agent_said.encode()))
        return self._agent_said.rpartition(STARTED)[2]

    def polls(self) -> int:
        """Return the number of the poll that the agent has begun last, from 1 on."""
        return max(
            (int(number) + 1 for number in re.findall(r"rpc_loop - iteration:(\d+)", self.agent_log())), default=0
        )

    def assigned(self) -> set[str]:
        """Return the VFs that the agent takes to be in VMs: it says so when that changes."""
        changes = re.findall(r"Agent loop found changes! \{'current': (.*?), 'added'", self.agent_log())
        return set(re.findall(r"pci_slot='([^']+)'", changes[-1])) if changes else set()

    def wait_for_assigned(self, expected: set[str]) -> None:
        def as_expected() -> bool:
            return self.assigned() == expected

        self.vm.wait_until(as_expected, deadline_seconds=AGENT_SECONDS, what=f"an agent that knows {expected}")

    def calls(self) -> list[str]:
        """Return the agent's RPC calls: method, number of devices."""
        return self.vm.peek(CALLS).splitlines()

    def cost(self) -> Cost:
        lines = self.agent_log().splitlines()
        cpu = int(self.check(f"systemctl show --value -p CPUUsageNSec {AGENT_UNIT}")) / 1e9
        debug = sum(" DEBUG " in line for line in lines)
        return Cost(self.polls(), len(lines) - debug, debug, len(self.calls()), cpu)
