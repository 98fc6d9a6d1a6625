"""getopts: what scripts make of the options that they are given."""

import pytest

from sriov_bootstrap.formats.kernel_number import kernel_number
from sriov_bootstrap.formats.shell import ScriptSurroundings, follow
from sriov_bootstrap.formats.shell_options import parse_options

LOOP = """\
while getopts ":vn:i:" o; do
  case $o in
    v) V=1 ;;
    n) N=$OPTARG ;;
    i) I=$OPTARG ;;
    *) exit 1 ;;
  esac
done
shift $((OPTIND-1))
echo ${N:-$1} > /sys/class/net/$I/device/sriov_numvfs
"""


@pytest.mark.parametrize(
    ("words", "found", "taken"),
    [
        ("", [], 0),
        ("-v -n 8 x", [("v", ""), ("n", "8")], 3),
        ("-vn8 -- -v", [("v", ""), ("n", "8")], 2),
        ("-n", [("?", "")], 1),
        ("-x: - -v", [("?", ""), ("?", "")], 1),
    ],
)
def test_options_are_taken_as_getopts_takes_them(words: str, found: list[tuple[str, str]], taken: int) -> None:
    assert parse_options(words.split(), ":vn:") == (found, taken)


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        (("-v", "-n", "8", "-i", "ens1f0"), ("ens1f0", 8)),
        (("-iens1f1", "4"), ("ens1f1", 4)),
    ],
)
def test_options_that_are_known_are_followed(arguments: tuple[str, ...], written: tuple[str, int]) -> None:
    (write,) = follow(LOOP, ScriptSurroundings(arguments=tuple((word,) for word in arguments))).writes
    assert (write.paths, [kernel_number(number.strip()) for number in write.numbers], write.is_conditional) == (
        (f"/sys/class/net/{written[0]}/device/sriov_numvfs",),
        [written[1]],
        False,
    )


def test_a_wrong_option_ends_the_script() -> None:
    assert follow(LOOP, ScriptSurroundings(arguments=(("-x",), ("-iens1f0",)))).writes == ()


@pytest.mark.parametrize(
    "loop", [LOOP, LOOP.replace('" o', '" o $unknown'), LOOP.replace('getopts ":vn:i:" o', "getopts")]
)
def test_options_that_are_not_known_leave_the_number_open(loop: str) -> None:
    (write,) = follow(loop).writes
    assert [kernel_number(number) for number in write.numbers] == [None]


def test_a_function_may_parse_words_of_its_own() -> None:
    text = (
        "f() { while getopts n: o -n 8; do N=$OPTARG; done; }; f; echo $N > /sys/class/net/ens1f0/device/sriov_numvfs"
    )
    (write,) = follow(text).writes
    assert [number.strip() for number in write.numbers] == ["8"]
