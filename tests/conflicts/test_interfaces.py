"""interfaces(5): what ifupdown runs, as ifup --no-act of 0.8.41 tells it; its successors need no method."""

import pytest

from builders import make_pf
from sriov_bootstrap.conflicts.checks import find_masters
from sriov_bootstrap.conflicts.interfaces import GOES_DOWN, INHERITED, NOT_STARTED, is_plain_name, sourced_files
from sriov_bootstrap.conflicts.master import Master
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source

ECHO = "echo {} > /sys/class/net/{}/device/sriov_numvfs"
NUMBER = ECHO.format(8, "$IFACE")
AUTO = "auto ens1f0\n"
Found = tuple[int, str, int | None, str]


def find(*texts: str) -> tuple[Master, ...]:
    paths = ("/etc/network/interfaces", "/etc/network/interfaces.d/a")
    sources = tuple(Source(Format.INTERFACES, path, text) for path, text in zip(paths, texts, strict=False))
    return find_masters(MastersSurvey(sources), (make_pf(),))


def brief(*texts: str) -> list[Found]:
    return [
        (one.line, " ".join(device.netdev for device in one.devices), one.num_vfs, one.doubt) for one in find(*texts)
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param(f"iface ens1f0 inet manual\n\tpre-up\t{NUMBER}\n", [(2, "ens1f0", 8, "")], id="TABs"),
        pytest.param(f"iface\tens1f0\n  up \t {NUMBER}\n", [(2, "ens1f0", 8, "")], id="blanks"),
        pytest.param(
            "iface ens1f0\n  up echo 8 \\\n   > /sys/class/net/$IFACE/device/sriov_numvfs\n",
            [(2, "ens1f0", 8, "")],
            id="continued",
        ),
        pytest.param(f"iface ens1f0\n  # x \\\n  up {NUMBER}\n", [(3, "ens1f0", 8, "")], id="a comment ends"),
        pytest.param(f"iface ens1f0\n  up true # x \\\n  up {NUMBER}\n", [], id="within a line it does not"),
        pytest.param(f"iface ens1f0\n  pre-up={NUMBER}\n  PRE-UP {NUMBER}\n", [], id="other words"),
        pytest.param(
            f"iface ens1f0\n  up {NUMBER.replace('$IFACE', '${IFACE}')}\n", [(2, "ens1f0", 8, "")], id="braces"
        ),
        pytest.param(f"iface ens1f0\niface ens1f0 inet6 auto\n up {NUMBER}\n", [(3, "ens1f0", 8, "")], id="families"),
        pytest.param(f"  up {NUMBER}\n", [(1, "", 8, "")], id="of no iface"),
        pytest.param(
            f"iface ens1f0\n up {ECHO.format(8, 'ens1f0')}\n down {ECHO.format(0, 'ens1f0')}\n",
            [(2, "ens1f0", 8, ""), (3, "ens1f0", 0, GOES_DOWN)],
            id="up and down",
        ),
    ],
)
def test_commands(text: str, found: list[Found]) -> None:
    assert brief(text, AUTO) == found
    assert all(one.is_lasting for one in find(text, AUTO)), "what is done at shutdown takes nothing from it"


@pytest.mark.parametrize(
    ("starts", "is_started"),
    [
        ("", False),
        ("auto ens1f1\n", False),
        ("# auto ens1f0\n", False),
        ("auto lo ens1f0\n", True),
        ("allow-hotplug ens1f0\n", True),
        ("allow-auto ens1f0\n", True),
        ("auto /ens*\n", True),
        ("auto ens*f[01]\n", True),
        ("auto eth0=ens1f0\n", True),
        ("no-auto-down ens1f0\n", False),
    ],
)
def test_what_nothing_brings_up_at_boot_is_a_doubt(starts: str, *, is_started: bool) -> None:
    (found,) = find(f"iface ens1f0 inet manual\n up {NUMBER}\n", starts)
    assert (found.is_certain, found.doubt) == (is_started, "" if is_started else NOT_STARTED)


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        pytest.param(
            [f"iface base inet manual\n up {NUMBER}\niface ens1f0 inet manual inherits base\n"],
            [(2, "ens1f0", 8, INHERITED)],
            id="a template",
        ),
        pytest.param(
            [f"iface base\n up {NUMBER}\niface ens1f0 inherits base\n", "iface ens1f1 inherits base\n"],
            [(2, "ens1f0 ens1f1", 8, INHERITED)],
            id="in another file",
        ),
        pytest.param(
            [f"iface a\n up {NUMBER}\niface b inherits a\niface ens1f0 inherits b\n"],
            [(2, "b ens1f0", 8, INHERITED)],
            id="twice removed",
        ),
        pytest.param(
            [f"auto ens1f0\niface ens1f0\n up {NUMBER}\niface ens1f1 inherits ens1f0\n"],
            [(3, "ens1f0", 8, ""), (3, "ens1f1", 8, INHERITED)],
            id="from one that is brought up",
        ),
        pytest.param(
            [f"iface a inherits b\n up {NUMBER}\niface b inherits a\n"],
            [(2, "b", 8, INHERITED)],
            id="a ring",
        ),
        pytest.param(
            [f"iface ens1f0 inherits gone\n up {NUMBER}\niface x inherits\n"],
            [(2, "ens1f0", 8, NOT_STARTED)],
            id="from none",
        ),
    ],
)
def test_what_an_iface_inherits(texts: list[str], found: list[Found]) -> None:
    assert sorted(brief(*texts)) == sorted(found)


def test_files_that_are_sourced() -> None:
    text = (
        "source /etc/network/more/*.cfg\nsource rest other\n# source x\nsource-directory third/\nsource\n"
        f"source /{'x' * 1023} /{'x' * 1024}\niface ens1f0 inet manual\n"
    )
    assert list(sourced_files("/etc/network/interfaces", text)) == [
        ("/etc/network/more/*.cfg", False),
        ("/etc/network/rest", False),
        ("/etc/network/other", False),
        ("/etc/network/third/*", True),
        (f"/{'x' * 1023}", False),
    ]
    assert [is_plain_name(path) for path in ("/a/ens1f0", "/a/x.cfg", "/a/x~")] == [True, False, False]
