"""tmpfiles.d: which of its files and lines count."""

import pytest

from boot_files import FILE, Files, add_two_ports, diagnosed, migrated, rc_local, write_files
from builders import PF
from fakes_host import HostTree

EIGHT, FOUR = (f"w {FILE} - - - - {number}\n" for number in (8, 4))


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    return add_two_ports(tree)


@pytest.mark.parametrize(
    ("files", "rules"),
    [
        ({"usr/lib/tmpfiles.d/v.conf": EIGHT, "etc/tmpfiles.d/v.conf": FOUR}, {PF: 4}),
        ({"usr/lib/tmpfiles.d/v.conf": EIGHT, "run/tmpfiles.d/v.conf": FOUR}, {PF: 4}),
        ({"usr/local/lib/tmpfiles.d/v.conf": EIGHT, "usr/lib/tmpfiles.d/v.conf": FOUR}, {PF: 8}),
        ({"usr/lib/tmpfiles.d/v.conf": EIGHT, "etc/tmpfiles.d/v.conf": ""}, {}),
        ({"usr/lib/tmpfiles.d/v.conf": f"w {FILE}.. sriov_numvfs\n", "etc/tmpfiles.d/v.conf": "# none\n"}, {}),
    ],
)
def test_a_file_hides_those_of_its_name(
    tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files, rules: dict[str, int | str]
) -> None:
    write_files(tree, files)
    assert migrated(tree, capsys) == rules
    assert len(diagnosed(tree, capsys)) == len(rules)


def test_dev_null_hides_as_well(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    write_files(tree, {"usr/lib/tmpfiles.d/v.conf": EIGHT})
    (tree.root / "etc/tmpfiles.d").mkdir()
    (tree.root / "etc/tmpfiles.d/v.conf").symlink_to("/dev/null")
    assert migrated(tree, capsys) == {}
    assert diagnosed(tree, capsys) == []


def test_a_file_that_a_command_is_given_is_hidden_by_none(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    write_files(tree, {"etc/tmpfiles.d/v.conf": "# none\n", "-opt/v.conf": EIGHT})
    write_files(tree, rc_local("systemd-tmpfiles --create /opt/v.conf"))
    assert [found["code"] for found in diagnosed(tree, capsys)] == ["SB-W367"]


@pytest.mark.parametrize(
    "line",
    [
        f"z {FILE} 0660 root kvm",
        f"Z {FILE} 0660 root kvm - -",
        f"m {FILE} 0660",
        f"a+ {FILE} - - - - u:ops:rw",
        f"t {FILE} - - - - user.x=8",
        f"x {FILE}",
        f"R! {FILE}",
    ],
)
def test_lines_that_write_nothing_are_no_mention(tree: HostTree, capsys: pytest.CaptureFixture[str], line: str) -> None:
    write_files(tree, {"etc/tmpfiles.d/v.conf": f"{line}\n"})
    assert diagnosed(tree, capsys) == []


@pytest.mark.parametrize("line", [f"f+ {FILE} - - - - 8", f"C {FILE} - - - - /etc/n", f"w {FILE} - - - - %m"])
def test_lines_that_may_write_are_mentioned(tree: HostTree, capsys: pytest.CaptureFixture[str], line: str) -> None:
    write_files(tree, {"etc/tmpfiles.d/v.conf": f"{line}\n"})
    assert [found["code"] for found in diagnosed(tree, capsys)] == ["SB-W367"]


@pytest.mark.parametrize(
    ("files", "rules"),
    [
        ({"etc/tmpfiles.d/a.conf": EIGHT, "etc/tmpfiles.d/b.conf": FOUR}, {PF: 8}),
        ({"etc/tmpfiles.d/a.conf": EIGHT, "etc/tmpfiles.d/b.conf": EIGHT}, {PF: 8}),
        ({"usr/lib/tmpfiles.d/b.conf": EIGHT, "run/tmpfiles.d/a.conf": FOUR}, {PF: 4}),
        ({"etc/tmpfiles.d/a.conf": EIGHT + FOUR.replace("/net/", "//net/")}, {PF: 8}),
        ({"etc/tmpfiles.d/a.conf": EIGHT + FOUR.replace(FILE, f'"{FILE}"')}, {PF: 8}),
        ({"etc/tmpfiles.d/a.conf": EIGHT + FOUR.replace("ens1f0", "ens1f[0]")}, {}),
        ({"etc/tmpfiles.d/a.conf": EIGHT, "etc/tmpfiles.d/b.conf": FOUR.replace("w", "w+", 1)}, {}),
    ],
)
def test_of_lines_with_one_path_the_first_counts(
    tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files, rules: dict[str, int | str]
) -> None:
    write_files(tree, files)
    assert migrated(tree, capsys) == rules
