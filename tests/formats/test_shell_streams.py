"""Where numbers come from and go to beside echo and >: descriptors, copies, xargs, sums of totals, base64."""

import base64
import gzip

import pytest

from sriov_bootstrap.formats.kernel_number import kernel_number
from sriov_bootstrap.formats.shell import ScriptSurroundings, follow
from sriov_bootstrap.formats.shell_files import ScriptFiles
from sriov_bootstrap.formats.shell_totals import apply_total
from sriov_bootstrap.formats.shell_unknowns import TOTAL_OF, UNKNOWN

DEVICE = "/sys/class/net/ens1f0/device"
A, T = f"{DEVICE}/sriov_numvfs", f"{DEVICE}/sriov_totalvfs"
B = "/sys/class/net/ens1f1/device/sriov_numvfs"
AROUND = ScriptSurroundings(
    files=ScriptFiles({"/opt/vf.sh": f"echo 8 > {A.replace('ens1f0', '$1')}"}, data={"/n": "8\n"})
)
WRITES_8 = f"for i in 1 2; do\n  echo 8 > {A}\ndone\n"
PLAIN = base64.b64encode(WRITES_8.encode()).decode()
LINES = base64.encodebytes(WRITES_8.encode() * 2).decode()
ZIPPED = base64.b64encode(gzip.compress(WRITES_8.encode())).decode()


def written(text: str) -> list[tuple[str, str]]:
    """Path and number of each write, ? if it is not known."""
    reading = follow(text, AROUND)
    return [
        (path, "?" if kernel_number(number) is None else number.strip())
        for write in reading.writes
        for path in write.paths
        for number in write.numbers
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"exec 3> {A}; echo 8 >&3; exec 3>&-",
        f"cd {DEVICE}; exec 7>sriov_numvfs; printf %d 8 1>&7; echo 9 2>&7",
        f"sudo -i <<EOF\necho 8 > {A}\nEOF",
        f"su - root <<EOF\necho 8 > {A}\nEOF",
        f"x={T}; echo 8 > ${{x/total/num}}",
        f"for x in $(ls -d {T}); do echo 8 > $(echo $x | sed s/total/num/); done",
        f"echo {T} | sed -e 's,/sriov_total,/sriov_num,g' | while read x; do echo 8 > $x; done",
        f"{{ echo 8 >&9; }} 9> {A}",
        f"(echo 8 1>&4) 4> {A}",
        f"for x in 1; do echo 8 >&5; done 5>> {A}",
        f"cp -f /n {A}",
        f"install -m 644 /n {A}",
        f"dd if=/n of={A} bs=1",
        f"echo 8 | dd of={A}",
        f"echo 8 | cp /dev/stdin {A}",
        "echo ens1f0 | xargs -I{} sh -c 'echo 8 > /sys/class/net/{}/device/sriov_numvfs'",
        f"echo 8 | xargs -I N -r sh -c 'echo N > {A}'",
        f"echo 8 | xargs -I{{}} -r sh -c 'echo {{}} > {A}'",
        f"echo 8 | xargs -i sh -c 'echo {{}} > {A}'",
        "echo 8 ens1f0 | xargs sh -c 'echo $0 > /sys/class/net/$1/device/sriov_numvfs'",
        "echo ens1f0 | xargs -n 1 /opt/vf.sh",
        f"echo {PLAIN} | base64 -d | sh",
        f"base64 --decode <<EOF | bash -s\n{PLAIN}\nEOF",
        f'P={PLAIN}; eval "$(echo $P | base64 -d -)"',
        f"echo {ZIPPED} | base64 -d | gunzip | sh",
        f"echo {ZIPPED} | base64 -d | gzip -dc - | sh",
        f"N=$(expr 4 \\* 2); echo $N > {A}",
    ],
)  # fmt: skip
def test_a_number_that_comes_another_way(text: str) -> None:
    assert dict(written(text)) == {A: "8"}


@pytest.mark.parametrize(
    "text",
    [
        f"echo 8 9 | xargs -n1 -I{{}} sh -c 'echo {{}} > {A}'",
        f"cp {A}",
        f"exec > {A}; echo 8",
        f"cp /unread {A}",
        f"dd if=/unread of={A}",
        f"xargs -I{{}} sh -c 'echo {{}} > {A}'",
        f"T=$(cat {T}); echo $((T / $x)) > {A}",
        f"T=$(cat {T}); echo $((T / {T})) > {A}",
        f"T=$(cat {T}); U=$(cat {T.replace('ens1f0', 'ens1f1')}); echo $((T + U)) > {A}",
        f"case $1 in a) x=1;; *) x=2;; esac; echo $((x + $1)) > {A}",
    ],
)
def test_a_number_that_is_not_known(text: str) -> None:
    assert dict(written(text)) == {A: "?"}


@pytest.mark.parametrize(
    "text",
    [
        f"exec 2> {A}; echo 8",
        "echo 8 >&9",
        f"echo {PLAIN} | base64 | sh",
        f"echo {PLAIN} | gzip | sh",
    ],
)
def test_what_writes_nothing_that_is_known(text: str) -> None:
    assert not written(text)


@pytest.mark.parametrize(
    "command",
    [
        "sed -n s/a/b/",
        "sed s/a/b/ -i",
        "sed s/a.b/c/",
        "sed s:a:b:c:",
        "sed",
        "sed s/a/b/ /unread",
        "sudo",
    ],
)
def test_a_change_that_is_not_followed(command: str) -> None:
    assert dict(written(f"N=$(echo 8 | {command}); echo $N > {A}")) == {A: "?"}


def test_a_login_that_is_given_a_command_reads_nothing() -> None:
    assert not written(f"su - root -c true <<EOF\necho 8 > {A}\nEOF")


def test_the_file_of_another_driver_is_unclear() -> None:
    assert [
        place.line for place in follow(":\necho 8 > /sys/bus/pci/devices/0000:3b:00.0/max_vfs", AROUND).unclear
    ] == [2]


def test_each_item_of_xargs_is_a_command() -> None:
    text = "printf 'ens1f0 8\\nens1f1 4\\n' | xargs -n2 sh -c 'echo $1 > /sys/class/net/$0/device/sriov_numvfs'"
    assert written(text) == [(A, "8"), (B, "4")]
    text = "printf 'ens1f0\\n\\nens1f1\\n' | xargs -I X sh -c 'echo 2 > /sys/class/net/X/device/sriov_numvfs'"
    assert written(text) == [(A, "2"), (B, "2")]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (f"T=$(cat {T}); echo $((T / 2)) > {A}", 32),
        (f"K=4; echo $(( $(cat {T}) / K )) > {A}", 16),
        (f"T=$(<{T}); N=3; echo $((${{T}} - N)) > {A}", 61),
        (f"read T < {T}; let N=T/8; echo $N > {A}", 8),
        (f"T=$(cat {T}); echo $(expr $T / 2) > {A}", 32),
        (f"cp {T} {A}", 64),
    ],
)
def test_a_share_of_all(text: str, number: int) -> None:
    (write,) = follow(text, AROUND).writes
    path, _, expression = write.numbers[0].removeprefix(TOTAL_OF).strip().partition(UNKNOWN)
    assert (path, apply_total(expression, 64)) == (T, number)
