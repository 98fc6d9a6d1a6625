"""The long form of the codes 7xx: our own service and its config."""

from sriov_bootstrap.core.finding import Explanation

SERVICE_CODES: dict[str, Explanation] = {
    "SB-E701": Explanation(
        "the config of sriov-bootstrap cannot be used",
        """\
A file of the config is broken, or says what cannot be. The daemon keeps the last config that was good for as long as
it runs; after the next boot it has none, and no VF is made.

Looked at: the files that `sriov-bootstrap check-config` reads, by the same code.

What to do: correct the file and line that the finding names; `sriov-bootstrap check-config` says when it is good. The
daemon reads it by itself at its next pass: systemctl reload sriov-bootstrap makes that now.
""",
    ),
    "SB-E702": Explanation(
        "sriov-bootstrap.service will not start at the next boot",
        """\
The VFs of today are there because somebody or something made them; after the next boot there are none, and
nova-compute offers a host without them.

Looked at: the links in *.target.wants below /etc, /run and /usr/lib/systemd/system, links to /dev/null, and LoadState
and UnitFileState of systemctl show.

What to do: systemctl enable sriov-bootstrap.service; where it is masked first: systemctl unmask. In an image: systemctl
--root=DIR enable, or a preset that systemd applies at the first boot.
""",
    ),
    "SB-E703": Explanation(
        "sriov-bootstrap.service is switched off",
        """\
One of the two kill switches is on: the file /etc/sriov-bootstrap/disabled, or sriov_bootstrap=0 on the kernel command
line. The unit's conditions keep it from starting, without a failure that anybody would see.

Looked at: the file, and /proc/cmdline of the kernel that runs.

What to do: rm /etc/sriov-bootstrap/disabled, or take the word off the kernel command line in the boot loader's config
and reboot; then systemctl start sriov-bootstrap.service. Who meant it: remove the rules, and nothing is asked for.
""",
    ),
    "SB-E704": Explanation(
        "sriov-bootstrap.service does not run",
        """\
VFs that are there stay. Those that a driver reload, a reset or a new NIC takes away do not come back, no service is
restarted for them, and the metrics are gone.

Looked at: systemctl show sriov-bootstrap.service: ActiveState, Result.

What to do: journalctl -b -u sriov-bootstrap.service says why it ended; systemctl start sriov-bootstrap.service.
""",
    ),
    "SB-W705": Explanation(
        "a helper unit that this host needs is masked",
        """\
sriov-bootstrap-holders.service looks who has a VF open, sriov-bootstrap-reload@.service reloads a driver. Masking one
of them forbids it that. Without the first, VFs that are bound to vfio count as in use, all of them, and their number
never changes; without the second, method = "max_vfs" waits for a reboot.

Looked at: links to /dev/null in /etc and /run/systemd/system, the drivers of the VFs, and the rules.

What to do: systemctl unmask the unit; or, where it is meant, set reload_driver = false in the rule.
""",
    ),
    "SB-W706": Explanation(
        "the config on disk is newer than what the last pass has read",
        """\
What the files say now is not what is in force. The daemon reads them at its next pass, ten minutes after the last one
at the latest.

Looked at: the files that count now and what is in them, against the list and the checksums in state.json.

What to do: systemctl reload sriov-bootstrap makes a pass now, and so does sriov-bootstrap --once; with --dry-run it
only says what it would do.
""",
    ),
    "SB-E707": Explanation(
        "no pass since boot",
        """\
The service runs, and its first pass has not come to an end, or could not be remembered: nothing is known of the VFs.

Looked at: /run/sriov-bootstrap/state/state.json, which is of this boot or counts as not there.

What to do: journalctl -b -u sriov-bootstrap.service; sriov-bootstrap --once shows what a pass waits for.
""",
    ),
    "SB-E708": Explanation(
        "the last pass was long ago",
        """\
Without an event a pass is made every ten minutes. One that is long overdue means a daemon that is stopped or hangs.

Looked at: when the last pass ended, in state.json, on a clock that nobody sets.

What to do: journalctl -b -u sriov-bootstrap.service, then systemctl restart sriov-bootstrap.service. VFs stay.
""",
    ),
    "SB-W709": Explanation(
        "a restart of nova-compute or the agent is overdue",
        """\
VFs changed, and a service that has seen the old ones was not restarted. The SR-IOV agent never finds new VFs by
itself: ports on them do not come up.

Looked at: the pending restart in state.json, and the waits that [services] allows for; one that has failed has its
tries as well.

What to do: sriov-bootstrap --once makes a round of restarts and says what fails; sriov-bootstrap status names the PFs.
""",
    ),
    "SB-E710": Explanation(
        "work on a PF waits for whoever uses its VFs",
        """\
The rule asks for something that would destroy VFs somebody uses, or that has to wait for such a PF. It is done by
itself when the VFs are released.

Looked at: the report of the last pass, in state.json, with the users that it found.

What to do: migrate or stop the VMs, or end the processes, that the finding names; or leave the number as it is and
correct the rule. when_in_use = "replace" does it anyway, and takes the VFs from under them.
""",
    ),
    "SB-E711": Explanation(
        "a write to the kernel does not come back",
        """\
A process writes sriov_numvfs, and the kernel keeps it: it cannot be killed. Until it is over no other PF can be changed
either, because the kernel has one lock for all of them.

Looked at: /run/sriov-bootstrap/state/write.lock, which that process holds, and how long it may take for that many VFs.

What to do: end the VM or process that holds a VF of that PF, which the finding names where it is known; journalctl -k
has the kernel's words. The service goes on by itself then. If nobody holds one, only a reboot helps.
""",
    ),
    "SB-E712": Explanation(
        "a PF is not as its rule asks",
        """\
The last pass ended with PFs that do not have what their rules ask for: missing, without a driver, refused by the
kernel.

Looked at: the report of the last pass, in state.json.

What to do: sriov-bootstrap status says for each of them why, and what to do.
""",
    ),
    "SB-W713": Explanation(
        "VFs are left over that no rule asks for",
        """\
The service made these VFs, the rule is gone, and what it does not configure it does not touch: they stay until somebody
removes them or the host boots.

Looked at: which VFs are ours, in state.json, against the rules.

What to do: sriov-bootstrap release ADDRESS removes them, unless somebody uses them; a rule with that number keeps them.
""",
    ),
    "SB-E714": Explanation(
        "[metrics] web_config cannot be used",
        """\
The file that says who may see the metrics is broken, or a file that it names. The daemon keeps the last good one in
force; after its next start the endpoint stays closed, and the alerts say that the host is gone.

Looked at: the file that [metrics] web_config names and those that it names, by the code of check-config.

What to do: correct it, then sriov-bootstrap check-config. It is in force for the next connection.
""",
    ),
    "SB-W715": Explanation(
        "a rendered file is older than the config",
        """\
`sriov-bootstrap render TARGET --write` has made this file, and would make another one now: the config, templates or the
NICs have changed since. Kernel, udev, nova or the agent still go by the old one.

Looked at: the files of `render all` that are there and have its mark in their first line.

What to do: sriov-bootstrap render all --diff, then --write; it says which service has to be restarted.
""",
    ),
    "SB-W716": Explanation(
        "systemd has an old version of our unit",
        """\
The unit's file or a drop-in was changed, and systemd was not told: what it says is not in force.

Looked at: NeedDaemonReload of systemctl show.

What to do: systemctl daemon-reload && systemctl restart sriov-bootstrap.service. VFs stay.
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
}
