"""What is no file, or too large a one, where a file is looked for: every command ends, and says what it did not read.

In a child of its own with limits, because what is wrong here hangs, or takes all memory: 2 s of CPU for a command, room
for one honest file. The deadline is longer, so that a busy machine proves nothing.
"""

import contextlib
import io
import json
import os
import resource
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from builders import PF
from fakes_host import HostTree, rule
from fakes_openstack import DEBIAN_HEADS, add_debian
from sriov_bootstrap.cli import main
from sriov_bootstrap.edges import child
from sriov_bootstrap.edges.kmod import Kmod
from sriov_bootstrap.edges.libvirt import PERSISTENT, RUNNING

CPU_SECONDS = 2
DEADLINE_SECONDS = 60.0
ROOM_BYTES = 512 << 20
HOLE_BYTES = 1 << 40


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _hole(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(HOLE_BYTES)


def _folder(path: Path) -> None:
    path.mkdir()


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


KINDS = {"FIFO": _fifo, "device": _device, "hole": _hole}
ODD = KINDS | {"folder": _folder, "loop": _loop}
STATUS, ONCE, DOCTOR = ("status",), ("--once",), ("doctor",)
PASS = (STATUS, ("--once", "--dry-run"), ONCE)
RENDER = (("render", "all"), ("render", "all", "--diff"))
EVERY = (*PASS, *RENDER, DOCTOR, ("migrate",), ("check-config",))

PLACES = {
    "etc/sriov-bootstrap/config.toml": EVERY,
    "etc/sriov-bootstrap/config.d/10.toml": EVERY,
    "run/sriov-bootstrap/config.d/10.toml": EVERY,
    "run/sriov-bootstrap/state.json": (*PASS, DOCTOR),
    "run/sriov-bootstrap/findings.json": PASS,
    "run/sriov-bootstrap/write.lock": (STATUS, DOCTOR),
    "run/sriov-bootstrap/state/state.json": PASS,
    "run/sriov-bootstrap/state/pass.lock": PASS,
    "run/sriov-bootstrap/state/write.lock": PASS,
    "etc/os-release": (*RENDER, DOCTOR),
    "boot/config-6.12.1": (*RENDER, DOCTOR),
    "proc/cpuinfo": (*RENDER, DOCTOR),
    "proc/cmdline": (STATUS, DOCTOR, ("migrate",)),
    f"sys/bus/pci/devices/{PF}/vendor": (STATUS, *RENDER, DOCTOR),
    f"{PERSISTENT[0][1:]}/instance-1.xml": (*PASS, DOCTOR),
    f"{PERSISTENT[1][1:]}/instance-1.xml": PASS,
    f"{RUNNING[0][1:]}/instance-1.xml": PASS,
    "etc/nova/nova.conf.d/sriov-bootstrap.conf": (*RENDER, DOCTOR),
    "etc/udev/rules.d/70-sriov-bootstrap.rules": (*RENDER, DOCTOR),
    "etc/default/grub.d/sriov-bootstrap.cfg": (*RENDER, DOCTOR),
    "etc/sriov-bootstrap/templates/udev.rules.j2": (*RENDER, DOCTOR),
}

# What doctor alone reads: one of them hides no other.
SURVEYED = (
    "etc/rc.local",
    "etc/crontab",
    "etc/cron.d/x",
    "etc/network/interfaces",
    "etc/network/if-up.d/x",
    "etc/netplan/x.yaml",
    "etc/NetworkManager/system-connections/x",
    "etc/sysconfig/network-scripts/ifcfg-x",
    "etc/os-net-config/config.yaml",
    "etc/sysfs.conf",
    "etc/sysfs.d/x.conf",
    "etc/cloud/cloud.cfg",
    "etc/cloud/cloud.cfg.d/x.cfg",
    "etc/udev/rules.d/x.rules",
    "etc/systemd/network/x.link",
    "etc/systemd/system/x.service",
    "etc/systemd/system/nova-compute.service.d/x.conf",
    "etc/modprobe.d/x.conf",
    "etc/driverctl.d/x",
    "etc/default/nova-compute",
    "etc/nova/nova.conf",
    "etc/nova/nova-compute.conf",
    "etc/nova/nova.conf.d/x.conf",
    "etc/neutron/neutron.conf",
    "etc/nmstate/x.yml",
    "etc/default/grub",
    "etc/default/grub.d/x.cfg",
    "etc/kernel/cmdline",
    "boot/loader/entries/x.conf",
    "boot/grub/grub.cfg",
    "etc/modules",
    "etc/modules-load.d/x.conf",
    "etc/initramfs-tools/modules",
    "etc/tmpfiles.d/x.conf",
    "etc/tuned/x/tuned.conf",
)


# What a command looks for in a folder, for which something else lies there, and what several commands read.
MORE_PLACES = {
    "etc/sriov-bootstrap/config.d": EVERY,
    "run/sriov-bootstrap/config.d": EVERY,
    "etc/sriov-bootstrap/templates": (*RENDER, DOCTOR),
    PERSISTENT[0][1:]: (*PASS, DOCTOR),
    RUNNING[0][1:]: (*PASS, DOCTOR),
    "run/sriov-bootstrap/driver-igb.answer": PASS,
    "run/sriov-bootstrap/holders.answer": PASS,
    "etc/nova": (*RENDER, DOCTOR, ("migrate",)),
    "etc/nova/nova.conf.d": (*RENDER, DOCTOR),
    "etc/neutron": (*RENDER, DOCTOR),
    "etc/modprobe.d": (*RENDER, DOCTOR, ("migrate",)),
    "etc/udev/rules.d": (*RENDER, DOCTOR, ("migrate",)),
    "etc/systemd/system": (DOCTOR, ("migrate",)),
    "etc/systemd/network": (DOCTOR, ("migrate",)),
    "etc/netplan": (DOCTOR, ("migrate",)),
    "etc/NetworkManager/system-connections": (DOCTOR, ("migrate",)),
    "etc/os-net-config": (DOCTOR, ("migrate",)),
    "etc/sysfs.d": (DOCTOR, ("migrate",)),
    "etc/cloud/cloud.cfg.d": (DOCTOR, ("migrate",)),
    "etc/cron.d": (DOCTOR, ("migrate",)),
    "var/spool/cron/crontabs": (DOCTOR, ("migrate",)),
    "etc/kolla": (*RENDER, DOCTOR),
    "etc/passwd": (DOCTOR,),
    "etc/default/grub": (DOCTOR,),
    "proc/sys/kernel/osrelease": (*RENDER, DOCTOR),
}


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    """One PF as its rule asks, with VFs for VMs; nothing that would need a command of the host."""
    tree.write("proc/sys/kernel/osrelease", "6.12.1\n")
    tree.write("proc/cpuinfo", "vendor_id : GenuineIntel\n")
    tree.write("etc/os-release", "ID=debian\n")
    tree.write("usr/sbin/update-grub", "")
    tree.add_pf(netdev="", num_vfs=0)
    (tree.device() / "sriov_numvfs").write_text("2\n")
    for index in range(2):
        tree.add_vf(PF, index, driver="vfio-pci")
    tree.add_layout()
    tree.configure(rule(2, more='physical_network = "physnet1"\nvf_driver = "none"\n'))
    return tree


def test_the_tree_is_in_order(tree: HostTree) -> None:
    """Or what follows would end early, and prove nothing."""
    said = run(tree, ((*ONCE, "--dry-run"), DOCTOR, ("check-config",)))
    assert [text.rstrip().rpartition("\n")[2] for text in said] == [
        "dry run: nothing was changed",
        "no findings",
        "valid",
    ]


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def lay(tree: HostTree, make: Callable[[Path], None], *names: str) -> None:
    for name in names:
        path = tree.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        make(path)


def run(tree: HostTree, commands: Iterable[tuple[str, ...]]) -> list[str]:
    """What each command has said, all of it; a child that hangs is ended at its deadline."""

    def work(send: child.Send) -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS * len(EVERY),) * 2)
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + ROOM_BYTES,) * 2)
        said = []
        for words in commands:
            out = io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                main(words, root=str(tree.root))
            said.append(out.getvalue())
        send(json.dumps(said).encode())

    line = child.call(work, what="the commands", timeout_seconds=DEADLINE_SECONDS)
    said: list[str] = json.loads(line)
    return said


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("name", PLACES)
def test_every_command_ends_whatever_lies_there(tree: HostTree, make: Callable[[Path], None], name: str) -> None:
    lay(tree, make, name)
    said = run(tree, PLACES[name])
    assert len(said) == len(PLACES[name])
    assert not [text for text in said if "unexpected error" in text]


@pytest.mark.parametrize("make", [_folder, _loop])
@pytest.mark.parametrize("name", PLACES)
def test_a_folder_or_a_link_to_itself_ends_nothing_either(
    tree: HostTree, make: Callable[[Path], None], name: str
) -> None:
    lay(tree, make, name)
    assert not [text for text in run(tree, PLACES[name]) if "unexpected error" in text]


@pytest.mark.parametrize("make", ODD.values(), ids=ODD)
@pytest.mark.parametrize("name", MORE_PLACES)
def test_so_it_is_with_folders_and_what_several_commands_read(
    tree: HostTree, make: Callable[[Path], None], name: str
) -> None:
    if (tree.root / name).is_dir():
        shutil.rmtree(tree.root / name)
    lay(tree, make, name)
    said = run(tree, MORE_PLACES[name])
    assert len(said) == len(MORE_PLACES[name])
    assert not [text for text in said if "unexpected error" in text]


@pytest.mark.parametrize("make", ODD.values(), ids=ODD)
def test_a_web_config_that_is_none_and_its_files_hold_up_nobody(tree: HostTree, make: Callable[[Path], None]) -> None:
    said = "tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_ca_file: ca.pem}\n"
    for name in ("web.yml", "cert.pem", "key.pem", "ca.pem"):
        tree.write("etc/web.yml", said)
        tree.configure(rule(2) + f'[metrics]\nweb_config = "{tree.root}/etc/web.yml"\n')
        lay(tree, make, f"etc/{name}")
        answers = run(tree, (STATUS, DOCTOR, ("check-config",)))
        assert not [text for text in answers if "unexpected error" in text]
        remove(tree.root / "etc" / name)


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_doctor_ends_and_names_what_it_did_not_read(tree: HostTree, make: Callable[[Path], None]) -> None:
    add_debian(tree, *DEBIAN_HEADS)
    lay(tree, make, *SURVEYED)
    said, _ = run(tree, (DOCTOR, ("migrate",)))
    assert "unexpected error" not in said
    assert [name for name in SURVEYED if f"not seen: /{name}: " not in said] == [], said


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_a_modprobe_file_that_is_none_is_written_anew(tree: HostTree, make: Callable[[Path], None]) -> None:
    lay(tree, make, "etc/modprobe.d/sriov-bootstrap-igb.conf")

    def work(send: child.Send) -> None:
        kmod = Kmod(lambda *_, **__: child.Completed(0, b"", b""), str(tree.root))
        send(b"empty" if not kmod.read_module("igb").modprobe_text else b"read")

    assert child.call(work, what="the file", timeout_seconds=DEADLINE_SECONDS) == b"empty"
