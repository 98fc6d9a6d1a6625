"""Faults for the soak: each breaks something real in the guest, and says what. Nothing here knows what is right."""

from random import Random
from typing import Final

from .host import CONFIG_FILE, DEVICES, HOLDER, PF1, PF2, SERVICES, UNIT, Guest, address_rule, rule

MAC: Final = "52:54:00:1a:b0:77"
WANTED: Final = {PF1: 7, "hot": 3}
UNOWNED_VFS: Final = 3
SOON_READY: Final = "[boot]\nwait_for_pf_seconds = 5\n"  # the NIC that is not in is required
STATE: Final = "/run/sriov-bootstrap/state"
LOCKS: Final = f"flock -w 60 {STATE}/pass.lock flock -w 60 {STATE}/write.lock"
UDEVD: Final = "systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket"
BROKEN: Final = ("num_vfs = = 3\n", "[[pf]]\nname = ", "\\377\\376", "x = 1\n")

Snapshot = dict[str, dict[str, str]]


def config(pf1: int | str, hot: int = 3) -> str:
    """Return a config for the first PF and the one that is plugged; the second PF has no rule."""
    return "\n".join([address_rule(PF1, pf1), rule("hot", f'mac = "{MAC}"', hot), SERVICES + SOON_READY])


class Faults:
    """What can go wrong, one at a time. `wounds` are the commands that mend what is still broken."""

    def __init__(self, guest: Guest, random: Random) -> None:
        self._guest = guest
        self._random = random
        self.wounds: list[str] = []
        self.held: tuple[str, str] | None = None  # virtfn and inode of the VF of PF1 that a process has open
        self.unowned: dict[str, str] = {}
        self.is_plugged = False
        self.has_touched_vfs = False
        self.is_reloaded = False
        self._run = guest.run

    def one(self) -> str:
        """Do one that is possible now; what it was."""
        touching = [self.lose, self.change_count, self.unbind, self.reload_driver]
        always = [
            *(self.plug, self.udevd, self.bus, self.kill, self.kill, self.edit, self.break_config),
            *(self.clock, self.fill_run, self.restart_service, self.let_go if self.held else self.hold),
        ]
        chosen = self._random.choice(always if self.held else [*touching, *touching, *always])
        return chosen()

    def snapshot(self) -> Snapshot:
        """Return PF -> virtfn link -> inode, without a question that waits for the kernel."""
        text = self._run(f"cd {DEVICES}; stat -L -c '%n %i' */virtfn* 2>/dev/null").stdout
        found: Snapshot = {}
        for name, inode in (line.split() for line in text.splitlines()):
            pf, _, link = name.partition("/")
            found.setdefault(pf, {})[link] = inode
        return found

    def make_unowned(self) -> None:
        """Give the PF that no rule matches VFs of ours, which nobody else may touch."""
        self._guest.check(
            f"cd {DEVICES}/{PF2}; echo 0 >sriov_numvfs; echo 0 >sriov_drivers_autoprobe; "
            f"echo {UNOWNED_VFS} >sriov_numvfs"
        )
        self.unowned = self.snapshot()[PF2]

    # -- VFs --

    def lose(self) -> str:
        self.has_touched_vfs = True
        self._run(f"echo 0 >{DEVICES}/{PF1}/sriov_numvfs")
        return "echo 0"

    def change_count(self) -> str:
        self.has_touched_vfs = True
        count = self._random.choice([1, 2, 5, 7])
        self._run(f"cd {DEVICES}/{PF1}; echo 0 >sriov_numvfs; echo {count} >sriov_numvfs")
        return f"echo 0, echo {count}"

    def unbind(self) -> str:
        self.has_touched_vfs = True
        self._run(
            f"cd /sys/bus/pci/drivers/igb; echo {PF1} >unbind; sleep {self._random.random():.2f}; echo {PF1} >bind"
        )
        return "driver unbound and bound"

    def reload_driver(self) -> str:
        self.has_touched_vfs = self.is_reloaded = True
        self._run("modprobe -r igb; modprobe igb", timeout_seconds=300)
        self.make_unowned()
        return "driver reloaded"

    def plug(self) -> str:
        self.has_touched_vfs = True
        self.is_plugged = not self.is_plugged
        if self.is_plugged:
            self._guest.vm.plug_igb("rp3", "hot1", mac=MAC)
            return "NIC plugged"
        self._guest.vm.unplug("hot1")
        return "NIC unplugged"

    def hold(self) -> str:
        """While no pass is at work: a VM that takes a VF during the write to it is another test (test_stuck.py)."""
        index, opens = self._random.randrange(3), self._random.random() < 0.5
        self._guest.vm.push(HOLDER, "/usr/local/sbin/hold-device")
        self._guest.vm.write(
            "/run/hold",
            f"""set -e
vf={DEVICES}/{PF1}/virtfn{index}; address=$(basename $(readlink $vf))
modprobe vfio-pci; echo vfio-pci >$vf/driver_override; echo $address >/sys/bus/pci/drivers_probe
group=/dev/vfio/$(basename $(readlink $vf/iommu_group))
systemd-run --quiet --collect --service-type=exec --unit=lab-test-soak.service \\
    python3 /usr/local/sbin/hold-device $group {"$address" if opens else ""}
pid=$(systemctl show --value -p MainPID lab-test-soak)
for n in $(seq 100); do
    ls -l /proc/$pid/fd | grep -q {"vfio-device" if opens else "$group"} && exec stat -L -c %i $vf
    sleep 0.1
done
exit 1
""",
        )
        done = self._run(f"{LOCKS} sh /run/hold", timeout_seconds=300)
        if done.rc:
            self._run("systemctl stop lab-test-soak")
            return "a VM found no VF to take"
        self.held = (f"virtfn{index}", done.stdout.strip())
        return f"VF {index} taken by a VM" + (" that has it open" if opens else "")

    def let_go(self) -> str:
        self.held = None
        self.has_touched_vfs = True  # what waited for it is done now
        self._run("systemctl stop lab-test-soak")
        return "VF let go"

    # -- who we depend on --

    def udevd(self) -> str:
        how = self._random.choice(["restart", "stop", "freeze"])
        if how == "restart":
            self._run("systemctl restart systemd-udevd")
        elif how == "stop":
            self._run(f"systemctl stop {UDEVD}")
            self.wounds.append(f"systemctl start {UDEVD}")
        else:
            self._run("systemctl kill --signal=STOP systemd-udevd")
            self.wounds.append("systemctl kill --signal=CONT systemd-udevd")
        return f"udevd: {how}"

    def bus(self) -> str:
        how = self._random.choice(["KILL", "STOP"])
        self._run(f"systemctl kill --signal={how} dbus.service")
        if how == "STOP":
            self.wounds.append("systemctl kill --signal=CONT dbus.service")
        return f"dbus-daemon: SIG{how}"

    def clock(self) -> str:
        seconds = self._random.choice([-86400, -30, 90, 3600, 86400])
        self._run(f"date -s @$(($(date +%s) + {seconds}))")
        return f"clock set by {seconds} s"

    def fill_run(self) -> str:
        """Soon undone: journal and systemd need the room as well."""
        self._run("dd if=/dev/zero of=/run/filler bs=64k 2>/dev/null; sleep 2; rm /run/filler")
        return "/run full for 2 s"

    # -- the service --

    def kill(self) -> str:
        whom = self._random.choice(["main", "all"])
        delay = 3 * self._random.random()
        also = ""
        if not self.held and self._random.random() < 0.7:  # so that there is something to be killed at
            also = f"echo 0 >{DEVICES}/{PF1}/sriov_numvfs; "
            self.has_touched_vfs = True
        self._run(f"{also}sleep {delay:.2f}; systemctl kill --signal=KILL --kill-whom={whom} {UNIT}")
        return f"{'echo 0, ' if also else ''}kill -9 of {whom} after {delay:.2f} s"

    def restart_service(self) -> str:
        self._run(f"systemctl restart {UNIT}", timeout_seconds=300)
        return "service restarted"

    def edit(self) -> str:
        self.has_touched_vfs = True
        count = self._random.choice([2, 4, 7, 32])
        self._guest.vm.write(CONFIG_FILE, config(count, self._random.choice([1, 3])))
        self._run(f"systemctl reload {UNIT}")
        return f"config: {count} VFs"

    def break_config(self) -> str:
        text = self._random.choice(BROKEN)
        self._run(f"printf '{text}' >{CONFIG_FILE}; systemctl reload {UNIT}")
        return "config broken"
