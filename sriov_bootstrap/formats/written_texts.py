"""Texts that a script writes into files of others: what sets VFs in them does so later, when it is run or read."""

import re

# Where programs find settings, or what to run, at boot or at an event.
READ_AT_BOOT = re.compile(
    r"(?:/host|/mnt|/target|/sysroot)?(?:/(?:etc|run|usr/lib|usr/local/lib|lib)/"
    r"(?:systemd|udev|netplan|NetworkManager|modprobe\.d|modules\b|modules-load\.d|cron|anacrontab|network\b|sysconfig"
    r"|tmpfiles\.d|sysfs|init\.d|rc\b|rc\.|rc\d?\.d|local\.d|profile\b|dracut|initramfs-tools|tuned|nmstate"
    r"|os-net-config|cloud|supervisor|monit|networkd-dispatcher|infiniband|libvirt/hooks|dhcp|default/grub|kernel"
    r"|cmdline\.d|inittab|sriov(?!-bootstrap)|containers/systemd|if-|ppp|conf\.d|conf\.modules|modprobe\.conf|rdma|mft|mlnx)"
    r"|/var/spool/cron/|/boot/|/efi/|/var/lib/cloud/).*",
    re.DOTALL,
)
SCRIPT = re.compile(r".*(?:\.(?:sh|bash|py|pl|rb)|/s?bin/[^/]+)", re.DOTALL)
OPTION = r"(?:\w{1,16}[_.-])?(?:(?:num|max)[_-]?|total[_-])vfs\b"  # as programs and their files spell it
NUMBER = re.compile(rf"sriov_numvfs\b|(?<!\w){OPTION}|virtual-function-count\b", re.IGNORECASE)
COMMENTS = ("#", ";")


def is_read_at_boot(path: str) -> bool:
    """Whether a file there tells some program what to do."""
    return READ_AT_BOOT.fullmatch(path) is not None


def sets_vfs(text: str) -> bool:
    """Whether a line of a text, which is no comment, mentions a number of VFs."""
    if "vfs" not in text.lower() and "virtual-function-count" not in text:
        return False
    return any(NUMBER.search(line) for line in text.split("\n") if not line.lstrip().startswith(COMMENTS))


def is_used_later(path: str, text: str) -> bool:
    """Whether a text that comes into a file is run or read there."""
    return text.startswith("#!") or SCRIPT.fullmatch(path) is not None or is_read_at_boot(path)
