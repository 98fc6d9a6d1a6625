"""What variables, folders and `exit` do in a shell of its own, in a function, and before a command."""

import pytest

from sriov_bootstrap.formats.shell import follow

NET = "/sys/class/net"
A = f"{NET}/ens1f0/device/sriov_numvfs"
B = f"{NET}/ens1f1/device/sriov_numvfs"


def told(text: str) -> list[tuple[str, str, str]]:
    """Path, numbers, and `?` where it is not certain that it is written."""
    return [
        (
            "|".join(write.paths),
            "|".join(number.strip() for number in write.numbers),
            "?" if write.is_conditional else "",
        )
        for write in follow(text).writes
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"n=8; (n=4); echo $n > {A}",
        f"n=8; {{ n=4; }} & echo $n > {A}",
        f"n=8\nn=4 &\necho $n > {A}",
        f"n=8; echo 4 | read n; echo $n > {A}",
        f"n=8; echo 4 | while read v; do n=$v; done; echo $n > {A}",
        f"n=8; f() (n=4); f; echo $n > {A}",
        f"cd {NET}/ens1f0/device; (cd {NET}/ens1f1/device); echo 8 > sriov_numvfs",
        f"(exit 1); echo 8 > {A}",
        f"exit 1 & echo 8 > {A}",
        f"echo | exit 1; echo 8 > {A}",
    ],
)
def test_a_shell_of_its_own_changes_nothing_outside(text: str) -> None:
    assert told(text) == [(A, "8", "")]


@pytest.mark.parametrize(
    "text",
    [
        f"n=8; f() {{ local n=4; }}; f; echo $n > {A}",
        f"n=8; f() {{ declare -i n=4; }}; f; echo $n > {A}",
        f"n=8; f() {{ local n=4; g; }}; g() {{ typeset n=2; }}; f; echo $n > {A}",
        f"f() {{ local n=4; }}; f; echo ${{n:-8}} > {A}",
        f"f() {{ declare -g n=8; }}; f; echo $n > {A}",
        f"f() {{ n=8; }}; f; echo $n > {A}",
        f"n=8; f() {{ local m n; n=4; }}; f; echo $n > {A}",
    ],
)
def test_a_function_hides_what_it_calls_local(text: str) -> None:
    assert told(text) == [(A, "8", "")]


def test_a_local_variable_is_seen_within() -> None:
    text = f"n=8; f() {{ local n=4; echo $n > {B}; }}; f; echo $n > {A}"
    assert told(text) == [(B, "4", ""), (A, "8", "")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"N=4; N=8 true; echo $N > {A}", [(A, "4", "")]),
        (f"N=8 sh -c 'echo $N > {A}'; echo ${{N:-4}} > {B}", [(A, "8", ""), (B, "4", "")]),
        (f"IFS=: read -r a b <<< ens1f0:8; echo $b > {NET}/$a/device/sriov_numvfs", [(A, "8", "")]),
        (f"N=8 M=2 f; f() {{ :; }}; echo ${{N:-4}} > {A}", [(A, "4", "")]),
        (f"N=8; M=$N; echo $M > {A}", [(A, "8", "")]),
    ],
)
def test_an_assignment_before_a_command_is_for_that_command(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        f"command -v mlnx_tune && exit 0; echo 8 > {A}",
        f"which foo >/dev/null && exit\necho 8 > {A}",
        f"f() {{ ip link show ens9 && return; echo 8 > {A}; }}; f",
        f"mountpoint -q /x && {{ logger off; exit 0; }}; echo 8 > {A}",
    ],
)
def test_what_may_end_the_script_leaves_a_doubt(text: str) -> None:
    assert told(text) == [(A, "8", "?")]


def test_a_loop_may_end_once_it_has_written() -> None:
    assert set(told(f"for i in 1 2 3; do echo 8 > {A} && break; sleep 1; done")) == {(A, "8", "")}
    assert told(f"n=8; for i in 1; do true x && logger && break; done; echo $n > {A}") == [(A, "8", "")]


@pytest.mark.parametrize(
    "text",
    [
        f"N=()\nN+=(ens1f0)\nN+=(ens1f1)\nfor n in ${{N[*]}}; do echo 8 > {NET}/$n/device/sriov_numvfs; done",
        f"declare -a N=(); N+=(ens1f0 ens1f1); for n in ${{N[@]}}; do echo 8 > {NET}/$n/device/sriov_numvfs; done",
        f"f() {{ N=(); N+=(ens1f0 ens1f1); }}; f; for n in ${{N[@]}}; do echo 8 > {NET}/$n/device/sriov_numvfs; done",
    ],
)
def test_an_empty_array_is_no_function(text: str) -> None:
    assert told(text) == [(A, "8", ""), (B, "8", "")]


@pytest.mark.parametrize(
    "text",
    [
        f'[ "$(cat {A})" -lt 8 ] && echo "too few: {A}" | mail -s sriov_numvfs root',
        f"tar czf /b.tgz {A}; scp {A} backup:/x; cp {A} /var/backups/; zip /b.zip {A}",
        f'curl -d "n=$(cat {A})" http://metrics.example.org; strings {A}; base64 {A}',
        "find /sys/devices -name sriov_numvfs -exec cat {} +",
        "find /sys/devices -name sriov_numvfs -exec grep -H . {} \\;",
        "find /sys -name sriov_numvfs -exec ls -l {} + -execdir stat {} +",
    ],
)
def test_what_only_shows_the_file_is_not_unclear(text: str) -> None:
    assert (follow(text).writes, follow(text).unclear) == ((), ())


@pytest.mark.parametrize(
    "text",
    [
        "find /sys -name sriov_numvfs -exec set-it {} +",
        "find /sys -name sriov_numvfs -exec cat {} + -exec set-it {} +",
        "find /sys -name sriov_numvfs -fprint /x",
        "find /sys -name sriov_numvfs -exec",
    ],
)
def test_what_find_runs_may_set_it(text: str) -> None:
    assert [place.line for place in follow(text).unclear] == [1]
