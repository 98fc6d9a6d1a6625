"""Where a text sets VFs later."""

import pytest

from sriov_bootstrap.formats.written_texts import is_read_at_boot, is_used_later, sets_vfs

ECHO = "echo 8 > /sys/class/net/a/device/sriov_numvfs"


@pytest.mark.parametrize(
    "path",
    ["/etc/modprobe.d/a.conf", "/run/systemd/system/a.service", "/etc/rc.local", "/etc/crontab", "/boot/cmdline.txt",
     "/etc/sriov.conf", "/host/etc/udev/rules.d/a.rules", "/var/spool/cron/root"],
)  # fmt: skip
def test_places_that_programs_read(path: str) -> None:
    assert is_read_at_boot(path)


@pytest.mark.parametrize("path", ["/etc/motd", "/var/log/x", "/etc/sriov-bootstrap/a.toml", "/usr/share/doc/x", "x"])
def test_places_that_none_reads(path: str) -> None:
    assert not is_read_at_boot(path)


@pytest.mark.parametrize(
    ("path", "text", "answer"),
    [
        ("/run/x", f"#!/bin/sh\n{ECHO}\n", True),
        ("/run/x.sh", f"{ECHO}\n", True),
        ("/usr/local/bin/x", f"true\n  {ECHO}\n", True),
        ("/etc/netplan/a.yaml", "a:\n  virtual-function-count: 8\n", True),
        ("/run/x", f"{ECHO}\n", False),
        ("/run/x.sh", f"# {ECHO}\n", False),
        ("/run/x.sh", "echo VFs\n", False),
        ("/run/x.sh", "true\n", False),
    ],
)
def test_texts_that_set_vfs_later(path: str, text: str, answer: bool) -> None:  # noqa: FBT001 - pytest's way
    assert (sets_vfs(text) and is_used_later(path, text)) is answer
