"""Which files a service reads: its command line out of units, scripts and processes, and oslo.config's order."""

import pytest
from hypothesis import strategies as st

from fakes_openstack import DEBIAN_HEADS, TAIL
from fuzzing import fuzzed, spoilt
from sriov_bootstrap.formats import init_script, kolla, unit_files
from sriov_bootstrap.formats.oslo_files import Step, reading_steps, service_argv
from sriov_bootstrap.formats.unit_state import UnitProcess, parse_units, process_of

AGENT = ("/usr/bin/neutron-sriov-nic-agent", "--config-file=/a")


@pytest.mark.parametrize(
    ("words", "argv"),
    [
        (AGENT, AGENT),
        (("/usr/bin/python3", *AGENT), AGENT),
        (("/usr/bin/python3.11", "-s", "-E", *AGENT), AGENT),
        ((f"neutron-sriov-nic-agent (/usr/bin/python3 {' '.join(AGENT)})",), AGENT),
        (("uwsgi", "--pyargv", "--config-file=/a --x '/b c'"), ("uwsgi", "--config-file=/a", "--x", "/b c")),
        (("uwsgi", "--pyargv=--config-file=/a '"), ("uwsgi", "--config-file=/a", "'")),
        (("uwsgi", "--pyargv"), ("uwsgi", "--pyargv")),
        (("/bin/sh",), ()),
        ((), ()),
    ],
)  # fmt: skip
def test_the_command_of_a_process(words: tuple[str, ...], argv: tuple[str, ...]) -> None:
    assert service_argv(words) == argv


def test_what_a_command_line_names_comes_last() -> None:
    words = ("nova-compute", "--config-file", "~/a", "--debug", "--config-dir=/b", "--config-file")
    assert reading_steps(words, "nova", "/home") == (
        Step(("/home/a",), is_named=True),
        Step(("/b",), is_folder=True, is_named=True),
    )


def test_without_a_program_the_project_has_its_files() -> None:
    places = ("/h/.nova/nova.conf", "/h/nova.conf", "/etc/nova/nova.conf", "/etc/nova.conf")
    assert reading_steps((), "nova", "/h") == (
        Step(("/usr/share/nova/nova-dist.conf",)),
        Step(places),
        Step(tuple(f"{place}.d" for place in places), is_folder=True),
    )


UNIT = b"""[Unit]
ExecStart=/bin/no
[Service]
# ExecStart=/bin/never
ExecStart=-/usr/bin/nova-compute \\
# in between
  --config-file "/etc/a b"
User=nova
"""


@pytest.mark.parametrize(
    ("drop_ins", "words"),
    [
        ((), ("/usr/bin/nova-compute", "--config-file", "/etc/a b")),
        (("[Service]\nExecStart=\nExecStart=/bin/x y",), ("/bin/x", "y")),
        (("[Service]\nExecStart=\nExecStart=@/bin/x shown y",), ("/bin/x", "y")),
        (("[Service]\nExecStart=",), ()),
        (("[Service]\nExecStart=\nExecStart=-",), ()),
        (("[Service]\nExecStart=\nExecStart=''",), ()),
        (("[Install]\nExecStart=",), ("/usr/bin/nova-compute", "--config-file", "/etc/a b")),
    ],
)
def test_what_a_unit_starts(drop_ins: tuple[str, ...], words: tuple[str, ...]) -> None:
    assert unit_files.exec_start((UNIT.decode(), *drop_ins)) == words


@pytest.mark.parametrize(
    ("text", "users"),
    [
        ("", ("", "", "", "")),
        ("User=nova", ("nova", "nova", "", "nova")),
        ("User=nova\nUser=", ("", "", "", "")),
        ("DynamicUser=yes", ("(dynamic)", "(dynamic)", "", "(dynamic)")),
        ("DynamicUser=yes\nUser=nova", ("nova", "nova", "", "nova")),
        ("DynamicUser=no", ("", "", "", "")),
        ("User=nova\nPermissionsStartOnly=True", ("nova", "", "", "")),
        ("Environment=A \\\nUser=no", ("", "", "", "")),
        (" User = \\\n  nova", ("nova", "nova", "", "nova")),
        ("UserX=no\n [X]\nUser=no", ("", "", "", "")),
        ("User=nova\nAmbientCapabilities=CAP_SYS_ADMIN cap_dac_override", ("nova", "nova", "", "nova")),
        ("DynamicUser=yes\nAmbientCapabilities = \\\n CAP_DAC_OVERRIDE cap_net_admin", ("", "", "", "")),
        ("AmbientCapabilities=CAP_NET_ADMIN\nAmbientCapabilities=CAP_DAC_OVERRIDE\nUser=nova", ("", "", "", "")),
        ("User=nova\nAmbientCapabilities=~CAP_CHOWN", ("", "", "", "")),
        ("User=nova\nAmbientCapabilities=CAP_CHOWN\nAmbientCapabilities=~", ("", "", "", "")),
        ("User=nova\nAmbientCapabilities=CAP_NET_BIND_SERVICE", ("nova", "nova", "", "nova")),
        (
            "User=nova\nAmbientCapabilities=CAP_NET_ADMIN CAP_DAC_OVERRIDE\nAmbientCapabilities=",
            ("nova", "nova", "", "nova"),
        ),
        (
            "User=nova\nAmbientCapabilities=CAP_NET_ADMIN CAP_DAC_OVERRIDE\nAmbientCapabilities=~cap_net_admin",
            ("nova", "nova", "", "nova"),
        ),
        (
            "User=nova\nAmbientCapabilities=~CAP_DAC_OVERRIDE CAP_NET_ADMIN CAP_SYS_ADMIN",
            ("nova", "nova", "", "nova"),
        ),
    ],
)
def test_who_runs_the_commands_of_a_unit(text: str, users: tuple[str, ...]) -> None:
    user = unit_files.service_user(("[Service]\nUser=\n", f"[Service]\n{text}\n[X]\nUser=x\n"))
    keys = ("ExecStart", "ExecStartPre", "ExecStartPost", "ExecStop")
    commands = ("/bin/x", "-/bin/x", "-+/bin/x", "!!/bin/x")
    assert tuple(map(user.runner, keys, commands)) == users
    assert user.runner("ExecStart", "@!/bin/x") == ""


@pytest.mark.parametrize(
    ("capability", "roots"),
    [("CAP_DAC_OVERRIDE", [True, False, False, False]), ("CAP_NET_ADMIN", [False, True, False, False])],
)
def test_a_user_with_one_capability_can_do_what_that_is_for(capability: str, roots: list[bool]) -> None:
    user = unit_files.service_user((f"[Service]\nUser=nova\nAmbientCapabilities={capability}\n",))
    writes, switches = "sh -c 'echo 8 > /sys/x/sriov_numvfs'", "devlink dev eswitch set pci/0000:3b:00.0 mode switchdev"
    commands = (writes, switches, f"sh -c '{switches}; echo 8 > /sys/x/sriov_numvfs'", "/opt/any-script")
    assert [user.runner("ExecStart", command) == "" for command in commands] == roots


ENVIRONMENT = {"ARGS": "--config-file /a  '--x=b c'", "FILE": "/c d", "NONE": ""}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("/bin/x $ARGS y", ("--config-file", "/a", "--x=b c", "y")),
        ("/bin/x --config-file=${FILE}", ("--config-file=/c d",)),
        ("/bin/x ${FILE}", ("/c d",)),
        ("/bin/x --config-file=$FILE $$FILE $${FILE}", ("--config-file=$FILE", "$FILE", "${FILE}")),
        ("/bin/x $NONE $ABSENT ${ABSENT} $", ("", "$")),
        ("-:/bin/x $ARGS ${FILE}", ("$ARGS", "${FILE}")),
        ("@/bin/x shown $FILE", ("/c", "d")),
    ],
)
def test_variables_of_a_command_are_those_of_its_unit(command: str, words: tuple[str, ...]) -> None:
    assert unit_files.exec_start((f"[Service]\nExecStart={command}\n",), ENVIRONMENT) == ("/bin/x", *words)


def test_the_environment_of_a_unit() -> None:
    unit = '[Service]\nEnvironment=A=1 "B=2 3" nonsense\nEnvironment=C=4\n'
    unit += "EnvironmentFile=-/etc/x*\nEnvironmentFile=/y\nEnvironmentFile=z\n"
    assert unit_files.environment_files((unit,)) == ("/etc/x*", "/y")
    files = ("# D=no\n; D=no\nC = 5\nD=--x '/a b' \nE=\"quoted 'e'\"\n", "F='f'\nD=one \\\n two\nnonsense\nG='\n")
    said = {"A": "1", "B": "2 3", "C": "5", "D": "one   two", "E": "quoted 'e'", "F": "f", "G": "'"}
    assert unit_files.environment((unit,), files) == said
    assert unit_files.environment((unit, "[Service]\nEnvironment=\nEnvironment=A=9\n"), ()) == {"A": "9"}


def test_a_script_has_the_environment_of_its_unit() -> None:
    argv = init_script.script_argv('NAME=x\nDAEMON_ARGS="$DAEMON_ARGS --b"', {}, frozenset(), {"DAEMON_ARGS": "--a"})
    assert argv == ("/usr/bin/x", "--a", "--b")


@pytest.mark.parametrize("text", ["", "# nothing"])
def test_an_empty_drop_in_masks_one_of_its_name(text: str) -> None:
    found = {"/lib/systemd/system/service.d/a.conf": UNIT.decode(), "/etc/systemd/system/x.service.d/a.conf": text}
    assert unit_files.exec_start(unit_files.in_order(found)) == ()


def test_drop_ins_of_a_name_replace_each_other_and_are_sorted() -> None:
    patterns = unit_files.drop_in_patterns("nova-compute.service")
    assert patterns[0] == "/lib/systemd/system/service.d/*.conf"
    assert patterns[-1] == "/etc/systemd/system/nova-compute.service.d/*.conf"
    assert "/run/systemd/system/nova-.service.d/*.conf" in patterns
    assert unit_files.in_order({"/lib/b.conf": "1", "/lib/a.conf": "2", "/etc/b.conf": "3"}) == ("2", "3")


def test_what_systemctl_shows() -> None:
    text = "Names=a.service z.service\nActiveState=active\nMainPID=7\nInactiveExitTimestampMonotonic=5000000\n"
    text += "ExecMainStartTimestampMonotonic=6000000\n\nNames=b.service\nActiveState=inactive\nMainPID=x\n\nnonsense\n"
    shown = UnitProcess(is_active=True, pid=7, started_at=6.0)
    found = {name: process_of(said) for name, said in parse_units(text).items()}
    assert found == {"a.service": shown, "z.service": shown, "b.service": UnitProcess()}


def script(head: str, *, there: tuple[str, ...] = (), **sources: str) -> tuple[str, ...]:
    texts = {f"/etc/default/{name}": text for name, text in sources.items()}
    return init_script.script_argv(f"{head}\n{TAIL}", texts, frozenset(there))


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("NAME=x\nif [ -z '' ] ; then\nA=1\nelif true ; then\nA=2\nelse\nA=3\nfi\nDAEMON_ARGS=$A", "1"),
        ("NAME=x\nif [ a = b ] ; then\nA=1\nelse\nA=3\nfi\nDAEMON_ARGS=$A", "3"),
        ("NAME=x\nif which true ; then\nA=1\nelse\nA=3\nfi\nDAEMON_ARGS=$A", "3"),
        ("NAME=x\nif [ ! -f /a ] && ! [ -f /a ] ; then\nA=1\nfi\nDAEMON_ARGS=$A", "1"),
        ("NAME=x\nA=0\n[ -f /b ] && [ b != c ] && export A=2\nDAEMON_ARGS=${A}`id`", ""),
        ("NAME=x\n[ -f /b ] && [ b != c ] && A='2'\nfor i in 1 ; do\nA=9\ndone\nDAEMON_ARGS=\"$A $nobody\"", "2"),
        ("NAME=x\n[ one two three four ] && A=2\nelse\nfi\n}\n. /etc/none\nDAEMON_ARGS=a$A", "a"),
    ],
)
def test_as_much_of_a_shell_as_it_takes(head: str, words: str) -> None:
    argv = script(head, there=("/b",))
    assert argv[0] == "/usr/bin/x"
    assert [word for word in argv[1:] if not word.startswith("--")] == words.split()


def test_what_no_script_of_a_service_is() -> None:
    assert init_script.script_argv("echo", {}, frozenset()) == ()
    assert init_script.script_argv("DAEMON=/a", {}, frozenset()) == ("/a",)


def test_a_file_that_includes_itself_ends() -> None:
    sources = {"/etc/default/x": ". /etc/default/x"}
    assert init_script.script_argv("NAME=x\n. /etc/default/x", sources, frozenset()) == ("/usr/bin/x",)


def test_paths_that_a_script_may_look_for() -> None:
    found = init_script.paths_in(DEBIAN_HEADS["nova-compute"])
    assert found == ("/etc/nova/nova-compute.conf",)


SCRIPT = (DEBIAN_HEADS["nova-compute"] + TAIL).encode()


@fuzzed(data=spoilt(SCRIPT, UNIT) | st.binary(max_size=200))
def test_any_script_and_unit_is_words(data: bytes) -> None:
    text = data.decode(errors="replace")
    for words in (
        init_script.script_argv(text, {"/etc/default/x": text}, frozenset()),
        unit_files.exec_start((text,), unit_files.environment((text,), (text,))),
    ):
        assert all(isinstance(word, str) for word in words)
        assert isinstance(reading_steps(service_argv(words), "nova", "/h"), tuple)
    assert all(isinstance(process_of(said), UnitProcess) for said in parse_units(f"Names=a.service\n{text}").values())
    container = kolla.parse_container(text)
    assert container is None or isinstance(kolla.container_argv(container), tuple)
