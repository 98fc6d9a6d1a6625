"""Where programs find what they run, and what keeps them from it: names, modes, the time."""

import pytest

from boot_files import ECHO, FILE, OTHER, SH, Files, add_two_ports, diagnosed, migrated, rc_local, service, write_files
from builders import PF, PF2
from fakes_host import HostTree

ONESHOT = f"[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo 8 > {FILE}'\n"
PROFILE = "[connection]\nid=pf0\ntype=ethernet\ninterface-name=ens1f0\n[sriov]\ntotal-vfs=8\n"
BY_TIMER = {"etc/systemd/system/vf.service": ONESHOT, "@vf.timer": "", "etc/systemd/system/vf.timer": "[Timer]\n"}
BY_PATH = {"etc/systemd/system/vf.service": ONESHOT, "@vf.path": "", "etc/systemd/system/vf.path": "[Path]\n"}
MATCH = "[match]\ninterface-name=ens1f*\n"
PROFILES = "etc/NetworkManager/system-connections"


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    return add_two_ports(tree)


@pytest.mark.parametrize(
    ("files", "rules"),
    [
        ({"run/systemd/generator/vfs.service": ONESHOT}, {PF: 8}),
        ({"run/systemd/generator.late/vfs.service": ONESHOT}, {PF: 8}),
        (
            {
                "run/systemd/generator.early/vfs.service": ONESHOT.replace("8", "4"),
                "etc/systemd/system/vfs.service": ONESHOT,
            },
            {PF: 4},
        ),
        ({"etc/cron.d/v": f"@reboot root cat > {FILE}%8\n"}, {PF: 8}),
        ({"etc/service/vf/run": ECHO}, {PF: 8}),
        ({"etc/runlevels/default/vf": f"#!/sbin/openrc-run\nstart() {{\n\techo 8 > {FILE}\n}}\n"}, {}),
        (
            {
                "etc/os-net-config/tripleo_config.yaml": "network_config:\n- type: sriov_pf\n  name: ens1f0\n"
                "  numvfs: 8\n"
            },
            {PF: 8},
        ),
        (
            {
                "etc/systemd/system/vf.socket": "[Socket]\nListenStream=9\n",
                "@vf.socket": "",
                "@vf.service": "",
                "etc/systemd/system/vf.service": ONESHOT,
            },
            {PF: 8},
        ),
        ({**BY_TIMER, "etc/systemd/system/vf.timer": "[Timer]\nOnBootSec=9\n"}, {PF: 8}),
        ({**BY_TIMER, "etc/systemd/system/vf.timer": "[Timer]\nOnCalendar=*-*-* *:0/5\n"}, {PF: 8}),
        ({**BY_PATH, "etc/systemd/system/vf.path": "[Path]\nPathExists=/etc/x\n"}, {PF: 8}),
        ({**BY_PATH, **BY_TIMER}, {PF: 8}),
        ({"etc/cron.d/v": f"@reboot root tee {FILE} >/dev/null%8%\n"}, {PF: 8}),
        ({"etc/cron.d/v": f"@reboot root date +\\%F > /run/x; echo 8 > {FILE}\n"}, {PF: 8}),
        ({"-etc/dhcp/dhclient-exit-hooks.d/vf": f"echo 8 > {FILE}\n"}, {PF: 8}),
        (service("WorkingDirectory=/opt/net\nExecStart=/bin/sh vf.sh") | {"-opt/net/vf.sh": ECHO}, {PF: 8}),
        (
            service("WorkingDirectory=-/sys/class/net/ens1f1/device\nExecStart=/bin/sh -c 'echo 4 > sriov_numvfs'"),
            {PF2: 4},
        ),
        (service("StandardInput=file:/opt/vf\nExecStart=/bin/sh") | {"-opt/vf": ECHO}, {PF: 8}),
        (service(f"StandardInput=file:/opt/n\nExecStart=/usr/bin/tee {FILE}") | {"-opt/n": "8\n"}, {PF: 8}),
        (service(f"StandardInput=data\nStandardInputText=8\nExecStart=/usr/bin/tee {FILE}"), {PF: 8}),
        (
            service("Environment=S=/opt/vf\nExecStart=/bin/sh $S ens1f1")
            | {"opt/vf": f"{SH}echo 8 > /sys/class/net/$1/device/sriov_numvfs\n"},
            {PF2: 8},
        ),
        (service(f"Type=oneshot\nExecStop=/bin/sh -c 'echo 8 > {FILE}'\nExecStart=/bin/true"), {PF: 8}),
        (
            service(
                f"Type=oneshot\nExecStartPost=/bin/sh -c 'echo 4 > {FILE}'\nExecStart=/bin/sh -c 'echo 8 > {FILE}'"
            ),
            {PF: 8},
        ),
    ],
)
def test_what_is_certainly_done_at_boot(
    tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files, rules: dict[str, int | str]
) -> None:
    write_files(tree, files)
    assert migrated(tree, capsys) == rules


def test_a_unit_that_is_made_from_an_init_script_is_not_said_twice(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    unit = "[Unit]\nSourcePath=/etc/init.d/vfs\n[Service]\nExecStart=/etc/init.d/vfs start\n"
    write_files(tree, {"run/systemd/generator.late/vfs.service": unit, "etc/init.d/vfs": ECHO})
    tree.link("etc/rc2.d/S20vfs", "etc/init.d/vfs")
    assert [found["code"] for found in diagnosed(tree, capsys)] == ["SB-E301"]


@pytest.mark.parametrize(
    ("files", "doubt"),
    [
        ({"etc/network/if-up.d/vf.sh": ECHO}, "run-parts of Debian only takes names of letters"),
        ({"etc/cron.hourly/vf~": ECHO}, "run-parts of Debian only takes names of letters"),
        ({"etc/cron.d/vf.cron": f"@reboot root echo 8 > {FILE}\n"}, "cron of Debian only takes names of letters"),
        ({"etc/profile.d/vf.sh": ECHO}, "it is run when somebody logs in"),
        ({"etc/profile": ECHO}, "it is run when somebody logs in"),
        ({"usr/lib/dracut/modules.d/99vf/vf.sh": ECHO}, "in an initramfs that dracut puts it into"),
        ({"usr/lib/dracut/hooks/pre-mount/50-vf.sh": ECHO}, "in an initramfs that dracut puts it into"),
        ({f"-{PROFILES}/pf0.nmconnection": PROFILE}, "does not load a profile that others than root may read"),
        (
            {
                "etc/systemd/system/main.service": "[Unit]\nOnFailure=vfs.service\n[Service]\nExecStart=/usr/bin/x\n",
                "@main.service": "",
                "etc/systemd/system/vfs.service": ONESHOT,
            },
            "it is only started when main.service fails",
        ),
        ({"var/lib/vz/snippets/vf.sh": ECHO}, "it is only run by a VM that has it as its hookscript, when that starts"),
        (
            {
                "etc/systemd/system/vf.socket": "[Socket]\nListenStream=9\n",
                "@vf.socket": "",
                "etc/systemd/system/vf.service": ONESHOT,
            },
            "it is only started when something connects to vf.socket",
        ),
        (
            {**BY_TIMER, "etc/systemd/system/vf.timer": "[Timer]\nOnCalendar=daily\n"},
            "vf.timer starts it at its time, not at boot",
        ),
        (
            {**BY_PATH, "etc/systemd/system/vf.path": "[Path]\nPathChanged=/etc/x\n"},
            "it is only started when what vf.path watches changes",
        ),
        (
            {f"{PROFILES}/pf0.nmconnection": PROFILE.replace("interface-name=ens1f0", "multi-connect=1") + MATCH},
            "NetworkManager connects the profile to one of the 2 NICs that it fits",
        ),
        (
            service(f"Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\nExecStop=/bin/sh -c 'echo 8 > {FILE}'"),
            "ExecStop= is only run when the unit stops",
        ),
        (
            {
                "etc/network/interfaces": "source-directory interfaces.d\n",
                "etc/network/interfaces.d/pf0.cfg": f"auto ens1f0\niface ens1f0 inet manual\n  up echo 8 > {FILE}\n",
            },
            "/etc/network/interfaces does not source this file",
        ),
        (
            {
                "etc/netplan/90-NM.yaml": "network:\n  ethernets:\n    NM-1b2c:\n      match: {name: ens1f0}\n"
                '      networkmanager: {passthrough: {sriov.total-vfs: "8"}}\n'
            },
            "it counts once netplan has written NetworkManager's profile from it",
        ),
        (
            {
                "etc/netplan/90-NM.yaml": "network:\n  ethernets:\n    ens1f0:\n"
                "      networkmanager: {passthrough: {sriov.total-vfs: 8}}\n"
            },
            "it counts once netplan has written NetworkManager's profile from it",
        ),
    ],
)
def test_what_may_not_be_done_at_boot(
    tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files, doubt: str
) -> None:
    write_files(tree, files)
    assert migrated(tree, capsys) == {}
    (found,) = diagnosed(tree, capsys)
    assert doubt in found["problem"]
    assert "may set 8 VFs of 0000:3b:00.0" in found["problem"]


def test_a_profile_of_root_alone_is_loaded(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write(f"{PROFILES}/pf0.nmconnection", PROFILE).chmod(0o400)
    assert migrated(tree, capsys) == {PF: 8}


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({"etc/cloud/cloud.cfg": "bootcmd:\n- nmcli con mod a sriov.total-vfs 8\n"}, "/etc/cloud/cloud.cfg:2"),
        (
            {"var/lib/cloud/instance/cloud-config.txt": f"write_files:\n- content: echo 8 > {FILE}\n"},
            "/var/lib/cloud/instance/cloud-config.txt:2",
        ),
        (
            {"etc/netplan/50.yaml": "network:\n  ethernets:\n    a:\n      virtual-function-count: [8\n"},
            "/etc/netplan/50.yaml:4",
        ),
        ({"etc/nmstate/a.yml": "interfaces: [\n  total-vfs: 8\n"}, "/etc/nmstate/a.yml:2"),
    ],
)
def test_what_is_named_at_least(tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files, place: str) -> None:
    write_files(tree, files)
    assert migrated(tree, capsys) == {}
    assert [found["place"] for found in diagnosed(tree, capsys)] == [place]


def test_the_stop_of_a_service_that_ends_at_once_is_named(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    lines = f"Type=oneshot\nExecStart=/bin/sh -c 'echo 8 > {OTHER}'\nExecStop=/bin/sh -c 'echo 0 > {OTHER}'"
    write_files(tree, service(lines) | rc_local("true"))
    assert migrated(tree, capsys) == {PF2: 8}  # what was meant
    found = diagnosed(tree, capsys)
    assert [finding["code"] for finding in found] == ["SB-E302", "SB-W352"]
    assert "(a oneshot unit without RemainAfterExit=yes runs its ExecStop= at once)" in found[1]["problem"]
