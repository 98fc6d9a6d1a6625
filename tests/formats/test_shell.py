import pytest

from sriov_bootstrap.formats.kernel_number import kernel_number
from sriov_bootstrap.formats.shell import UNKNOWN, writes

A = "/sys/class/net/ens1f0/device/sriov_numvfs"
B = "/sys/class/net/ens1f1/device/sriov_numvfs"
PCI = "/sys/bus/pci/devices/0000:3b:00.0/sriov_numvfs"
UNKNOWN_NETDEV = f"/sys/class/net/{UNKNOWN}/device/sriov_numvfs"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(f"echo 8 > {A}", [(1, (A,), "8")], id="echo"),
        pytest.param(f"#!/bin/sh\n\necho '8' >{A}\nexit 0\n", [(3, (A,), "8")], id="line number"),
        pytest.param(f"echo 8 | tee {A}", [(1, (A,), "8")], id="tee"),
        pytest.param(f"echo 8 | sudo tee -a {A} >/dev/null", [(1, (A,), "8")], id="sudo tee, and output elsewhere"),
        pytest.param(f"printf '%s\\n' 8 > {A}", [(1, (A,), "8")], id="printf with a format"),
        pytest.param(f'printf "8\\n" >> {A}', [(1, (A,), "8")], id="printf without"),
        pytest.param(f"tee {A} <<< 8", [(1, (A,), "8")], id="here-string"),
        pytest.param(f"/bin/echo -n 8 >| {A} 2>&1", [(1, (A,), "8")], id="other operators"),
        pytest.param(f"> {A} echo 8", [(1, (A,), "8")], id="redirection first"),
        pytest.param(f"echo 0 > {A}; echo 8 > {A}", [(1, (A,), "0"), (1, (A,), "8")], id="two on a line"),
        pytest.param(f"sleep 5 && echo 8 \\\n  > {A}", [(1, (A,), "8")], id="continued"),
        pytest.param(f"echo 8 > {PCI.replace(':', chr(92) + ':')}", [(1, (PCI,), "8")], id="escaped colons"),
        pytest.param(
            f"N=8 # so many\nNIC='ens1f0'\necho $N > {A.replace('ens1f0', '${NIC}')}", [(3, (A,), "8")], id="variables"
        ),
        pytest.param(f'export F={A}\necho 8 > "$F"', [(2, (A,), "8")], id="path in a variable"),
        pytest.param(
            "for i in ens1f0 ens1f1; do\n  echo 8 > /sys/class/net/$i/device/sriov_numvfs\ndone",
            [(2, (A, B), "8")],
            id="loop",
        ),
        pytest.param(
            "for i in {0..1}; do echo 8 > /sys/class/net/ens1f$i/device/sriov_numvfs; done",
            [(1, (A, B), "8")],
            id="range",
        ),
        pytest.param(
            "for n in 4 8; do echo $n > /sys/class/net/ens1f{0,1}/device/sriov_numvfs; done",
            [(1, (A, B), "4"), (1, (A, B), "8")],
            id="several numbers",
        ),
        pytest.param(
            f"LIST='ens1f0 ens1f1'\nfor i in $LIST\ndo echo 8 > {A.replace('ens1f0', '$i')}\ndone",
            [(3, (A, B), "8")],
            id="list",
        ),
        pytest.param(
            "for f in /sys/class/net/*/device/sriov_numvfs; do echo 4 > $f; done",
            [(1, ("/sys/class/net/*/device/sriov_numvfs",), "4")],
            id="glob",
        ),
        pytest.param(
            "for i; do echo 8 > /sys/class/net/$i/device/sriov_numvfs; done",
            [(1, (UNKNOWN_NETDEV,), "8")],
            id="arguments",
        ),
        pytest.param("cd /sys/bus/pci/devices/0000:3b:00.0\necho 0 | tee sriov_numvfs", [(2, (PCI,), "0")], id="cd"),
        pytest.param("cd\necho 0 > sriov_numvfs", [(2, ("sriov_numvfs",), "0")], id="cd to nowhere"),
        pytest.param("echo 8 > /sys/class/net/$1/device/sriov_numvfs", [(1, (UNKNOWN_NETDEV,), "8")], id="argument"),
        pytest.param("echo $(cat /x) > " + A, [(1, (A,), None)], id="number from a command"),
        pytest.param("echo `cat /x` > " + A, [(1, (A,), None)], id="the same, in old spelling"),
        pytest.param(f"cat {A.replace('numvfs', 'totalvfs')} > {A}", [(1, (A,), None)], id="all of them"),
        pytest.param(f"dd if=/x of={A}", [(1, (A,), None)], id="dd"),
        pytest.param(
            "PF=$(ls /sys | head -1)\necho 8 > /sys/class/net/$PF/device/sriov_numvfs",
            [(2, (UNKNOWN_NETDEV,), "8")],
            id="device from a command",
        ),
        pytest.param(
            "while read PF N; do\necho $N > /sys/class/net/$PF/device/sriov_numvfs\ndone < /etc/x",
            [(2, (UNKNOWN_NETDEV,), None)],
            id="from a file",
        ),
        pytest.param(f"bash -c 'echo 8 > {A}'", [(1, (A,), "8")], id="a shell in a shell"),
        pytest.param(f'sh -c "echo 8 | tee {A}" &', [(1, (A,), "8")], id="with double quotes"),
        pytest.param(f"/bin/sh -c \"bash -c 'echo 8 > {A}'\"", [(1, (A,), "8")], id="three deep"),
        pytest.param(f'echo "8" > "{A}" || true', [(1, (A,), "8")], id="quotes"),
        pytest.param(f"( echo 8 > {A} )", [(1, (A,), "8")], id="subshell"),
        pytest.param(f"{{ echo 8 > {A}; }}", [(1, (A,), "8")], id="group"),
        pytest.param(f"#echo 8 > {A}", [], id="comment"),
        pytest.param(f"true # echo 8 > {A}", [], id="comment behind a command"),
        pytest.param(f"cat {A}", [], id="read"),
        pytest.param(f"n=$(cat {A})\n[ -e {A} ] && echo $n > /dev/null", [], id="reads"),
        pytest.param(f"wc -l < {A}", [], id="input"),
        pytest.param(f"cat <<EOF > /etc/x\necho 8 > {A}\nEOF\n", [], id="here-document"),
        pytest.param(
            f"cat <<-'EOF' > /etc/x\n\techo 8 > {A}\n\tEOF\necho 4 > {A}", [(4, (A,), "4")], id="after a here-document"
        ),
        pytest.param(f"cat <<EOF\n{A}", [], id="here-document without an end"),
        pytest.param(f"echo 'usage: echo 8 > {A}'; logger 'echo 8 > {A}'", [], id="text"),
        pytest.param(f'eval "echo 8 > {A}"', [(1, (A,), "8")], id="eval"),
        pytest.param("echo '$N' > " + A, [(1, (A,), None)], id="no variable in single quotes"),
        pytest.param('echo "\\$N" > ' + A, [(1, (A,), None)], id="nor behind a backslash"),
        pytest.param("echo 8 > " + A + "\\", [(1, (A,), "8")], id="backslash at the end"),
        pytest.param("echo '8 > " + A, [], id="quote without an end"),
        pytest.param('echo "8 > ' + A, [], id="double quote without an end"),
        pytest.param("echo $(8 > " + A, [], id="parenthesis without an end"),
        pytest.param("echo ${8 > " + A, [], id="brace without an end"),
        pytest.param("echo 8 2>&1 >", [], id="nothing behind"),
        pytest.param(f"echo 8 >\n{A}", [], id="redirection to nothing"),
        pytest.param("for > sriov_numvfs", [(1, ("sriov_numvfs",), None)], id="garbage"),
        pytest.param("read > sriov_numvfs", [(1, ("sriov_numvfs",), None)], id="read alone"),
        pytest.param(f"case $1 in a) fi;; b) echo 8 > {A};; esac", [(1, (A,), "8")], id="the end of something else"),
    ],
)
def test_writes_are_found(text: str, expected: list[tuple[int, tuple[str, ...], str | None]]) -> None:
    assert brief(text) == expected


def brief(text: str) -> list[tuple[int, tuple[str, ...], str | None]]:
    """Line, paths and number; those of a loop that differ in their path alone are one."""
    found: dict[tuple[int, str | None], tuple[str, ...]] = {}
    for write in writes(text):
        numbers = [kernel_number(number) for number in write.numbers]
        number = str(numbers[0]) if len(numbers) == 1 and numbers[0] is not None else None
        paths = found.get((write.place.line, number), ())
        found[write.place.line, number] = tuple(dict.fromkeys((*paths, *write.paths)))
    return [(line, paths, number) for (line, number), paths in found.items()]


@pytest.mark.parametrize(
    ("text", "conditional"),
    [
        pytest.param("if [ -f {a} ]; then\necho 8 > {a}\nfi", False, id="it is there"),
        pytest.param("if [ $(hostname) = a ]; then\necho 8 > {a}\nfi", True, id="a host"),
        pytest.param("if true; then :; fi\necho 8 > {a}", False, id="after it"),
        pytest.param("case $1 in\nup) echo 8 > {a};;\nesac", True, id="case"),
        pytest.param("setup() {{\necho 8 > {a}\n}}\nsetup", False, id="function that is called"),
        pytest.param("function setup {{\necho 8 > {a}\n}}", True, id="function that nobody calls here"),
        pytest.param("while true; do echo 8 > {a}; done", False, id="loop"),
    ],
)
def test_a_condition_leaves_a_doubt(text: str, *, conditional: bool) -> None:
    (found,) = writes(text.format(a=A))
    assert found.is_conditional is conditional


def test_lines_are_counted_from_where_the_script_begins() -> None:
    (found,) = writes(f"true\n  echo 8 > {A}  # so many\n", first_line=10)
    assert found.place.line == 11


@pytest.mark.parametrize(
    "text",
    [
        "sriov_numvfs" + "(" * 500,
        "sriov_numvfs " + "{0..9}" * 50,
        "{a,b}" * 30 + " > sriov_numvfs",
        "\0\x01sriov_numvfs>\xff",
    ],
)
def test_garbage_ends_soon(text: str) -> None:
    assert len(list(writes(text))) <= 1


def test_shells_in_shells_end_somewhere() -> None:
    text = f"echo 8 > {A}"
    for _ in range(14):
        text = 'sh -c "' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert list(writes(text)) == []


def test_commands_that_may_say_too_many_texts_together_say_something_unknown() -> None:
    ways = "\n".join(f"for i in 1 2 3 4 5 6 7 8 9; do if x; then {name}=$i; fi; done" for name in "NM")
    [write] = writes(f"{ways}\n{{ echo -n $N; echo -n $M; }} > {A}")
    assert write.numbers == (UNKNOWN,)
