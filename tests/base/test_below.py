"""Places below a root, whatever links somebody else has made there."""

import os
import stat
from pathlib import Path

import pytest

from sriov_bootstrap.base.below import Below
from sriov_bootstrap.base.errors import LinkError

MIB = 1 << 20
NOBODY = 65534


def put(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """What lies beside it is not below it."""
    put(tmp_path / "outside/etc/x.conf", "secret\n")
    put(tmp_path / "image/etc/real/x.conf", "inside\n")
    return tmp_path / "image"


def test_nothing_stays_open(root: Path) -> None:
    before = os.listdir("/proc/self/fd")
    assert Below(str(root)).read("/etc/real/x.conf", MIB) == b"inside\n"
    assert Below(str(root)).names("/etc/real") == ["x.conf"]
    for path in ("/etc/nowhere/x", "/etc", "/etc/real/x.conf/x"):
        with pytest.raises(OSError, match=r"\w"):
            Below(str(root)).read(path, MIB)
    assert os.listdir("/proc/self/fd") == before


LINKS = {
    "relative": ("etc/nova", "real"),
    "by way of a parent": ("etc/nova", "../etc/real"),
    "as the image sees it": ("etc/nova", "/etc/real"),
    "as we see it": ("etc/nova", "{root}/etc/real"),
    "two": ("etc/nova", "other"),
}


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_a_link_that_stays_is_followed(root: Path, link: tuple[str, str]) -> None:
    (root / "etc/other").symlink_to("real")
    (root / link[0]).symlink_to(link[1].format(root=root))
    assert Below(str(root)).read("/etc/nova/x.conf", MIB) == b"inside\n"
    assert Below(str(root)).exists("/etc/nova/x.conf")


LEAVING = {
    "a folder, relative": ("etc/nova", "../../outside/etc"),
    "a folder, absolute": ("etc/nova", "{outside}/etc"),
    "a file, relative": ("etc/nova/x.conf", "../../../outside/etc/x.conf"),
    "a file, absolute": ("etc/nova/x.conf", "{outside}/etc/x.conf"),
    "a folder above": ("etc/nova", "../.."),
}


@pytest.mark.parametrize("link", LEAVING.values(), ids=LEAVING)
def test_a_link_that_leaves_is_named(root: Path, link: tuple[str, str]) -> None:
    path, target = root / link[0], link[1].format(outside=root.parent / "outside")
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(target)
    with pytest.raises(LinkError) as caught:
        Below(str(root)).read("/etc/nova/x.conf", MIB)
    assert caught.value.message == f"{path}: is a link to {target}, which is not below {root}"
    assert caught.value.hint
    assert not Below(str(root)).exists("/etc/nova/x.conf")


def test_what_is_not_there_behind_a_link_that_stays_is_absent(root: Path) -> None:
    (root / "etc/nova").symlink_to("/etc/real")
    with pytest.raises(FileNotFoundError):
        Below(str(root)).read("/etc/nova/y.conf", MIB)
    (root / "etc/dangling").symlink_to("nowhere")
    with pytest.raises(FileNotFoundError):
        Below(str(root)).read("/etc/dangling", MIB)


def test_links_that_go_round_end(root: Path) -> None:
    (root / "etc/nova").symlink_to("nova")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        Below(str(root)).read("/etc/nova/x.conf", MIB)


def test_a_mask_is_empty_below_every_root(root: Path) -> None:
    (root / "etc/x").symlink_to("/dev/null")
    assert Below(str(root)).read("/etc/x", MIB) == b""


@pytest.mark.parametrize("umask", [0, 0o022, 0o027, 0o077])
def test_folders_are_made_only_where_they_are_asked_for_and_for_all_users(root: Path, umask: int) -> None:
    with pytest.raises(FileNotFoundError), Below(str(root)).place("/a/b/c"):
        pass
    before = os.umask(umask)
    try:
        with Below(str(root)).place("/a/b/c", make=True) as place:
            assert (place.name, place.status) == ("c", None)
    finally:
        os.umask(before)
    assert [stat.S_IMODE((root / one).stat().st_mode) for one in ("a", "a/b")] == [0o755, 0o755]


def test_the_kernel_finds_no_tree_elsewhere(root: Path) -> None:
    (root.parent / "other/class/net").mkdir(parents=True)
    (root / "sys").symlink_to("../other")
    with pytest.raises(LinkError, match=r"leads to /.*/other/class/net, which is not below"):
        Below(str(root)).refuse_if_out("/sys/class/net")
    Below(str(root)).refuse_if_out("/etc/real")


# -- on this host --


@pytest.mark.skipif(os.geteuid() != 0, reason="gives folders to others")
@pytest.mark.parametrize(
    ("uid", "mode", "owner", "why"),
    [
        (0, 0o755, 0, ""),
        (0, 0o1777, 0, ""),
        (NOBODY, 0o755, NOBODY, f"which is owned by user {NOBODY}"),
        (NOBODY, 0o755, 0, f"which is owned by user {NOBODY}"),
        (0, 0o777, 0, "where users other than root may write"),
        (0, 0o1777, NOBODY, "where users other than root may write"),
    ],
)
@pytest.mark.parametrize("name", ["nova.conf.d", "nova.conf.d/x.conf"])
def test_a_link_is_followed_only_where_root_alone_has_made_it(
    tmp_path: Path, uid: int, mode: int, owner: int, why: str, name: str
) -> None:
    put(tmp_path / "real/x.conf", "text")
    link = tmp_path / "nova" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / ("real/x.conf" if name.endswith(".conf") else "real"))
    os.chown(link, owner, owner, follow_symlinks=False)
    os.chown(link.parent, uid, 0)
    link.parent.chmod(mode)
    path = f"{tmp_path}/nova/nova.conf.d/x.conf"
    if not why:
        assert Below().read(path, MIB) == b"text"
        return
    with pytest.raises(LinkError) as caught:
        Below().read(path, MIB)
    assert caught.value.message == f"{link}: is a link in {link.parent}, {why}: not followed"
    assert Below().exists(path)  # which everybody may see


@pytest.mark.skipif(os.geteuid() != 0, reason="gives folders to others")
def test_a_folder_of_others_without_links_is_read(tmp_path: Path) -> None:
    path = put(tmp_path / "nova/x.conf", "text")
    os.chown(path.parent, NOBODY, NOBODY)
    assert Below().read(str(path), MIB) == b"text"
