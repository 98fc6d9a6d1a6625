"""What the config asks for, brought to the units that listen and serve; systemctl is a list of what it was asked."""

import contextlib
import json
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from certificates import Authority
from fakes_host import HostTree
from full_disk import FullDisk
from sriov_bootstrap.base.errors import ExitCode
from sriov_bootstrap.commands.metrics_config import ACCESS, CLOSED, DROP_IN, SERVICE, SOCKET, WATCH, metrics_config
from sriov_bootstrap.edges.child import Completed
from sriov_bootstrap.exporter import credential
from sriov_bootstrap.machine.host_machine import HostMachine

START = [["start", SOCKET, SERVICE]]
SHOW = ["show", "--value", "--property=DropInPaths", "sriov-bootstrap.service"]
MOVED = [["daemon-reload"], ["stop", SERVICE, SOCKET], *START]
WATCHED = ["--no-block", "try-restart", WATCH]
SERVES_ANEW = [["try-restart", SERVICE], *START]
STOPPED = [["stop", SERVICE, SOCKET]]
MISTAKE = "[[pf]]\nnumvfs = 1\n"
OFF = '[metrics]\nlisten = ""\n'
USERS = 'basic_auth_users: {prometheus: "$2b$10$1dIELCS0mtj0wOw5TIBfsuFkqBZM4KO7/w4dKwT4y38146kvdcMO."}\n'
USR, ETC, RUN = (f"{folder}/sriov-bootstrap/config.d" for folder in ("usr/lib", "etc", "run"))


class Systemctl:
    """Keeps what it was asked for, but for the question that is always asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.drop_ins = ""
        self.fails: list[list[str]] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def __call__(self, argv: list[str], **_: object) -> Completed:
        assert argv[:2] == ["systemctl", "--no-ask-password"]
        words = argv[2:]
        if words == SHOW:
            return Completed(0, self.drop_ins.encode(), b"")
        if words[0] != "is-active":
            self.asked.append(words)
            self.meanwhile()
        has_failed = words in self.fails
        return Completed(int(has_failed), b"", b"Job failed. See more.\n" if has_failed else b"")


class Host:
    """A tree with the units of the package, and the helper that brings them to what the config asks for."""

    def __init__(self, tree: HostTree) -> None:
        self.tree = tree
        self.systemctl = Systemctl()
        tree.configure("")

    def bring(self) -> list[list[str]]:
        """What systemd is asked for."""
        self.systemctl.asked = []
        self.code = metrics_config(HostMachine(root=str(self.tree.root)), self.systemctl)
        return self.systemctl.asked

    def drop_in(self, unit: str = SOCKET) -> list[str]:
        """Its lines; none where it is not there."""
        path = self.tree.root / DROP_IN.format(unit).lstrip("/")
        return [line for line in path.read_text().splitlines() if line[0] != "#"] if path.exists() else []

    @property
    def access(self) -> credential.Access:
        return credential.load((self.tree.root / ACCESS.lstrip("/")).read_bytes())

    @property
    def has_access(self) -> bool:
        return (self.tree.root / ACCESS.lstrip("/")).exists()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr("sriov_bootstrap.commands.metrics_config.present_addresses", lambda addresses: addresses)
    return Host(HostTree(tmp_path))


def test_the_default_needs_no_drop_in_and_no_reload_of_systemd(host: Host) -> None:
    assert host.bring() == SERVES_ANEW
    assert (host.drop_in(), host.code, host.access) == ([], ExitCode.OK, credential.Access())


def test_what_is_as_it_should_be_is_only_started(host: Host) -> None:
    host.tree.configure('[metrics]\nlisten = "127.0.0.1:9"\n')
    host.bring()
    assert host.bring() == START


@pytest.mark.parametrize(
    ("listen", "lines"),
    [
        ("127.0.0.1:9", ["127.0.0.1:9"]),
        ("[::1]:9", ["[::1]:9"]),
        (":9", ["0.0.0.0:9", "[::]:9"]),
        ("localhost:9", ["127.0.0.1:9", "[::1]:9"]),
    ],
)
def test_another_listen_is_a_drop_in_and_the_way_back_takes_it_away(host: Host, listen: str, lines: list[str]) -> None:
    host.bring()
    host.tree.configure(f'[metrics]\nlisten = "{listen}"\n')
    assert host.bring() == MOVED
    assert host.drop_in() == ["[Socket]", "ListenStream=", *(f"ListenStream={one}" for one in lines)]
    host.tree.configure("")
    assert host.bring() == MOVED
    assert host.drop_in() == []


def test_an_address_that_the_host_has_not_is_left_out_of_several(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sriov_bootstrap.commands.metrics_config.present_addresses", lambda addresses: addresses[:1])
    assert host.bring() == MOVED
    assert host.drop_in() == ["[Socket]", "ListenStream=", "ListenStream=127.0.0.1:10049"]


def _empty(host: Host) -> None:
    host.tree.configure('[metrics]\nlisten = ""\n')


def _file(host: Host) -> None:
    (host.tree.root / "etc/sriov-bootstrap/disabled").touch()


def _word(host: Host) -> None:
    (host.tree.root / "proc/cmdline").write_text("quiet sriov_bootstrap=0\n")


@pytest.mark.parametrize("switch_off", [_empty, _file, _word])
def test_what_is_switched_off_is_stopped_and_nothing_is_handed_over(
    host: Host, switch_off: Callable[[Host], None]
) -> None:
    host.bring()
    switch_off(host)
    assert host.bring() == [["stop", SERVICE, SOCKET]]
    assert (host.code, host.has_access) == (ExitCode.OK, False)


def test_filters_of_the_time_when_the_service_listened_itself_stay_in_force(host: Host) -> None:
    first, second = host.tree.root / "a.conf", host.tree.root / "b.conf"
    first.write_text("[Service]\nIPAddressAllow=\nIPAddressAllow=localhost\nMemoryMax=1G\n")
    second.write_text("[Service]\n  IPAddressDeny=any\n")
    host.systemctl.drop_ins = "/a.conf /b.conf /gone.conf\n"
    assert host.bring() == MOVED
    assert host.drop_in() == ["[Socket]", "IPAddressAllow=", "IPAddressAllow=localhost", "IPAddressDeny=any"]


def test_a_port_that_is_taken_is_named_said_once_and_tried_again(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        textfile = host.tree.root / "x.prom"
        host.tree.configure(f'[metrics]\nlisten = "127.0.0.1:{port}"\n')
        host.systemctl.fails = [*START, ["is-active", SOCKET]]
        assert host.bring()[-1:] == START
        assert host.code == ExitCode.ERROR
        said = capsys.readouterr().err
        assert said.startswith(f"<3>metrics: cannot listen on 127.0.0.1:{port}: Address already in use | hint=another ")
        host.bring()
        assert capsys.readouterr().err == ""
    host.systemctl.fails = []
    host.bring()
    assert (host.code, textfile.exists()) == (ExitCode.OK, False)


def test_a_port_that_is_ours_is_not_called_taken(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as ours:
        host.tree.configure(f'[metrics]\nlisten = "127.0.0.1:{ours.getsockname()[1]}"\n')
        host.systemctl.fails = START
        host.bring()
    assert f"systemctl start {SOCKET} {SERVICE}: Job failed." in capsys.readouterr().err


def test_what_is_in_the_way_is_told_beside_the_textfile(host: Host) -> None:
    beside = host.tree.root / "var/x-endpoint.prom"
    beside.parent.mkdir()
    host.tree.configure('[metrics]\ntextfile = "/var/x.prom"\n')
    host.systemctl.fails = START
    host.bring()
    assert beside.read_text().endswith("\nsriov_bootstrap_metrics_config_problem 1.0\n")
    host.systemctl.fails = []
    host.bring()
    assert beside.read_text().endswith("\nsriov_bootstrap_metrics_config_problem 0.0\n")


def test_what_is_in_the_way_and_cannot_be_logged_is_told_there_all_the_same(host: Host) -> None:
    beside = host.tree.root / "var/x-endpoint.prom"
    beside.parent.mkdir()
    host.tree.configure('[metrics]\ntextfile = "/var/x.prom"\n')
    host.systemctl.fails = START
    with contextlib.redirect_stderr(FullDisk()):
        host.bring()
    assert host.code == ExitCode.ERROR
    assert beside.read_text().endswith("\nsriov_bootstrap_metrics_config_problem 1.0\n")


class Site:
    """web.yml with a pair, and a config that names it."""

    def __init__(self, host: Host) -> None:
        self.folder = host.tree.root / "site"
        Authority(self.folder, "site").issue("server")
        self.web = self.folder / "web.yml"
        self.web.write_text("tls_server_config: {cert_file: server.crt, key_file: server.key}\n")
        host.tree.configure(f'[metrics]\nweb_config = "{self.web}"\n')


@pytest.fixture
def site(host: Host) -> Site:
    return Site(host)


def test_web_config_is_handed_over_with_its_files_to_root_alone_and_they_are_watched(host: Host, site: Site) -> None:
    assert host.bring() == [["daemon-reload"], WATCHED, *SERVES_ANEW]
    assert host.access.files[f"{site.folder}/server.key"] == (site.folder / "server.key").read_bytes()
    assert stat.S_IMODE((host.tree.root / ACCESS.lstrip("/")).stat().st_mode) == 0o600
    names = ("web.yml", "server.crt", "server.key")
    assert host.drop_in(WATCH) == ["[Path]", *(f"PathChanged={site.folder}/{name}" for name in names)]
    assert host.bring() == START


def test_a_certificate_that_was_replaced_is_served(host: Host, site: Site) -> None:
    host.bring()
    Authority(site.folder, "other").issue("server")
    assert host.bring() == SERVES_ANEW
    assert host.access.files[f"{site.folder}/server.crt"] == (site.folder / "server.crt").read_bytes()


def test_a_broken_web_config_leaves_the_last_good_one_in_force_and_is_said_once(
    host: Host, site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    host.bring()
    before = host.access
    site.web.write_text("tls_server_config: [")
    assert host.bring() == [["daemon-reload"], WATCHED, *START]
    assert (host.access, host.code) == (before, ExitCode.ERROR)
    assert capsys.readouterr().err.startswith(f"<3>metrics: {site.web}: not YAML: line 1")
    host.bring()
    assert capsys.readouterr().err == ""


def test_what_is_broken_at_the_start_serves_nobody(host: Host, site: Site) -> None:
    site.web.write_text("tls_server_config: [")
    assert host.bring() == [["stop", SERVICE, SOCKET], ["daemon-reload"], WATCHED]
    assert (host.has_access, host.code) == (False, ExitCode.ERROR)


def test_a_web_config_that_is_new_and_broken_serves_nobody_any_more(host: Host) -> None:
    host.bring()
    host.tree.configure('[metrics]\nweb_config = "/nowhere/web.yml"\n')
    assert ["stop", SERVICE, SOCKET] in host.bring()
    assert not host.has_access


def test_a_broken_config_leaves_in_force_what_was_and_is_not_tried_again(host: Host, site: Site) -> None:
    host.tree.configure(f'[metrics]\nlisten = "127.0.0.1:9"\nweb_config = "{site.web}"\n')
    host.bring()
    before = host.access
    host.tree.configure("[[pf\n")
    assert host.bring() == START
    assert (host.access, host.drop_in()[-1], host.code) == (before, "ListenStream=127.0.0.1:9", ExitCode.OK)


@pytest.mark.parametrize("text", ["[[pf\n", MISTAKE, "[[pf # not of metrics\n"])
def test_a_broken_config_from_the_start_that_says_nothing_of_the_endpoint_serves_as_none_does(
    host: Host, text: str
) -> None:
    host.tree.configure(text)
    assert host.bring() == SERVES_ANEW
    assert (host.access, host.drop_in(), host.code) == (credential.Access(), [], ExitCode.OK)


def test_a_mistake_elsewhere_from_the_start_takes_no_protection_away(host: Host, site: Site) -> None:
    site.web.write_text(USERS)
    host.tree.configure(f'{MISTAKE}[metrics]\nweb_config = "{site.web}"\n')
    assert host.bring() == [["daemon-reload"], WATCHED, *SERVES_ANEW]
    assert (list(host.access.users), host.code) == (["prometheus"], ExitCode.OK)
    assert host.bring() == START


@pytest.mark.parametrize("before", ["", OFF], ids=["from the start", "later"])
def test_a_mistake_elsewhere_opens_nothing_that_is_switched_off(host: Host, before: str) -> None:
    if before:
        host.tree.configure(before)
        host.bring()
    host.tree.configure(MISTAKE + OFF)
    assert host.bring() == STOPPED
    assert (host.code, host.has_access) == (ExitCode.OK, False)


@pytest.mark.parametrize(
    "text",
    [
        '[[pf\n[metrics]\nweb_config = "/web.yml"\n',
        '[metrics]\nlisten = "localhost"\n',
        f"{MISTAKE}[metric]\n{OFF[10:]}",
    ],
)
def test_what_may_be_protected_stays_closed_until_it_is_corrected_and_is_said_once(
    host: Host, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    host.tree.configure(text)
    assert host.bring() == STOPPED
    assert (host.code, host.has_access) == (ExitCode.ERROR, False)
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith(f"<3>metrics: {host.tree.root}/etc/sriov-bootstrap/config.toml: ")
    assert said[-1] == f"<3>metrics: {CLOSED}"
    host.bring()
    assert capsys.readouterr().err == ""
    host.tree.configure("")
    assert host.bring() == SERVES_ANEW
    assert host.code == ExitCode.OK


@pytest.mark.parametrize(
    ("drop_ins", "asked", "lines"),
    [
        ({f"{USR}/10.toml": OFF}, STOPPED, []),
        ({f"{RUN}/10.toml": OFF}, STOPPED, []),
        ({f"{USR}/10.toml": OFF, f"{ETC}/10.toml": ""}, SERVES_ANEW, []),
        ({f"{USR}/10.toml": '[metrics]\nlisten = ":1"\n', f"{RUN}/20.toml": OFF}, STOPPED, []),
        ({f"{RUN}/10.toml": OFF, f"{USR}/20.toml": '[metrics]\nlisten = "[::1]:2"\n'}, MOVED, ["ListenStream=[::1]:2"]),
        ({f"{RUN}/10.toml": "[[pf\n[metrics]\n"}, STOPPED, []),
    ],
    ids=["of the image", "of this boot", "masked", "the last one", "by name", "broken itself"],
)
def test_drop_ins_count_in_their_order_beside_a_broken_file(
    host: Host, drop_ins: dict[str, str], asked: list[list[str]], lines: list[str]
) -> None:
    host.tree.configure(MISTAKE)
    for name, text in drop_ins.items():
        host.tree.write(name, text)
    assert host.bring() == asked
    assert host.drop_in()[-1:] == lines


@pytest.mark.parametrize(("text", "asked"), [("[boot]\n", SERVES_ANEW), (OFF, STOPPED)])
def test_a_file_that_others_could_change_keeps_closed_what_it_may_be_about(
    host: Host, text: str, asked: list[list[str]]
) -> None:
    host.tree.write("etc/sriov-bootstrap/config.toml", text).chmod(0o646)
    assert host.bring() == asked


def test_a_folder_that_cannot_be_read_keeps_the_endpoint_closed(host: Host) -> None:
    host.tree.write(ETC, "no folder")
    assert host.bring() == STOPPED
    assert host.code == ExitCode.ERROR


def test_a_broken_config_beside_a_broken_web_config_serves_nobody_and_both_are_said(
    host: Host, site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.web.write_text("tls_server_config: [")
    host.tree.configure(f'{MISTAKE}[metrics]\nweb_config = "{site.web}"\n')
    assert host.bring() == [*STOPPED, ["daemon-reload"], WATCHED]
    assert (host.has_access, host.code) == (False, ExitCode.ERROR)
    said = capsys.readouterr().err
    assert 'unknown key "numvfs"' in said
    assert f"{site.web}: not YAML" in said


def test_what_was_made_of_a_broken_config_is_no_last_good_state(host: Host) -> None:
    host.tree.configure("[[pf\n")
    host.bring()
    host.tree.write(f"{RUN}/50.toml", OFF)
    assert host.bring() == STOPPED


def test_the_first_good_state_after_a_broken_one_is_the_last_good_one(host: Host) -> None:
    host.tree.configure("[[pf\n")
    host.bring()
    host.tree.configure("")
    assert host.bring() == SERVES_ANEW
    host.tree.configure("[metrics\n")
    assert host.bring() == START


def test_an_upgrade_is_served_by_the_new_program(host: Host) -> None:
    host.bring()
    path = host.tree.root / ACCESS.lstrip("/")
    told = json.loads(path.read_text())
    told["more"]["program"] = "0.0.1"
    path.write_text(json.dumps(told))
    assert host.bring() == SERVES_ANEW


def test_a_kill_switch_that_is_set_during_a_run_counts(host: Host) -> None:
    """systemd starts no second run meanwhile."""
    host.systemctl.meanwhile = lambda: _file(host)
    assert host.bring() == [*SERVES_ANEW, ["stop", SERVICE, SOCKET]]
    assert (host.code, host.has_access) == (ExitCode.OK, False)


def test_a_config_that_changes_in_each_round_is_left_to_the_next_run(host: Host) -> None:
    ports = iter(range(1000, 2000))
    host.systemctl.meanwhile = lambda: host.tree.configure(f'[metrics]\nlisten = "127.0.0.1:{next(ports)}"\n')
    host.bring()
    assert host.code == ExitCode.ERROR
