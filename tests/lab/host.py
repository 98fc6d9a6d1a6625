"""The guest with the product at work in it, in words that tests use: config, metrics, starts of consumers, VFs in use.

What it knows of the product is what an operator knows: the command, the metrics, the unit, the config.
"""

import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from prometheus_client.parser import text_string_to_metric_families

from .answers import Completed
from .vm import Vm

T = TypeVar("T")

PF1: Final = "0000:01:00.0"
PF2: Final = "0000:02:00.0"
DEVICES: Final = "/sys/bus/pci/devices"
CONFIG_FILE: Final = "/etc/sriov-bootstrap/config.toml"
UNIT: Final = "sriov-bootstrap.service"
METRICS_UNITS: Final = "sriov-bootstrap-metrics.socket sriov-bootstrap-metrics.service"
STATE_FILE: Final = "/run/sriov-bootstrap/state/state.json"
FINDINGS_FILE: Final = "/run/sriov-bootstrap/state/findings.json"
NOVA: Final = "/var/log/nova-starts"
AGENT: Final = "/var/log/agent-starts"
NIC_AGENT: Final = "/var/log/nic-agent-starts"
RDO_NOVA: Final = "/var/log/rdo-nova-starts"
EDPM_NOVA: Final = "/var/log/edpm-nova-starts"
HOLDER: Final = Path(__file__).parent / "guest" / "consumers" / "hold-device"

# Restarts soon, so that a test need not wait for them; a test of the defaults says so in its own config.
SERVICES: Final = "[services]\nsettle_seconds = 1\nmin_interval_seconds = 0\n"
LATE_LOOKS: Final = 4  # with the same state and an older page
# What a pass, its restarts and a retry may take on a CPU in software that others use, too.
DEADLINE_SECONDS: Final = 240.0

READY: Final = "ready"  # a snapshot
SET_UP: Final = f"systemctl is-active -q {UNIT} && systemctl reload {UNIT} || systemctl restart {UNIT}"


def rule(name: str, match: str, num_vfs: int | str = 7, **more: str | bool) -> str:
    """Return a [[pf]] without VF drivers, because probing costs a second per VF; `more` are further keys."""
    keys = {"num_vfs": num_vfs, "vf_driver": "none"} | more
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    return "\n".join(["[[pf]]", f"name = {json.dumps(name)}", f"match = {{ {match} }}", *lines, ""])


def address_rule(pf: str, num_vfs: int | str = 7, **more: str | bool) -> str:
    """Return a [[pf]] for one PF by its PCI address, and of that name."""
    return rule(pf, f'pci_address = "{pf}"', num_vfs, **more)


BOTH_PFS: Final = rule("tenant", 'driver = "igb"')


@dataclass(frozen=True, slots=True)
class Scrape:
    """The metrics of one scrape."""

    samples: dict[str, list[tuple[dict[str, str], float]]] = field(default_factory=dict)

    def value(self, name: str, **labels: str) -> float:
        """Return the sum over all series that have these labels; 0 when there is none."""
        return sum(value for have, value in self.samples.get(name, []) if labels.items() <= have.items())

    def series(self, name: str, **labels: str) -> list[dict[str, str]]:
        return [have for have, _ in self.samples.get(name, []) if labels.items() <= have.items()]

    def has(self, name: str, value: float) -> bool:
        """Return whether there is such a series, and with this value."""
        return value in [have for _, have in self.samples.get(name, [])]

    def losses(self, pf: str) -> float:
        return self.value("sriov_pf_vf_losses_total", pci_address=pf)

    def reasons(self, rule_name: str) -> set[str]:
        """Return why the PFs of a rule are degraded."""
        series = self.samples.get("sriov_pf_degraded", [])
        return {labels["reason"] for labels, value in series if value and labels["rule"] == rule_name}

    @property
    def is_pending(self) -> bool:
        return self.value("sriov_bootstrap_restart_pending") == 1

    @property
    def is_quiet(self) -> bool:
        """Whether every PF is as desired, and whoever had to restart has."""
        return bool(self.samples) and not self.value("sriov_pf_degraded") and not self.is_pending


class Guest:
    """Wraps a Vm with package and stand-ins."""

    def __init__(self, vm: Vm) -> None:
        self.vm = vm
        self.run = vm.run
        self.check = vm.check
        self._journal_cursor = ""
        self._saved_cursors: dict[str, str] = {}

    def set_up(self) -> None:
        """What each test starts from: 7 VFs without driver on both PFs, everybody up, nothing pending."""
        self.vm.write(CONFIG_FILE, BOTH_PFS + SERVICES)
        self.run(SET_UP)
        self.forget_journal()
        self.settle({PF1: 7, PF2: 7})

    def wait_for_inspection(self) -> None:
        """Wait for the daemon's first look for what doctor finds, which would else come, and cost, in every test."""
        self.until(lambda: self.vm.peek(FINDINGS_FILE), "doctor's look")

    def save(self, name: str = READY) -> None:
        """Keep all of this for restore()."""
        self.vm.save(name)
        self._saved_cursors[name] = self._journal_cursor

    @property
    def journal_cursor(self) -> str:
        """Where journal() begins; with it another process can take up() what this one has saved."""
        return self._journal_cursor

    def take_up(self, name: str, journal_cursor: str) -> None:
        """Begin with what another process has saved on the disk that this guest has."""
        self._saved_cursors[name] = self._journal_cursor = journal_cursor

    def restore(self, name: str = READY) -> None:
        """As it was at save(), to the byte: no test cleans up what it does in the guest."""
        self.vm.restore(name)
        self._journal_cursor = self._saved_cursors[name]

    # -- config and the daemon --

    def configure(self, *rules: str, services: str = SERVICES) -> None:
        """Give the daemon a config; returns before it has acted."""
        self.vm.write(CONFIG_FILE, "\n".join(rules) + services)
        self.reload()

    def reload(self) -> None:
        self.check(f"systemctl reload {UNIT}")

    def service(self, name: str) -> str:
        """Return a property of the service."""
        return self.check(f"systemctl show --value -p {name} {UNIT}").strip()

    def once(self, *arguments: str) -> Completed:
        return self.run(shlex.join(["sriov-bootstrap", "--once", *arguments]), timeout_seconds=300)

    def status(self) -> dict[str, Any]:
        """Return the answer of `status --json`; it costs the guest a second, a scrape is cheaper."""
        return dict(json.loads(self.run("sriov-bootstrap status --json").stdout))

    def journal(self, *, output: str = "cat") -> str:
        """Return what the service has said in this test; `output` as journalctl(1) has it."""
        return self.check(f"journalctl --no-pager -o {output} -u {UNIT} --after-cursor='{self._journal_cursor}'")

    def forget_journal(self) -> None:
        """Let journal() begin here."""

        def cursor() -> str:
            """Return nothing at times: journalctl finds no entry in a file that journald has just begun."""
            return self.run("journalctl --lines=0 --show-cursor").stdout.partition("-- cursor: ")[2].strip()

        self._journal_cursor = self.until(cursor, "a cursor of the journal")

    # -- waiting --

    def wait_for(self, what: str, **series: float) -> Scrape:
        """Wait until these metrics, each summed over its series, have these values."""

        def has_come(scrape: Scrape) -> bool:
            return all(scrape.value(name) == value for name, value in series.items())

        return self.until_scrape(has_come, what)

    def wait_for_reason(self, rule_name: str, reason: str) -> Scrape:
        """Wait until a rule is degraded, and for this reason."""
        return self.until_scrape(lambda it: it.reasons(rule_name) == {reason}, f'rule "{rule_name}": {reason}')

    def settle(self, expected: dict[str, int]) -> Scrape:
        """Wait until there are these VFs in the kernel and in the metrics, all is well, and nothing is pending."""
        behind: list[float] = []

        def settled() -> Scrape | None:
            """Asks what costs least first. The page is that of the last pass: it is right about that one only."""
            if self._has_pending_restart() or self.vfs(*expected) != expected:
                return None
            passes = self._state().get("counters", {}).get("passes", 0)
            scrape = self.scrape()
            is_of_a_file = "sriov_bootstrap_state_timestamp_seconds" in scrape.samples  # not that of 0.1.0
            if is_of_a_file and scrape.value("sriov_bootstrap_passes_total") < passes:
                behind.append(passes)  # the page is made after the state, by another process
                if behind.count(passes) == LATE_LOOKS:  # but not after a --once that found all as it was
                    self.reload()
                return None
            shown = {pf: scrape.value("sriov_pf_vfs", pci_address=pf) for pf in expected}
            still = scrape.is_quiet and shown == expected and not self._has_pending_restart()
            return scrape if still and self.vfs(*expected) == expected else None

        scrape = self.until(settled, f"{expected} and nothing pending")
        assert scrape
        return scrape

    def _has_pending_restart(self) -> bool:
        """As `status` says it, for a tenth of what that costs."""
        return bool(self._state().get("pending"))

    def _state(self) -> dict[str, Any]:
        text = self.vm.peek(STATE_FILE)
        return dict(json.loads(text)) if text else {}

    def make_pass(self) -> Scrape:
        """Let the daemon look again, and wait until it has."""
        before = self.scrape().value("sriov_bootstrap_passes_total")
        self.reload()
        return self.until_scrape(lambda it: it.value("sriov_bootstrap_passes_total") > before, "a pass")

    def until_scrape(self, condition: Callable[[Scrape], bool], what: str) -> Scrape:
        """Return the first scrape that is as it should be."""
        found: list[Scrape] = []

        def is_found() -> bool:
            found[:] = [self.scrape()]
            return condition(found[0])

        self.until(is_found, what)
        return found[0]

    def until(self, condition: Callable[[], T], what: str) -> T:
        """Return the first truthy answer."""
        return self.vm.wait_until(condition, deadline_seconds=DEADLINE_SECONDS, what=what)

    # -- looking --

    def scrape(self) -> Scrape:
        """Return the metrics, none while nobody serves them."""
        text = self.vm.fetch("/metrics")
        scrape = Scrape()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                scrape.samples.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
        return scrape

    def vfs(self, *pfs: str) -> dict[str, int]:
        """Return how many VFs there are, without a question that waits for the kernel."""
        wanted = pfs or (PF1, PF2)
        lines = "".join(self.vm.paths(*(f"{DEVICES}/{pf}/virtfn*" for pf in wanted)))
        return {pf: lines.count(f"{pf}/virtfn") for pf in wanted}

    def vf_incarnations(self, pf: str) -> set[str]:
        """Return what tells these VFs from others with the same addresses."""
        return set(self.check(f"stat -L -c %i {DEVICES}/{pf}/virtfn*").split())

    def netdev(self, pf: str) -> str:
        """Return the name of its netdev, "" while there is none; that of a virtio PF is a bus away."""
        found = self.vm.paths(f"{DEVICES}/{pf}/net/*", f"{DEVICES}/{pf}/virtio*/net/*")
        return found[0].rpartition("/")[2] if found else ""

    def starts(self, log: str) -> list[str]:
        """Return a line for each start of a stand-in."""
        return self.vm.peek(log).splitlines()

    def start(self, command: str, *logs: str) -> None:
        """Start stand-ins, and wait until each has said so: what their logs have from other tests does not count."""
        before = {log: len(self.starts(log)) for log in logs}
        self.check(command)
        self.until(lambda: all(len(self.starts(log)) > count for log, count in before.items()), command)

    def uevents(self) -> int:
        """Return the number of the kernel's last uevent: VFs never come or go without one."""
        return int(self.vm.read("/sys/kernel/uevent_seqnum"))

    # -- disturbing --

    def set_num_vfs(self, pf: str, *counts: int) -> None:
        """Write sriov_numvfs behind the daemon's back, several counts without a pause."""
        self.check("; ".join(f"echo {count} >{DEVICES}/{pf}/sriov_numvfs" for count in counts))

    @contextmanager
    def running(self, name: str, command: str, *, user: str = "root") -> Iterator[int]:
        """Run a command in the guest beside the test; its process ID."""
        unit = f"lab-test-{name}.service"
        self.check(f"systemd-run --quiet --collect --service-type=exec --uid={user} --unit={unit} {command}")
        try:
            yield int(self.check(f"systemctl show --value -p MainPID {unit}"))
        finally:
            self.run(f"systemctl stop {unit}")

    @contextmanager
    def held_vf(
        self, pf: str, index: int = 0, *, is_open: bool = False, is_alone: bool = False, user: str = "root"
    ) -> Iterator[int]:
        """Bind a VF to vfio-pci and let a process hold its group; its process ID.

        `is_open`: the device as well; `is_alone`: the device and not its group.
        """
        self.check(
            f"vf={DEVICES}/{pf}/virtfn{index}; modprobe vfio-pci; echo vfio-pci >$vf/driver_override;"
            f" basename $(readlink $vf) >/sys/bus/pci/drivers_probe"
        )
        group = self.check(f"basename $(readlink {DEVICES}/{pf}/virtfn{index}/iommu_group)").strip()
        vf = self.check(f"basename $(readlink {DEVICES}/{pf}/virtfn{index})").strip()
        self.vm.push(HOLDER, "/usr/local/sbin/hold-device")
        more = f"{vf if is_open or is_alone else ''} {'alone' if is_alone else ''}"
        self.check(f"chown {user} /dev/vfio/{group}; chmod 755 /usr/local/sbin/hold-device")
        command = f"python3 /usr/local/sbin/hold-device /dev/vfio/{group} {more}"
        with self.running("holder", command, user=user) as pid:

            def is_held() -> bool:
                files = self.run(f"ls -l /proc/{pid}/fd").stdout
                has_device = "vfio-device" in files or not (is_open or is_alone)
                return has_device and (f"/dev/vfio/{group}" in files) is not is_alone

            self.until(is_held, "a held VF")
            yield pid

    @contextmanager
    def unit_without(self, capability: str, unit: str) -> Iterator[None]:
        """Take a capability from a unit; what runs already keeps it."""
        folder = f"/run/systemd/system/{unit}.d"
        self.vm.write(f"{folder}/lab.conf", f"[Service]\nCapabilityBoundingSet=~{capability}\n")
        self.check("systemctl daemon-reload")
        try:
            yield
        finally:
            self.run(f"rm -r {folder}; systemctl daemon-reload")

    @contextmanager
    def slow_writes(self, pf: str) -> Iterator[None]:
        """Hold every write of the daemon to sriov_numvfs of a PF at the kernel's door, for as long as this lasts."""
        with self.held_writes(f"{DEVICES}/{pf}/sriov_numvfs"):
            yield

    @contextmanager
    def held_writes(self, path: str, *, is_done: bool = False) -> Iterator[None]:
        """Hold every write of the daemon to a file for as long as this lasts; `is_done`: once the kernel has it."""
        pid = self.service("MainPID")
        inject = f"-e trace=write -e inject=write:{'delay_exit' if is_done else 'delay_enter'}=600000000"
        with self.running("strace", f"strace -f -qq -o /dev/null -p {pid} -P {path} {inject}") as tracer:
            self.until(lambda: f"TracerPid:\t{tracer}\n" in self.vm.read(f"/proc/{pid}/status"), "strace")
            yield
