"""What `--help` says of each command, with examples. Only loaded with the parser."""

from typing import NamedTuple


class VerbHelp(NamedTuple):
    """`line` is for the list of commands, `exit_codes` what another code than 0 means where it is not the usual."""

    line: str
    description: str
    examples: dict[str, str]
    exit_codes: str = ""

    @property
    def epilog(self) -> str:
        """The examples, each with what it does, and the exit codes."""
        width = max(map(len, self.examples), default=0)
        examples = [f"  sriov-bootstrap {words:{width}}  {text}".rstrip() for words, text in self.examples.items()]
        exit_codes = f"\nexit code: {self.exit_codes}" if self.exit_codes else ""
        return "\n".join(["examples:", *examples, exit_codes]).rstrip() if examples else ""


VERB_HELP = {
    "run": VerbHelp(
        "the daemon: apply, watch udev, repair, write the page of metrics",
        """\
Runs a pass at once, then after udev events, after SIGHUP (systemctl reload),
and every ten minutes. The unit sriov-bootstrap.service runs it; by hand, use
--once instead. Needs root.""",
        {},
    ),
    "status": VerbHelp(
        "the state, the desired state, and why they differ",
        """\
Shows for each rule its PFs, the VFs that they have and should have, how many
are in use, and why a PF is not as desired. Changes nothing and needs no
daemon.""",
        {
            "status": "",
            "status --wait=60": "until every PF is as desired, for a minute at most",
            "status --json": "for programs",
        },
        "3 if some PF is not as desired",
    ),
    "doctor": VerbHelp(
        "what is wrong, from the firmware to the agent",
        """\
Looks for problems in firmware, kernel, drivers, PFs and VFs, in other programs
that set VFs, and in the files of nova and neutron. Each finding has a code,
what was read and where, and what to type. Changes nothing, and works without
root; what it could not read is said.""",
        {
            "doctor": "every finding, the worst first",
            "doctor explain SB-E101": "one code: what is looked at, what it means, what to do",
            "doctor explain": "all codes",
        },
        "3 if there are findings",
    ),
    "release": VerbHelp(
        "remove VFs that no rule asks for any more",
        """\
Removes the VFs that were made for a rule which is gone: the daemon leaves them
as they are. VFs in use stay, unless --force. Needs root.""",
        {
            "release 0000:3b:00.0 --dry-run": "what would be removed, and who uses it",
            "release 0000:3b:00.0": "",
        },
        "3 if the VFs are still there, 2 if they are not ours or a rule asks for them",
    ),
    "check-config": VerbHelp(
        "read the config and report what is wrong with it",
        """\
Names every mistake by file, rule and key, and notes what is valid but will not
work with the driver that a rule names. Needs no root, no NIC and no daemon.""",
        {
            "check-config": "the installed files",
            "check-config new.toml": "a file before it is installed",
        },
        "2 if something is wrong",
    ),
    "helper": VerbHelp("for sriov-bootstrap's own units, not for people", "Run by the units beside the service.", {}),
    "init": VerbHelp(
        "print a commented config for this host's NICs",
        """\
Describes each PF of this host and its VFs as they are now; applied as it is,
it changes nothing. The rule for a PF without VFs is commented out.""",
        {"init > /etc/sriov-bootstrap/config.toml": "a config to start from"},
    ),
    "migrate": VerbHelp(
        "print the config that replaces rc.local lines, udev rules, ...",
        """\
Finds what sets VFs on this host today: boot scripts, units, udev rules, .link
files, netplan, NetworkManager, os-net-config, modprobe options and more. Prints
the config that replaces it, and the lines to remove. A rule that is in doubt is
commented out, with the reason. Changes nothing.""",
        {
            "migrate": "look at it first",
            "migrate > /etc/sriov-bootstrap/config.toml": "then take it over",
            "--once --dry-run": "nothing should change",
        },
    ),
    "render": VerbHelp(
        "print or install files for kernel, nova, neutron",
        """\
Makes, from the rules and the VFs that are there, what else a compute host with
SR-IOV needs: kernel parameters, device_spec for nova-compute, mappings for the
SR-IOV agent, lines for neutron-server and the scheduler, XML for libvirt.""",
        {
            "render --list": "the targets",
            "render nova-compute": "print one",
            "render all --diff": "how the installed files differ",
            "render all --write": "install all of them as drop-ins",
            "render libvirt 0000:3b:10.2": "a VF for a VM, for virsh attach-device",
        },
        "3 if --diff finds differences, or something could not be made",
    ),
    "verify": VerbHelp(
        "prove that VFs work, here and in a cloud",
        """\
`verify vf` gives a free VF to a VM of its own, which sends and receives frames
with it, and puts everything back; `verify host` does so with one VF of each PF.
`verify openstack` asks neutron and nova what they make of this host's VFs, and
has a port bound.""",
        {
            "verify vf ens1f0": "a free VF of this PF; one in use is never taken",
            "verify host": "one VF of each PF, at the same time",
            "verify openstack --check": "only look: agent, mapping, network, VFs",
            "verify openstack --network NET": "a port that neutron binds and we delete",
        },
        "3 if something failed, with its cause and what to do",
    ),
    "openstack": VerbHelp(
        "give a running server a VF, or take it away",
        """\
Makes a port on a network of the host's physical network and attaches it, or
detaches it and deletes it. Needs an operator's credentials, not root.""",
        {
            "openstack attach-port SERVER --network NET": "",
            "openstack detach-port SERVER": "",
        },
    ),
}
