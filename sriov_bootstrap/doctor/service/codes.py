"""The long form of the codes 7xx: our own service and its config."""

from sriov_bootstrap.core.finding import Explanation

SERVICE_CODES: dict[str, Explanation] = {
    "SB-E701": Explanation(
        "the config of sriov-bootstrap cannot be used",
        """\
A config file is broken, or its values contradict each other. The daemon keeps the last valid config for as long as it
runs; after the next boot it has none, and no VFs are created. A mistake in a [[pf.vf]] table costs no more than the
tables of its rule: its PF gets the VFs that are asked for, and nothing is set for them.

Looked at: the files that `sriov-bootstrap check-config` reads, with the same code.

What to do: correct the file and line that the finding names; `sriov-bootstrap check-config` says when it is valid.
The daemon reads it automatically at its next pass; systemctl reload sriov-bootstrap starts one now.
""",
    ),
    "SB-E702": Explanation(
        "sriov-bootstrap.service will not start at the next boot",
        """\
Today's VFs exist because someone or something created them; after the next boot there will be none, and nova-compute
will offer a host without VFs.

Looked at: the links in *.target.wants below /etc, /run and /usr/lib/systemd/system, links to /dev/null, and LoadState
and UnitFileState of systemctl show.

What to do: systemctl enable sriov-bootstrap.service; if it is masked, first systemctl unmask. In an image: systemctl
--root=DIR enable, or a preset that systemd applies at the first boot.
""",
    ),
    "SB-E703": Explanation(
        "sriov-bootstrap.service is switched off",
        """\
One of the two kill switches is on: the file /etc/sriov-bootstrap/disabled, or sriov_bootstrap=0 on the kernel command
line. The unit's conditions keep it from starting, without a visible failure. A service that runs goes on until it is
stopped.

Looked at: the file, and /proc/cmdline of the running kernel.

What to do: rm /etc/sriov-bootstrap/disabled, or remove the parameter from the kernel command line in the boot
loader's config and reboot; then systemctl start sriov-bootstrap.service. If it is meant to stay off, systemctl stop
sriov-bootstrap.service if it runs, and remove the rules: nothing is asked for then.
""",
    ),
    "SB-E704": Explanation(
        "sriov-bootstrap.service is not running",
        """\
Existing VFs stay. VFs lost to a driver reload, a reset or a replaced NIC are not created again, no service is
restarted for them, and the metrics stay as the last pass left them.

Looked at: systemctl show sriov-bootstrap.service: ActiveState, Result.

What to do: journalctl -b -u sriov-bootstrap.service says why it ended; then systemctl start sriov-bootstrap.service.
""",
    ),
    "SB-W705": Explanation(
        "a helper unit that this host needs is masked",
        """\
sriov-bootstrap-holders.service finds out what has a VF open, sriov-bootstrap-reload@.service reloads a driver,
sriov-bootstrap-load@.service loads one. Masking one of them forbids that. Without the first, all VFs bound to vfio
count as in use, and their number never changes; without the second, method = "max_vfs" waits for a reboot; without the
third, VFs do not get the driver that vf_driver names, as its module is not loaded.

Looked at: links to /dev/null in /etc and /run/systemd/system, the drivers of the VFs, the rules, and the drivers that
the kernel has.

What to do: systemctl unmask the unit; or, if this is intended, set reload_driver = false in the rule, or have
systemd load the module that vf_driver names, by a file in /etc/modules-load.d.
""",
    ),
    "SB-W706": Explanation(
        "the config on disk is newer than the one that the last pass read",
        """\
What the files say now is not in force yet. The daemon reads them at its next pass, at the latest ten minutes after
the last one.

Looked at: the files that count now and their contents, against the list and the checksums in state.json.

What to do: systemctl reload sriov-bootstrap starts a pass now, and so does sriov-bootstrap --once; with --dry-run it
only says what it would do.
""",
    ),
    "SB-E707": Explanation(
        "no pass since boot",
        """\
The service is running, but its first pass has not finished, or its result could not be saved: nothing is known about
the VFs.

Looked at: /run/sriov-bootstrap/state/state.json, which counts only if it is from this boot.

What to do: journalctl -b -u sriov-bootstrap.service; sriov-bootstrap --once shows what a pass is waiting for.
""",
    ),
    "SB-E708": Explanation(
        "the last pass was long ago",
        """\
Even without an event, a pass runs every ten minutes. If one is long overdue, the daemon is stopped or hangs.

Looked at: when the last pass ended, in state.json, by a clock that cannot be set.

What to do: journalctl -b -u sriov-bootstrap.service, then systemctl restart sriov-bootstrap.service. VFs stay.
""",
    ),
    "SB-W709": Explanation(
        "a restart of nova-compute or the agent is overdue",
        """\
VFs changed, and a service that knows the old ones was not restarted. The SR-IOV agent never finds new VFs on its own:
ports on them do not come up.

Looked at: the pending restart in state.json, and the waits that [services] allows; for a failed restart, its retries
as well.

What to do: sriov-bootstrap --once runs a round of restarts and says what fails; sriov-bootstrap status names the PFs.
""",
    ),
    "SB-E710": Explanation(
        "a change to a PF is waiting for its VFs to be released",
        """\
The rule asks for something that would destroy VFs in use, or that has to wait for such a PF. It is applied
automatically once the VFs are released.

Looked at: the report of the last pass, in state.json, with the users that it found.

What to do: migrate or stop the VMs, or end the processes, that the finding names; or leave the number as it is and
correct the rule. when_in_use = "replace" goes ahead anyway, and takes the VFs away from their users.
""",
    ),
    "SB-E711": Explanation(
        "a write to the kernel does not return",
        """\
A process is writing sriov_numvfs and is stuck in the kernel: it cannot be killed. Until the write returns, no other
PF can be changed either, because the kernel has one lock for all of them.

Looked at: /run/sriov-bootstrap/state/write.lock, which that process holds, and how long that many VFs may take.

What to do: end the VM or process that holds a VF of that PF, which the finding names if known; journalctl -k has the
kernel's messages. The service then continues automatically. If no VF is held, only a reboot helps.
""",
    ),
    "SB-E712": Explanation(
        "a PF is not as its rule asks",
        """\
After the last pass, some PFs do not have what their rules ask for: they are missing, have no driver, or the kernel
refused.

Looked at: the report of the last pass, in state.json.

What to do: sriov-bootstrap status says why for each of them, and what to do.
""",
    ),
    "SB-W713": Explanation(
        "VFs are left over that no rule asks for",
        """\
The service created these VFs, and their rule is gone. It does not touch what it does not configure, so they stay
until they are removed by hand or the host reboots.

Looked at: which VFs are ours, in state.json, against the rules.

What to do: sriov-bootstrap release ADDRESS removes them, unless they are in use; a rule with that number keeps them.
""",
    ),
    "SB-E714": Explanation(
        "[metrics] web_config cannot be used",
        """\
The file that says who may read the metrics, or a file that it names, is broken. The last valid one stays in force;
after the next boot the endpoint stays closed, and the alerts report the host as gone.

Looked at: the file that [metrics] web_config names and the files named there, with the code of check-config.

What to do: correct it, then run sriov-bootstrap check-config. It takes effect at once, as the endpoint is restarted.
""",
    ),
    "SB-W715": Explanation(
        "a rendered file is older than the config",
        """\
`sriov-bootstrap render TARGET --write` wrote this file, and would write a different one now: the config, the
templates or the NICs have changed since. The kernel, udev, nova or the agent still use the old one.

Looked at: the files of `render all` that exist and have its mark in their first line.

What to do: sriov-bootstrap render all --diff, then --write, which names the services to restart.
""",
    ),
    "SB-W716": Explanation(
        "systemd has an old version of our unit",
        """\
The unit file or a drop-in was changed, and systemd has not reloaded it: what it says is not in force.

Looked at: NeedDaemonReload of systemctl show.

What to do: systemctl daemon-reload && systemctl restart sriov-bootstrap.service. VFs stay.
""",
    ),
    "SB-E718": Explanation(
        "something else overwrites a PF's number of VFs",
        """\
The number was overwritten after sriov-bootstrap had written it, or between two passes. It is written again after a
pause, which grows each time up to five minutes: two programs that undo each other's work destroy all VFs each time.
The kernel does not record who writes sriov_numvfs. The probable writers are the files on this host that set that number
for this PF, and if there are none, those that set a number that could not be determined. udev applies a .link file at
every add or move event of the PF, NetworkManager a profile with [sriov] whenever it activates it, and an ordinary unit
or script when it is started.

Looked at: the last pass in state.json, and everything that is looked at for SB-E3xx and SB-W3xx.

What to do: let only one program set the number. Do what the finding says, then run sriov-bootstrap --once, which
does not wait for the pause to end. If no file is named, look for a program that does it: journalctl -b at the time of
the change, and automation that logs in from elsewhere.
""",
    ),
    "SB-W717": Explanation(
        "systemd-udevd does not run",
        """\
udevd passes on the kernel's device events. Without it the daemon looks only every ten minutes, so a PF may lack its VFs
for that long; netdevs keep the names that the kernel gave them.

Looked at: the processes systemd-udevd and udevd in /proc, where sriov-bootstrap.service runs.

What to do: systemctl start systemd-udevd; journalctl -b -u systemd-udevd says why it ended.
""",
    ),
    "SB-E719": Explanation(
        "the D-Bus library cannot be loaded",
        """\
nova-compute and the agent are restarted over D-Bus, with the library dbus-next. The Python that runs sriov-bootstrap
does not find it, or fails to load it, as may happen after an upgrade of Python. VFs are created and kept all the same;
restarts stay pending until the library loads.

Looked at: whether it loads, in a process of its own. No bus is asked.

What to do: install dbus-next for that Python; `sriov-bootstrap --once` then makes the restarts that are pending.
""",
    ),
}
