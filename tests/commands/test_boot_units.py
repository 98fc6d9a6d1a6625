"""Units: what goes to a file by StandardOutput=, and when they are started."""

import pytest

from boot_files import ECHO, FILE, SH, UNIT, Files, add_two_ports, diagnosed, migrated, service, write_files
from builders import PF, PF2
from fakes_host import HostTree


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    return add_two_ports(tree)


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(service(f"ExecStart=/bin/echo 8\nStandardOutput=file:{FILE}"), id="file"),
        pytest.param(service(f"StandardOutput=append:{FILE}\nExecStart=/usr/bin/printf %d 8"), id="append"),
        pytest.param(service(f"StandardOutput=truncate:{FILE}\nExecStart=/bin/sh -c 'echo 8'"), id="truncate"),
        pytest.param(
            {**service(f"StandardOutput=file:{FILE}\nExecStart=/opt/n.sh 8"), "opt/n.sh": f"{SH}echo $1\n"},
            id="a script",
        ),
        pytest.param(
            {
                "etc/systemd/system/v@.service": UNIT.format(
                    "Environment=N=8\nStandardOutput=file:/sys/class/net/%i/device/sriov_numvfs\nExecStart=echo ${N}"
                ),
                "@v@ens1f0.service": "",
            },
            id="an instance",
        ),
        pytest.param(
            {**service(f"StandardOutput=file:{FILE}\nExecStart=/bin/cat /etc/n"), "-etc/n": "8\n"}, id="a file"
        ),
        pytest.param(
            service(f"StandardOutput=null\nExecStart=echo 8\nStandardOutput=file:{FILE}\nExecStartPost=true"),
            id="the last one",
        ),
    ],
)
def test_the_output_of_a_unit_goes_to_the_file(
    tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files
) -> None:
    write_files(tree, files)
    assert migrated(tree, capsys) == {PF: 8}
    (found,) = diagnosed(tree, capsys)
    assert found["code"] == "SB-E302"
    assert found["evidence"] == f"output of the command: echo 8 > {FILE}"


@pytest.mark.parametrize(
    ("lines", "problems"),
    [
        (f"StandardOutput=file:{FILE}\nStandardOutput=journal\nExecStart=echo 8", []),
        ("StandardOutput=file:/var/log/sriov_numvfs.log\nExecStart=echo 8", []),
        (f"StandardOutput=file:{FILE}\nExecStart=true", []),
        (f"StandardError=file:{FILE}\nExecStart=/opt/x", ["may set the VFs of"]),
        (f"StandardOutput=file:{FILE}\nExecStart=/opt/x", ["sets the VFs of"]),
    ],
)
def test_output_that_is_not_known_is_no_rule(
    tree: HostTree, capsys: pytest.CaptureFixture[str], lines: str, problems: list[str]
) -> None:
    write_files(tree, service(lines))
    assert migrated(tree, capsys) == {}
    found = diagnosed(tree, capsys)
    assert [finding["problem"][: len(problem)] for finding, problem in zip(found, problems, strict=True)] == problems


TUNED = "[main]\ninclude=balanced\n[script]\nscript={}\n"
ACTIVE = {"etc/tuned/active_profile": "v\n"}


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(
            {"etc/tuned/v/tuned.conf": TUNED.format("${i:PROFILE_DIR}/script.sh"), "etc/tuned/v/script.sh": ECHO},
            id="its folder",
        ),
        pytest.param({"usr/lib/tuned/v/tuned.conf": TUNED.format("s.sh"), "usr/lib/tuned/v/s.sh": ECHO}, id="relative"),
        pytest.param(
            {
                "etc/tuned/profiles/v/tuned.conf": "[main]\nsummary=x\n[script]\nscript=a.sh\n"
                "[more]\ntype=script\nscript=${i:PROFILE_DIR}/sub/../b.sh\n",
                "etc/tuned/profiles/v/a.sh": f"{SH}exit 0\n",
                "etc/tuned/profiles/v/b.sh": f'{SH}[ "$1" = start ] && echo 8 > {FILE}\n',
            },
            id="several",
        ),
        pytest.param(
            {
                "etc/tuned/v/tuned.conf": "[main]\ninclude=a, w\n",
                "etc/tuned/w/tuned.conf": TUNED.format("w.sh"),
                "etc/tuned/w/w.sh": ECHO,
            },
            id="of a profile that it includes",
        ),
        pytest.param(
            {
                "etc/tuned/v/tuned.conf": TUNED.format("/opt/s.sh"),
                "opt/s.sh": f'{SH}start() {{\n  echo 8 > {FILE}\n}}\ncase "$1" in start) start ;; esac\n',
            },
            id="a path",
        ),
    ],
)
def test_scripts_of_the_profile_that_is_chosen(
    tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files
) -> None:
    write_files(tree, files | ACTIVE)
    assert migrated(tree, capsys) == {PF: 8}
    (found,) = diagnosed(tree, capsys)
    assert found["code"] == "SB-E301"
    assert "tuned.conf:" in found["remedy"]


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (
            {"etc/tuned/w/tuned.conf": TUNED.format("s.sh"), "etc/tuned/w/s.sh": ECHO},
            "(/etc/tuned/active_profile names another one)",
        ),
        (
            {"etc/tuned/v/tuned.conf": TUNED.format("s.sh"), "-etc/tuned/v/s.sh": ECHO},
            "(/etc/tuned/v/s.sh is not executable, so it is not run now)",
        ),
        (
            {
                "etc/tuned/v/tuned.conf": TUNED.format("s.sh"),
                "etc/tuned/v/s.sh": f"{SH}. /usr/lib/tuned/functions\nstart() {{\n  echo 8 > {FILE}\n}}\nprocess $@\n",
            },
            "(it is in a block that is not always run)",
        ),
        (
            {
                "etc/tuned/v/tuned.conf": TUNED.format("s.py"),
                "etc/tuned/v/s.py": f"#!/usr/bin/python3\nopen('{FILE}', 'w')\n",
            },
            "may set VFs: it mentions VFs in a way that is not understood",
        ),
    ],
)
def test_a_script_of_a_profile_that_may_not_be_run_is_a_doubt(
    tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files, problem: str
) -> None:
    write_files(tree, files | ACTIVE)
    assert migrated(tree, capsys) == {}
    (found,) = diagnosed(tree, capsys)
    assert found["problem"].endswith(problem)


def test_profiles_that_include_each_other_end(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    chain = {f"etc/tuned/p{n}/tuned.conf": f"[main]\ninclude=p{n + 1}\n" for n in range(100)}
    ring = {"etc/tuned/v/tuned.conf": "[main]\ninclude=w p0\n", "etc/tuned/w/tuned.conf": "[main]\ninclude=v\n"}
    write_files(tree, chain | ring | ACTIVE)
    assert migrated(tree, capsys) == {}


@pytest.mark.parametrize(
    ("files", "code"),
    [
        (service("ExecStart=/usr/bin/systemd-tmpfiles --create --prefix=/sys /etc/vfs.tmpfiles"), "SB-E317"),
        ({"etc/rc.local": f"{SH}systemd-tmpfiles --create /etc/vfs.tmpfiles\n"}, "SB-W367"),
        ({"etc/cron.d/x": "@reboot root systemd-tmpfiles --create '/etc/vfs.tmpfiles'\n"}, "SB-W367"),
        ({"etc/rc.local": f"{SH}# systemd-tmpfiles --create /etc/vfs.tmpfiles\n"}, ""),
    ],
)
def test_what_systemd_tmpfiles_is_given(
    tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files, code: str
) -> None:
    write_files(tree, files | {"-etc/vfs.tmpfiles": f"w {FILE} - - - - 8\n"})
    assert migrated(tree, capsys) == ({PF: 8} if code == "SB-E317" else {})
    found = diagnosed(tree, capsys)
    assert [(finding["code"], finding["place"]) for finding in found] == (
        [(code, "/etc/vfs.tmpfiles:1")] if code else []
    )


STARTED = f"[Unit]\n{{}}\n[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo 8 > {FILE}'\n"


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("ConditionPathExists=/etc/there", ""),
        ("ConditionPathExists=!/etc/gone", ""),
        ("ConditionPathExistsGlob=/etc/the*", ""),
        ("ConditionPathIsDirectory=/etc", ""),
        ("ConditionFileNotEmpty=/etc/there", ""),
        ("ConditionFileIsExecutable=!/etc/there", ""),
        ("ConditionKernelCommandLine=quiet", ""),
        ("ConditionPathExists=/etc/gone", "does not hold now, so the unit is not started"),
        ("AssertFileNotEmpty=/etc/empty", "does not hold now, so the unit is not started"),
        ("ConditionKernelCommandLine=debug", "does not hold now, so the unit is not started"),
        ("ConditionPathExists=!/run/done", "holds at boot cannot be told here"),
        ("ConditionVirtualization=no", "holds at boot cannot be told here"),
        ("ConditionFirstBoot=yes", "holds at boot cannot be told here"),
    ],
)
def test_a_condition_is_looked_at_or_a_doubt(
    tree: HostTree, capsys: pytest.CaptureFixture[str], condition: str, reason: str
) -> None:
    tree.write("proc/cmdline", "quiet\n")
    write_files(tree, {"-etc/there": "x", "-etc/empty": "", "etc/systemd/system/a.service": STARTED.format(condition)})
    assert migrated(tree, capsys) == ({} if reason else {PF: 8})
    (found,) = diagnosed(tree, capsys)
    assert found["code"] == ("SB-W352" if reason else "SB-E302")
    assert condition in (found["problem"] if reason else found["evidence"])
    assert reason in found["problem"]


STAYS = "RemainAfterExit=yes\n"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (f"ExecStart=/bin/true\nExecReload=/bin/sh -c 'echo 8 > {FILE}'", "only run when the unit is reloaded"),
        (f"{STAYS}ExecStart=/bin/true\nExecStop=/bin/sh -c 'echo 8 > {FILE}'", "only run when the unit stops"),
        (f"{STAYS}ExecStart=/bin/true\nExecStopPost=/bin/sh -c 'echo 8 > {FILE}'", "only run when the unit stops"),
        (f"ExecCondition=/opt/check\nExecStart=/bin/sh -c 'echo 8 > {FILE}'", "its ExecCondition= decides"),
    ],
)
def test_what_is_not_run_at_each_start_is_a_doubt(
    tree: HostTree, capsys: pytest.CaptureFixture[str], lines: str, reason: str
) -> None:
    write_files(tree, service(lines))
    assert migrated(tree, capsys) == {}
    (found,) = diagnosed(tree, capsys)
    assert found["code"] == "SB-W352"
    assert reason in found["problem"]


def test_a_unit_that_makes_vfs_and_takes_them_away_is_a_rule(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = f"{STAYS}ExecStart=/bin/sh -c 'echo 8 > {FILE}'\nExecStop=/bin/sh -c 'echo 0 > {FILE}'"
    write_files(tree, service(lines))
    assert migrated(tree, capsys) == {PF: 8}
    assert [finding["code"] for finding in diagnosed(tree, capsys)] == ["SB-E302", "SB-W352"]


PORT = 'SUBSYSTEM=="net", ACTION=="add", {}, ATTR{{device/sriov_numvfs}}="8"\n'


@pytest.mark.parametrize(
    ("selector", "rules"),
    [
        ('ATTR{phys_port_name}=="p0"', {PF: 8}),
        ('DRIVERS=="mlx5_core", ATTR{phys_port_name}=="p1"', {PF2: 8}),
        ('ATTR{phys_port_name}=="p0|p1"', {PF: 8, PF2: 8}),
        ('ATTR{phys_port_name}=="p[01]"', {PF: 8, PF2: 8}),
        ('KERNEL=="ens*", ATTR{phys_port_name}=="p0"', {PF: 8}),
        ('ATTR{dev_port}=="1"', {PF2: 8}),
        ('KERNEL=="eth*", ATTR{phys_port_name}=="p0"', {}),
        ('ATTR{phys_port_name}=="p7"', {}),
        ('ATTR{phys_port_name}!="p0"', {}),
    ],
)
def test_a_udev_rule_for_one_port_is_for_that_port_alone(
    tree: HostTree, capsys: pytest.CaptureFixture[str], selector: str, rules: dict[str, int]
) -> None:
    for number, netdev in enumerate(("ens1f0", "ens1f1")):
        (tree.root / f"sys/class/net/{netdev}/phys_port_name").write_text(f"p{number}\n")
        (tree.root / f"sys/class/net/{netdev}/dev_port").write_text(f"{number}\n")
    tree.write("etc/udev/rules.d/99-vf.rules", PORT.format(selector))
    assert migrated(tree, capsys) == rules
    assert {finding["code"] for finding in diagnosed(tree, capsys)} == {"SB-E303" if rules else "SB-W353"}
