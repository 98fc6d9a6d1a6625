"""From what hosts have today to our config: printed, applied, and nothing is left that fights with it."""

import json

import pytest

from builders import PF, PF2
from fakes_host import HostTree, rule
from sriov_bootstrap.cli import main
from sriov_bootstrap.core.config import Config, Match
from sriov_bootstrap.core.decode import ConfigFile, decode

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
    path.chmod(0o755)
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

# Then remove these, or they will keep fighting with it (sriov-bootstrap doctor shows any that are left):
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
        ("etc/network/interfaces", "iface ens1f0 inet manual\n    up " + ECHO.replace("4", "6") + "\n", 6),
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
    tree.write(path, text)
    before = {one: one.read_bytes() for one in tree.root.rglob("*") if one.is_file()}
    out, _ = migrate(tree, capsys)
    (made,) = understood(out).pf
    assert (made.match, made.num_vfs) == (BY_ADDRESS, num_vfs)
    assert f"#   /{path}:" in out
    assert {one: one.read_bytes() for one in tree.root.rglob("*") if one.is_file()} == before


def test_what_the_chip_cannot_have_becomes_max(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("etc/modprobe.d/igb.conf", "options igb max_vfs=32\n")
    out, _ = migrate(tree, capsys)
    assert [(one.match.pci_address, one.num_vfs) for one in understood(out).pf] == [(PF, "max"), (PF2, "max")]
    assert "# 32 is too many: the device offers 7\n" in out


def test_lines_that_disagree_keep_what_is_there(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("etc/rc.local", f"{ECHO}\n")
    tree.write("etc/cron.d/vfs", f"@reboot root {ECHO.replace('4', '6')}\n")
    out, _ = migrate(tree, capsys)
    assert [one.num_vfs for one in understood(out).pf] == [4]
    assert "# the lines disagree: 4, 6\n" in out
    assert out.index("#   /etc/cron.d/vfs:1") < out.index("#   /etc/rc.local:1")


def test_a_number_that_cannot_be_told_is_what_is_there(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("etc/rc.local", ECHO.replace("4", "$N") + "\n" + ECHO.replace("4", "$N").replace("f0", "f1") + "\n")
    out, _ = migrate(tree, capsys)
    assert [one.num_vfs for one in understood(out).pf] == [4, "max"]
    assert out.count("# the lines do not say the number: this is the current one\n") == 2


def test_none_is_a_wish_where_nothing_else_is_asked(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("etc/rc.local", ECHO.replace("4", "0") + "\n")
    assert [one.num_vfs for one in understood(migrate(tree, capsys)[0]).pf] == [0]


def test_a_pf_that_is_not_here_and_one_that_cannot_be_told(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("etc/rc.local", ECHO.replace("ens1f0", "ens9") + "\n" + ECHO.replace("ens1f0", "$1") + "\n")
    out, _ = migrate(tree, capsys)
    assert [(one.match, one.num_vfs) for one in understood(out).pf] == [(Match(netdev="ens9"), 4)]
    assert "# no such PF exists now\n" in out
    assert "#       its PF could not be determined: add a rule for it\n" in out
    tree.write("etc/rc.local", ECHO.replace("ens1f0", "ens9").replace("4", "$N") + "\n")
    assert [one.num_vfs for one in understood(migrate(tree, capsys)[0]).pf] == ["max"]


def test_a_pf_that_has_a_rule_gets_no_other(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.configure(rule(4))
    tree.write("etc/rc.local", f"{ECHO}\n{ECHO.replace('f0', 'f1')}\n")
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
    tree.write("etc/rc.local", f"{ECHO}\n" * 5000).chmod(0o755)
    out, err = migrate(tree, capsys)
    assert f"set by /etc/rc.local:1, {', '.join(f'/etc/rc.local:{line}' for line in range(2, 9))} and more\n" in out
    assert len(out) < 20_000
    assert err == "not seen: /etc/rc.local: too much to follow: it sets more VFs than are listed\n"
    tree.write("etc/rc.local", f"{'A={0..99}{0..99}{0..99}; ' * 2000}{ECHO}\n").chmod(0o755)
    assert (
        migrate(tree, capsys)[1]
        == "not seen: /etc/rc.local: too much to follow: not everything that it sets is known\n"
    )
