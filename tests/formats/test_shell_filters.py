"""What scripts take out of files with settings: cat, cut, grep, head, tail, awk, tr, read and redirections."""

import pytest

from sriov_bootstrap.formats.kernel_number import kernel_number
from sriov_bootstrap.formats.shell import ScriptSurroundings, follow
from sriov_bootstrap.formats.shell_files import ScriptFiles

FILE = "/sys/class/net/ens1f0/device/sriov_numvfs"
DATA = {"/n": "8\n4\n", "/v": 'A=1\nVFS=8\nvfs=4\nQ="6"\n', "/t": "a\t8\tc\nb 4\n", "/none": ""}


def written(command: str) -> str:
    """The number that it comes to, ? if that is not known."""
    reading = follow(f"N=$({command}); echo $N > {FILE}", ScriptSurroundings(files=ScriptFiles(data=DATA)))
    (write,) = reading.writes
    (number,) = write.numbers
    return "?" if kernel_number(number) is None else number.strip()


@pytest.mark.parametrize(
    ("command", "number"),
    [
        ("cat /none /n | head -n 1", "8"),
        ("cat - < /n | tail -1", "4"),
        ("head -1 /n", "8"),
        ("head -n1 < /n", "8"),
        ("head -n 1 /n", "8"),
        ("tail -n1 /n", "4"),
        ("tail -n 5 /n | head -1", "8"),
        ("cat /n | head | tail -1", "4"),
        ("cut -f2 /t | head -1", "8"),
        ("cut -d= -f2 /v | tail -n +3", "?"),
        ("grep ^VFS /v | cut -d = -f 2", "8"),
        ("grep -s VFS= /v | cut --delimiter== --fields=2", "8"),
        ("grep -v = /n | cut -s -d x -f1 | head -1", "8"),
        ("grep -i '^vfs=' /v | cut -d= -f2 | tail -1", "4"),
        ("grep '6\"$' /v | cut -d= -f2 | tr -d '\"'", "6"),
        ("grep Q /v | cut -d= -f2 | tr -d '\"\\n'", "6"),
        ("awk -F= '{print $2}' /v | head -2 | tail -1", "8"),
        ("awk '{ print $2; }' /t | head -1", "8"),
        ("awk 'NR==1{print $1}' /n", "8"),
        ("awk '{print}' /n | head -1", "8"),
        ("awk -F = '{print $9}' /v | cat - /n | head -1", "8"),
        ("< /n head -1", "8"),
    ],
)
def test_filters_of_a_known_text(command: str, number: str) -> None:
    assert written(command) == number


@pytest.mark.parametrize(
    "command",
    [
        "cat /unread",
        "cat /n /unread",
        "cat $X | head -1",
        "cat /n*",
        "head -c 1 /n",
        "tail -f /n",
        "cut -c1 /n",
        "cut -d, /n",
        "cut -dab -f1 /n",
        "cut -f",
        "grep -o '[0-9]*' /n",
        "grep 'V.S' /v",
        "grep",
        "awk '/VFS/ {print $2}' /v",
        "awk -Fab '{print $1}' /n",
        "awk",
        "tr a b < /n",
        "cat /n | tr -d '[:digit:]'",
        "cat /n | tr",
        "cat " + "/none " * 20,
        "sed s/8/4/ /n",
        "(exit) < /unread",
    ],
)
def test_anything_else_is_not_known(command: str) -> None:
    assert written(command) == "?"


def follow_text(text: str) -> list[tuple[str, tuple[str, ...]]]:
    found = follow(text, ScriptSurroundings(files=ScriptFiles(data=DATA))).writes
    return [(write.paths[0].removeprefix("/sys/class/net/").partition("/")[0], write.numbers) for write in found]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        (f"read N < /n; echo $N > {FILE}", ("8\n",)),
        (f"read -r A B < /t; echo $B > {FILE}", ("8\tc\n",)),
        (f"echo $(< /n) > {FILE}", ("8\n4\n",)),
        (f"cat /n > {FILE}", ("8\n4\n",)),
        (f"cat < /n | tee {FILE}", ("8\n4\n",)),
        (f"read N < /unread; echo $N > {FILE}", ("\0\n",)),
        (f": ${{N:=6}}; echo $N > {FILE}", ("6\n",)),
        (f"N=; : ${{N=6}} ${{M=4}}; echo $M > {FILE}", ("4\n",)),
        (f"echo ${{N:=6}} > /dev/null; echo $N > {FILE}", ("6\n",)),
        (f"env N=8 bash -c 'echo $N > {FILE}'", ("8\n",)),
        (f"env -i M=2 N=8 sh -c 'echo $N > {FILE}'", ("8\n",)),
        (f"N=4; sudo N=8 sh -c 'echo $N > {FILE}'", ("8\n",)),
        (f"N=4; env N=8 true; echo $N > {FILE}", ("4\n",)),
    ],
)
def test_what_is_read_or_given(text: str, numbers: tuple[str, ...]) -> None:
    assert follow_text(text) == [("ens1f0", numbers)]


LOOP = "while IFS={} read -r d n; do echo $n > /sys/class/net/$d/device/sriov_numvfs; done {}"


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        (LOOP.format("' '", "< /list"), ["#", "ens1f0", "ens1f1"]),
        (f"cat /list | grep -v '^#' | {LOOP.format('', '')}".replace("IFS= ", ""), ["ens1f0", "ens1f1"]),
        (LOOP.format(":", "</colons"), ["ens1f0", "ens1f1"]),
    ],
)
def test_a_loop_over_the_lines_of_a_file(text: str, ports: list[str]) -> None:
    data = {"/list": "# ports\nens1f0 8\nens1f1 4\n", "/colons": "ens1f0:8\nens1f1:4\n"}
    writes = follow(text, ScriptSurroundings(files=ScriptFiles(data=data))).writes
    assert [write.paths[0].split("/")[4] for write in writes] == ports
    assert [write.numbers for write in writes][-2:] == [("8\n",), ("4\n",)]


def test_a_very_long_list_is_cut() -> None:
    data = {"/list": "".join(f"ens{number} 8\n" for number in range(200))}
    assert len(follow(LOOP.format("' '", "< /list"), ScriptSurroundings(files=ScriptFiles(data=data))).writes) == 64
