import pytest

from sriov_bootstrap.formats.modprobe import (
    ModprobeLine,
    blocking_line,
    effective,
    is_in_tree,
    modules_for,
    parameters,
    parse,
)

IGB = "pci:v00008086d000010C9sv00008086sd0000A03Cbc02sc00i00"
ALIASES = """\
# Aliases extracted from modules themselves.
alias pci:v00008086d000010CAsv*sd*bc*sc*i* igbvf
alias pci:v00008086d000010C9sv*sd*bc*sc*i* igb
alias pci:v00008086d000010C9sv*sd*bc*sc*i* igb
alias pci:v00008086d*sv*sd*bc02sc00i00* igb_generic
alias pci:v00008086d000010C9sv00001234sd*bc*sc*i* other
alias pci:v00008086d000010C9sv*
"""


def test_lines_are_joined_counted_and_stripped_of_comments() -> None:
    path = "/etc/modprobe.d/a.conf"
    text = "# options igb max_vfs=1\n\noptions igb \\\n  max_vfs=32\n\tblacklist igbvf # why\nblacklist"
    lines = parse({path: text}, ())
    assert lines == (
        ModprobeLine(path, 3, ("options", "igb", "max_vfs=32")),
        ModprobeLine(path, 5, ("blacklist", "igbvf", "#", "why")),
        ModprobeLine(path, 6, ("blacklist",)),
    )
    assert (lines[0].place, str(lines[0])) == (f"{path}:3", "options igb")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("opt\\\nions igb max_vfs=\\\n8", ("options", "igb", "max_vfs=8")),
        ("# a comment \\\noptions igb max_vfs=8", ()),
        (" # options igb", ()),
        ("alias a\\\\\nb", ("alias", "a\\")),
        ('in\\stall igb \\"x', ("install", "igb", '"x')),
        ("blacklist igb\\", ("blacklist", "igb")),
        ("\\", ()),
        ("\f\nblacklist\x85igb", ("blacklist", "igb")),
    ],
)
def test_a_backslash_is_what_it_is_to_kmod(text: str, words: tuple[str, ...]) -> None:
    assert tuple(word for line in parse({"f": text}, ())[:1] for word in line.words) == words


def test_the_kernel_command_line_says_the_same_things() -> None:
    words = ("modprobe.blacklist=igb,,ixgbe", "module_blacklist=ice", '"igb.max_vfs=7"', "quiet", "mlx4_core.num_vfs=2")
    lines = parse({}, words)
    assert {line.place for line in lines} == {"/proc/cmdline"}
    assert [line.words for line in lines] == [
        ("blacklist", "igb"),
        ("blacklist", "ixgbe"),
        ("blacklist", "ice"),
        ("options", "igb", "max_vfs=7"),
        ("options", "mlx4_core", "num_vfs=2"),
    ]


def test_a_file_hides_those_of_its_name_in_lower_folders() -> None:
    texts = {"/etc/modprobe.d/c.conf": "0", "/etc/modprobe.d/a.conf": "1", "/lib/modprobe.d/a.conf": "2"}
    texts |= {"/lib/modprobe.d/b.conf": "3"}
    kept = {"/etc/modprobe.d/a.conf": "1", "/lib/modprobe.d/b.conf": "3", "/etc/modprobe.d/c.conf": "0"}
    assert list(effective(texts).items()) == list(kept.items()), "in the order of their names"


@pytest.mark.parametrize(
    ("text", "is_blocked"),
    [
        ("blacklist mlx5-core", True),
        ("blacklist", False),
        ("blacklist igb", False),
        ("install mlx5_core /bin/false", True),
        ("install mlx5_core /usr/bin/true", True),
        ("install mlx5_core :", True),
        ("install mlx5_core", False),
        ("install mlx5_core /sbin/modprobe --ignore-install mlx5_core", False),
        ("install igb /bin/false", False),
        ("softdep mlx5_core pre: x", False),
    ],
)
def test_what_keeps_a_module_from_loading(text: str, *, is_blocked: bool) -> None:
    assert bool(blocking_line(parse({"f": text}, ()), "mlx5_core")) is is_blocked


def test_parameters_of_a_module() -> None:
    text = """\
options igb max_vfs=32 debug=1 no.max_vfs=9 max_vfs="8"
options my-nic xmax_vfs=3 # max_vfs=3
options
install igb
install igb /sbin/modprobe -i igb max_vfs=7; true
alias igb max_vfs=1
"""
    found = [(one.line.place, one.module, one.value) for one in parameters(parse({"f": text}, ()), "max_vfs")]
    assert found == [("f:1", "igb", "32"), ("f:1", "igb", "8"), ("f:2", "my-nic", "3"), ("f:5", "igb", "7")]


@pytest.mark.parametrize(
    ("modalias", "modules"),
    [
        (IGB, ("igb", "igb_generic")),
        (IGB.replace("bc02", "bc01"), ("igb",)),
        (IGB.replace("10C9", "1234"), ("igb_generic",)),
        (IGB.replace("8086", "15B3"), ()),
        ("", ()),
        ("pci:", ()),
    ],
)
def test_modules_that_drive_a_device(modalias: str, modules: tuple[str, ...]) -> None:
    assert modules_for(ALIASES, modalias) == modules


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("kernel/drivers/net/ethernet/intel/igb/igb.ko.xz: kernel/drivers/dca/dca.ko.xz\n", True),
        ("/lib/modules/6.1/kernel/drivers/net/igb.ko:\n", True),
        ("updates/dkms/igb.ko:\n", False),
        ("extra/igb.ko.zst: x\n", False),
        ("kernel/drivers/net/igbvf.ko: igb.ko\n", None),
        ("", None),
    ],
)
def test_whether_a_module_is_the_kernels_own(text: str, answer: bool | None) -> None:  # noqa: FBT001
    assert is_in_tree(text, "igb") is answer


def test_a_module_is_found_however_its_file_spells_it() -> None:
    assert is_in_tree("kernel/drivers/vfio-pci.ko: x\n", "vfio_pci") is True
