"""Which files commands are given, as it is written."""

import pytest

from sriov_bootstrap.conflicts.called_files import context_of, file_calls
from sriov_bootstrap.conflicts.survey import Format, Source

NUMVFS = "> /sys/class/net/a/device/sriov_numvfs"


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("systemd-tmpfiles --create --prefix=/sys /a.conf '/b.conf'; ls /c", ["/a.conf", "/b.conf"]),
        ("systemd-tmpfiles --create", []),
        (f"N=$(cat /etc/n)\necho $N {NUMVFS}", ["/etc/n"]),
        (f"read N < /etc/n; echo $N {NUMVFS}", ["/etc/n"]),
        (f"F=/etc/n; while read a b; do echo $b {NUMVFS}; done < $F", ["/etc/n"]),
        (f"N=`cut -d= -f2 '/etc/n'`; grep x $G; cat /proc/cmdline; echo $N {NUMVFS}", ["/etc/n"]),
        ("cat /etc/n", []),
        ("bash -s < /proc/x; echo a | sh", []),
        ("bash -s < /opt/a; cat '/opt/b' | sudo sh -x; sort < /opt/c; cat /opt/d | sort", ["/opt/a", "/opt/b"]),
        (f"A==/x; F=/etc/n; dd if=$F {NUMVFS}; cp /etc/m {NUMVFS}", ["/etc/n", "/etc/m"]),
    ],
)
def test_files_that_commands_are_given(text: str, paths: list[str]) -> None:
    assert [call.path for call in file_calls(text, context_of(Source(Format.SCRIPT, "/x", text)))] == paths


@pytest.mark.parametrize(
    ("text", "playbook"),
    [
        ("ansible-playbook -i hosts.yaml.j2 /opt/site.yml", "/opt/site.yml"),
        ("cd /opt && ansible-playbook site.yaml", "/opt/site.yaml"),
        ("ansible-playbook site.yml", ""),
        ("ansible-pull -U https://a.example/b", ""),
        ("ansible-pull -d /srv/b", "/srv/b/local.yml"),
        ("ansible-pull --directory=/srv/b x/host.yml", "/srv/b/x/host.yml"),
    ],
)
def test_playbooks_with_what_is_beside_them(text: str, playbook: str) -> None:
    found = [call.path for call in file_calls(text, context_of(Source(Format.SCRIPT, "/x", text)))]
    assert found[:1] == ([playbook] if playbook else [])
    assert f"{playbook.rpartition('/')[0]}/roles/*/tasks/*.yml" in found or not playbook


def test_no_more_than_anyone_writes() -> None:
    text = "systemd-tmpfiles --create /a.conf\n" * 100
    found = list(file_calls(text, context_of(Source(Format.SCRIPT, "/x", text))))
    assert (len(found), found[0].format) == (64, Format.TMPFILES)
