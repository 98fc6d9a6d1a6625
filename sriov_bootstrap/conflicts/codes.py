"""The long form of the codes 3xx: something else sets the same VFs. From 301 on certainly, from 351 on perhaps."""

import textwrap

from msgspec import Struct

from sriov_bootstrap.conflicts.survey import Format
from sriov_bootstrap.core.finding import Explanation


class ConflictKind(Struct, frozen=True):
    """A way to set VFs. `formats`: whose findings have its codes; `looked`, `remedy`: paragraphs of the long form."""

    number: int
    formats: tuple[Format, ...]
    what: str
    looked: str
    remedy: str


KINDS = (
    ConflictKind(
        1,
        (Format.SCRIPT,),
        "a script sets our VFs",
        """\
/etc/rc.local, /etc/rc.d/rc.local, /etc/init.d/boot.local, hooks of ifupdown (/etc/network/if-*.d), of NetworkManager
(dispatcher.d), of dhclient, of libvirt and of TripleO (/sbin/ifup-local, /etc/sysconfig/allocate_vfs),
/etc/profile.d, scripts of an initramfs (initramfs-tools, dracut), the scripts that these, units, cron tables and udev
rules run, and executable files below /etc that nothing known runs. Commands that write to a sriov_numvfs: echo,
printf, tee, dd; variables, loops and pipes are followed as far as possible without running anything. Comments and
reads do not count.""",
        "delete the line, or edit it out of the loop or condition that it is part of.",
    ),
    ConflictKind(
        2,
        (Format.UNIT, Format.ENVIRONMENT),
        "a systemd unit sets our VFs",
        """\
Exec lines of the services in /etc, /run, /usr/local/lib and /usr/lib/systemd/system, and of those that generators make
in /run/systemd, with their drop-ins, that something pulls in: a disabled unit is not reported. A redirection only
counts inside `sh -c '...'`, because systemd has none.""",
        """\
disable the unit, without --now: its ExecStop= often writes 0, which destroys VFs that VMs are using. Then remove
it.""",
    ),
    ConflictKind(
        3,
        (Format.UDEV,),
        "a udev rule sets our VFs",
        """\
rules.d in /etc, /run, /usr/local/lib and /usr/lib/udev; a file hides those of the same name in later folders. ATTR{...}
assignments to sriov_numvfs, and RUN, PROGRAM and IMPORT{program} that write to it.""",
        "remove the assignment from the rule, then reload: udevadm control --reload.",
    ),
    ConflictKind(
        4,
        (Format.LINK,),
        "a .link file sets our VFs",
        """\
*.link and their drop-ins in /etc, /run, /usr/local/lib and /usr/lib/systemd/network, in the order of their names: udev
takes the first whose [Match] section fits, and no other. SR-IOVVirtualFunctions=, of which one that is no number keeps
the one before it, or one more than the largest VirtualFunction= in [SR-IOV].""",
        """\
remove the key from the file and its drop-ins. With [SR-IOV] sections keep it, with the num_vfs of the rule: without it,
udev creates as many VFs as these sections need.""",
    ),
    ConflictKind(
        5,
        (Format.NETPLAN,),
        "netplan sets our VFs",
        """\
*.yaml in /etc, /run, /usr/lib and /lib/netplan, merged as netplan does. A PF's `virtual-function-count`, or where it is
missing the number of VFs described with `link:`; netplan refuses more of these than the key says, and never removes
VFs. Also `sriov.total-vfs` that an entry hands to NetworkManager by `passthrough:`.""",
        """\
remove virtual-function-count, then run netplan generate. While there are VFs with `link:`, or an embedded-switch-mode,
keep it instead, with the num_vfs of the rule: netplan then changes nothing. With another number, netplan apply destroys
all VFs of the PF.""",
    ),
    ConflictKind(
        6,
        (Format.NETWORK_MANAGER, Format.IFCFG),
        "a NetworkManager profile sets our VFs",
        """\
system-connections in /etc, /run and /usr/lib/NetworkManager ([sriov] total-vfs; readable by root only), and
SRIOV_TOTAL_VFS in /etc/sysconfig/network-scripts/ifcfg-*. A section [sriov] without a valid total-vfs means 0 VFs.""",
        """\
remove the setting: nmcli connection modify PROFILE remove sriov. NetworkManager sets the number when it activates a
profile, and 0 when it deactivates one that was activated with the setting: so a profile that is active now still costs
all VFs once. Activate it again while no VF is in use; or, since NetworkManager 1.54, write [connection] and
sriov.preserve-on-down=1 to a file in /etc/NetworkManager/conf.d, and nmcli general reload conf, before that.""",
    ),
    ConflictKind(
        7,
        (Format.OS_NET_CONFIG,),
        "os-net-config sets our VFs",
        """\
config.yaml, config.json and sriov_config.yaml in /etc/os-net-config, and /var/lib/os-net-config/sriov_config.yaml:
PFs with numvfs. A name such as nic3 is os-net-config's own, and cannot be resolved here.""",
        """\
remove the sriov_pf from the template that the file comes from, or the next deployment brings it back. If it also has
addresses, VFs or a link_mode, or belongs to a bond, keep it, with the num_vfs of the rule: os-net-config changes no
number that is right, and fails with another one.""",
    ),
    ConflictKind(
        8,
        (Format.SHIM,),
        "sriov-netplan-shim sets our VFs",
        "/etc/sriov-netplan-shim/interfaces.yaml. The shim sets the device's maximum where the file asks for more.",
        """\
remove the interface from the file. If a charm writes it: unset its sriov-numvfs or sriov-device-mappings first.""",
    ),
    ConflictKind(
        9,
        (Format.DRIVERCTL,),
        "driverctl gives one of our PFs or VFs another driver",
        "/etc/driverctl.d, where a file's name is a PCI address and its content a driver.",
        "driverctl unset-override ADDRESS. If a VM holds the VF, shut the VM down first.",
    ),
    ConflictKind(
        10,
        (Format.MODPROBE, Format.MODULE_LIST),
        "a module parameter sets our VFs",
        """\
max_vfs, num_vfs and num_vf in *.conf in /etc, /run, /usr/local/lib, /usr/lib and /lib/modprobe.d; a file hides those of
the same name in later folders, and of all lines the last one in the order of the files' names counts. Ours,
sriov-bootstrap-DRIVER.conf, does not count. max_vfs is one number for every PF of the driver, or a list with a number
for each port; igb and ixgbe as the kernel has them do not load at all with a list such as 2,4, which is for Intel's own
modules, and igb uses 7 if asked for more. mlx4_core takes
its number from num_vfs alone (VFs of port 1, of port 2 and of both), and nothing can be written to sriov_numvfs.
Options in /etc/initramfs-tools/modules count as well; those in /etc/modules only without systemd, those in
modules-load.d never.""",
        """\
remove the parameter from the file, and rebuild the initramfs (update-initramfs -u, dracut --force), or it comes back at
boot. If VFs have to come from the parameter, say so in the rule: method = "max_vfs".""",
    ),
    ConflictKind(
        11,
        (Format.KERNEL,),
        "the kernel command line sets our VFs",
        """\
DRIVER.max_vfs=N and DRIVER.num_vfs=N in /proc/cmdline, the command line of the running kernel, and in the files that
the next one comes from: /etc/default/grub and grub.d, /etc/kernel/cmdline, loader/entries/*.conf, grub.cfg, grubenv.
What is only in these is a warning.""",
        "remove it from the boot loader's config (/etc/default/grub and update-grub, or grubby), and reboot.",
    ),
    ConflictKind(
        12,
        (Format.OPERATOR,),
        "sriov-network-operator sets our VFs",
        """\
/etc/sriov-operator/sriov-interface-config.yaml, which its unit applies, and /etc/sriov-operator/pci, where it
records what it set last. PFs with externallyManaged do not count.""",
        "keep one of the two: leave the PF out of every policy, set externallyManaged, or remove our rule for it.",
    ),
    ConflictKind(
        13,
        (Format.INTERFACES,),
        "/etc/network/interfaces sets our VFs",
        "up, pre-up, post-up and the down hooks in /etc/network/interfaces and interfaces.d.",
        "delete the line. The pre-up in a VF's own iface is not needed: our service finishes before networking starts.",
    ),
    ConflictKind(
        14,
        (Format.CRON,),
        "a cron job sets our VFs",
        """\
/etc/crontab, /etc/cron.d and the tables in /var/spool/cron (readable by root only): not just @reboot lines. A job that
is not root's is a warning, and so is all that it runs: only root may set a number of VFs, and whether sudo lets the
user do it is not known.""",
        "delete the line (crontab -e for the tables of users).",
    ),
    ConflictKind(
        15,
        (Format.SYSFS,),
        "sysfsutils sets our VFs",
        """\
/etc/sysfs.conf and /etc/sysfs.d/*.conf, whose lines `class/net/NAME/device/sriov_numvfs = 4` the service sysfsutils
writes below /sys at boot. A file ends at its first line that is no such line, and so do those after it.""",
        "delete the line.",
    ),
    ConflictKind(
        16,
        (Format.CLOUD_INIT,),
        "cloud-init's network config sets our VFs",
        """\
/etc/cloud/cloud.cfg and cloud.cfg.d/*.cfg: a network config of version 2 with virtual-function-count, or VFs with
`link:`. cloud-init hands these on if it writes netplan's files; for systemd-networkd, NetworkManager, ifupdown and
ifcfg files it drops them without a word. What it gets from the cloud is not looked at, but netplan's files are.""",
        """\
remove the keys there and in /etc/netplan/50-cloud-init.yaml, which cloud-init writes again if the former changes. While
there are VFs with `link:`, or an embedded-switch-mode, keep virtual-function-count instead, with the num_vfs of the
rule.""",
    ),
    ConflictKind(
        17,
        (Format.OTHER, Format.TMPFILES, Format.TUNED, Format.PLAYBOOK, Format.PROGRAM, Format.DATA),
        "another file sets our VFs",
        """\
Files of programs that write to /sys or run commands, at boot or at an event: tmpfiles.d and what systemd-tmpfiles is
given, tuned's profiles and their scripts, user-data of cloud-init, /etc/rc.conf, /etc/inittab, playbooks that
ansible-playbook or ansible-pull runs at boot, quadlets and static pods, settings of supervisor, monit, anacron,
keepalived, openvpn, acpid, incron and dracut.conf.d, units of root's user manager, compiled programs that a unit or a
script runs, and any small file that a command is given, unless the command only looks at it. Lines of tmpfiles.d and
of tuned are understood; anything else that mentions sriov_numvfs, max_vfs, num_vfs or another spelling of it is
reported as what may set VFs.""",
        "remove the line.",
    ),
    ConflictKind(
        18,
        (Format.NMSTATE,),
        "nmstate sets our VFs",
        """\
*.yml and *.yaml in /etc/nmstate, which nmstate.service applies at boot: `total-vfs` below `sr-iov` of an interface. A
file that was applied has the ending .applied, and does not count; what it said is in NetworkManager's profiles.""",
        """\
remove sr-iov of the interface from the file, and from its profile: nmcli connection modify PROFILE remove sriov. VFs
that are described below `vfs` can be moved to [[pf.vf]] tables of the rule.""",
    ),
    ConflictKind(
        19,
        (Format.NETWORK_MANAGER_CONF,),
        "NetworkManager's settings set our VFs",
        """\
/etc/NetworkManager/NetworkManager.conf, and *.conf in conf.d below /etc, /run and /usr/lib/NetworkManager:
sriov-num-vfs in a section [device] or [device-NAME]. NetworkManager sets that number when a device becomes managed,
and when it reads its settings again.""",
        "remove sriov-num-vfs, then: nmcli general reload conf. That changes no VF.",
    ),
)

CODES_OF = {
    kind_format: (f"SB-E3{kind.number:02d}", f"SB-W3{kind.number + 50:02d}")
    for kind in KINDS
    for kind_format in kind.formats
}

WIDTH = 118
FIGHT = """\
Something else sets the number of VFs on a PF that a rule of sriov-bootstrap matches, and to a different number. The
last one to write wins until the other looks again; each change goes through 0, so every VF of that PF is destroyed and
created again, without its MAC and VLAN, even while in use. Only sriov-bootstrap checks whether a VM is using one.
"""
DOUBT = """\
Something else sets VFs on a PF that a rule of sriov-bootstrap matches: the same number, or the number, the PF or the
time cannot be determined from what was read. While both agree, nothing happens; once one of them is changed, VFs are
destroyed even while in use, and the second setting is easily overlooked.
"""
DRIVER = """\
driverctl gives a device another driver at each boot. A PF bound to vfio-pci has no VFs, and none can be created. Where
the rule leaves VFs to the kernel, the SR-IOV agent takes a VF bound to vfio-pci for "assigned", whether or not it is.
"""

GENERATED_FORMATS = frozenset({Format.UNIT, Format.UDEV, Format.LINK, Format.NETPLAN, Format.NETWORK_MANAGER})
GENERATED = """\
If the file is generated (by netplan, or by anything else below /run; /etc/netplan/50-cloud-init.yaml by cloud-init),
the finding names its source: change that instead."""


def _explanation(kind: ConflictKind, *, is_error: bool) -> Explanation:
    meaning = DRIVER if kind.formats == (Format.DRIVERCTL,) else FIGHT if is_error else DOUBT
    title = kind.what if is_error else f"{kind.what}, or may"
    remedy = f"{kind.remedy} {GENERATED}" if GENERATED_FORMATS & {*kind.formats} else kind.remedy
    paragraphs = (_wrap(f"Looked at: {kind.looked}"), _wrap(f"What to do: {remedy}"))
    return Explanation(title, "\n".join((meaning, f"{paragraphs[0]}\n", f"{paragraphs[1]}\n")))


def _wrap(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


MASTER_CODES: dict[str, Explanation] = {
    code: _explanation(kind, is_error=is_error)
    for kind in KINDS
    for code, is_error in zip(CODES_OF[kind.formats[0]], (True, False), strict=True)
}
