"""Which folders a text runs, as it is written."""

import pytest

from sriov_bootstrap.conflicts.called_folders import folder_calls, names_of_variable


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("for s in /etc/a.d/*.sh; do . $s; done", [("/etc/a.d/*.sh", True)]),
        ('for s in /etc/a.d/* /b/[0-9]*\ndo\n  "$s" start\ndone', [("/etc/a.d/*", False), ("/b/[0-9]*", False)]),
        ("for s in /etc/a.d/*; do cat $s; done", []),
        ("for s in a b $x; do . $s; done", []),
        ("for s in /sys/class/net/*; do $s; done", []),
        ("D=/etc/a.d; for s in ${D}/*; do [ -x $s ] && $s; done", [("/etc/a.d/*", False)]),
        ("cd /etc/a.d; for s in ./*.sh; do sh $s; done", [("/etc/a.d/*.sh", True)]),
        ("for s in *.sh; do sh $s; done", []),
        ("run-parts -v /etc/a.d", [("/etc/a.d/*", False)]),
        ("D=/etc/a.d/\nrun-parts $D/x", [("/etc/a.d/x/*", False)]),
        ("run-parts --test /etc/a.d; run-parts; run-parts .; run-parts $D", []),
        ("find /etc/a.d -name '*.sh' -exec bash {} +", [("/etc/a.d/*", True)]),
        ("ls /etc/a.d/*.sh | xargs -n1 sh", [("/etc/a.d/*.sh", True)]),
        ("ls /etc/a.d/*.sh | xargs -n1 x", [("/etc/a.d/*.sh", False)]),
        ("ls /etc/a.d", []),
        ("f() { for s in $1/*; do $s; done; }\nf /etc/a.d\n. /etc/b", [("/etc/a.d/*", False), ("/etc/b/*", False)]),
        ("for s in `ls /etc/a.d`; do /etc/a.d/$s; done", [("/etc/a.d/*", False)]),
    ],
)  # fmt: skip
def test_folders_are_found_where_their_files_are_run(text: str, calls: list[tuple[str, bool]]) -> None:
    assert [(call.pattern, call.is_named) for call in folder_calls(text)] == calls


def test_no_more_than_anyone_writes() -> None:
    assert len(list(folder_calls("run-parts /etc/a.d\n" * 100))) == 64


@pytest.mark.parametrize(
    ("script", "names"),
    [
        ("NAME=vfs\nDAEMON=/usr/sbin/$NAME", ("vfs",)),
        ('export NAME="vfs.sh"; /usr/sbin/${NAME} start', ("vfs.sh",)),
        ("NAME=a\nNAME='b'\n\"/usr/sbin/$NAME\"", ("a", "b")),
        ("NAME=$1\n/usr/sbin/$NAME", ("*",)),
        ("NAME=a; NAME=$(x)\n/usr/sbin/$NAME", ("*",)),
        ("NAME=\n/usr/sbin/$NAME", ("*",)),
        ("NAME=a; for NAME in *; do /usr/sbin/$NAME; done", ("*",)),
        ("NAME=a; read -r NAME; /usr/sbin/$NAME", ("*",)),
        ("OTHER=a\n/usr/sbin/$NAME", ("*",)),
        ("NAME=a\n/usr/sbin/$NAME.sh", ("*",)),
        ("NAME=a\n/usr/sbin/$NAME/x", ("*",)),
        ("NAME=a\n/usr/sbin/*", ("*",)),
    ],
)
def test_a_variable_behind_a_folder_is_what_the_script_sets_it_to(script: str, names: tuple[str, ...]) -> None:
    at = script.rindex("/usr/sbin/") + len("/usr/sbin/")
    assert names_of_variable(script, at, script) == names
