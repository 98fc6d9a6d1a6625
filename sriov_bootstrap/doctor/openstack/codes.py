"""The long form of the codes about nova's and neutron's files as files: 522, 53x."""

from sriov_bootstrap.core.finding import Explanation

FILE_CODES: dict[str, Explanation] = {
    "SB-E522": Explanation(
        "a file with the agent's lists is not read by the agent",
        """\
The agent reads the files named in its unit's command, and the drop-ins in its own folder. A file such as
/etc/neutron/plugins/ml2/sriov_agent.ini is read only if the unit names it with --config-file. An agent without
mappings starts, reports itself alive, and binds nothing.

Looked at: the command line of the agent's process, or ExecStart of its unit with all drop-ins, and of the script that
it runs with /etc/default; against the files with well-known names that set physical_device_mappings or
exclude_devices.

What to do: name the file in the unit, as the finding shows, then systemctl daemon-reload and restart the agent. If
the agent already reads another such list, keep only one of the two.
""",
    ),
    "SB-E531": Explanation(
        "oslo.config cannot read a file",
        """\
A single line that oslo.config does not understand keeps the service from starting: a section without its ] or with
text after it, a line without = or :, an indented line that continues nothing, an option before the first section, or
bytes that are not UTF-8. A running service keeps what it read before, until it is restarted.

Looked at: every file that the services on this host read, by oslo.config's own rules.

What to do: correct the line that the finding names. A comment begins with # or ; in the first column.
""",
    ),
    "SB-E532": Explanation(
        "a unit names a file that does not exist",
        """\
A file or folder named on the command line must exist: otherwise oslo.config ends the service with "Failed to find
some config files".

Looked at: --config-file and --config-dir in the command of each service on this host.

What to do: restore the file, or remove it from the command with systemctl edit, systemctl daemon-reload, and start
the service.
""",
    ),
    "SB-E533": Explanation(
        "[default] is not [DEFAULT]",
        """\
oslo.config ignores case in section names, with this one exception: [default] and [Default] are sections of their own,
and whatever is in them is silently ignored.

Looked at: the names of the sections in the files that neutron's services and nova-scheduler read.

What to do: write [DEFAULT], and restart the service. If the section has options that belong in another one, move them
there.
""",
    ),
    "SB-E534": Explanation(
        "an option is in a section where it is not read",
        """\
An option only counts in its own section. In another one, or in one whose name is misspelt, it is silently ignored.

Looked at: where the files of the agent, the server and the scheduler set the options that SR-IOV needs:
physical_device_mappings, exclude_devices, mechanism_drivers, type_drivers, network_vlan_ranges, flat_networks,
enabled_filters, available_filters.

What to do: move the line to the section that the finding names, and restart the service.
""",
    ),
    "SB-W535": Explanation(
        "an option is set twice in one file, and only the last counts",
        """\
oslo.config adds up the lines of only a few options, such as device_spec and alias. Of all others the last line replaces
the ones before it, without a word: of two lines with network_vlan_ranges, the networks of the first are unknown.

Looked at: mechanism_drivers, type_drivers, network_vlan_ranges, flat_networks, enabled_filters and report_in_placement
in each file that a service on this host reads. A later file that sets an option again is not reported.

What to do: put everything in one line, separated by commas, and restart the service.
""",
    ),
}
