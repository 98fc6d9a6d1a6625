"""The long form of the codes 3xx: somebody else sets the same VFs. From 301 on certainly, from 351 on perhaps."""

import textwrap

from msgspec import Struct

from sriov_bootstrap.conflicts.survey import Format
from sriov_bootstrap.core.finding import Explanation


class Kind(Struct, frozen=True):
    """A way to set VFs. `formats`: whose findings have its codes; `looked`, `remedy`: paragraphs of the long form."""

    number: int
    formats: tuple[Format, ...]
    what: str
    looked: str
    remedy: str


KINDS = (
    Kind(
        1,
        (Format.SCRIPT,),
        "a script sets VFs of ours",
        """\
/etc/rc.local, /etc/rc.d/rc.local, /etc/init.d/boot.local, hooks of ifupdown (/etc/network/if-*.d), of
NetworkManager (dispatcher.d) and of TripleO (/sbin/ifup-local, /etc/sysconfig/allocate_vfs), and the scripts that
these, units, cron tables and udev rules run. Commands that write to a sriov_numvfs: echo, printf, tee, dd, with
variables, loops and pipes followed as far as that goes without running anything. Comments and reads do not count.""",
        "delete the line, or put it out of action with an editor where it is part of a loop or a condition.",
    ),
    Kind(
        2,
        (Format.UNIT,),
        "a systemd unit sets VFs of ours",
        """\
Exec lines of the services in /etc, /run, /usr/local/lib and /usr/lib/systemd/system, with their drop-ins, that
something pulls in: a unit that is disabled is no finding. A redirection counts inside of `sh -c '...'` only, because
systemd has none.""",
        """\
disable the unit, without --now: its ExecStop= often writes 0, which destroys the VFs under your VMs. Then
remove it.""",
    ),
    Kind(
        3,
        (Format.UDEV,),
        "a udev rule sets VFs of ours",
        """\
rules.d in /etc, /run, /usr/local/lib and /usr/lib/udev; a file hides those of its name in lower folders. ATTR{...}
assignments to sriov_numvfs, and RUN that writes to it.""",
        "take the assignment out of the rule, and tell udev: udevadm control --reload.",
    ),
    Kind(
        4,
        (Format.LINK,),
        "a .link file sets VFs of ours",
        """\
*.link and their drop-ins in /etc, /run, /usr/local/lib and /usr/lib/systemd/network, in the order of their names: udev
takes the first whose [Match] section fits. SR-IOVVirtualFunctions=, or the largest VirtualFunction= in [SR-IOV].""",
        "take the keys out; what else the [SR-IOV] sections say needs VFs, which udev then finds at its next event.",
    ),
    Kind(
        5,
        (Format.NETPLAN,),
        "netplan sets VFs of ours",
        """\
*.yaml in /etc, /run, /usr/lib and /lib/netplan, merged as netplan does. `virtual-function-count` of a PF, and the
number of VFs that are described with `link:`; netplan makes as many as the larger one of the two says.""",
        "take virtual-function-count and the VFs out, then run netplan generate. netplan apply changes VFs by itself.",
    ),
    Kind(
        6,
        (Format.NETWORK_MANAGER, Format.IFCFG),
        "a NetworkManager profile sets VFs of ours",
        """\
system-connections in /etc, /run and /usr/lib/NetworkManager ([sriov] total-vfs; only root may read them), and
SRIOV_TOTAL_VFS in /etc/sysconfig/network-scripts/ifcfg-*.""",
        """\
remove the setting: nmcli connection modify PROFILE remove sriov. Do it before the profile is activated again:
NetworkManager sets the number when it activates a profile, and 0 when it takes it down.""",
    ),
    Kind(
        7,
        (Format.OS_NET_CONFIG,),
        "os-net-config sets VFs of ours",
        """\
config.yaml, config.json and sriov_config.yaml in /etc/os-net-config, and /var/lib/os-net-config/sriov_config.yaml:
PFs with numvfs. A name such as nic3 is os-net-config's own, and cannot be told from here.""",
        "take the sriov_pf out of the template that made the file, or it comes back with the next deployment.",
    ),
    Kind(
        8,
        (Format.SHIM,),
        "sriov-netplan-shim sets VFs of ours",
        "/etc/sriov-netplan-shim/interfaces.yaml. The shim sets the device's maximum where the file asks for more.",
        """\
take the interface out of the file. A charm writes it anew: unset its sriov-numvfs or sriov-device-mappings first.""",
    ),
    Kind(
        9,
        (Format.DRIVERCTL,),
        "driverctl gives a PF or VF of ours another driver",
        "/etc/driverctl.d, in which the name of a file is a PCI address and its text a driver.",
        "driverctl unset-override ADDRESS. Of a VF that a VM holds do it when the VM is off.",
    ),
    Kind(
        10,
        (Format.MODPROBE,),
        "a module parameter sets VFs of ours",
        """\
max_vfs in *.conf in /etc, /run, /usr/local/lib, /usr/lib and /lib/modprobe.d; a file hides those of its name in lower
folders. Ours, sriov-bootstrap-DRIVER.conf, is none of them. max_vfs is one number for every PF of the driver; mainline
igb takes 7 where more is asked for, and does not load at all with a list such as 2,4.""",
        """\
take max_vfs out of the file, and make the initramfs anew (update-initramfs -u, dracut --force), or it comes back at
boot. Where VFs have to come from the parameter, say so in the rule: method = "max_vfs".""",
    ),
    Kind(
        11,
        (Format.KERNEL,),
        "the kernel command line sets VFs of ours",
        "DRIVER.max_vfs=N in /proc/cmdline: the line that this kernel was started with.",
        "take it off in the boot loader's config (/etc/default/grub and update-grub, or grubby), and reboot.",
    ),
    Kind(
        12,
        (Format.OPERATOR,),
        "sriov-network-operator sets VFs of ours",
        """\
/etc/sriov-operator/sriov-interface-config.yaml, which its unit applies, and /etc/sriov-operator/pci, where it notes
what it has set last. PFs with externallyManaged are not its own.""",
        "choose one of the two: leave the PF out of every policy, set externallyManaged, or remove our rule for it.",
    ),
    Kind(
        13,
        (Format.INTERFACES,),
        "/etc/network/interfaces sets VFs of ours",
        "up, pre-up, post-up and the down hooks in /etc/network/interfaces and interfaces.d.",
        "delete the line. A pre-up of a VF's own iface is not needed: our service is done before networking begins.",
    ),
    Kind(
        14,
        (Format.CRON,),
        "a cron job sets VFs of ours",
        "/etc/crontab, /etc/cron.d and the tables in /var/spool/cron, which only root may read: not only @reboot.",
        "delete the line (crontab -e for the tables of users).",
    ),
)

CODES_OF = {one: (f"SB-E3{kind.number:02d}", f"SB-W3{kind.number + 50:02d}") for kind in KINDS for one in kind.formats}

WIDTH = 118
FIGHT = """\
Something else sets the number of VFs of a PF that a rule of sriov-bootstrap takes, and sets another number. Whoever
comes last wins until the other one looks again; each change goes through 0, so every VF of that PF is destroyed and
made anew, without its MAC and VLAN, under whoever uses it. Nobody but sriov-bootstrap asks whether a VM has one.
"""
DOUBT = """\
Something else sets VFs of a PF that a rule of sriov-bootstrap takes: the same number, or a number, a PF or a moment
that cannot be told from what was read. While both agree nothing happens; the day that one of them is changed, VFs are
destroyed under whoever uses them, and nobody looks for the second place.
"""
DRIVER = """\
driverctl gives a device another driver at each boot. A PF with vfio-pci has no VFs: none of its own, none of ours. A
VF with vfio-pci is "assigned" to the SR-IOV agent, whoever has it, where the rule leaves VFs to the kernel.
"""


def _explanation(kind: Kind, *, is_error: bool) -> Explanation:
    meaning = DRIVER if kind.formats == (Format.DRIVERCTL,) else FIGHT if is_error else DOUBT
    title = kind.what if is_error else f"{kind.what}, or may"
    paragraphs = (_filled(f"Looked at: {kind.looked}"), _filled(f"What to do: {kind.remedy}"))
    return Explanation(title, "\n".join((meaning, f"{paragraphs[0]}\n", f"{paragraphs[1]}\n")))


def _filled(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


MASTER_CODES: dict[str, Explanation] = {
    code: _explanation(kind, is_error=is_error)
    for kind in KINDS
    for code, is_error in zip(CODES_OF[kind.formats[0]], (True, False), strict=True)
}
