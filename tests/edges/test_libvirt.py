"""libvirt's own files, read without libvirt."""

import os
from pathlib import Path

import pytest

from sriov_bootstrap.base.reading import MAX_ENTRIES
from sriov_bootstrap.core.vf_users import Owner, Owners
from sriov_bootstrap.edges import libvirt
from sriov_bootstrap.edges.libvirt import MAX_FILE_BYTES, read_owners

PERSISTENT, RUNNING = ([folder[1:] for folder in folders] for folders in (libvirt.PERSISTENT, libvirt.RUNNING))
ADDRESS = "<address domain='0' bus='0x3b' slot='0x10' function='{function}'/>"
XML = "<domain><name>{name}</name><devices><hostdev><source>{address}</source></hostdev></devices></domain>"


def define(root: Path, folder: str, name: str, *, function: int, form: str = "{xml}") -> None:
    """What `virsh define` leaves behind; `form`: what libvirt puts around it."""
    (root / folder).mkdir(parents=True, exist_ok=True)
    text = XML.format(name=name, address=ADDRESS.format(function=function))
    (root / folder / f"{name}.xml").write_text(form.format(xml=text))


def test_a_host_without_libvirt_has_no_owners(tmp_path: Path) -> None:
    assert read_owners(str(tmp_path), shut_off=True) == Owners()


@pytest.mark.parametrize("folder", PERSISTENT)
def test_domains_are_found_wherever_a_deployment_keeps_them(tmp_path: Path, folder: str) -> None:
    define(tmp_path, folder, "instance-1", function=1)
    define(tmp_path, folder, "instance-2", function=2)
    assert read_owners(str(tmp_path), shut_off=True) == Owners(
        {"0000:3b:10.1": Owner("instance-1"), "0000:3b:10.2": Owner("instance-2")}
    )


@pytest.mark.parametrize("folder", RUNNING)
@pytest.mark.parametrize("shut_off", [True, False])
def test_a_domain_that_runs_counts_whatever_is_asked_of_the_others(
    tmp_path: Path, folder: str, *, shut_off: bool
) -> None:
    define(tmp_path, folder, "transient", function=1, form="<domstatus state='running'>{xml}</domstatus>")
    define(tmp_path, PERSISTENT[0], "transient", function=1)
    define(tmp_path, PERSISTENT[0], "shut-off", function=2)
    running = {"0000:3b:10.1": Owner("transient", is_running=True)}
    owners = read_owners(str(tmp_path), shut_off=shut_off)
    assert owners == Owners(running | ({"0000:3b:10.2": Owner("shut-off")} if shut_off else {}))


def test_files_that_are_no_domain_are_passed_over(tmp_path: Path) -> None:
    define(tmp_path, PERSISTENT[0], "instance-1", function=1)
    (tmp_path / PERSISTENT[0] / "networks").mkdir()
    (tmp_path / PERSISTENT[0] / "pool.xml").write_text("<network/>")
    (tmp_path / PERSISTENT[0] / "gone.xml").symlink_to("nowhere")
    assert read_owners(str(tmp_path), shut_off=True) == Owners({"0000:3b:10.1": Owner("instance-1")})


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / PERSISTENT[0] / "folder.xml").mkdir(parents=True)
    assert read_owners(str(tmp_path), shut_off=True).problem == f"{tmp_path}/{PERSISTENT[0]}/folder.xml: Is a directory"


@pytest.mark.parametrize(
    ("text", "problem"),
    [("<domain", "not XML"), ("<domain>" + " " * MAX_FILE_BYTES, "larger than any domain's XML")],
    ids=["broken", "huge"],
)
def test_a_file_that_cannot_be_understood_may_be_a_domain(tmp_path: Path, text: str, problem: str) -> None:
    define(tmp_path, PERSISTENT[0], "instance-1", function=1)
    path = tmp_path / PERSISTENT[0] / "it.xml"
    path.write_text(text)
    owners = read_owners(str(tmp_path), shut_off=True)
    assert owners == Owners({"0000:3b:10.1": Owner("instance-1")}, f"{path}: {problem}")


@pytest.mark.parametrize("is_running", [True, False])
def test_what_is_no_file_may_be_a_domain_and_holds_up_nobody(tmp_path: Path, *, is_running: bool) -> None:
    folder = tmp_path / (RUNNING[0] if is_running else PERSISTENT[1])
    folder.mkdir(parents=True)
    os.mkfifo(folder / "a.xml")
    assert read_owners(str(tmp_path), shut_off=True).problem == f"{folder}/a.xml: is not a regular file"


def test_a_domain_of_another_root_is_none(tmp_path: Path) -> None:
    define(tmp_path / "outside", PERSISTENT[0], "instance-1", function=1)
    (tmp_path / "image/etc").mkdir(parents=True)
    (tmp_path / "image/etc/libvirt").symlink_to("../../outside/etc/libvirt")
    owners = read_owners(str(tmp_path / "image"), shut_off=True)
    assert owners.by_device == {}
    assert "is a link to ../../outside/etc/libvirt, which is not below" in owners.problem


def test_a_folder_that_is_not_read_to_its_end_may_have_any_domain(tmp_path: Path) -> None:
    folder = tmp_path / RUNNING[0]
    folder.mkdir(parents=True)
    for number in range(MAX_ENTRIES + 1):
        os.mknod(folder / str(number))
    assert read_owners(str(tmp_path), shut_off=False) == Owners({}, f"{folder}: has more than {MAX_ENTRIES} entries")
