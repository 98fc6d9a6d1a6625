"""What users other than root run: it is never in force, and never an error."""

import json
import os

import pytest

from boot_files import (
    ECHO,
    FILE,
    OTHER,
    SH,
    Files,
    add_two_ports,
    diagnosed,
    migrated,
    rc_local,
    service,
    write_files,
)
from builders import PF, PF2
from fakes_host import HostTree
from sriov_bootstrap.cli import main
from sriov_bootstrap.conflicts.read import survey_masters
from sriov_bootstrap.core.decode import ConfigFile, decode
from sriov_bootstrap.core.eswitch_config import Eswitch, EswitchMode
from sriov_bootstrap.machine.host_machine import HostMachine

TABLE = "var/spool/cron/crontabs/alice"
DEVLINK = f"devlink dev eswitch set pci/{PF} mode switchdev"
BY_USERS = "nothing that root runs asks for it"
NOT_ALLOWED = "it is run as alice, who may not do that except by sudo"
ALICE = 1001
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to users")


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    return add_two_ports(tree)


def of_service(lines: str) -> Files:
    return service(f"User=alice\n{lines}")


JOBS: dict[str, Files] = {
    "a table of Debian's cron": {TABLE: f"@reboot echo 8 > {FILE}\n"},
    "a table of cronie": {"var/spool/cron/alice": f"*/5 * * * * echo 8 > {FILE}\n"},
    "a line of /etc/crontab": {"etc/crontab": f"@reboot alice echo 8 > {FILE}\n"},
    "a line of cron.d": {"etc/cron.d/x": f"@reboot root true\n@reboot alice echo 8 > {FILE}\n"},
    "a script": {TABLE: "@reboot /opt/vfs.sh\n", "opt/vfs.sh": ECHO},
    "a script of a script": {TABLE: "@reboot /opt/a.sh\n", "opt/a.sh": f"{SH}. /opt/b.sh\n", "-opt/b.sh": ECHO},
    "a script that is only named": {TABLE: "@reboot perl -e 'exec q(/opt/vfs.sh)'\n", "opt/vfs.sh": ECHO},
    "a script of a line": {"etc/cron.d/x": "@hourly alice /opt/vfs.sh\n", "opt/vfs.sh": ECHO},
    "tmpfiles": {TABLE: "@reboot systemd-tmpfiles --create '/opt/x.conf'\n", "-opt/x.conf": f"w {FILE} - - - - 8\n"},
    "incron": {"var/spool/incron/alice": "/run/x IN_CREATE /opt/vfs.sh\n", "opt/vfs.sh": ECHO},
    "a unit": of_service(f"ExecStart=/bin/sh -c 'echo 8 > {FILE}'"),
    "a script of a unit": {**of_service("ExecStart=/opt/vfs.sh"), "opt/vfs.sh": ECHO},
    "tmpfiles of a unit": {
        **of_service("ExecStart=systemd-tmpfiles --create '/opt/x.conf'"),
        "-opt/x.conf": f"w {FILE} - - - - 8\n",
    },
}


@pytest.mark.parametrize("files", JOBS.values(), ids=JOBS)
def test_the_jobs_of_users_are_comments_and_warnings(
    tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files
) -> None:
    write_files(tree, files)
    assert migrated(tree, capsys) == {}
    (found,) = diagnosed(tree, capsys)
    assert found["code"].startswith("SB-W")
    assert f"may set 8 VFs of {PF}" in found["problem"]
    assert NOT_ALLOWED in found["problem"]


@pytest.mark.parametrize("files", JOBS.values(), ids=JOBS)
def test_they_are_comments_also_where_the_vfs_exist(
    tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files
) -> None:
    for index in range(8):
        tree.add_vf(PF, index, driver="vfio-pci")
    write_files(tree, files)
    assert main(["migrate"], root=str(tree.root)) == 0
    out = capsys.readouterr().out
    assert decode([ConfigFile("migrated.toml", out.encode())]).pf == ()
    assert f"#   - {BY_USERS}\n#   - /" in out
    assert f'# match = {{ pci_address = "{PF}" }}\n# num_vfs = 8\n' in out


@pytest.mark.parametrize("number", [4, 8])
def test_what_root_asks_for_is_in_force_whatever_a_user_asks_for(
    tree: HostTree, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    write_files(tree, {**rc_local(f"echo 8 > {FILE}"), TABLE: f"@reboot echo {number} > {FILE}\n"})
    assert migrated(tree, capsys) == {PF: 8}
    assert [found["code"] for found in diagnosed(tree, capsys)] == ["SB-E301", "SB-W364"]


def test_a_user_with_sudo_is_a_doubt_too(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    write_files(tree, {TABLE: f"@reboot echo 8 | sudo tee {FILE}\n"})
    assert migrated(tree, capsys) == {}
    (found,) = diagnosed(tree, capsys)
    assert (found["code"], found["place"]) == ("SB-W364", f"/{TABLE}:1")
    assert "it is run as alice, and what sudo lets alice do is not known" in found["problem"]


def test_a_user_starts_no_unit(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    unit = f"[Service]\nExecStart=/bin/sh -c 'echo 8 > {FILE}'\n[Install]\nWantedBy=multi-user.target\n"
    start = "systemctl start vfs.service\n"
    write_files(tree, {"etc/systemd/system/vfs.service": unit, TABLE: f"@reboot {start}"})
    assert migrated(tree, capsys) == {}
    assert diagnosed(tree, capsys) == []
    write_files(tree, {"etc/crontab": f"@reboot root {start}"})
    assert [found["code"] for found in diagnosed(tree, capsys)] == ["SB-E302"]


def rules(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Eswitch | None], str]:
    """PCI address -> its switch, of the rules that are in force; and all that is said."""
    assert main(["migrate"], root=str(tree.root)) == 0
    out = capsys.readouterr().out
    found = decode([ConfigFile("migrated.toml", out.encode())]).pf
    return {rule.match.pci_address: rule.eswitch for rule in found}, out


@pytest.mark.parametrize(
    "files",
    [
        {TABLE: f"@reboot {DEVLINK}\n"},
        {"etc/crontab": f"@reboot alice {DEVLINK}\n"},
        {TABLE: "@reboot /opt/x.sh\n", "opt/x.sh": f"{SH}{DEVLINK}\n"},
        of_service(f"ExecStart=/sbin/{DEVLINK}"),
    ],
    ids=["a table", "a line", "a script", "a unit"],
)
def test_the_switch_is_as_root_sets_it(tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files) -> None:
    write_files(tree, {**rc_local(f"echo 8 > {FILE}\necho 4 > {OTHER}"), **files})
    found, out = rules(tree, capsys)
    assert found == {PF: None, PF2: None}
    assert out.count(f"may set the switch of this PF with devlink; not taken over: {NOT_ALLOWED}\n") == 1
    of_root = f"{DEVLINK.replace('switchdev', 'legacy')}\necho 8 > {FILE}"
    write_files(tree, rc_local(of_root))
    assert rules(tree, capsys)[0] == {PF: Eswitch(EswitchMode.LEGACY)}


def of_alice(tree: HostTree, files: Files) -> None:
    """Her table, and what is in her home."""
    (tree.root / "home/alice").mkdir(parents=True)
    write_files(tree, files)
    for path in (tree.root / "home/alice", *(tree.root / name for name in files if "alice" in name)):
        os.chown(path, ALICE, ALICE)


@as_root
def test_files_of_a_user_with_holes_cost_what_is_read_of_them_and_end_nothing(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"home/alice/{number:02}.sh" for number in range(60)]
    table = "".join(f"@reboot /{name}\n" for name in names)
    of_alice(tree, {TABLE: table, **dict.fromkeys(names, f"{ECHO}#{'x' * 999}\n")})
    for name in names[1:]:
        os.truncate(tree.root / name, 1 << 20)
    write_files(tree, rc_local(f"echo 8 > {OTHER}"))
    assert migrated(tree, capsys) == {PF2: 8}
    assert [found["place"] for found in diagnosed(tree, capsys)] == ["/etc/rc.local:2", f"/{names[0]}:2"]
    main(["doctor", "--json"], root=str(tree.root))
    unseen = json.loads(capsys.readouterr().out)["unseen"]
    (said,) = (text for text in unseen if "alice" in text)
    assert said.startswith(f"/{names[1]}: not read: more than 1 MiB of files that user {ALICE} owns or names;")


LONG = f"#{'x' * 999}\n"  # more than what a binary has a zero in
BEFORE_ZEROS: dict[str, tuple[Files, str]] = {
    "a script": (rc_local("/opt/x.sh") | {"opt/x.sh": f"{SH}{LONG}echo 8 > {FILE}\n\0\0"}, "/opt/x.sh:3"),
    "an archive that unpacks itself": (
        rc_local("/opt/x.run") | {"opt/x.run": f"{SH}{LONG}echo 8 > {FILE}\nexit 0\n\x01\0\necho 4 > {FILE}\n"},
        "/opt/x.run:3",
    ),
    "rc.local": ({"etc/rc.local": f"{SH}{LONG}echo 8 > {FILE}\n\0\0"}, "/etc/rc.local:3"),
    "a cron table": ({"etc/cron.d/x": f"{LONG}@reboot root echo 8 > {FILE}\n\0\0"}, "/etc/cron.d/x:2"),
    "a short cron table": ({"etc/cron.d/x": f"@reboot root echo 8 > {FILE}\n\0\0"}, "/etc/cron.d/x:1"),
}


@pytest.mark.parametrize(("files", "place"), BEFORE_ZEROS.values(), ids=BEFORE_ZEROS)
def test_what_stands_before_a_zero_is_run(
    tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files, place: str
) -> None:
    write_files(tree, files)
    assert migrated(tree, capsys) == {PF: 8}
    assert [found["place"] for found in diagnosed(tree, capsys)] == [place]


def test_of_a_file_with_a_hole_its_beginning_is_kept_and_of_a_binary_nothing(tree: HostTree) -> None:
    text = f"{ECHO}{LONG}"
    write_files(tree, rc_local("/opt/a.sh\n/opt/b.sh") | {"opt/a.sh": text, "opt/b.sh": f"{SH}\0{text}"})
    write_files(tree, {TABLE: text})
    for name in ("opt/a.sh", TABLE):
        os.truncate(tree.root / name, 1 << 16)
    sources = survey_masters(HostMachine(root=str(tree.root))).sources
    texts = {source.path: source.text for source in sources}
    assert texts["/opt/a.sh"] == texts[f"/{TABLE}"] == text
    assert "/opt/b.sh" not in texts


VFS = "usr/local/sbin/vfs.sh"
ROOTS: dict[str, Files] = {
    "root's table": {"var/spool/cron/crontabs/root": f"@reboot /{VFS}\n"},
    "a script of rc.local": rc_local("/opt/a.sh") | {"opt/a.sh": f"{SH}/{VFS}\n"},
    "udev": {"etc/udev/rules.d/v.rules": f'ACTION=="add", SUBSYSTEM=="net", KERNEL=="ens1f0", RUN+="/{VFS}"\n'},
    "modprobe": {"etc/modprobe.d/v.conf": f"install mlx5_core /{VFS}; modprobe -i mlx5_core\n"},
}
MENTIONS = {
    "run": f"@reboot /{VFS}\n",
    "run with something": f"@reboot /{VFS} 4; /{VFS} ens1f1\n",
    "looked at": f"@reboot ls /{VFS}\n",
    "read for a number": f"@reboot echo $(cat /{VFS}) > /run/sriov_numvfs\n",
    "given to a command": f"@reboot acmed /{VFS}\n",
    "a variable": f"A=/{VFS}\n",
    "in a script": "@reboot /home/alice/x.sh\n",
}


@as_root
@pytest.mark.parametrize("mode", [0o700, 0o755])
@pytest.mark.parametrize("mention", MENTIONS.values(), ids=MENTIONS)
@pytest.mark.parametrize("files", ROOTS.values(), ids=ROOTS)
def test_what_a_user_names_hides_nothing_that_root_runs(
    tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files, mention: str, mode: int
) -> None:
    """Tables are read by name, and hers comes first."""
    write_files(tree, {**files, VFS: ECHO})
    (tree.root / VFS).chmod(mode)
    before = migrated(tree, capsys), diagnosed(tree, capsys)
    assert before[1]
    of_alice(tree, {TABLE: mention, "home/alice/x.sh": f"{SH}. /{VFS}\n"})
    tree.configure("")
    assert (migrated(tree, capsys), diagnosed(tree, capsys)) == before


@as_root
@pytest.mark.parametrize("files", ROOTS.values(), ids=ROOTS)
def test_sudo_hides_nothing_either(tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files) -> None:
    write_files(tree, {**files, VFS: ECHO})
    before = diagnosed(tree, capsys)
    of_alice(tree, {TABLE: f"@reboot sudo /{VFS}\n"})
    found = diagnosed(tree, capsys)
    assert [finding for finding in found if finding in before] == before
    assert all("what sudo lets alice do" in finding["problem"] for finding in found if finding not in before)


@as_root
def test_what_one_user_may_not_read_is_read_for_another(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    """A script, a program, and settings: each is looked at for who names it."""
    names = ("home/bob/vfs.sh", "home/bob/vfs", "home/bob/vfs.conf")
    program = "\x7fELF\0/sys/class/net/ens1f0/device/sriov_numvfs\0"
    write_files(tree, dict(zip(names, (ECHO, program, "sriov_numvfs=8\n"), strict=True)))
    lines = "".join(f"@reboot {command} /{name}\n" for command, name in zip(("sh", "", "acmed -f"), names, strict=True))
    of_alice(tree, {TABLE: lines, "var/spool/cron/crontabs/bob": lines})
    for name in ("var/spool/cron/crontabs/bob", *names):
        os.chown(tree.root / name, ALICE + 1, ALICE + 1)
        (tree.root / name).chmod(0o600 if name.endswith(".conf") else 0o700)
    found = diagnosed(tree, capsys)
    assert {finding["place"].partition(":")[0] for finding in found} == {f"/{name}" for name in names}
    of_bob = [finding["place"] for finding in found if "it is run as bob" in finding["problem"]]
    assert of_bob == [f"/{names[0]}:2", f"/{names[1]}", f"/{names[2]}:1"]
    main(["doctor", "--json"], root=str(tree.root))
    unseen = json.loads(capsys.readouterr().out)["unseen"]
    assert f"/{names[0]}: not read: user {ALICE}, whose file names it, may not read it" in unseen


@as_root
def test_the_files_of_units_are_read_before_those_that_a_user_names(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    unit = service(f"EnvironmentFile=/etc/default/vfs\nExecStart=/bin/sh -c 'echo $NUM > {FILE}'")
    write_files(tree, {**unit, "-etc/default/vfs": "NUM=8\n"})
    of_alice(tree, {TABLE: "@reboot N=$(cat /etc/default/vfs); echo $N > /home/alice/sriov_numvfs\n"})
    assert migrated(tree, capsys) == {PF: 8}


@pytest.mark.parametrize("is_roots", [True, False])
def test_a_script_that_the_environment_of_a_unit_names_is_run_by_who_runs_the_unit(
    tree: HostTree, capsys: pytest.CaptureFixture[str], *, is_roots: bool
) -> None:
    lines = "EnvironmentFile=/etc/default/vfs\nExecStart=/bin/sh $SCRIPT"
    unit = service(f"{'' if is_roots else 'User=alice'}\n{lines}")
    write_files(tree, {**unit, "-etc/default/vfs": "SCRIPT=/opt/x\n", "opt/x": ECHO})
    assert migrated(tree, capsys) == ({PF: 8} if is_roots else {})
    (found,) = diagnosed(tree, capsys)
    assert (NOT_ALLOWED in found["problem"]) is not is_roots
