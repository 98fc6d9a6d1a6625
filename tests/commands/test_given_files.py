"""Files that a command is given, whatever they are: those that mention VFs are named, unless the command only looks."""

import pytest

from boot_files import ECHO, FILE, Files, add_two_ports, diagnosed, migrated, rc_local, service, write_files
from fakes_host import HostTree

NMSTATE = "interfaces:\n- name: ens1f0\n  ethernet:\n    sr-iov:\n      total-vfs: 8\n"
SETTINGS = "[ens1f0]\nsriov_numvfs = 8\n"
COMPOSE = f"services:\n  vf:\n    privileged: true\n    command: sh -c 'echo 8 > {FILE}'\n"


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    return add_two_ports(tree)


@pytest.mark.parametrize(
    ("files", "place"),
    [
        (rc_local("nmstatectl apply /opt/pf.yml") | {"-opt/pf.yml": NMSTATE}, "/opt/pf.yml:5"),
        (service("ExecStart=/usr/sbin/acmed --config /etc/a.conf") | {"-etc/a.conf": SETTINGS}, "/etc/a.conf:2"),
        (service("ExecStart=/usr/sbin/acmed --config=/etc/a.conf") | {"-etc/a.conf": SETTINGS}, "/etc/a.conf:2"),
        (service("Environment=C=/etc/a.conf\nExecStart=/opt/acmed $C") | {"-etc/a.conf": SETTINGS}, "/etc/a.conf:2"),
        (rc_local("C=/etc/a.conf\nacmed -c $C") | {"-etc/a.conf": SETTINGS}, "/etc/a.conf:2"),
        (rc_local("[ -e /etc/a ] && acmed /etc/a; cat /etc/a") | {"-etc/a": SETTINGS}, "/etc/a:2"),
        (rc_local("sudo -n timeout 9 nice acmed '/etc/a'") | {"-etc/a": SETTINGS}, "/etc/a:2"),
        ({"etc/cron.d/a": "@reboot root acmed /etc/a\n", "-etc/a": SETTINGS}, "/etc/a:2"),
        ({"etc/udev/rules.d/a.rules": 'RUN+="/opt/acmed /etc/a"\n', "-etc/a": SETTINGS}, "/etc/a:2"),
        (service("ExecStart=/opt/acmed \\\n  --config /etc/a \\\n  --all") | {"-etc/a": SETTINGS}, "/etc/a:2"),
        (service("ExecStart=/opt/acmed @/etc/a.args") | {"-etc/a.args": "--num-vfs 8\n"}, "/etc/a.args:1"),
        (rc_local("acmed /etc/a.d/*.conf") | {"-etc/a.d/x.conf": SETTINGS}, "/etc/a.d/x.conf:2"),
        (rc_local("for c in /etc/a.d/*.conf; do acmed $c; done") | {"-etc/a.d/x.conf": SETTINGS}, "/etc/a.d/x.conf:2"),
        (rc_local("python3 -c 'import a; a.up(\"/etc/a\")'") | {"-etc/a": SETTINGS}, "/etc/a:2"),
        (rc_local("awk -f /opt/a.awk") | {"-opt/a.awk": f'BEGIN {{ print 8 > "{FILE}" }}\n'}, "/opt/a.awk:1"),
        (rc_local("cat /opt/a.yml | grep -v '^#' | nmstatectl apply -") | {"-opt/a.yml": NMSTATE}, "/opt/a.yml:5"),
        (rc_local("ls /opt/n/*.yml | xargs -n1 nmstatectl apply") | {"-opt/n/a.yml": NMSTATE}, "/opt/n/a.yml:5"),
        (rc_local("find /opt/n -type f -exec nmstatectl apply {} +") | {"-opt/n/a.yml": NMSTATE}, "/opt/n/a.yml:5"),
        (rc_local("nmstatectl apply < /opt/a.yml") | {"-opt/a.yml": NMSTATE}, "/opt/a.yml:5"),
        (
            service("WorkingDirectory=/opt/a\nExecStart=/opt/acmed -c b/vf.toml") | {"-opt/a/b/vf.toml": SETTINGS},
            "/opt/a/b/vf.toml:2",
        ),
        (service("ExecStart=/bin/sh -ec 'acmed /etc/a'") | {"-etc/a": SETTINGS}, "/etc/a:2"),
        (rc_local("systemctl start /opt/a.service") | {"-opt/a.service": f"ExecStart=a {FILE}\n"}, "/opt/a.service:1"),
        (rc_local("cat /opt/t/*.conf > /etc/modprobe.d/x.conf") | {"-opt/t/a.conf": "a max_vfs=4"}, "/opt/t/a.conf:1"),
        (rc_local("cp /opt/t.conf /etc/modprobe.d/") | {"-opt/t.conf": "options x max_vfs=4\n"}, "/opt/t.conf:1"),
        (rc_local("sed s/a/b/ /opt/t > /etc/modprobe.d/x.conf") | {"-opt/t": "options x max_vfs=4\n"}, "/opt/t:1"),
        (rc_local("cat /opt/t | tee -a /etc/modprobe.d/x.conf") | {"-opt/t": "options x max_vfs=4\n"}, "/opt/t:1"),
        (service("ExecStart=/usr/bin/puppet apply /opt/a.pp") | {"-opt/a.pp": f"'{FILE}':\n"}, "/opt/a.pp:1"),
        (rc_local("puppet apply /opt/m/") | {"-opt/m/site.pp": f"'{FILE}':\n"}, "/opt/m/site.pp:1"),
        (rc_local("salt-call --local state.apply") | {"-srv/salt/a/b.sls": f"# a\n{FILE}:\n"}, "/srv/salt/a/b.sls:2"),
        (rc_local("salt-call --file-root=/opt/s state.apply") | {"-opt/s/a.sls": f"{FILE}:\n"}, "/opt/s/a.sls:1"),
        (
            service("WorkingDirectory=/opt/a\nExecStart=/usr/bin/docker compose up") | {"-opt/a/compose.yml": COMPOSE},
            "/opt/a/compose.yml:4",
        ),
        (rc_local("docker-compose -f /opt/c.yml up -d") | {"-opt/c.yml": COMPOSE}, "/opt/c.yml:4"),
        (rc_local("cd /opt/vf && podman-compose --file c.yml up") | {"-opt/vf/c.yml": COMPOSE}, "/opt/vf/c.yml:4"),
        (rc_local("docker run -v /opt/vf:/vf:ro acme") | {"-opt/vf/a.toml": SETTINGS}, "/opt/vf/a.toml:2"),
        (rc_local("podman run --mount type=bind,src=/opt/vf,dst=/vf acme") | {"-opt/vf/a": SETTINGS}, "/opt/vf/a:2"),
        (
            {
                "-etc/containers/systemd/vf.kube": "[Kube]\nYaml=/etc/containers/vf.yaml\n",
                "-etc/containers/vf.yaml": f"kind: Pod\nargs: ['echo 8 > {FILE}']\n",
            },
            "/etc/containers/vf.yaml:2",
        ),
    ],
)  # fmt: skip
def test_a_file_that_a_command_is_given_is_named(
    tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files, place: str
) -> None:
    write_files(tree, files)
    assert migrated(tree, capsys) == {}
    (found,) = diagnosed(tree, capsys)
    assert found["place"] == place
    assert found["code"] in {"SB-W351", "SB-W367"}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("make -C /opt/vf up", 8),
        ("cd /opt/vf && make", 8),
        ("make --directory=/opt/vf -f Makefile", 8),
        ("docker run --privileged -v /opt/vf:/vf alpine sh /vf/vf.sh", 4),
        ("podman run --volume /opt/vf:/vf alpine /vf/vf.sh", 4),
    ],
)
def test_shell_that_tools_run_is_a_doubt(
    tree: HostTree, capsys: pytest.CaptureFixture[str], text: str, number: int
) -> None:
    write_files(tree, rc_local(text))
    name, script = ("Makefile", f"up:\n\techo 8 > {FILE}\n") if number == 8 else ("vf.sh", f"echo 4 > {FILE}\n")
    write_files(tree, {f"-opt/vf/{name}": script})
    assert migrated(tree, capsys) == {}
    (found,) = diagnosed(tree, capsys)
    assert found["problem"].startswith(f"may set {number} VFs of 0000:3b:00.0")
    assert "whether /etc/rc.local:2 runs it is not certain" in found["problem"]


@pytest.mark.parametrize(
    "text",
    [
        "rm -f /etc/a; test -e /etc/a; [ -s /etc/a ]; ls -l /etc/a; stat /etc/a; md5sum /etc/a; diff /etc/a /etc/b",
        "chmod 600 /etc/a; chown root:root /etc/a; grep -q x /etc/a && echo yes",
        "cp /etc/a /var/backups/; rsync -a /etc/a backup:/x; mv /etc/a /etc/a.old",
        "cat /etc/a | logger; echo x > /etc/a; sudo cat /etc/a >> /tmp/x",
        "true # acmed /etc/a",
        "# acmed /etc/a",
        "echo 'see /etc/a'; logger -t a /etc/a; vi /etc/a",
        "prometheus --config.file=/etc/a; telegraf --config /etc/a",
        "sriov-bootstrap --once --config /etc/a; /usr/bin/sriov-bootstrap check-config '/etc/a'",
        "acmed --out > /etc/a",
        "/etc/a",
        "acmed /opt/notes.md /var/log/a /opt/a.prom /etc/sriov-bootstrap/config.toml",
        "OUT=/var/lib/a\nacmed $OUT",
        "docker run -v /var/lib/b:/x -v /sys:/sys -v /opt:/opt acme",
        "make all; docker compose up; docker run acme",
        "for f in /etc/*; do cat $f; rm -f ${f}; done; for g in $(ls /etc); do acmed $g; done",
        'ls /etc/*; awk \'{print $1; x("a")}\' /etc/a; grep "; x" /etc/a; systemctl status /etc/a; cat /etc/a/b*/c',
        "sudo -u root cat /etc/a; timeout 9 test -e /etc/a; ssh host 'acmed /etc/a'; sh -c 'cat /etc/a'",
        "while read -r l; do logger $l; done < /etc/a; mapfile -t L < /etc/a; cat /etc/a | sort | mail root",
        "diff -q /etc/a /etc/b || cp -a /etc/c /etc/d; ls /etc/a | xargs -n 1 cat; find /etc -exec grep x {} +",
        "cd /etc && cat a.conf",
        "for f in /etc/a*; do\n# acmed $f\n:; done; for f in a b; do acmed $f; done",
    ],
)
def test_commands_that_look_and_files_without_settings_are_nothing(
    tree: HostTree, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    write_files(tree, rc_local(text))
    places = ("etc/a", "etc/a.conf", "opt/notes.md", "var/log/a", "opt/a.prom", "var/lib/a", "opt/x/a")
    write_files(tree, {f"-{place}": SETTINGS for place in places})
    tree.write("etc/sriov-bootstrap/config.toml", "")
    assert (migrated(tree, capsys), diagnosed(tree, capsys)) == ({}, [])


@pytest.mark.parametrize(
    "settings",
    ["# num_vfs = 8\n; max_vfs\n// total-vfs: 8\n", "ports = 4\n", f"\0{SETTINGS}", f"{SETTINGS}{'#' * (1 << 16)}", ""],
)
def test_a_file_that_mentions_none_is_nothing(
    tree: HostTree, capsys: pytest.CaptureFixture[str], settings: str
) -> None:
    write_files(tree, rc_local("acmed /etc/a") | {"-etc/a": settings})
    assert diagnosed(tree, capsys) == []


@pytest.mark.parametrize("text", ["at -f /opt/vf.sh now", "acmed /opt/vf.sh"])
def test_a_script_that_another_command_is_given_is_a_doubt(
    tree: HostTree, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    write_files(tree, rc_local(text) | {"-opt/vf.sh": f"echo 8 > {FILE}\n"})
    assert migrated(tree, capsys) == {}
    (found,) = diagnosed(tree, capsys)
    assert "whether /etc/rc.local:2 runs it is not certain" in found["problem"]


def test_scripts_that_other_files_name_are_a_doubt(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    write_files(tree, {"-etc/inittab": "vf:2345:once:/usr/local/sbin/vf\n", "usr/local/sbin/vf": ECHO})
    assert migrated(tree, capsys) == {}
    (found,) = diagnosed(tree, capsys)
    assert "(whether /etc/inittab:1 runs it is not certain)" in found["problem"]


def test_a_script_that_something_certainly_runs_as_well_is_certain(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(tree, rc_local("/usr/local/sbin/vf") | {"-etc/inittab": "vf:2345:once:/usr/local/sbin/vf\n"})
    write_files(tree, {"usr/local/sbin/vf": ECHO})
    assert migrated(tree, capsys) == {"0000:3b:00.0": 8}
