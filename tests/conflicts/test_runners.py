"""Who runs what was read, and what comes of that: what a user runs is never certain."""

import pytest
from msgspec.structs import replace

from builders import PF, make_config, make_pf, make_rule
from sriov_bootstrap.conflicts.called_scripts import called_scripts
from sriov_bootstrap.conflicts.checks import find_masters
from sriov_bootstrap.conflicts.master import Master
from sriov_bootstrap.conflicts.runners import doubt_of_runner, runner_of, texts_by_runner
from sriov_bootstrap.conflicts.started_units import pulled_by_settings, units_pulled
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.conflicts.suspects import suspects_of
from sriov_bootstrap.conflicts.switches import eswitch_lines, sets_switches, switch_commands
from sriov_bootstrap.conflicts.unit_commands import unit_runners
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.desired import resolve
from sriov_bootstrap.render.host import Host

FILE = "/sys/class/net/ens1f0/device/sriov_numvfs"
ECHO = f"echo 8 > {FILE}"
DEVLINK = f"devlink dev eswitch set pci/{PF} mode switchdev"
TABLE = "/var/spool/cron/crontabs/alice"
UNIT = "/etc/systemd/system/vfs.service"
STARTED = frozenset({"vfs.service"})
NOT_ALLOWED = "it is run as alice, who may not do that except by sudo"
BY_SUDO = "it is run as alice, and what sudo lets alice do is not known"


@pytest.mark.parametrize(
    ("source", "line", "runner"),
    [
        (Source(Format.CRON, "/etc/crontab"), "@reboot root x", ""),
        (Source(Format.CRON, "/etc/crontab"), "@reboot alice x", "alice"),
        (Source(Format.CRON, "/etc/cron.d/x"), "*/5 * * * * alice x", "alice"),
        (Source(Format.CRON, "/etc/cron.d/x"), "A = * * * * alice x", ""),
        (Source(Format.CRON, "/etc/cron.d/x"), "@reboot me:hunter2@host x", "another user"),
        (Source(Format.CRON, TABLE), "@reboot root x", "alice"),
        (Source(Format.CRON, "/var/spool/cron/root"), "@reboot alice x", ""),
        (Source(Format.OTHER, "/var/spool/incron/alice"), "/a IN_CREATE x", "alice"),
        (Source(Format.OTHER, "/etc/incron.d/alice"), "/a IN_CREATE x", ""),
        (Source(Format.OTHER, "/var/spool/incron/x", caller="/etc/rc.local:1"), "x", ""),
        (Source(Format.SCRIPT, "/var/spool/cron/x", caller="/etc/rc.local:1"), "x", ""),
        (Source(Format.SCRIPT, "/opt/x", runner="alice"), "x", "alice"),
        (Source(Format.SCRIPT, "/home/alice/x", owner=1000), "x", ""),
    ],
)
def test_who_runs_a_line(source: Source, line: str, runner: str) -> None:
    assert runner_of(source, line) == runner


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("A=1\n@reboot root a\n", {"": "A=1\n@reboot root a\n"}),
        ("A=1\n# c\n", {"": "A=1\n# c\n"}),
        ("A=1\n@reboot bob b\n", {"bob": "A=1\n@reboot bob b\n"}),
        (
            "A=1\n@reboot root a\n@reboot bob b\n@reboot alice c",
            {"": "A=1\n@reboot root a\n\n", "alice, bob": "A=1\n\n@reboot bob b\n@reboot alice c"},
        ),
    ],
)
def test_a_table_is_parted_by_who_runs_its_jobs_and_keeps_its_lines(text: str, texts: dict[str, str]) -> None:
    assert texts_by_runner(Source(Format.CRON, "/etc/crontab", text)) == texts


def test_any_other_file_is_run_by_one() -> None:
    assert texts_by_runner(Source(Format.CRON, TABLE, "@reboot x\n")) == {"alice": "@reboot x\n"}
    assert texts_by_runner(Source(Format.SCRIPT, "/opt/x", "x\n", runner="alice")) == {"alice": "x\n"}
    assert texts_by_runner(Source(Format.SCRIPT, "/opt/x", "x\n")) == {"": "x\n"}


@pytest.mark.parametrize("command", ["sudo tee /x", "echo 8 | /usr/bin/sudo tee /x", "doas x", "su -c x", "pkexec x"])
def test_what_sudo_lets_a_user_do_is_not_known(command: str) -> None:
    assert doubt_of_runner("alice", command) == BY_SUDO
    assert doubt_of_runner("alice", "tee /sudoers", "and more") == f"{NOT_ALLOWED}; and more"


def doubts(*sources: Source) -> dict[str, str]:
    """Place -> doubt, of what is found; who runs it is said where it is no certain one."""
    found = find_masters(MastersSurvey(sources, STARTED), (make_pf(),))
    assert all(bool(master.doubt) is not master.is_certain for master in found)
    assert all(master.runner == "alice" for master in found if "alice" in master.doubt)
    return {master.place: master.doubt for master in found}


def test_the_jobs_of_users_are_doubts() -> None:
    lines = f"@reboot root {ECHO}\n@reboot alice {ECHO}\n@daily alice {ECHO}\n@reboot alice sudo sh -c '{ECHO}'\n"
    assert doubts(Source(Format.CRON, "/etc/crontab", lines)) == {
        "/etc/crontab:1": "",
        "/etc/crontab:2": NOT_ALLOWED,
        "/etc/crontab:3": f"{NOT_ALLOWED}; cron runs it at its time, not at boot",
        "/etc/crontab:4": BY_SUDO,
    }


def test_scripts_of_such_a_job_are_doubts_whether_they_are_followed_or_not() -> None:
    table = Source(Format.CRON, TABLE, "@reboot /opt/a.sh\n@reboot perl -e 'exec q(/opt/b.sh)'\n")
    scripts = (
        Source(
            Format.SCRIPT, "/opt/a.sh", f"#!/bin/sh\n{ECHO}\nsudo sh -c '{ECHO}'\n", caller=f"{TABLE}:1", runner="alice"
        ),
        Source(Format.SCRIPT, "/opt/b.sh", f"#!/bin/sh\n{ECHO}\n", caller=f"{TABLE}:2", runner="alice"),
    )
    assert doubts(table, *scripts) == {"/opt/a.sh:2": NOT_ALLOWED, "/opt/a.sh:3": BY_SUDO, "/opt/b.sh:2": NOT_ALLOWED}


def test_a_script_of_a_user_that_root_runs_is_roots() -> None:
    script = Source(Format.SCRIPT, "/home/alice/x", f"#!/bin/sh\n{ECHO}\n", caller="/etc/rc.local:1", owner=1000)
    assert doubts(Source(Format.SCRIPT, "/etc/rc.local", "/home/alice/x\n"), script) == {"/home/alice/x:2": ""}


def test_lines_of_tmpfiles_that_a_user_applies_are_doubts() -> None:
    text = f"w {FILE} - - - - 8\n"
    for caller, more in {f"{TABLE}:1": f"; only {TABLE}:1 applies it, if that line is run", f"{UNIT}:3": ""}.items():
        source = Source(Format.TMPFILES, "/home/alice/x", text, caller=caller, runner="alice")
        assert doubts(source) == {"/home/alice/x:1": f"{NOT_ALLOWED}{more}"}


SERVICE = f"""[Service]
{{}}
ExecStartPre=/bin/sh -c '{ECHO}'
ExecStart=/bin/sh -c '{ECHO}'
ExecStart=+/bin/sh -c '{ECHO}'
ExecStart=-!!/bin/sh -c '{ECHO}'
ExecStop=/bin/sh -c '{ECHO}'
"""
STOPS = "ExecStop= is only run when the unit stops"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("Type=exec", ("", "", "", "", STOPS)),
        ("User=root", ("", "", "", "", STOPS)),
        ("User=alice\nUser=", ("", "", "", "", STOPS)),
        ("User=alice", (NOT_ALLOWED, NOT_ALLOWED, "", NOT_ALLOWED, f"{NOT_ALLOWED}; {STOPS}")),
        ("User=alice\nPermissionsStartOnly=true", ("", NOT_ALLOWED, "", NOT_ALLOWED, STOPS)),
        ("User=alice\nAmbientCapabilities=CAP_DAC_OVERRIDE", ("", "", "", "", STOPS)),
        (
            "User=alice\nAmbientCapabilities=CAP_NET_RAW",
            (NOT_ALLOWED, NOT_ALLOWED, "", NOT_ALLOWED, f"{NOT_ALLOWED}; {STOPS}"),
        ),
    ],
)
def test_commands_of_a_unit_that_a_user_runs_are_doubts(entry: str, expected: tuple[str, ...]) -> None:
    found = doubts(Source(Format.UNIT, UNIT, SERVICE.format(entry)))
    assert tuple(found[place] for place in sorted(found)) == expected


def test_a_dynamic_user_has_no_name() -> None:
    source = Source(Format.UNIT, UNIT, f"[Service]\nDynamicUser=yes\nExecStart=/bin/sh -c '{ECHO}'\n")
    (found,) = find_masters(MastersSurvey((source,), STARTED), (make_pf(),))
    assert (found.is_certain, found.runner) == (False, "another user")


def test_the_output_of_a_unit_goes_to_a_file_that_root_opens() -> None:
    text = f"[Service]\nUser=alice\nExecStart=/bin/echo 8\nStandardOutput=file:{FILE}\n"
    assert doubts(Source(Format.UNIT, UNIT, text)) == {f"{UNIT}:4": ""}


def test_each_instance_has_its_user() -> None:
    text = f"[Service]\nUser=%i\nExecStart=/bin/sh -c '{ECHO}'\n"
    source = Source(Format.UNIT, "/etc/systemd/system/vfs@.service", text)
    for users, expected in {"alice": ("alice", False), "root": ("", True), "root alice": ("", True)}.items():
        wanted = frozenset(f"vfs@{user}.service" for user in users.split())
        (found,) = find_masters(MastersSurvey((source,), wanted), (make_pf(),))
        assert (found.runner, found.is_certain) == expected


def test_what_is_called_is_run_by_who_runs_its_caller() -> None:
    unit = "[Service]\nUser=alice\nExecStart=/opt/a\nExecStartPre=+/opt/b\nEnvironment=RUN=/opt/c\n"
    other = "[Service]\nUser=alice\nEnvironment=RUN=/opt/d\nExecStart=/opt/i $RUN\n"
    sources = (
        Source(Format.UNIT, UNIT, unit),
        Source(Format.UNIT, UNIT.replace("vfs", "more"), other),
        Source(Format.CRON, "/etc/crontab", "@reboot root /opt/e\n@reboot alice /opt/f\n"),
        Source(Format.CRON, TABLE, "@reboot /opt/g\n"),
        Source(Format.SCRIPT, "/opt/x", "#!/bin/sh\n/opt/h\n", caller=f"{TABLE}:2", runner="alice"),
        Source(Format.ENVIRONMENT, "/etc/default/x", "RUN=/opt/j\n", runner="alice"),
    )
    survey = MastersSurvey(sources, STARTED)
    of_root, of_users = (called_scripts(survey, print, of_users=of_users) for of_users in (False, True))
    assert {path: call.source.runner for path, call in of_root.items()} == {"/opt/b": "", "/opt/c": "", "/opt/e": ""}
    assert {path: call.source.runner for path, call in of_users.items()} == dict.fromkeys(
        ("/opt/a", "/opt/d", "/opt/f", "/opt/g", "/opt/h", "/opt/i", "/opt/j"), "alice"
    )


def test_a_user_starts_no_unit() -> None:
    start = "systemctl start {}.service\n"
    sources = (
        Source(Format.CRON, TABLE, f"@reboot {start.format('a')}"),
        Source(Format.CRON, "/etc/crontab", f"@reboot alice {start.format('b')}@reboot root {start.format('c')}"),
        Source(Format.SCRIPT, "/opt/x", start.format("d"), caller=f"{TABLE}:2", runner="alice"),
    )
    survey = MastersSurvey(sources)
    assert units_pulled(survey, pulled_by_settings(survey)) == {"c.service": ("/etc/crontab:2",)}


@pytest.mark.parametrize(
    ("job", "is_named"),
    [
        (f"sudo sh -c '{ECHO}'", True),
        (f"echo 8 | sudo tee {FILE}", True),
        (f"sh -c '{ECHO}'", False),
        ("sudo /opt/x.sh", True),
        ("/opt/x.sh", False),
    ],
)
def test_what_a_user_has_sudo_do_may_have_overwritten_a_number(job: str, *, is_named: bool) -> None:
    config, pfs = make_config(make_rule(num_vfs=4)), (make_pf(),)
    table = Source(Format.CRON, TABLE, f"@hourly {job}\n")
    script = Source(Format.SCRIPT, "/opt/x.sh", f"#!/bin/sh\n{ECHO}\n", caller=f"{TABLE}:1", runner="alice")
    sources = (table, script) if "/opt/x.sh" in job else (table,)
    (found,) = find_masters(MastersSurvey(sources), pfs)
    assert (found.runner, found.by_sudo, found.is_certain) == ("alice", is_named, False)
    suspects = suspects_of(Host(config, resolve(config, pfs), pfs), (found,))
    assert [suspect.place for suspect in suspects.get(PF, ())] == ([found.place] if is_named else [])


def test_what_a_user_runs_has_not_overwritten_a_number() -> None:
    config, pfs = make_config(make_rule(num_vfs=4)), (make_pf(),)
    host = Host(config, resolve(config, pfs), pfs)
    of_root = Master(Format.CRON, "/etc/crontab", 1, "", (Match(pci_address=PF),), 8)
    of_user = Master(Format.CRON, TABLE, 1, "", (Match(pci_address=PF),), 8, runner="alice")
    assert suspects_of(host, (of_user,)) == {}
    assert [suspect.place for suspect in suspects_of(host, (of_user, of_root))[PF]] == ["/etc/crontab:1"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (Source(Format.CRON, TABLE, f"@reboot {DEVLINK}\n"), {f"{TABLE}:1": NOT_ALLOWED}),
        (Source(Format.CRON, TABLE, f"@reboot sudo {DEVLINK}\n"), {f"{TABLE}:1": BY_SUDO}),
        (
            Source(Format.CRON, "/etc/crontab", f"@reboot root {DEVLINK}\n@reboot alice {DEVLINK}\n"),
            {"/etc/crontab:1": "", "/etc/crontab:2": NOT_ALLOWED},
        ),
        (Source(Format.SCRIPT, "/opt/x", f"{DEVLINK}\n", runner="alice"), {"/opt/x:1": NOT_ALLOWED}),
        (
            Source(
                Format.UNIT,
                UNIT,
                f"[Service]\nUser=alice\nExecStart=sh -c '{DEVLINK}; \\\n{DEVLINK}'\nExecStartPost=+{DEVLINK}\n",
            ),
            {f"{UNIT}:3": NOT_ALLOWED, f"{UNIT}:4": NOT_ALLOWED, f"{UNIT}:5": ""},
        ),
        (Source(Format.UNIT, UNIT, f"[Service]\nExecStart={DEVLINK}\n"), {f"{UNIT}:2": ""}),
        (
            Source(Format.UNIT, UNIT, f"[Service]\nUser=alice\nExecStart={DEVLINK}\n[Install]\nWantedBy=a.target\n"),
            {f"{UNIT}:3": NOT_ALLOWED},
        ),
        (
            Source(
                Format.UNIT, UNIT, f"[Service]\nUser=alice\nAmbientCapabilities=CAP_NET_ADMIN\nExecStart={DEVLINK}\n"
            ),
            {f"{UNIT}:4": ""},
        ),
    ],
    ids=[
        "a table",
        "by sudo",
        "a line",
        "a script",
        "a unit",
        "a unit of root",
        "a unit that is not started",
        "a unit with capabilities",
    ],
)
def test_what_a_user_sets_of_a_switch_is_not_taken_over(source: Source, expected: dict[str, str]) -> None:
    survey = MastersSurvey((source,))
    commands = switch_commands(survey, unit_runners(survey, sets_switches))
    assert {command.place: command.doubt for command in commands} == expected
    of_root = [place for place, doubt in expected.items() if not doubt]
    lines, notes = eswitch_lines((), commands, make_pf())
    assert bool(lines) is bool(of_root)
    assert notes == (
        *(f"{place} sets the switch of this PF: [pf.eswitch] replaces that devlink command" for place in of_root),
        *(
            f"{place} may set the switch of this PF with devlink; not taken over: {doubt}"
            for place, doubt in expected.items()
            if doubt
        ),
    )


def script_of_root(text: str) -> tuple[Source, ...]:
    """A script that rc.local names."""
    return (Source(Format.SCRIPT, "/opt/x.sh", f"#!/bin/sh\n{text}\n", caller="/etc/rc.local:1"),)


RUNS, NAMES = "/opt/x.sh\n", "perl -e 'exec q(/opt/x.sh)'\n"


@pytest.mark.parametrize("line", [RUNS, NAMES], ids=["followed", "named"])
@pytest.mark.parametrize(
    "job", ["/opt/x.sh", "sudo /opt/x.sh", "sh -c '. /opt/x.sh'", "/home/alice/y", "sudo x; /opt/x.sh"]
)
def test_what_root_runs_is_said_once_whoever_else_runs_it(line: str, job: str) -> None:
    sources = (
        Source(Format.CRON, TABLE, f"@reboot {job}\n"),
        Source(Format.SCRIPT, "/home/alice/y", "#!/bin/sh\nsudo /opt/x.sh\n", caller=f"{TABLE}:1", runner="alice"),
        Source(Format.SCRIPT, "/etc/rc.local", line),
        *script_of_root(ECHO),
    )
    (found,) = find_masters(MastersSurvey(sources), (make_pf(),))
    assert (found.place, found.is_certain, found.runner) == ("/opt/x.sh:2", True, "")


@pytest.mark.parametrize(
    ("text", "runs", "doubt"),
    [
        (f"echo 8 | $1 {FILE}", "/opt/x.sh", "it mentions VFs in a way that is not understood"),
        (f"if x; then {ECHO}; fi", "sh /opt/x.sh", "it is in a block that is not always run"),
    ],
    ids=["what is not understood", "what is not executable"],
)
def test_what_a_user_makes_of_a_script_of_root_says_nothing_of_it(text: str, runs: str, doubt: str) -> None:
    (script,) = script_of_root(text)
    script = replace(script, is_executable="sh" not in runs.split())
    rc_local = Source(Format.SCRIPT, "/etc/rc.local", f"{runs}\n")
    for job in ("true", "sudo /opt/x.sh tee"):
        table = Source(Format.CRON, TABLE, f"@reboot {job}\n")
        (found,) = find_masters(MastersSurvey((table, rc_local, script)), (make_pf(),))
        assert (found.place, found.doubt, found.runner) == ("/opt/x.sh:2", doubt, "")


def test_what_is_not_understood_of_a_users_script_is_a_mention_that_says_so() -> None:
    text = f"#!/bin/sh\ntool {FILE}\n"
    script = Source(Format.SCRIPT, "/opt/x.sh", text, caller=f"{TABLE}:1", runner="alice")
    (found,) = find_masters(MastersSurvey((Source(Format.CRON, TABLE, "@reboot /opt/x.sh\n"), script)), (make_pf(),))
    assert (found.place, found.is_mention, found.runner) == ("/opt/x.sh:2", True, "alice")
    assert found.doubt == f"{NOT_ALLOWED}; it mentions VFs in a way that is not understood"


def test_what_users_run_uses_up_nothing_of_what_root_runs() -> None:
    notes: list[str] = []
    tables = tuple(Source(Format.CRON, f"/var/spool/cron/u{number}", f"@reboot {ECHO}\n" * 60) for number in range(9))
    script, run = script_of_root(ECHO)[0], "@reboot sudo /opt/x.sh\n" * 99
    unit = Source(Format.UNIT, UNIT, "[Service]\nExecStart=/opt/x.sh\n")
    sources = (*tables, Source(Format.CRON, TABLE, run), unit, script)
    found = find_masters(MastersSurvey(sources, STARTED), (make_pf(),), notes.append)
    assert (found[0].place, found[0].is_certain) == ("/opt/x.sh:2", True)
    assert [master.runner for master in found[1:]] == ["u0"] * 60 + ["u1"] * 60 + ["u2"] * 8
    assert {note.partition(":")[0] for note in notes} == {*(f"/var/spool/cron/u{n}" for n in range(2, 9)), "/opt/x.sh"}
