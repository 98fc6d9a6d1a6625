"""Module parameters with a number of VFs: order of files, lists, and the parameters of other drivers."""

import pytest

from builders import PF, PF2, PF3, make_pf
from sriov_bootstrap.conflicts.checks import find_masters
from sriov_bootstrap.conflicts.master import Master
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.core.config import Match


def find(files: dict[str, str], driver: str = "ixgbe", command_line: str = "") -> tuple[Master, ...]:
    sources = [Source(Format.MODPROBE, path, text) for path, text in files.items()]
    pfs = (make_pf(pci_address=PF2, driver=driver), make_pf(driver=driver), make_pf(pci_address=PF3, driver="ice"))
    return find_masters(MastersSurvey((*sources, Source(Format.KERNEL, "/proc/cmdline", command_line))), pfs)


def of_file(line: str, driver: str = "ixgbe") -> list[tuple[str, int | None]]:
    found = find({"/etc/modprobe.d/a.conf": line}, driver)
    return [(one.devices[0].pci_address or one.devices[0].driver, one.num_vfs) for one in found]


@pytest.mark.parametrize(("driver", "is_certain"), [("ixgbe", False), ("igb", False), ("sfc", True)])
def test_a_list_is_taken_by_intels_own_modules_alone(driver: str, is_certain: bool) -> None:  # noqa: FBT001 - pytest's way
    found = find({"/etc/modprobe.d/a.conf": f"options {driver} max_vfs=2,4"}, driver)
    assert [(one.num_vfs, one.is_certain) for one in found] == [(2, is_certain), (4, is_certain)]
    assert all(is_certain or "does not load with it" in one.doubt for one in found)


ETC, RUN, LIB = "/etc/modprobe.d", "/run/modprobe.d", "/usr/lib/modprobe.d"
OPTIONS = "options ixgbe max_vfs={}\n"


@pytest.mark.parametrize(
    ("files", "place", "number", "remedy"),
    [
        pytest.param(
            {f"{ETC}/10-a.conf": OPTIONS.format(7), f"{LIB}/99-b.conf": OPTIONS.format(3)},
            f"{LIB}/99-b.conf:1",
            3,
            f"remove max_vfs from line 1 of {LIB}/99-b.conf and max_vfs from line 1 of {ETC}/10-a.conf",
            id="by name over all folders",
        ),
        pytest.param(
            {f"{ETC}/50.conf": OPTIONS.format(7), f"{RUN}/50.conf": OPTIONS.format(3)},
            f"{ETC}/50.conf:1",
            7,
            f"remove max_vfs from line 1 of {ETC}/50.conf",
            id="the same name",
        ),
        pytest.param(
            {f"{ETC}/a.conf": OPTIONS.format(7) + OPTIONS.format(4)},
            f"{ETC}/a.conf:2",
            4,
            f"remove max_vfs from line 2 of {ETC}/a.conf and max_vfs from line 1 of {ETC}/a.conf",
            id="twice",
        ),
        pytest.param(
            {f"{ETC}/a.conf": "options ixgbe max_vfs=7 debug=1 max_vfs=5\n"},
            f"{ETC}/a.conf:1",
            5,
            f"remove max_vfs from line 1 of {ETC}/a.conf",
            id="twice in a line",
        ),
        pytest.param(
            {f"{ETC}/a.conf": "options ixgbe max_vfs=6 # x \\\noptions ixgbe max_vfs=66\n"},
            f"{ETC}/a.conf:1",
            66,
            f"remove max_vfs from line 1 of {ETC}/a.conf",
            id="a comment does not end a line",
        ),
        pytest.param(
            {
                f"{ETC}/a.conf": "install ixgbe /sbin/modprobe -i ixgbe max_vfs=2\n",
                f"{ETC}/b.conf": OPTIONS.format(7),
            },
            f"{ETC}/a.conf:1",
            2,
            f"remove max_vfs from line 1 of {ETC}/a.conf and max_vfs from line 1 of {ETC}/b.conf",
            id="install",
        ),
    ],
)
def test_the_last_of_all_lines_counts(files: dict[str, str], place: str, number: int, remedy: str) -> None:
    """As modprobe --showconfig of kmod 30 has it."""
    (found,) = find(files)
    assert (found.place, found.num_vfs, found.remedy) == (place, number, remedy)


def test_the_kernel_command_line_is_after_the_files() -> None:
    (found,) = find({f"{ETC}/a.conf": OPTIONS.format(7)}, command_line="ixgbe.max_vfs=3")
    assert (found.place, found.num_vfs, found.evidence) == ("/proc/cmdline", 3, "ixgbe.max_vfs=3")
    assert found.remedy == (
        "remove ixgbe.max_vfs=3 from the kernel command line in the boot loader's config, and reboot and max_vfs from"
        f" line 1 of {ETC}/a.conf"
    )


@pytest.mark.parametrize(
    ("line", "numbers"),
    [
        ("options ixgbe max_vfs=8,8", [(PF, 8), (PF2, 8)]),
        ("options ixgbe max_vfs=2,4", [(PF, 2), (PF2, 4)]),
        ("options ixgbe max_vfs=2,4,6", [(PF, 2), (PF2, 4)]),
        ("options ixgbe max_vfs=0x8,010", [(PF, 8), (PF2, 8)]),
        ("options ixgbe max_vfs=0,5", [(PF, 0), (PF2, 5)]),
        ("options ixgbe max_vfs=4,", [("ixgbe", None)]),
        ("options ixgbe max_vfs=4x", [("ixgbe", None)]),
        ("options ixgbe max_vfs=", [("ixgbe", None)]),
        ('options ixgbe max_vfs="8"', [("ixgbe", 8)]),
        ("options ixgbe max_vfs=0x10", [("ixgbe", 16)]),
        ("options be2net num_vfs=8", [("be2net", 8)]),
        ("options cxgb4 num_vf=4,4,0,0", [("cxgb4", None)]),
        ("options igb max_vfs=2,4", [("igb", None)]),
    ],
)
def test_a_list_is_a_number_for_each_port(line: str, numbers: list[tuple[str, int | None]]) -> None:
    assert of_file(line) == numbers


def test_a_shorter_list_leaves_the_last_ports_without() -> None:
    files = {f"{ETC}/a.conf": "options ixgbe max_vfs=2,4\n"}
    pfs = tuple(make_pf(pci_address=f"0000:3b:00.{port}", driver="ixgbe") for port in range(4))
    sources = tuple(Source(Format.MODPROBE, path, text) for path, text in files.items())
    found = find_masters(MastersSurvey(sources), pfs)
    assert [(one.devices, one.num_vfs) for one in found] == [
        ((Match(pci_address=f"0000:3b:00.{port}"),), number) for port, number in enumerate((2, 4, 0, 0))
    ]


@pytest.mark.parametrize(
    ("value", "numbers"),
    [
        ("8", [("mlx4_core", 8)]),
        ("4,4", [("mlx4_core", 8)]),
        ("4,4,0", [("mlx4_core", 8)]),
        ("2,3,4", [("mlx4_core", 9)]),
        ("0x4,0,0", [("mlx4_core", 4)]),
        ("1,2,3,4", [("mlx4_core", None)]),
        ("300", [("mlx4_core", None)]),
        ("many", [("mlx4_core", None)]),
        ("0000:3b:00.0-5", [(PF, 5), (PF2, 0)]),
        ("3b:00.0-5,0000:3b:00.1-1;2;3", [(PF, 5), (PF2, 6)]),
    ],
)
def test_mlx4_has_a_parameter_of_its_own(value: str, numbers: list[tuple[str, int | None]]) -> None:
    line = f"options mlx4_core port_type_array=2,2 num_vfs={value} probe_vf=0,0,0 log_num_mgm_entry_size=-1"
    assert of_file(line, "mlx4_core") == numbers
    (found, *_) = find({f"{ETC}/mlx4.conf": line}, "mlx4_core")
    assert found.remedy == (
        "leave it: mlx4_core creates VFs only while it is loaded, as many as num_vfs in line 1 of"
        f" {ETC}/mlx4.conf says, and nothing can be written to sriov_numvfs; set num_vfs of the rule to the same number"
    )


def test_mlx4_on_the_kernel_command_line() -> None:
    (found,) = find({}, "mlx4_core", command_line="mlx4_core.num_vfs=4,4,0 .num_vfs=3 num_vfs=2")
    assert (found.evidence, found.num_vfs) == ("mlx4_core.num_vfs=4,4,0", 8)


def test_what_is_no_number_is_a_doubt() -> None:
    (found,) = find({f"{ETC}/a.conf": "options ixgbe max_vfs=8x"})
    assert (found.is_certain, found.doubt) == (False, "it is no number, so the module does not load")


@pytest.mark.parametrize(
    ("line", "is_known"),
    [
        ("options ixgbe max_vfs=8", True),
        ("options be2net num_vfs=8", True),
        ("options mlx5_core num_vfs=8", False),
        ("options ixgbe num_vfs=8", False),
        ("options mlx4_core max_vfs=8", False),
        ("options my-nic max_vfs=8", False),
    ],
)
def test_a_module_that_may_not_have_the_parameter_is_a_doubt(line: str, *, is_known: bool) -> None:
    (found,) = find({f"{ETC}/a.conf": line})
    _, module, parameter = line.split()
    unsure = f"whether the module {module} has a parameter {parameter.partition('=')[0]} is not known here"
    assert (found.num_vfs, found.doubt) == (8, "" if is_known else unsure)


@pytest.mark.parametrize(
    ("files", "command_line", "remedy"),
    [
        ({f"{ETC}/a.conf": OPTIONS.format(8)}, "", f"remove max_vfs from line 1 of {ETC}/a.conf, then: dracut --force"),
        (
            {},
            "ixgbe.max_vfs=8",
            "remove ixgbe.max_vfs=8 from the kernel command line in the boot loader's config, and reboot",
        ),
    ],
)
def test_a_line_of_a_file_is_in_the_initramfs_as_well(files: dict[str, str], command_line: str, remedy: str) -> None:
    sources = [Source(Format.MODPROBE, path, text) for path, text in files.items()]
    sources.append(Source(Format.KERNEL, "/proc/cmdline", command_line))
    (found,) = find_masters(MastersSurvey(tuple(sources), initramfs="dracut --force"), (make_pf(),))
    assert found.remedy == remedy


def test_options_by_an_alias_count_where_the_module_is_loaded_by_that() -> None:
    text = "alias fast-nic ixgbe\nalias pci:v00008086d* ice\nalias half\noptions fast_nic max_vfs=4\n"
    (found,) = find({f"{ETC}/a.conf": text})
    assert (found.devices, found.num_vfs, found.place) == ((Match(driver="ixgbe"),), 4, f"{ETC}/a.conf:4")
    assert found.doubt == "it only counts where ixgbe is loaded as fast_nic"
    assert not found.is_certain
