"""The sandbox of the units: strict enough, everything works in it, and each capability is there for a reason."""

import pytest

from .host import BOTH_PFS, METRICS_UNITS, PF1, PF2, SERVICES, UNIT, Guest, address_rule

HOLDERS_UNIT = "sriov-bootstrap-holders.service"
RELOAD_UNIT = "sriov-bootstrap-reload@igb.service"
TEXTFILE = "/var/lib/prometheus/node-exporter/sriov-bootstrap.prom"
MAX_EXPOSURE = 17  # tenths
MAX_EXPOSURE_OF_METRICS = 5


def test_the_unit_is_exposed_to_little(guest: Guest) -> None:
    done = guest.run(f"systemd-analyze security --no-pager --threshold={MAX_EXPOSURE} {UNIT}")
    assert done.rc == 0, done.stdout[-200:]
    assert guest.service("CapabilityBoundingSet") == "cap_net_admin"
    metrics = METRICS_UNITS.split()[1]
    done = guest.run(f"systemd-analyze security --no-pager --threshold={MAX_EXPOSURE_OF_METRICS} {metrics}")
    assert done.rc == 0, done.stdout[-200:]


def test_the_daemon_learns_who_holds_a_vf_from_a_unit_that_may_look(guest: Guest) -> None:
    guest.configure(address_rule(PF1, 4), address_rule(PF2))
    guest.settle({PF1: 4, PF2: 7})
    with guest.held_vf(PF1, user="nobody") as pid:
        guest.configure(address_rule(PF1, 3), address_rule(PF2))
        guest.wait_for_reason(PF1, "in_use")
        assert f"held by python3 pid {pid}" in guest.journal()
    guest.settle({PF1: 3, PF2: 7})  # nobody has asked


@pytest.mark.parametrize("capability", ["CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"])
def test_without_a_capability_of_the_looker_nobody_can_be_ruled_out(guest: Guest, capability: str) -> None:
    vfs = guest.vf_incarnations(PF1)
    with guest.unit_without(capability, HOLDERS_UNIT), guest.held_vf(PF1, user="nobody") as pid:
        guest.configure(address_rule(PF1, 3), address_rule(PF2))
        guest.wait_for_reason(PF1, "in_use")
        said = guest.journal()
        assert "cannot tell who is using it" in said
        assert f"pid {pid}" not in said
        assert guest.vf_incarnations(PF1) == vfs


def test_without_the_looker_nobody_can_be_ruled_out(guest: Guest) -> None:
    vfs = guest.vf_incarnations(PF1)
    guest.check(f"systemctl mask --runtime {HOLDERS_UNIT}")
    with guest.held_vf(PF1):
        guest.configure(address_rule(PF1, 3), address_rule(PF2))
        guest.wait_for_reason(PF1, "in_use")
        assert "cannot tell who is using it" in guest.journal()
        assert guest.vf_incarnations(PF1) == vfs


OBEYED = (
    "/run/sriov-bootstrap/config.d",
    "/run/sriov-bootstrap",
    "/etc/sriov-bootstrap",
    "/etc/sriov-bootstrap/config.d",
    "/usr/lib/sriov-bootstrap/config.d",
    "/etc/modprobe.d",
    "/run/lock",
)


def test_the_daemon_writes_nothing_that_its_helpers_obey(guest: Guest) -> None:
    """As root with all its capabilities, but in what the daemon sees as its file system."""
    guest.check("mkdir -p /run/sriov-bootstrap/config.d")
    inside = f"nsenter --mount --target {guest.service('MainPID')}"
    for folder in OBEYED:
        done = guest.run(f"{inside} touch {folder}/lab.toml")
        assert (done.rc, "Read-only file system" in done.stderr) == (1, True), (folder, done)
    with guest.held_vf(PF1):  # so that there is an answer
        guest.make_pass()
        done = guest.run(f"{inside} rm /run/sriov-bootstrap/holders.answer")
        assert "Read-only file system" in done.stderr, done
    guest.check(f"{inside} touch /run/sriov-bootstrap/state/lab && rm /run/sriov-bootstrap/state/lab")
    guest.check("rmdir /run/sriov-bootstrap/config.d")


def test_a_user_without_rights_leaves_nothing_behind_and_keeps_nobody_from_working(guest: Guest) -> None:
    lock = "/run/lock/sriov-bootstrap.lock"
    guest.check(f"rm -f {lock}")
    for words in ("--once", f"release {PF1}", "run"):
        done = guest.run(f"setpriv --reuid=nobody --clear-groups sriov-bootstrap {words}")
        assert (done.rc, done.stdout) == (1, ""), done
        assert "you are not root" in done.stderr
    assert guest.run(f"ls {lock}").rc != 0
    with guest.running("foreign", f"flock {lock} sleep 600", user="nobody"):
        guest.until(lambda: guest.run(f"stat -c %U {lock}").stdout == "nobody\n", "a file of somebody else")
        done = guest.once()
        assert done.rc == 0, done
        guest.make_pass()
    guest.check(f"rm {lock}")


EAT = "x = bytearray(1 << 30); x[:] = bytes(len(x))"  # without quotes: it stands in two pairs of them


@pytest.mark.long
def test_a_process_of_the_service_that_eats_memory_is_ended_alone(guest: Guest) -> None:
    pid = guest.service("MainPID")
    assert guest.service("MemoryMax") == f"{2 << 30}"
    guest.check(f"systemctl set-property --runtime {UNIT} MemoryMax=200M")
    cgroup = f"/sys/fs/cgroup{guest.service('ControlGroup')}/cgroup.procs"
    done = guest.run(f"sh -c 'echo $$ >{cgroup}; exec python3 -c \"{EAT}\"'")
    assert done.rc != 0, done
    assert guest.check(f"cat /sys/fs/cgroup{guest.service('ControlGroup')}/memory.events").count("oom_kill 0") == 0
    guest.make_pass()
    assert (guest.service("MainPID"), guest.service("ActiveState")) == (pid, "active")


@pytest.fixture
def pf_down(guest: Guest) -> Guest:
    """No VFs, and the first PF down: it has to be brought up before it gets some."""
    guest.configure(address_rule(PF1, 0), address_rule(PF2))
    guest.settle({PF1: 0, PF2: 7})
    guest.check(f"ip link set {guest.netdev(PF1)} down")
    return guest


def test_without_net_admin_no_pf_is_brought_up(pf_down: Guest) -> None:
    guest = pf_down
    with guest.unit_without("CAP_NET_ADMIN", UNIT):
        guest.vm.write("/etc/sriov-bootstrap/config.toml", BOTH_PFS + SERVICES)
        guest.check(f"systemctl restart --no-block {UNIT}")
        guest.wait_for_reason("tenant", "write_failed")
        assert "EPERM" in guest.journal()
        assert guest.vfs() == {PF1: 7, PF2: 7}, "the count comes first, and needs no capability"
        assert not int(guest.check(f"cat /sys/bus/pci/devices/{PF1}/net/*/flags"), 16) & 1, "the PF stays down"


def test_a_reload_by_hand_does_what_the_config_asks_for_and_no_more(guest: Guest) -> None:
    uevents = guest.uevents()
    done = guest.run(f"systemctl start {RELOAD_UNIT}")
    assert done.rc == 1, done
    assert "the config does not ask for a reload of igb now" in guest.check(f"journalctl -b -o cat -u {RELOAD_UNIT}")
    assert guest.run("systemctl start sriov-bootstrap-reload@-r.service").rc == 1
    assert guest.uevents() == uevents
    assert not guest.run("systemctl --failed --plain --no-legend").stdout


def test_a_textfile_is_written_from_inside_the_sandbox(guest: Guest) -> None:
    folder = TEXTFILE.rpartition("/")[0]
    guest.check(f"mkdir -p {folder}; systemctl restart {UNIT}")
    guest.configure(BOTH_PFS, f'[metrics]\ntextfile = "{TEXTFILE}"\n')
    guest.until(lambda: guest.run(f"stat -c %a {TEXTFILE}").stdout.strip() == "644", "a textfile for everybody")
    assert "sriov_pf_vfs{" in guest.vm.read(TEXTFILE)
    guest.check(f"rm {TEXTFILE}")
