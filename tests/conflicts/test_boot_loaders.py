"""The next command line in the files of boot loaders, and options in lists of modules."""

import pytest

from builders import PF, PF2, make_pf
from sriov_bootstrap.conflicts.checks import find_masters
from sriov_bootstrap.conflicts.master import Master
from sriov_bootstrap.conflicts.modprobe import NEXT_BOOT
from sriov_bootstrap.conflicts.module_lists import NO_OPTIONS, OF_INIT
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.core.config import Match

GRUB = "/etc/default/grub"
UPDATE = "update-grub, or grub2-mkconfig -o /boot/grub2/grub.cfg"


def find(files: dict[str, str], running: str = "", driver: str = "ixgbe", initramfs: str = "") -> tuple[Master, ...]:
    kinds = {path: Format.MODULE_LIST if "modules" in path else Format.KERNEL for path in files}
    sources = [Source(kinds[path], path, text) for path, text in files.items()]
    sources.append(Source(Format.KERNEL, "/proc/cmdline", running))
    pfs = (make_pf(driver=driver), make_pf(pci_address=PF2, driver=driver))
    return find_masters(MastersSurvey(tuple(sources), initramfs=initramfs), pfs)


@pytest.mark.parametrize(
    ("path", "text", "line", "after"),
    [
        (GRUB, 'GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX_DEFAULT="quiet ixgbe.max_vfs=8"\n', 2, f", then: {UPDATE}"),
        ("/etc/default/grub.d/50.cfg", 'GRUB_CMDLINE_LINUX="$X ixgbe.max_vfs=8 a"\n', 1, f", then: {UPDATE}"),
        ("/etc/kernel/cmdline", "root=/dev/a ixgbe.max_vfs=8\n", 1, ", then: kernel-install add-all"),
        (
            "/boot/loader/entries/a.conf",
            "title a\n# b\noptions root=a ixgbe.max_vfs=8\n",
            3,
            ", then: grubby --update-kernel=ALL --remove-args=ixgbe.max_vfs",
        ),
        ("/boot/grub/grub.cfg", "menuentry a {\n\tlinux /a root=b ixgbe.max_vfs=8 quiet\n}\n", 2, f", then: {UPDATE}"),
        ("/boot/firmware/cmdline.txt", "a ixgbe.max_vfs=8", 1, ""),
    ],
)
def test_what_the_next_kernel_may_be_given_is_a_doubt(path: str, text: str, line: int, after: str) -> None:
    (found,) = find({path: text})
    assert (found.format, found.path, found.line, found.num_vfs) == (Format.KERNEL, path, line, 8)
    assert (found.devices, found.is_certain, found.doubt) == ((Match(driver="ixgbe"),), False, NEXT_BOOT)
    assert found.text == "ixgbe.max_vfs=8"
    assert found.remedy == f"remove ixgbe.max_vfs=8 from line {line} of {path}{after}"


@pytest.mark.parametrize(
    "text",
    [
        '#GRUB_CMDLINE_LINUX="ixgbe.max_vfs=8"\n',
        'GRUB_CMDLINE_LINUX="ixgbe.max_vfs= foo.ixgbe.max_vfs=8 max_vfs=8"\n',
        "module_blacklist=ixgbe .max_vfs=8\n",
    ],
)
def test_other_words_are_nothing(text: str) -> None:
    assert find({GRUB: text}) == ()


def test_a_word_that_the_running_kernel_has_is_said_once_with_its_line() -> None:
    files = {GRUB: 'A="ixgbe.max_vfs=8"\n', "/boot/grub/grub.cfg": "linux /a ixgbe.max_vfs=8\n" * 3}
    (found,) = find(files, "quiet ixgbe.max_vfs=8")
    assert (found.place, found.is_certain) == ("/proc/cmdline", True)
    assert found.remedy == f"remove ixgbe.max_vfs=8 from line 1 of {GRUB}, then: {UPDATE}, and reboot"


def test_another_number_is_another_word() -> None:
    found = find({GRUB: 'A="ixgbe.max_vfs=4,2"\n'}, "ixgbe.max_vfs=8")
    assert [(master.place, master.num_vfs, master.is_certain) for master in found] == [
        ("/proc/cmdline", 8, True),
        (f"{GRUB}:1", 4, False),
        (f"{GRUB}:1", 2, False),
    ]


def test_a_module_that_creates_vfs_while_it_is_loaded_alone() -> None:
    (found,) = find({GRUB: 'A="mlx4_core.num_vfs=4,4,0"\n'}, driver="mlx4_core")
    assert (found.num_vfs, found.remedy.startswith("leave it: ")) == (8, True)


def test_no_more_words_than_anyone_has() -> None:
    text = " ".join(f"a{number}.max_vfs=8" for number in range(300))
    assert len(find({GRUB: text})) == 64


@pytest.mark.parametrize(
    ("path", "text", "line", "doubt"),
    [
        ("/etc/initramfs-tools/modules", "# a\n\nixgbe debug=1 max_vfs=8\n", 3, ""),
        ("/etc/initramfs-tools/modules", "ixgbe max_vfs=4 max_vfs=8", 1, ""),
        ("/etc/modules", "loop\nixgbe max_vfs=8\n", 2, OF_INIT),
        ("/etc/modules-load.d/a.conf", "ixgbe\tmax_vfs=8\n", 1, NO_OPTIONS),
        ("/usr/lib/modules-load.d/a.conf", "; a\nixgbe max_vfs=8\n", 2, NO_OPTIONS),
        (
            "/etc/initramfs-tools/modules",
            "ice max_vfs=8",
            1,
            "whether the module ice has a parameter max_vfs is not known here",
        ),
    ],
)
def test_options_in_lists_of_modules(path: str, text: str, line: int, doubt: str) -> None:
    (found,) = find({path: text}, initramfs="update-initramfs -u")
    assert (found.place, found.num_vfs, found.doubt) == (f"{path}:{line}", 8, doubt)
    assert found.is_certain is not bool(doubt)
    rebuild = ", then: update-initramfs -u" if "initramfs" in path else ""
    assert found.remedy == f"remove max_vfs from line {line} of {path}{rebuild}"


def test_a_list_of_modules_with_a_number_for_each_port() -> None:
    found = find({"/etc/initramfs-tools/modules": "ixgbe max_vfs=8,4"})
    assert [(master.devices[0].pci_address, master.num_vfs) for master in found] == [(PF, 8), (PF2, 4)]


@pytest.mark.parametrize("text", ["ixgbe", "# ixgbe max_vfs=8", "ixgbe debug=1", ""])
def test_modules_without_a_number_are_nothing(text: str) -> None:
    assert find({"/etc/modules": text, "/etc/modules-load.d/a.conf": text}) == ()
