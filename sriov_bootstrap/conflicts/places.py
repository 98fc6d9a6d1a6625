"""Where the files are that may set VFs."""

import re

from sriov_bootstrap.formats import unit_files

SYSTEM = ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")  # the one that wins first
BOOT_SCRIPTS = ("/etc/rc.local", "/etc/rc.d/rc.local", "/etc/init.d/boot.local", "/etc/init.d/after.local")
OTHER_SCRIPTS = (
    *("/sbin/ifup-local", "/sbin/ifup-pre-local", "/etc/sysconfig/allocate_vfs", "/etc/conf.d/net"),
    *("/etc/infiniband/pre-start-hook.sh", "/etc/infiniband/post-start-hook.sh"),
)
HOOKS = (
    "/etc/network/if-pre-up.d",
    "/etc/network/if-up.d",
    "/etc/network/if-down.d",
    "/etc/network/if-post-down.d",
    "/etc/NetworkManager/dispatcher.d",
    "/etc/NetworkManager/dispatcher.d/pre-up.d",
    "/etc/NetworkManager/dispatcher.d/pre-down.d",
    "/etc/NetworkManager/dispatcher.d/no-wait.d",
    "/usr/lib/NetworkManager/dispatcher.d",
    "/usr/lib/NetworkManager/dispatcher.d/pre-up.d",
    "/usr/lib/NetworkManager/dispatcher.d/pre-down.d",
    "/usr/lib/NetworkManager/dispatcher.d/no-wait.d",
    *(
        f"{folder}/networkd-dispatcher/{state}.d"
        for folder in ("/etc", "/usr/lib")
        for state in ("routable", "configured", "configuring", "carrier", "no-carrier", "degraded", "dormant", "off")
    ),
    "/etc/cron.hourly",
    "/etc/cron.daily",
    "/etc/cron.weekly",
    "/etc/cron.monthly",
    "/etc/local.d",
    "/etc/runlevels/sysinit",  # of OpenRC, which links what runs
    "/etc/runlevels/boot",
    "/etc/runlevels/default",
    "/etc/libvirt/hooks",
    "/etc/libvirt/hooks/qemu.d",
    "/etc/libvirt/hooks/network.d",
    "/etc/libvirt/hooks/daemon.d",
    "/etc/dhcp/dhclient-enter-hooks.d",
    "/etc/dhcp/dhclient-exit-hooks.d",
    "/etc/ppp/ip-up.d",
    "/etc/sysconfig/modules",
    "/etc/sysconfig/network/scripts",
    "/etc/sysconfig/network/if-up.d",
    "/usr/lib/systemd/system-sleep",
    "/etc/systemd/system-sleep",
    "/etc/systemd/system-generators",
    "/usr/local/lib/systemd/system-generators",
    "/var/lib/cloud/scripts/per-boot",
    "/var/lib/cloud/scripts/per-instance",
    "/var/lib/cloud/scripts/per-once",
    "/var/lib/cloud/instance/scripts",
)
DISPATCHER = re.compile(
    r"/NetworkManager/dispatcher\.d/.*(?:~|\.rpmsave|\.rpmorig|\.rpmnew|\.swp)\Z"
)  # which it leaves out
# A shell reads them itself: they need no mode bit.
SOURCED = ("/etc/dhcp/",)
LOGIN_SCRIPTS = ("/etc/profile", "/etc/bash.bashrc", "/etc/bashrc")
LOGIN_FOLDER = "/etc/profile.d"
# Executable files below it are run by something, such as a daemon whose settings name them.
HOOKS_OF_OTHERS = "/etc"
HOOKS_DEPTH = 4
# Below these it is known what runs, and when; or nothing does.
KNOWN_FOLDERS = frozenset(
    (
        *("/etc/init.d", "/etc/rc.d", "/etc/sv", "/etc/service", "/etc/runit", "/etc/runlevels", "/etc/systemd"),
        *("/etc/skel", "/etc/alternatives", "/etc/sriov-bootstrap", "/etc/initramfs-tools", "/etc/dracut"),
        *("/etc/grub.d", "/etc/ansible"),
    )
)
NO_HOOKS = (
    "~",
    ".bak",
    ".orig",
    ".old",
    ".rej",
    ".save",
    ".sample",
    ".disabled",
    ".rpmsave",
    ".rpmnew",
    ".rpmorig",
    ".swp",
)
SNIPPETS = "/var/lib/vz/snippets"  # Proxmox: a VM may have one as its hook
SERVICES = ("/etc/service/*/run", "/etc/sv/*/run", "/etc/runit/runsvdir/default/*/run")  # of runit
# What is in an initramfs: where its scripts come from, each folder with those of one moment, or one purpose.
INITRAMFS = (
    "/etc/initramfs-tools/scripts",
    "/usr/share/initramfs-tools/scripts",
    "/usr/lib/dracut/hooks",
    "/usr/lib/dracut/modules.d",
    "/etc/dracut/modules.d",
    "/usr/local/lib/dracut/modules.d",
)
CRON = ("/etc/cron.d", "/var/spool/cron", "/var/spool/cron/crontabs")
OS_NET_CONFIG = (
    "/etc/os-net-config/config.yaml",
    "/etc/os-net-config/config.json",
    "/etc/os-net-config/tripleo_config.yaml",
    "/etc/os-net-config/sriov_config.yaml",
    "/etc/os-net-config/mapping.yaml",
    "/var/lib/os-net-config/sriov_config.yaml",
)
NMSTATE = "/etc/nmstate"
MAX_SOURCED = 64  # globs of files that interfaces(5) sources
SHIM = "/etc/sriov-netplan-shim/interfaces.yaml"
OPERATOR = "/etc/sriov-operator"
MAX_STARTED = 4  # scripts that start units whose scripts start others
UNIT_FOLDERS = (  # the first one that has the unit wins: systemd.unit(5)
    "/run/systemd/generator.early",
    *unit_files.FOLDERS[:2],
    "/run/systemd/generator",
    *unit_files.FOLDERS[2:],
    "/run/systemd/generator.late",
)
SERVICE_ENDINGS = (".service",)
STARTER_ENDINGS = (".timer", ".path", ".socket", ".target")  # read where an administrator puts them
STARTER_FOLDERS = ("/etc/systemd/system", "/run/systemd/system")
ELSEWHERE = {
    "/var/lib/docker": "containers",
    "/var/lib/containers": "containers",
    "/var/lib/containerd": "containers",
    "/var/lib/kubelet/pods": "pods",
    "/var/lib/lxc": "containers",
    "/var/lib/lxd": "containers",
    "/var/lib/machines": "containers",
    "/snap": "snaps",
    "/var/lib/snapd/snaps": "snaps",
}
TMPFILES = ("/etc/tmpfiles.d", "/run/tmpfiles.d", "/usr/local/lib/tmpfiles.d", "/usr/lib/tmpfiles.d")
LOADERS = (  # what is generated comes last
    "/etc/default/grub",
    "/etc/default/grub.d/*.cfg",
    "/etc/kernel/cmdline",
    "/etc/cmdline.d/*.conf",
    "/usr/lib/kernel/cmdline",
    "/boot/loader/entries/*.conf",
    "/boot/efi/loader/entries/*.conf",
    "/efi/loader/entries/*.conf",
    "/boot/firmware/cmdline.txt",
    "/boot/cmdline.txt",
    "/boot/extlinux/extlinux.conf",
    *(f"/boot/{folder}/syslinux.cfg" for folder in ("syslinux", "efi/EFI/syslinux")),
    "/etc/lilo.conf",
    "/etc/zipl.conf",
    "/etc/default/kernel-cmdline",
    "/boot/armbianEnv.txt",
    "/boot/uEnv.txt",
    "/usr/lib/bootc/kargs.d/*.toml",
    *(f"/boot/{folder}/{name}.cfg" for folder in ("grub", "grub2") for name in ("user", "custom")),
    "/boot/efi/EFI/*/grub.cfg",
    "/boot/grub2/grubenv",
    "/boot/grub/grub.cfg",
    "/boot/grub2/grub.cfg",
)
MODULE_LISTS = (
    "/etc/modules",
    "/etc/initramfs-tools/modules",
    *(f"{folder}/modules-load.d/*.conf" for folder in SYSTEM),
)
NETWORK_MANAGER_CONF = "/etc/NetworkManager/NetworkManager.conf"
NETWORK_MANAGER_FOLDERS = tuple(f"{folder}/NetworkManager/conf.d" for folder in ("/etc", "/run", "/usr/lib"))
OTHER_FILES = (
    "/etc/rc.conf",
    "/etc/inittab",
    "/etc/anacrontab",
    "/var/lib/cloud/instance/user-data.txt",
    "/var/lib/cloud/instance/vendor-data.txt",
    "/var/lib/cloud/instance/cloud-config.txt",
    "/var/lib/cloud/instance/vendor-cloud-config.txt",
    *(
        f"{folder}/{name}"
        for folder in ("/var/lib/cloud/seed/nocloud", "/var/lib/cloud/seed/nocloud-net", "/boot/firmware")
        for name in ("user-data", "vendor-data", "network-config")
    ),
    "/etc/infiniband/openib.conf",
    "/etc/mlnx_interface.conf",
    "/etc/tuned/bootcmdline",
)
MANIFESTS = (".yaml", ".yml", ".json")
OTHER_FOLDERS = {  # whose files tell a program what to run
    "/etc/containers/systemd": (".container", ".kube"),
    "/etc/kubernetes/manifests": MANIFESTS,
    "/etc/kubernetes/addons": MANIFESTS,
    "/var/lib/rancher/k3s/server/manifests": MANIFESTS,
    "/var/lib/rancher/rke2/server/manifests": MANIFESTS,
    "/var/lib/rancher/rke2/agent/pod-manifests": MANIFESTS,
    "/etc/nmstate/openshift": MANIFESTS,
    "/var/lib/vdsm/persistence/netconf/devices": (),  # oVirt, at each boot
    "/etc/supervisor/conf.d": (".conf",),
    "/etc/supervisord.d": (".ini", ".conf"),
    "/etc/monit/conf.d": (),
    "/etc/dracut.conf.d": (".conf",),
    "/etc/systemd/user": (".service",),  # of root as well, whose user manager may do as much
    "/root/.config/systemd/user": (".service",),
    "/etc/keepalived": (".conf",),
    "/etc/openvpn": (".conf",),
    "/etc/openvpn/server": (".conf",),
    "/etc/acpi/events": (),
    "/etc/incron.d": (),
    "/var/spool/incron": (),
    "/etc/init": (".conf",),
}
TUNED_CHOICES = ("/etc/tuned/active_profile", "/etc/tuned/post_loaded_profile")
TUNED = ("/etc/tuned", "/etc/tuned/profiles", "/usr/lib/tuned", "/usr/lib/tuned/profiles")
RUN_LEVELS = ("/etc/rcS.d", "/etc/rc2.d", "/etc/rc3.d", "/etc/rc5.d")
# What packages install: a program there is a distribution's, unless an administrator's own file runs it.
DISTRIBUTION = (
    *("/bin/", "/sbin/", "/lib/", "/lib64/", "/usr/bin/", "/usr/sbin/", "/usr/lib/", "/usr/lib64/", "/usr/libexec/"),
)
# Of these it is known when they set VFs, and their own files are read for it.
WELL_KNOWN = re.compile(
    r"NetworkManager|nm-[\w-]+|systemd|systemd-[\w-]+|udevadm|networkctl|libvirtd|virt\w+d|qemu-[\w-]+|nmstatectl"
    r"|netplan[\w.-]*|ovs-[\w-]+|dpdk-[\w-]+|testpmd|vpp|devlink|mlx\w+|mst\w+|lshw|tuned[\w-]*|python[\d.]*|perl"
    r"|bash|dash|sh|busybox|dockerd?|podman|containerd"
)
