"""From what hosts have today to our config: printed, applied, and nothing is left that fights with it."""

import json
import re

import pytest

from builders import PF, PF2, PF3, vf_address
from fakes_host import HostTree, rule
from sriov_bootstrap.cli import main
from sriov_bootstrap.core.config import Config, Match
from sriov_bootstrap.core.decode import ConfigFile, decode
from sriov_bootstrap.core.eswitch_config import Eswitch, EswitchMode
from sriov_bootstrap.core.vf_attributes import VfTable

ECHO = "echo 4 > /sys/class/net/ens1f0/device/sriov_numvfs"
BY_ADDRESS = Match(pci_address=PF)


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    tree.add_pf(num_vfs=4)
    tree.add_pf(PF2, netdev="ens1f1")
    return tree


def migrate(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    assert main(["migrate"], root=str(tree.root)) == 0
    out, err = capsys.readouterr()
    return out, err


def understood(text: str) -> Config:
    return decode([ConfigFile("migrated.toml", text.encode())])


def test_rc_local_whole(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    path = tree.write("etc/rc.local", f"#!/bin/sh -e\nmodprobe igb\n{ECHO}\nexit 0\n")
    path.chmod(0o700)
    out, err = migrate(tree, capsys)
    head, _, rest = out.partition("\n")
    assert head.startswith("#:schema file:///")
    assert (rest, err) == (
        f"""\
# This replaces the lines that set VFs on this host, which are listed below. Nothing was changed.
# Save it as /etc/sriov-bootstrap/config.toml, then:  sriov-bootstrap --once --dry-run

# {PF} (ens1f0): 4 VFs now, 7 possible; set by /etc/rc.local:3
[[pf]]
name = "port-1"
match = {{ pci_address = "{PF}" }}
num_vfs = 4

# Then remove or correct these, or they will keep fighting with it (sriov-bootstrap doctor shows any that are left):
#   /etc/rc.local:3: {ECHO}
#       delete line 3 of /etc/rc.local: sed -i 3d /etc/rc.local
""",
        "",
    )
    tree.configure(out)
    assert main(["--once", "--dry-run"], root=str(tree.root)) == 0
    assert f"{PF} (ens1f0): 4 VFs, as desired" in capsys.readouterr().out
    path.write_text("#!/bin/sh -e\nmodprobe igb\nexit 0\n")
    main(["doctor", "--json"], root=str(tree.root))
    assert not [one for one in json.loads(capsys.readouterr().out)["findings"] if one["code"][4] == "3"]


@pytest.mark.parametrize(
    ("path", "text", "num_vfs"),
    [
        ("etc/rc.local", f"{ECHO}\n", 4),
        ("etc/rc.d/rc.local", "for n in ens1f0; do echo 0 >/sys/class/net/$n/device/sriov_numvfs; done\n" + ECHO, 4),
        ("etc/network/interfaces", "auto ens1f0\niface ens1f0\n    up " + ECHO.replace("4", "6") + "\n", 6),
        ("etc/cron.d/vfs", f"@reboot root {ECHO}\n", 4),
        ("etc/udev/rules.d/70-vfs.rules", 'ACTION=="add", KERNEL=="ens1f0", ATTR{device/sriov_numvfs}="5"\n', 5),
        ("etc/systemd/network/10-pf.link", f"[Match]\nPath=pci-{PF}\n[Link]\nSR-IOVVirtualFunctions=3\n", 3),
        ("etc/netplan/50.yaml", "network:\n  ethernets:\n    ens1f0:\n      virtual-function-count: 6\n", 6),
        (
            "etc/sriov-netplan-shim/interfaces.yaml",
            "interfaces:\n  ens1f0:\n    num_vfs: 5\n    match:\n      pciaddress: 0000:3b:00.0\n",
            5,
        ),
        (
            "etc/os-net-config/config.yaml",
            "network_config:\n- type: sriov_pf\n  name: ens1f0\n  numvfs: 6\n  use_dhcp: false\n",
            6,
        ),
        (
            "etc/NetworkManager/system-connections/pf.nmconnection",
            "[connection]\nid=pf\ntype=ethernet\ninterface-name=ens1f0\n[sriov]\ntotal-vfs=2\n",
            2,
        ),
    ],
)
def test_each_format_becomes_a_rule(
    tree: HostTree, capsys: pytest.CaptureFixture[str], path: str, text: str, num_vfs: int
) -> None:
    """Of the port that has no VFs yet."""
    tree.write(path, text.replace("ens1f0", "ens1f1").replace(PF, PF2)).chmod(0o700)
    before = {one: one.read_bytes() for one in tree.root.rglob("*") if one.is_file()}
    out, _ = migrate(tree, capsys)
    (made,) = understood(out).pf
    assert (made.match, made.num_vfs) == (Match(pci_address=PF2), num_vfs)
    assert f"#   /{path}:" in out
    assert {one: one.read_bytes() for one in tree.root.rglob("*") if one.is_file()} == before


def comments(out: str, match: Match = BY_ADDRESS) -> list[str]:
    """The reasons of the rule for this PF that is a comment; each such rule is valid once it has a number."""
    (block,) = (one for one in out.split("\n\n") if f'# match = {{ pci_address = "{match.pci_address}" }}' in one)
    rule = block[block.index("# [[pf]]") :].replace("# to be filled in", "4").replace("# ", "")
    assert [one.match for one in understood(rule).pf] == [match]
    return [line.removeprefix("#   - ") for line in block.splitlines() if line.startswith("#   - ")]


@pytest.mark.parametrize("number", ["0", "1", "6"])
def test_what_would_destroy_vfs_is_a_comment(tree: HostTree, capsys: pytest.CaptureFixture[str], number: str) -> None:
    tree.write("etc/rc.local", ECHO.replace("4", number) + "\n").chmod(0o700)
    out, _ = migrate(tree, capsys)
    assert not understood(out).pf
    assert comments(out) == ["the 4 VFs that exist now would be destroyed: the lines ask for another number"]
    assert f"# num_vfs = {number}\n" in out
    assert "they will keep fighting" not in out
    assert "# Remove these only after you have decided on the rules that are commented out" in out


def test_doubts_are_reasons_where_there_are_no_vfs_and_notes_where_they_are(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.write("etc/rc.local", f"{ECHO}\n{ECHO.replace('f0', 'f1')}\n")
    doubt = "/etc/rc.local is not executable, so it is not run now"
    out, _ = migrate(tree, capsys)
    assert [(one.match, one.num_vfs) for one in understood(out).pf] == [(BY_ADDRESS, 4)]
    assert f"# /etc/rc.local:1: {doubt}\n[[pf]]\n" in out
    assert comments(out, Match(pci_address=PF2)) == [
        "it is not certain that this number is set, and there are no VFs now",
        f"/etc/rc.local:2: {doubt}",
    ]
    assert "# num_vfs = 4\n" in out
    tree.write("etc/cron.d/vfs", f"@reboot root {ECHO.replace('f0', 'f1')}\n")
    assert [one.num_vfs for one in understood(migrate(tree, capsys)[0]).pf] == [4, 4], "another line is certain"


def test_more_doubts_than_anyone_reads(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("etc/rc.local", ECHO.replace("f0", "f1") + "\n" + f"{ECHO.replace('f0', 'f1')}\n" * 8)
    assert comments(migrate(tree, capsys)[0], Match(pci_address=PF2))[-1] == "and more"


def test_what_the_chip_cannot_have(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("etc/modprobe.d/igb.conf", "options igb max_vfs=32\n")
    tree.add_pf(PF3, netdev="ens2f0")
    for index in range(7):
        tree.add_vf(PF3, index, driver="vfio-pci")
    out, _ = migrate(tree, capsys)
    assert [(one.match.pci_address, one.num_vfs) for one in understood(out).pf] == [(PF3, 7)]
    assert comments(out) == ["the 4 VFs that exist now would be destroyed: the lines ask for another number"]
    assert comments(out, Match(pci_address=PF2)) == ["which number is right is left to you"]
    assert out.count("# 32 is too many: the device offers 7\n") == 3


def test_lines_that_disagree_keep_what_is_there(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    for path, number in {"etc/rc.local": "4", "etc/cron.d/vfs": "6"}.items():
        lines = (ECHO.replace("4", number).replace("f0", f"f{port}") for port in (0, 1))
        prefix = "@reboot root " if "cron" in path else ""
        tree.write(path, "".join(f"{prefix}{line}\n" for line in lines)).chmod(0o700)
    out, _ = migrate(tree, capsys)
    assert [one.num_vfs for one in understood(out).pf] == [4]
    assert out.count("# the lines disagree: 4, 6\n") == 2
    assert comments(out, Match(pci_address=PF2)) == ["which number is right is left to you"]
    assert out.index("#   /etc/cron.d/vfs:1") < out.index("#   /etc/rc.local:1")


@pytest.mark.parametrize(
    ("numbers", "asked"),
    [("8 0 4", 4), ("4 0", 0), ("4 6", 4), ("6 0 4", 4), ("0 4 0", 0), ("0 0", 0), ("7 3 0 4 6", 4), ("0 5 0 4 4", 4)],
)
def test_of_lines_one_after_the_other_the_kernel_takes_what_follows_0(
    tree: HostTree, capsys: pytest.CaptureFixture[str], numbers: str, asked: int
) -> None:
    line = ECHO.replace("f0", "f1")
    tree.write("etc/rc.local", "".join(f"{line.replace('4', one)}\n" for one in numbers.split())).chmod(0o700)
    assert [one.num_vfs for one in understood(migrate(tree, capsys)[0]).pf] == [asked]


def test_a_number_that_cannot_be_told_is_what_is_there(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ECHO.replace("4", "$N") + "\n" + ECHO.replace("4", "$N").replace("f0", "f1") + "\n"
    tree.write("etc/rc.local", lines).chmod(0o700)
    out, _ = migrate(tree, capsys)
    assert [(one.match, one.num_vfs) for one in understood(out).pf] == [(BY_ADDRESS, 4)]
    assert out.count("# the lines do not say the number: this is the current one\n") == 1
    assert comments(out, Match(pci_address=PF2)) == [
        "the lines do not say the number, and there are no VFs now: it is left to you"
    ]
    assert "\n# num_vfs =   # to be filled in\n" in out


def test_a_line_that_may_ask_for_something_else(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    """One line says 5, the other one something."""
    one, other = ECHO.replace("4", "5").replace("f0", "f1"), ECHO.replace("4", "$N").replace("f0", "f1")
    tree.write("etc/rc.local", f"{one}\n{other}\n").chmod(0o700)
    out, _ = migrate(tree, capsys)
    assert comments(out, Match(pci_address=PF2)) == [
        "it is not certain that this number is set, and there are no VFs now"
    ]
    assert "# num_vfs = 5\n" in out


def test_none_is_a_wish_where_nothing_else_is_asked(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("etc/rc.local", ECHO.replace("4", "0").replace("f0", "f1") + "\n").chmod(0o700)
    assert [one.num_vfs for one in understood(migrate(tree, capsys)[0]).pf] == [0]


def test_a_pf_that_is_not_here_and_one_that_cannot_be_told(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("etc/rc.local", ECHO.replace("ens1f0", "ens9") + "\n" + ECHO.replace("ens1f0", "$1") + "\n")
    out, _ = migrate(tree, capsys)
    assert not understood(out).pf
    assert "#   - no such PF exists now\n#   - /etc/rc.local:1: " in out
    assert '# match = { netdev = "ens9" }\n# num_vfs = 4\n' in out
    assert "#       its PF could not be determined: add a rule for it\n" in out
    tree.write("etc/rc.local", ECHO.replace("ens1f0", "ens9").replace("4", "$N") + "\n")
    assert "# num_vfs =   # to be filled in\n" in migrate(tree, capsys)[0]


def test_each_pf_of_a_line_that_is_not_here(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("etc/rc.local", "for n in ens7 ens8; do echo 4 > /sys/class/net/$n/device/sriov_numvfs; done\n")
    out, _ = migrate(tree, capsys)
    assert re.findall('netdev = "(.*)"', out) == ["ens7", "ens8"]


@pytest.mark.parametrize(
    ("now", "line", "question"),
    [
        ("ens7f0np0", "ens7f0", "did you mean ens7f0np0 (0000:5e:00.0)? Names change with upgrades"),
        ("ens7f0", "ens7f0np0", "did you mean ens7f0 (0000:5e:00.0)? Names change with upgrades"),
        ("nic", "enp94s0f0", "did you mean nic (0000:5e:00.0)? Names change with upgrades"),
        ("ens7f0", "ens7f00", "did you mean ens7f0 (0000:5e:00.0)?"),
    ],
)
def test_the_pf_that_is_meant_by_an_old_name_has_its_address_in_the_comment(
    tree: HostTree, capsys: pytest.CaptureFixture[str], now: str, line: str, question: str
) -> None:
    tree.add_pf(PF3, netdev=now)
    tree.write("etc/rc.local", ECHO.replace("ens1f0", line) + "\n").chmod(0o700)
    out, _ = migrate(tree, capsys)
    assert not understood(out).pf
    assert f"# {PF3} ({now}): 0 VFs now" in out
    assert comments(out, Match(pci_address=PF3)) == [f"no such PF exists now, netdev {line}: {question}"]
    tree.configure(rule(4))
    main(["doctor"], root=str(tree.root))
    assert f"sets 4 VFs of {line}, which is not a PF on this host now: {question}" in capsys.readouterr().out
    tree.configure(rule(4, address=PF3))
    assert "# The config already has a rule for it.\n" in migrate(tree, capsys)[0]


VF0 = vf_address(PF, 0)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/sys/bus/pci/devices/0000:00:1f.6/sriov_numvfs", "0000:00:1f.6 exists, but offers no VFs"),
        ("/sys/class/net/eno1/device/sriov_numvfs", "0000:00:1f.6 exists, but offers no VFs"),
        (f"/sys/bus/pci/devices/{VF0}/sriov_numvfs", f"{VF0} is a VF of {PF}, and has no VFs itself"),
        ("/sys/class/net/ens1f0v0/device/sriov_numvfs", f"{VF0} is a VF of {PF}, and has no VFs itself"),
        ("/sys/bus/pci/devices/0000:99:00.0/sriov_numvfs", "no such PF exists now"),
    ],
)
def test_why_a_named_device_is_no_pf(
    tree: HostTree, capsys: pytest.CaptureFixture[str], path: str, reason: str
) -> None:
    tree.add_function("0000:00:1f.6", driver="e1000e", **{"class": "0x020000"})
    tree.add_netdev("0000:00:1f.6", "eno1", ifindex=9)
    tree.write("etc/rc.local", f"echo 4 > {path}\n").chmod(0o700)
    out, _ = migrate(tree, capsys)
    assert not understood(out).pf
    assert f"#   - {reason}\n# [[pf]]\n" in out


GPU = "0000:00:02.0"


@pytest.fixture
def with_gpu(tree: HostTree) -> HostTree:
    """And one VF of it."""
    tree.add_function(GPU, driver="i915", vendor="0x8086", sriov_totalvfs="7", **{"class": "0x030000"})
    tree.add_function("0000:00:02.1", driver="i915", **{"class": "0x030000"})
    return tree


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("etc/rc.local", f"echo 7 > /sys/devices/pci0000:00/{GPU}/sriov_numvfs\n"),
        ("etc/rc.local", f"echo 7 > /sys/bus/pci/drivers/i915/{GPU}/sriov_numvfs\n"),
        ("etc/cron.d/gpu", f"@reboot root echo 7 > /sys/bus/pci/devices/{GPU}/sriov_numvfs\n"),
        ("etc/udev/rules.d/gpu.rules", f'SUBSYSTEM=="pci", KERNEL=="{GPU}", ATTR{{sriov_numvfs}}="7"\n'),
        ("etc/modprobe.d/gpu.conf", "options i915 max_vfs=7\n"),
    ],
)
def test_lines_for_what_is_no_nic_stay(
    with_gpu: HostTree, capsys: pytest.CaptureFixture[str], path: str, text: str
) -> None:
    with_gpu.write(path, text).chmod(0o700)
    out, _ = migrate(with_gpu, capsys)
    assert "[[pf]]" not in out
    assert f"# These are not for network devices, and stay:\n#   /{path}:1: " in out
    assert f"{GPU} (i915) is not a network device" in out
    assert "remove" not in out
    with_gpu.write("etc/cron.d/vfs", f"@reboot root {ECHO}\n")
    out, _ = migrate(with_gpu, capsys)
    assert [one.match for one in understood(out).pf] == [BY_ADDRESS]


def test_a_line_for_nics_and_others_keeps_its_part_for_these(
    with_gpu: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "for d in /sys/bus/pci/devices/*; do echo 4 > $d/sriov_numvfs; done\n"
    with_gpu.write("etc/rc.local", line).chmod(0o700)
    out, _ = migrate(with_gpu, capsys)
    assert [one.match.pci_address for one in understood(out).pf] == [PF, PF2]
    assert f"#       it also sets VFs, and has to stay for that: {GPU} (i915) is not a network device\n" in out


def test_what_a_line_does_for_others_is_kept(with_gpu: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    line = f"for d in {GPU} {PF}; do echo 7 > /sys/bus/pci/devices/$d/sriov_numvfs; done\n"
    with_gpu.write("etc/rc.local", line).chmod(0o700)
    out, _ = migrate(with_gpu, capsys)
    assert "#       change it so that it leaves the PFs of network devices alone\n" in out
    with_gpu.configure(rule(4))
    main(["doctor"], root=str(with_gpu.root))
    assert f"; but keep what it does for {GPU}\n" in capsys.readouterr().out


def test_a_gpu_that_the_config_names_has_its_rule(with_gpu: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    with_gpu.configure(rule(7, address=GPU))
    with_gpu.write("etc/rc.local", f"echo 7 > /sys/bus/pci/devices/{GPU}/sriov_numvfs\n").chmod(0o700)
    out, _ = migrate(with_gpu, capsys)
    assert "# The config already has a rule for it.\n" in out
    assert "they will keep fighting" in out


PROFILE = "etc/NetworkManager/system-connections/a.nmconnection"
SRIOV = "[connection]\ninterface-name=ens1f0\n[sriov]\ntotal-vfs=4\n"
VF0 = "vf.0=mac=02:00:00:00:00:01 vlans=100 trust=true max-tx-rate=500\n"


def test_what_a_file_sets_beside_the_number_is_in_the_rule(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write(PROFILE, f"{SRIOV}eswitch-mode=1\n{VF0}vf.3=spoof-check=false strange=1\n")
    out, _ = migrate(tree, capsys)
    assert "also sets" not in out
    assert (
        """
num_vfs = 4
[pf.eswitch]
mode = "switchdev"
[[pf.vf]]
vfs = "0"
mac = "02:00:00:00:00:01"
vlan = 100
max_tx_rate = 500
trust = true
[[pf.vf]]
vfs = "3"
spoofchk = false
"""
        in out
    )
    (rule_of_pf,) = understood(out).pf
    assert [table.vfs for table in rule_of_pf.vf] == ["0", "3"]
    assert rule_of_pf.eswitch == Eswitch(EswitchMode.SWITCHDEV)


UNIT = """\
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo 0 >/sys/bus/pci/devices/0000:3b:00.0/sriov_numvfs; devlink dev eswitch set pci/0000:3b:00.0 \
 mode switchdev; sleep 2; echo 4 >/sys/bus/pci/devices/0000:3b:00.0/sriov_numvfs'
[Install]
WantedBy=multi-user.target
"""


def test_a_unit_that_also_sets_switchdev_has_both_halves_in_the_rule(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.write("etc/systemd/system/sw.service", UNIT.replace("\\\n", ""))
    tree.link("etc/systemd/system/multi-user.target.wants/sw.service", "etc/systemd/system/sw.service")
    out, _ = migrate(tree, capsys)
    (rule_of_pf,) = understood(out).pf
    assert (rule_of_pf.num_vfs, rule_of_pf.eswitch) == (4, Eswitch(EswitchMode.SWITCHDEV))
    assert "/etc/systemd/system/sw.service:3 sets the switch of this PF" in out


NETPLAN = """
network:
  ethernets:
    ens1f0: {virtual-function-count: 4}
    ens1f0v2: {link: ens1f0}
  vlans:
    vlan15: {id: 15, link: ens1f0v2, renderer: sriov}
"""
OS_NET_CONFIG = """
network_config:
- {type: sriov_pf, name: ens1f0, numvfs: 4, promisc: on}
- type: ovs_bridge
  name: br0
  members:
  - {type: sriov_vf, device: ens1f0, vfid: 2, vlan_id: 15, trust: on, state: auto, promisc: on, mtu: 9000}
"""


@pytest.mark.parametrize(
    ("path", "text", "table", "notes"),
    [
        ("etc/netplan/a.yaml", NETPLAN, VfTable(vfs="2", vlan=15), []),
        (
            "etc/os-net-config/config.yaml",
            OS_NET_CONFIG,
            VfTable(vfs="2", vlan=15, trust=True),
            ["promisc: on", "promisc of VF 2", "VF 2: not taken over: link_state: igb cannot set it for a VF"],
        ),
    ],
    ids=["netplan", "os-net-config"],
)
def test_what_is_set_for_a_vf_in_an_entry_of_its_own(
    tree: HostTree, capsys: pytest.CaptureFixture[str], path: str, text: str, table: VfTable, notes: list[str]
) -> None:
    (tree.device(vf_address(PF, 2)) / "net/ens1f0v2").mkdir(parents=True, exist_ok=True)
    tree.write(path, text)
    out, _ = migrate(tree, capsys)
    (rule_of_pf,) = understood(out).pf
    assert rule_of_pf.vf == (table,)
    assert [note for note in notes if note not in out] == []


def test_what_a_rule_cannot_have_is_left_out_and_said(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    vfs = "".join(f"vf.{number}=trust=true vlans=4095 min-tx-rate=5\n" for number in range(300))
    tree.write(PROFILE, f"{SRIOV}{vfs}")
    out, _ = migrate(tree, capsys)
    assert out.count("[[pf.vf]]") == 1
    assert 'num_vfs = 4\n[[pf.vf]]\nvfs = "0-3"\ntrust = true\n\n' in out
    assert re.findall(r"^# (VF .*)$", out, re.MULTILINE) == [
        "VF 0-3: not taken over: vlan: 4095 is not between 0 and 4094 (0 is no VLAN)",
        "VF 0-3: not taken over: min_tx_rate: igb has no minimum rates",
        "VF 4-299: not taken over: there are to be 4 VFs",
    ]
    understood(out)


def test_of_many_reasons_the_first_are_shown(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    vfs = "".join(f"vf.{number}=mac=01:00:00:00:00:0{number}\n" for number in range(9))
    tree.write(PROFILE, f"{SRIOV.replace('4', '9')}{vfs}")
    out, _ = migrate(tree, capsys)
    assert out.count("not taken over") == 8
    assert "# and more\n" in out


def test_what_may_not_be_set_is_a_comment(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write(PROFILE, f"{SRIOV}{VF0}".replace("[sriov]", "autoconnect=false\n[sriov]"))
    out, _ = migrate(tree, capsys)
    (rule_of_pf,) = understood(out).pf
    assert rule_of_pf.vf == ()
    assert f"# /{PROFILE}:5: the profile does not connect automatically\n[[pf]]\n" in out
    assert '# These may not be set for its VFs, for the reasons above:\n# [[pf.vf]]\n# vfs = "0"\n# mac = "02' in out


def test_a_rule_that_is_a_comment_has_its_tables_in_it(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write(PROFILE, f"{SRIOV}{VF0}".replace("ens1f0", "ens9"))
    out, _ = migrate(tree, capsys)
    assert understood(out).pf == ()
    assert '# num_vfs = 4\n# [[pf.vf]]\n# vfs = "0"\n' in out
    found = re.search(r"^# \[\[pf\]\]\n(?:# .*\n)+", out, re.MULTILINE)
    assert found
    (commented,) = understood(found[0].replace("# ", "")).pf
    assert [table.vlan for table in commented.vf] == [100]


def test_an_address_that_a_file_gives_to_two_pfs_is_in_one_rule(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "[Match]\nDriver=igb\n[Link]\nSR-IOVVirtualFunctions=4\n[SR-IOV]\nVirtualFunction=1\nTrust=yes\n"
    tree.write("etc/systemd/network/10-a.link", f"{text}MACAddress=02:00:00:00:00:01\n")
    out, _ = migrate(tree, capsys)
    first, second = understood(out).pf
    assert [(table.mac, table.trust) for table in (*first.vf, *second.vf)] == [
        ("02:00:00:00:00:01", True),
        (None, True),
    ]
    assert "# VF 1: not taken over: mac: 02:00:00:00:00:01 is that of VF 1 of 0000:3b:00.0\n" in out


@pytest.mark.parametrize(
    ("more", "is_said"),
    [
        ("", True),
        ('[[pf.vf]]\nvfs = "0"\nmac = "stable"\n', True),
        ('[[pf.vf]]\nvfs = "all"\nmac = "stable"\nvlan = 7\ntrust = false\nmax_tx_rate = 0\n', False),
    ],
    ids=["no table", "less", "all of it, to other values"],
)
def test_a_rule_that_is_there_is_to_say_it_too(
    tree: HostTree, capsys: pytest.CaptureFixture[str], more: str, *, is_said: bool
) -> None:
    tree.configure(rule(4, more=more))
    tree.write(PROFILE, f"{SRIOV}{VF0}")
    out, _ = migrate(tree, capsys)
    assert "# The config already has a rule for it.\n" in out
    lack = "# But it lacks some of these, which the lines set for VFs: add them to it before you remove the lines.\n"
    assert (f"{lack}# [[pf.vf]]\n" in out) is is_said
    assert ("[[pf.vf]]" in out) is is_said


def test_a_pf_that_has_a_rule_gets_no_other(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.configure(rule(4))
    tree.write("etc/rc.local", f"{ECHO}\n{ECHO.replace('f0', 'f1')}\n").chmod(0o700)
    out, _ = migrate(tree, capsys)
    assert [one.match.pci_address for one in understood(out).pf] == [PF2]
    assert "# The config already has a rule for it.\n" in out
    assert "#   /etc/rc.local:1: " in out


def test_a_host_on_which_nothing_sets_vfs(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    text = "# Nothing was found that sets VFs on this host. To see the current VFs: sriov-bootstrap init\n"
    assert migrate(tree, capsys) == (text, "")


def test_what_may_not_be_read_is_said(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    (tree.root / "etc/rc.local").mkdir(parents=True)
    assert migrate(tree, capsys)[1] == "not seen: /etc/rc.local: is not a regular file\n"


def test_a_file_with_more_than_anybody_reads_gives_a_short_answer(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.write("etc/rc.local", f"{ECHO}\n" * 5000).chmod(0o700)
    out, err = migrate(tree, capsys)
    assert f"set by /etc/rc.local:1, {', '.join(f'/etc/rc.local:{line}' for line in range(2, 9))} and more\n" in out
    assert len(out) < 20_000
    assert err == "not seen: /etc/rc.local: too much to follow: it sets more VFs than are listed\n"
    tree.write("etc/rc.local", f"{'A={0..99}{0..99}{0..99}; ' * 2000}{ECHO}\n").chmod(0o700)
    assert (
        migrate(tree, capsys)[1]
        == "not seen: /etc/rc.local: too much to follow: not everything that it sets is known\n"
    )
