"""The guest's root file system as a folder: Debian, trimmed for an emulated CPU."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .building import run_isolated
from .mirror import debian_mirror, sources

BASE_FILES: Final = Path(__file__).parent / "guest" / "base"
KERNEL: Final = "linux-image-amd64"


@dataclass(frozen=True, slots=True)
class Flavour:
    """What tells one guest from another."""

    name: str
    suite: str = "trixie"
    kernel_suite: str = ""  # where the kernel comes from, when not from the suite
    packages: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()  # units that a test unmasks when it wants them
    apt_options: tuple[str, ...] = ()
    has_test_modules: bool = False  # those of kernel_modules.py

    @property
    def suites(self) -> tuple[str, ...]:
        return (self.suite, self.kernel_suite) if self.kernel_suite else (self.suite,)


MAIN: Final = Flavour("main")
# For NICs other than igb: a newer kernel, netdevsim, and a VF driver that is slow.
NICS: Final = Flavour("nics", kernel_suite="trixie-backports", has_test_modules=True)
# Debian as it will be: the newest systemd, Python, and masters of NICs.
SID: Final = Flavour(
    "sid",
    suite="sid",
    packages=("network-manager", "netplan.io"),
    # The last two: 10 to 40 s of each boot, with nothing to configure; and the socket of a service that no guest has.
    masked=("NetworkManager.service", "netplan-configure.service", "systemd-logind-varlink.socket"),
    apt_options=('Acquire::Check-Valid-Until "false"',),  # a mirror that is a week behind will do
)

PACKAGES: Final = (
    *(
        "systemd-sysv",
        "udev",
        "dbus",
        "kmod",
        "iproute2",
        "procps",
        "pciutils",
        "ethtool",
        "strace",
    ),
    *("openssh-server", "curl", "busybox-static", "init-system-helpers", "cloud-init"),
    *("python3", "python3-pyudev", "python3-dbus-next", "python3-jinja2", "python3-structlog"),
    *("python3-prometheus-client", "python3-msgspec", "python3-h11", "python3-bcrypt", "python3-yaml"),
    "python3-apt",  # Ansible's eyes on packages
)

# What dpkg leaves out: papers, and drivers for hardware that no SR-IOV host test needs.
EXCLUDED: Final = (
    *(f"/usr/share/{name}/*" for name in ("man", "doc", "info", "locale", "lintian", "bash-completion", "bug")),
    *(
        f"/usr/lib/modules/*/kernel/{name}/*"
        for name in (
            *("sound", "drivers/gpu", "drivers/media", "drivers/net/wireless", "drivers/staging", "drivers/iio"),
            *("drivers/infiniband", "drivers/scsi", "drivers/usb", "drivers/hid", "drivers/input", "drivers/mtd"),
            *("drivers/bluetooth", "drivers/video", "drivers/ata"),
            *("drivers/edac", "drivers/isdn", "drivers/md", "drivers/target", "drivers/thunderbolt", "drivers/nvme"),
            *("drivers/watchdog", "drivers/crypto", "drivers/i2c/busses", "drivers/misc/vmw_vmci", "drivers/net/wwan"),
            *("arch/x86/crypto", "arch/x86/kvm", "net/vmw_vsock", "net/can", "net/netrom", "net/dccp"),
            *("net/bluetooth", "net/mac80211", "net/wireless", "net/ceph", "net/rds", "net/sctp", "net/tipc"),
            *("fs/btrfs", "fs/xfs", "fs/ocfs2", "fs/gfs2", "fs/smb", "fs/nfs", "fs/nfsd", "fs/ceph", "fs/bcachefs"),
        )
    ),
)

# Not needed by any test and paid for in seconds at every boot. serial-getty would hang up a console that tests read;
# ssh.service is replaced by lab-sshd.service.
MASKED: Final = (
    *("serial-getty@ttyS0.service", "serial-getty@ttyS1.service", "getty.target", "ssh.service", "ssh.socket"),
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer"),
    *("e2scrub_reap.service", "systemd-hwdb-update.service", "systemd-logind.service", "systemd-random-seed.service"),
    *("systemd-update-utmp.service", "systemd-update-utmp-runlevel.service", "systemd-journal-flush.service"),
    *("systemd-binfmt.service", "systemd-pstore.service", "systemd-user-sessions.service", "kmod-static-nodes.service"),
    *("modprobe@configfs.service", "modprobe@drm.service", "modprobe@efi_pstore.service", "modprobe@fuse.service"),
    *("modprobe@dm_mod.service", "modprobe@loop.service", "sys-kernel-debug.mount", "sys-kernel-tracing.mount"),
    *("sys-fs-fuse-connections.mount", "dev-hugepages.mount", "systemd-udev-load-credentials.service"),
)


def build_rootfs(root: Path, flavour: Flavour, *, authorized_key: str, secret: str) -> None:
    """Fill `root`, a folder that does not exist yet; takes a minute, mostly downloads. Has to run as root."""
    kernel = f"{KERNEL}/{flavour.kernel_suite}" if flavour.kernel_suite else KERNEL
    packages = ",".join([*PACKAGES, kernel, *flavour.packages])
    command = ["mmdebstrap", "--mode=root", "--variant=minbase", f"--include={packages}"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED]
    command += [f"--aptopt={option}" for option in ("Acquire::Languages none", *flavour.apt_options)]
    command += ["--skip=check/qemu", flavour.suite, str(root)]
    if flavour.kernel_suite:
        command += sources(*flavour.suites)
    elif mirror := debian_mirror():
        command.append(mirror)
    # INITRD=No: Debian's kernel hook then makes no initramfs; ours is initramfs.py.
    run_isolated(command, {**os.environ, "INITRD": "No"})
    # The trimming ends here: a package that a test installs is unpacked whole.
    (root / "etc" / "dpkg" / "dpkg.cfg.d" / "99mmdebstrap").unlink()
    shutil.copytree(BASE_FILES, root, dirs_exist_ok=True)
    _enable_units(root, flavour)
    key_file = root / "root" / ".ssh" / "authorized_keys"
    key_file.parent.mkdir(mode=0o700, exist_ok=True)
    key_file.write_text(authorized_key)
    lab_key_file = root / "etc" / "lab-key"
    lab_key_file.touch(mode=0o600)
    lab_key_file.write_text(secret)
    for stamp in ("etc/.updated", "var/.updated"):  # else systemd rebuilds its caches at each boot
        (root / stamp).touch()


def _enable_units(root: Path, flavour: Flavour) -> None:
    units = root / "etc" / "systemd" / "system"
    for name in (*MASKED, *flavour.masked):
        (units / name).unlink(missing_ok=True)
        (units / name).symlink_to("/dev/null")
    wants = units / "sysinit.target.wants"
    wants.mkdir(exist_ok=True)
    for name in ("lab-answers.service", "lab-sshd.service"):
        (wants / name).symlink_to(f"../{name}")
