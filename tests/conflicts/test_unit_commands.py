"""Scripts that units run: each program is looked at once, and most units are done with at one look."""

import pytest

from sriov_bootstrap.conflicts.called_scripts import called_scripts
from sriov_bootstrap.conflicts.calls import Call, HostFiles
from sriov_bootstrap.conflicts.library import Library
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source, mentions_vfs
from sriov_bootstrap.conflicts.unit_sources import sources_by_unit

UNITS = "/etc/systemd/system"
THERE = frozenset({"/usr/bin/tool", "/opt/vf.sh", "/opt/vf"})
SCRIPTS = frozenset({"/opt/vf.sh", "/opt/vf"})


def calls_of(*commands: str, owner: int = 0) -> tuple[dict[str, str], list[str]]:
    """What units with these entries run, with the places; and what was looked at for it."""
    asked: list[str] = []

    def _format(path: str, call: Call) -> Format | None:
        asked.append(path)
        return call.format if path in SCRIPTS else None

    texts = {f"{UNITS}/u{number}.service": f"[Service]\n{text}\n" for number, text in enumerate(commands)}
    sources = tuple(Source(Format.UNIT, path, text, owner=owner) for path, text in texts.items())
    host = HostFiles(format_of=_format, is_there=THERE.__contains__)
    found = called_scripts(MastersSurvey(sources, frozenset(source.name for source in sources)), print, host)
    return {path: call.place for path, call in found.items()}, asked


def test_a_program_is_looked_at_once() -> None:
    plain = "Environment=LEVEL=1 'MODE=slow'\nExecStart=-/usr/bin/tool --number 1\nExecReload=/bin/kill -HUP $MAINPID"
    assert calls_of(plain, plain, "ExecStart=/usr/bin/tool") == ({}, ["/usr/bin/tool"])
    assert calls_of(plain, plain, owner=1000) == ({}, ["/usr/bin/tool"] * 2)


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ("ExecStart=/opt/vf.sh", 2),
        ("ExecStart=-+/opt/vf.sh a b", 2),
        ("ExecStart=/usr/bin/tool\nExecStartPost=/usr/bin/tool /opt/vf.sh", 3),
        ("Environment=A=1\nEnvironment=RUN=/opt/vf.sh\nExecStart=/usr/bin/tool", 3),
        ("ExecStart=/usr/bin/tool %%\nExecStop=/bin/sh -c 'exec /opt/vf.sh'", 3),
    ],
)
def test_a_script_of_a_unit(entry: str, line: int) -> None:
    assert calls_of("ExecStart=/usr/bin/tool", entry)[0] == {"/opt/vf.sh": f"{UNITS}/u1.service:{line}"}


def test_what_is_not_there_is_not_looked_at() -> None:
    assert calls_of("ExecStart=/usr/bin/none x", "ExecStart=/usr/bin/none x | /usr/bin/none") == ({}, [])


@pytest.mark.parametrize(
    ("text", "concerns"), [("/opt/vf1 a", True), ("/opt/vf10", False), ("xvf1", False), ("vf", False)]
)
def test_a_script_is_named_by_its_whole_name(text: str, concerns: bool) -> None:  # noqa: FBT001 - pytest's way
    script = Source(Format.SCRIPT, "/opt/vf1", "echo 8 > /sys/class/net/a/device/sriov_numvfs")
    assert Library(MastersSurvey((script,))).concerns(text) is concerns


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        ("max_vfs=8", True),
        ("ls sriov_total*", True),
        ("Virtual-Function-Count: 8", True),
        ("a function of vfs", False),
        ("", False),
    ],
)
def test_a_text_that_mentions_a_number(text: str, mentions: bool) -> None:  # noqa: FBT001 - pytest's way
    assert mentions_vfs(text) is mentions


def test_files_of_units_that_may_concern_us() -> None:
    names = ("a.service", "a.service.d/x.conf", "b.service", "service.d/y.conf", "b-.service.d/z.conf")
    sources = tuple(Source(Format.UNIT, f"{UNITS}/{name}", name) for name in names)
    found = sources_by_unit(sources, lambda source: source.text == names[1])
    assert {name: len(files) for name, files in found.items()} == {"a.service": 2, "service": 1, "b-.service": 1}
    assert len(sources_by_unit(sources, lambda source: source.text == names[3])) == len(names) - 1
    assert not sources_by_unit(sources, lambda _: False)
