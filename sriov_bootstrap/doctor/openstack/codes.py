"""The long form of the codes about nova's and neutron's files as files: 522, 53x."""

from sriov_bootstrap.core.finding import Explanation

FILE_CODES: dict[str, Explanation] = {
    "SB-E522": Explanation(
        "a file with the agent's lists is not read by the agent",
        """\
The agent reads what the command of its unit names, and drop-ins in its own folder. A file such as
/etc/neutron/plugins/ml2/sriov_agent.ini is read because the unit names it with --config-file, and for no other
reason. An agent without mappings starts, reports itself alive, and binds nothing.

Looked at: the command line of the agent's process, or ExecStart of its unit with all drop-ins, and of the script that
it runs with /etc/default; against files of known names that have physical_device_mappings or exclude_devices.

What to do: name the file in the unit, as the finding writes it, then systemctl daemon-reload and restart the agent.
Where the agent has another list that it reads, keep one of the two.
""",
    ),
    "SB-E531": Explanation(
        "oslo.config cannot read a file",
        """\
One line that oslo.config does not understand, and the service does not start: a section without its ], anything
behind it, a line without = or :, one that begins with a blank where nothing goes on, an option before the first
section, or bytes that are not UTF-8. A service that runs goes on with what it read before, until somebody restarts
it.

Looked at: every file that the services on this host read, by the same rules.

What to do: correct the line that the finding names. A comment begins with # or ; in the first column.
""",
    ),
    "SB-E532": Explanation(
        "a unit names a file that is not there",
        """\
A file or a folder that the command line names must exist: oslo.config ends the service with "Failed to find some
config files".

Looked at: --config-file and --config-dir in the command of each service on this host.

What to do: put the file back, or take it out of the command with systemctl edit, systemctl daemon-reload, and start
the service.
""",
    ),
    "SB-E533": Explanation(
        "[default] is not [DEFAULT]",
        """\
oslo.config compares the names of sections without regard to capital letters, except for this one: [default] and
[Default] are sections of their own, and what is in them is ignored in silence.

Looked at: the names of the sections in the files that neutron's services and nova-scheduler read.

What to do: write [DEFAULT], and restart the service. If the section has options of another one, move them there.
""",
    ),
    "SB-E534": Explanation(
        "an option is in a section where it is not looked for",
        """\
An option counts in its own section only. In another one, or in one whose name is misspelt, it is ignored in silence.

Looked at: where the files of the agent, the server and the scheduler have the options that SR-IOV needs:
physical_device_mappings, exclude_devices, mechanism_drivers, type_drivers, network_vlan_ranges, flat_networks,
enabled_filters, available_filters.

What to do: move the line below the section that the finding names, and restart the service.
""",
    ),
}
