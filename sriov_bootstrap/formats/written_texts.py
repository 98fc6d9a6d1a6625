"""Texts that a script writes into files of others: what sets VFs in them does so later, when it is run or read."""

import re

from sriov_bootstrap.formats.shell_values import MAX_TEXT

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
NUMBER = r"(?:sriov_numvfs|(?:\w{1,16}[_.-])?(?:(?:num|max)[_-]?|total[_-])vfs|virtual-function-count)\b"
SETS = re.compile(rf"^(?![ \t]*[#;])[^\n]{{0,{MAX_TEXT}}}{NUMBER}", re.IGNORECASE | re.MULTILINE)


def is_read_at_boot(path: str) -> bool:
    """Whether a file there tells some program what to do."""
    return READ_AT_BOOT.fullmatch(path) is not None


def sets_later(path: str, text: str) -> bool:
    """Whether a text that comes into a file may set VFs from there."""
    if "vfs" not in text.lower() and "virtual-function-count" not in text:
        return False
    is_run = text.startswith("#!") or SCRIPT.fullmatch(path) is not None or is_read_at_boot(path)
    return is_run and SETS.search(text) is not None
