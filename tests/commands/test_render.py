"""render, on a host and without one. The files whole: tests/golden/render. UPDATE_GOLDEN=1 writes them anew."""

import os
from pathlib import Path

import pytest

from builders import PF, PF2
from fakes_host import HostTree
from sriov_bootstrap.base.printable import text_of
from sriov_bootstrap.cli import main

GOLDEN = Path(__file__).parents[1] / "golden" / "render"
DEGRADED = 3
USAGE = 2

RULES = f"""\
[[pf]]
name = "tenant-a"
match = {{ pci_address = "{PF}" }}
num_vfs = 4
physical_network = "physnet2"
EXTRA

[[pf]]
name = "tenant-b"
match = {{ netdev = "ens1f1" }}
num_vfs = 2
physical_network = "physnet1"

[[pf]]
name = "spare"
match = {{ pci_address = "0000:5e:00.0" }}
num_vfs = 1
required = false
"""
STYLE = '[openstack]\nspec_style = "devname"\n'
FLAVOR = f"""
[[pf]]
name = "accelerator"
match = {{ pci_address = "{PF}" }}
num_vfs = 4
alias = "vf"
"""


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    tree.write("proc/cpuinfo", "processor : 0\nvendor_id : GenuineIntel\n")
    tree.write("proc/sys/kernel/osrelease", "6.12.1\n")
    tree.write("etc/os-release", 'ID=debian\nNAME="Debian"\nnonsense\n')
    tree.write("usr/sbin/update-grub", "")
    return tree


def plug(tree: HostTree, *, netdev: str = "ens1f0", num_vfs: int = 4) -> None:
    """One PF that says where its VFs will be."""
    tree.add_pf(netdev=netdev, num_vfs=num_vfs)
    tree.add_layout()


def render(tree: HostTree, words: str) -> int:
    return main(["render", *words.split()], root=str(tree.root))


def compare(name: str, text: str) -> None:
    golden = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()


CASES = {
    # The grammar of nova's option, by release: 14 DEFAULT, 15 [pci], 18 trusted, 26 device_spec, 31 live_migratable.
    "nova-compute-newton": ("nova-compute", 'release = "newton"', ""),
    "nova-compute-ocata": ("nova-compute", 'release = "ocata"', ""),
    "nova-compute-queens": ("nova-compute", 'release = "queens"', ""),
    "nova-compute-train": ("nova-compute", 'release = "train"\nspec_style = "devname"', "trusted = true"),
    "nova-compute-victoria": ("nova-compute", 'release = "victoria"', "trusted = true"),
    "nova-compute-yoga": ("nova-compute", 'release = "yoga"\nspec_style = "vf_address"', "exclude_vfs = [0, 2]"),
    "nova-compute-zed": ("nova-compute", 'release = "zed"', "exclude_vfs = [1]"),
    "nova-compute-epoxy": ("nova-compute", 'release = "epoxy"', "trusted = true\nlive_migratable = true"),
    "nova-compute-newest": ("nova-compute", "", ""),
    # Filters: nova's release notes trim-default-sched-filters (16), remove-retry-and-aggregate-filters (22).
    "nova-scheduler-newton": ("nova-scheduler", 'release = "newton"', ""),
    "nova-scheduler-queens": ("nova-scheduler", 'release = "queens"', ""),
    "nova-scheduler-victoria": ("nova-scheduler", 'release = "victoria"', ""),
    "nova-scheduler-newest": ("nova-scheduler", 'scheduler_filters = ["NUMATopologyFilter"]', ""),
    # neutron: [ml2_sriov] until 9, bandwidths since 14, no firewall since 27 (sr-iov-remove-sg-rpc).
    "sriov-agent-newton": ("sriov-agent", 'release = "newton"', "exclude_vfs = [0]"),
    "sriov-agent-train": ("sriov-agent", 'release = "train"', "bandwidth_kbps = 10000000\nexclude_vfs = [0, 3]"),
    "sriov-agent-epoxy": ("sriov-agent", 'release = "epoxy"\ndistribution = "rdo"', ""),
    "sriov-agent-newest": ("sriov-agent", "", "bandwidth_kbps = 10000000"),
    "neutron-server-newton": ("neutron-server", 'release = "newton"\nmechanism_drivers = ["openvswitch"]', ""),
    "neutron-server-newest": (
        "neutron-server",
        'mechanism_drivers = ["ovn"]\nnetwork_vlan_ranges = ["physnet2:1000:2999"]\nflat_networks = ["physnet1"]',
        "",
    ),
    "all-newest": ("all", "", ""),
}


@pytest.mark.parametrize(("name", "case"), CASES.items(), ids=CASES)
def test_a_target_is_the_golden_file(
    tree: HostTree, capsys: pytest.CaptureFixture[str], name: str, case: tuple[str, str, str]
) -> None:
    target, table, extra = case
    tree.add_card(num_vfs=4)
    tree.configure(RULES.replace("EXTRA", extra) + f"[openstack]\n{table}\n")
    # The spare card is not there: only `udev` needs to know where its VFs are.
    assert render(tree, target) == (DEGRADED if target == "all" else 0)
    compare(f"{name}.txt", capsys.readouterr().out)


def test_the_chip_alone_is_one_line_for_all_its_pfs(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.add_card(num_vfs=4)
    text = RULES.replace("EXTRA", "").replace("physnet1", "physnet2").partition('[[pf]]\nname = "spare"')[0]
    tree.configure(text + '[openstack]\nspec_style = "vendor_product"\n')
    assert render(tree, "nova-compute") == 0
    out = capsys.readouterr().out
    assert out.count("device_spec = {") == 1
    assert '{"vendor_id": "8086", "product_id": "10ca", "physical_network": "physnet2"}' in out


def test_the_chip_alone_is_refused_where_it_hands_out_others(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.add_card(num_vfs=4)
    tree.configure(RULES.replace("EXTRA", "") + '[openstack]\nspec_style = "vendor_product"\n')
    assert render(tree, "nova-compute") == DEGRADED
    out, err = capsys.readouterr()
    problem = f'8086:10ca is also the chip of rule "tenant-b" ({PF2}): use spec_style = "pf_address"'
    assert f"# NOT RENDERED: {problem}" in out
    assert f'sriov-bootstrap: rule "tenant-a" ({PF}): {problem}' in err
    assert "device_spec =" not in out
    tree.configure(
        RULES.replace("EXTRA", "").partition('[[pf]]\nname = "tenant-b"')[0]
        + '[openstack]\nspec_style = "vendor_product"\n'
    )
    assert render(tree, "nova-compute") == DEGRADED
    assert f"is also the chip of {PF2}, which has no rule" in capsys.readouterr().err


def test_a_flavor_gets_an_alias_and_no_network(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    plug(tree)
    tree.configure(FLAVOR)
    assert render(tree, "nova-compute") == 0
    out = capsys.readouterr().out
    assert f'device_spec = {{"address": "{PF}", "vendor_id": "8086", "product_id": "10ca"}}\n' in out
    assert 'alias = {"name": "vf", "device_type": "type-VF", "vendor_id": "8086", "product_id": "10ca"}\n' in out
    placed = 'resource_class = "CUSTOM_VF"\ntraits = ["CUSTOM_FAST"]\n[openstack]\nreport_in_placement = true\n'
    tree.configure(FLAVOR + placed)
    assert render(tree, "nova-compute") == 0
    out = capsys.readouterr().out
    assert '"vendor_id": "8086", "product_id": "10ca", "resource_class": "CUSTOM_VF", "traits": "CUSTOM_FAST"}' in out
    assert out.endswith("report_in_placement = true\n")
    tree.configure(FLAVOR + '[openstack]\nrelease = "newton"\n')
    assert render(tree, "nova-compute") == 0
    assert "\npci_alias = {" in capsys.readouterr().out


WITHOUT_NIC = """\
[[pf]]
name = "a"
match = {{ {match} }}
num_vfs = 2
physical_network = "physnet2"
{more}
[openstack]
spec_style = "{style}"
"""


@pytest.mark.parametrize(
    ("style", "match", "more", "told"),
    [
        ("pf_address", 'pci_address = "3b:00.0"', 'vf_id = "8086:10ca"', f'"address": "{PF}", "vendor_id": "8086"'),
        ("devname", 'netdev = "ens1f0"', 'vf_id = "8086:10ca"', '"devname": "ens1f0", "vendor_id": "8086"'),
        ("vendor_product", 'driver = "igb"', 'vf_id = "8086:10ca"', '{"vendor_id": "8086", "product_id": "10ca"'),
        (
            "pf_address",
            'pci_address = "3b:00.0"',
            "",
            "the ids of its VFs are unknown: render on a host with the NIC, or",
        ),
        ("pf_address", 'netdev = "ens1f0"', 'vf_id = "8086:10ca"', "the PCI address of its PF is unknown: render on"),
        ("devname", 'netdev = "ens*"', 'vf_id = "8086:10ca"', "the netdev of its PF is unknown: render on a host"),
        ("vf_address", 'netdev = "ens1f0"', "", "the addresses of its VFs are unknown: render on a host with the NIC"),
        ("pf_address", 'netdev = "x"', "exclude_vfs = [0]", "the addresses of its VFs are unknown: render on a host"),
    ],
)
def test_without_the_nic_the_rule_has_to_say_it(
    tree: HostTree, capsys: pytest.CaptureFixture[str], style: str, match: str, more: str, told: str
) -> None:
    tree.configure(WITHOUT_NIC.format(match=match, more=more, style=style))
    is_told = told.startswith(('"', "{"))
    assert render(tree, "nova-compute") == (0 if is_told else DEGRADED)
    out, err = capsys.readouterr()
    assert (told in out, told in err) == (True, not is_told)
    assert ("device_spec = {" in out) == is_told


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ('physical_network = "a:b"', 'physical_network "a:b" must be letters, digits, "_", "-", "." for neutron'),
        ('physical_network = "a"\nexclude_vfs = [0]', "the addresses of the excluded VFs are unknown"),
        ('physical_network = "a"', ""),
        ("", ""),
    ],
)
def test_the_agent_gets_what_is_known(
    tree: HostTree, capsys: pytest.CaptureFixture[str], rule: str, problem: str
) -> None:
    tree.configure(f'[[pf]]\nname = "a"\nmatch = {{ netdev = "ens1f0" }}\nnum_vfs = "max"\n{rule}\n')
    assert render(tree, "sriov-agent") == (DEGRADED if problem else 0)
    assert problem in capsys.readouterr().err


def test_a_netdev_that_is_unknown_is_said(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.configure(f'[[pf]]\nname = "a"\nmatch = {{ pci_address = "{PF}" }}\nnum_vfs = 1\nphysical_network = "a"\n')
    assert render(tree, "sriov-agent") == DEGRADED
    assert "the netdev of its PF is unknown" in capsys.readouterr().err


def test_a_server_without_other_drivers_is_not_overruled(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.configure('[[pf]]\nname = "a"\nmatch = { netdev = "x" }\nnum_vfs = 1\nphysical_network = "a b"\n')
    assert render(tree, "neutron-server") == DEGRADED
    out, err = capsys.readouterr()
    assert "\nmechanism_drivers" not in out
    assert "mechanism_drivers is not set" in err
    assert 'physical_network "a b" must be' in err


# -- the kernel, its modules, udev, libvirt --


@pytest.mark.parametrize(
    ("files", "out"),
    [
        ({}, 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX intel_iommu=on"'),
        ({"proc/cpuinfo": "vendor_id : AuthenticAMD\n"}, "# no kernel parameter is needed: AMD's IOMMU is on when"),
        ({"proc/cpuinfo": "vendor_id : CentaurHauls\n"}, "# no kernel parameter is needed: the CPU is CentaurHauls"),
        (
            {"boot/config-6.12.1": "X=y\nCONFIG_INTEL_IOMMU_DEFAULT_ON=y\n"},
            "# no kernel parameter is needed: this kernel",
        ),
        ({"etc/sriov-bootstrap/config.toml": ""}, "# no kernel parameter is needed: there is no rule, so no VF"),
        (
            {"usr/sbin/update-grub": None, "usr/sbin/grubby": ""},
            "# run: grubby --update-kernel=ALL --args=intel_iommu=on",
        ),
        (
            {"usr/sbin/update-grub": None, "etc/kernel/cmdline": ""},
            "# add intel_iommu=on to the line in /etc/kernel/cmd",
        ),
        ({"usr/sbin/update-grub": None}, "# add intel_iommu=on to the kernel command line in the boot loader"),
    ],
)
def test_only_what_this_kernel_needs_is_asked_for(
    tree: HostTree, capsys: pytest.CaptureFixture[str], files: dict[str, str | None], out: str
) -> None:
    tree.configure(FLAVOR)
    for name, text in files.items():
        if text is None:
            (tree.root / name).unlink()
        else:
            tree.write(name, text)
    assert render(tree, "kernel-cmdline") == 0
    assert out in capsys.readouterr().out


def test_an_unknown_cpu_is_said(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    (tree.root / "proc/cpuinfo").unlink()
    tree.configure(FLAVOR)
    assert render(tree, "kernel-cmdline") == DEGRADED
    assert "the CPU is unknown" in capsys.readouterr().err


MAX_VFS = """\
[[pf]]
name = "{name}"
match = {{ {match} }}
num_vfs = {number}
method = "max_vfs"
vf_driver = "{driver}"
"""


def test_max_vfs_is_the_file_that_the_service_writes(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("usr/sbin/update-initramfs", "")
    tree.configure(MAX_VFS.format(name="a", match='driver = "igb"', number=7, driver="none"))
    assert render(tree, "modprobe --write") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "then: update-initramfs -u, and reboot"
    assert tree.read("etc/modprobe.d/sriov-bootstrap-igb.conf") == (
        '# Written by sriov-bootstrap (method = "max_vfs"); changes here are replaced.\noptions igb max_vfs=7\n'
    )
    assert tree.read("etc/modprobe.d/sriov-bootstrap-vfs.conf").endswith("\nblacklist igbvf\n")
    tree.configure(MAX_VFS.format(name="a", match='driver = "igb"', number=7, driver="kernel"))
    assert render(tree, "modprobe --diff") == DEGRADED
    assert "-blacklist igbvf\n" in capsys.readouterr().out
    assert render(tree, "modprobe --write") == 0
    assert "removed /etc/modprobe.d/sriov-bootstrap-vfs.conf\n" in capsys.readouterr().out
    assert not (tree.root / "etc/modprobe.d/sriov-bootstrap-vfs.conf").exists()
    assert render(tree, "modprobe --diff") == 0


def test_a_file_of_somebody_else_is_not_removed(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("etc/modprobe.d/sriov-bootstrap-vfs.conf", "# mine\n")
    tree.configure(FLAVOR)
    assert render(tree, "modprobe --write") == 0
    assert capsys.readouterr().out == 'no rule has method = "max_vfs": modprobe needs nothing\n'
    assert tree.read("etc/modprobe.d/sriov-bootstrap-vfs.conf") == "# mine\n"


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ([('netdev = "x"', 4)], 'rule "a0": its driver is unknown: render on a host with the NIC'),
        ([('driver = "igb"', '"max"')], 'igb: num_vfs of rule "a0" is not known without the NIC'),
        (
            [('driver = "igb", mac = "*:01"', 4), ('driver = "igb", mac = "*:02"', 3)],
            'igb: max_vfs is one number for all its PFs, but the rules "a0", "a1" differ',
        ),
        ([(f'pci_address = "{PF}"', 32)], f"{PF}: cannot create 32 VFs: the device offers 7"),
    ],
)
def test_a_module_option_that_costs_the_nic_is_not_rendered(
    tree: HostTree, capsys: pytest.CaptureFixture[str], rules: list[tuple[str, int | str]], problem: str
) -> None:
    if PF in problem:
        plug(tree)
    texts = [
        MAX_VFS.format(name=f"a{index}", match=match, number=number, driver="kernel")
        for index, (match, number) in enumerate(rules)
    ]
    tree.configure("".join(texts))
    assert render(tree, "modprobe --write") == DEGRADED
    assert capsys.readouterr() == ("", f"sriov-bootstrap: {problem}\nsriov-bootstrap: nothing was written\n")


@pytest.mark.parametrize("target", ["udev", "sriov-agent", "nova-compute"])
@pytest.mark.parametrize("raw", [b'a"+RUN="b', b"a,b:c", b"net\xff", b"a\nb", b"a$b"])
def test_a_netdev_whose_name_is_punctuation_is_not_rendered(
    tree: HostTree, capsys: pytest.CaptureFixture[str], target: str, raw: bytes
) -> None:
    plug(tree, netdev=os.fsdecode(raw))
    tree.configure(RULES.partition('[[pf]]\nname = "tenant-b"')[0].replace("EXTRA", "") + STYLE)
    assert render(tree, target) == DEGRADED
    out, err = capsys.readouterr()
    problem = f'the netdev "{text_of(raw)}" must be letters, digits, "_", "-", "." to be rendered: rename it'
    assert f'sriov-bootstrap: rule "tenant-a" ({PF}): {problem}\n' in err
    left = [line for line in out.splitlines() if text_of(raw) in line]
    assert left
    assert all(line.startswith("# NOT RENDERED: ") for line in left)
    assert PF not in "".join(line for line in out.splitlines() if not line.startswith("#"))


def test_what_is_no_mac_address_stands_in_no_udev_rule(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    plug(tree)
    (tree.device(PF) / "net/ens1f0/address").write_text('x", RUN+="y\n')
    tree.configure(RULES.partition('[[pf]]\nname = "tenant-b"')[0].replace("EXTRA", ""))
    assert render(tree, "udev") == 0
    assert "RUN" not in capsys.readouterr().out


@pytest.mark.parametrize("driver", ["../igb", "igb max_vfs=63", "-r", "größe", "i" * 65])
def test_a_driver_that_is_no_module_has_no_modprobe_file(
    tree: HostTree, capsys: pytest.CaptureFixture[str], driver: str
) -> None:
    tree.configure(MAX_VFS.format(name="a", match=f'driver = "{driver}"', number=4, driver="kernel"))
    assert render(tree, "modprobe --write") in {DEGRADED, USAGE}
    assert capsys.readouterr().out == ""
    assert list((tree.root / "etc/modprobe.d").iterdir()) == []


def test_udev_leaves_a_name_that_is_too_long_alone(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    plug(tree, netdev="enp59s0f0npf123", num_vfs=2)
    tree.configure(
        RULES.replace("EXTRA", "").partition('[[pf]]\nname = "tenant-b"')[0].replace("num_vfs = 4", "num_vfs = 2")
    )
    assert render(tree, "udev") == 0
    out = capsys.readouterr().out
    assert 'NAME="enp59s0f0npf123"\n' in out
    assert "npf123v" not in out
    assert out.count('ENV{NM_UNMANAGED}="1"') == 2


def test_libvirt_gets_each_free_vf_or_one(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    plug(tree, num_vfs=2)
    tree.configure(FLAVOR)
    assert render(tree, "libvirt") == 0
    assert capsys.readouterr().out.count("<interface ") == 2
    assert render(tree, "libvirt 3b:02.1 --mac 52:54:00:12:34:56 --vlan 7") == 0
    compare("libvirt.xml", capsys.readouterr().out)
    assert render(tree, "libvirt-hostdev 0000:3b:02.0") == 0
    compare("libvirt-hostdev.xml", capsys.readouterr().out)


TABLES = """
[[pf.vf]]
vfs = "0-2"
vlan = 100
[[pf.vf]]
vfs = "0"
mac = "02:00:00:aa:bb:00"
[[pf.vf]]
vfs = "1"
mac = "stable"
[[pf.vf]]
vfs = "2"
vlan = 0
"""


def test_libvirt_gets_what_the_rule_sets_for_each_vf(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    """Otherwise it would take the VLAN off, and make an address up."""
    plug(tree)
    tree.write("etc/machine-id", f"{'5e' * 16}\n")
    tree.configure(FLAVOR + TABLES)
    assert render(tree, "libvirt") == 0
    compare("libvirt-attributes.xml", capsys.readouterr().out)
    assert render(tree, "libvirt 3b:02.1 --mac 52:54:00:12:34:56 --vlan 7") == 0
    compare("libvirt.xml", capsys.readouterr().out)
    assert render(tree, "libvirt-hostdev 0000:3b:02.0") == 0
    compare("libvirt-hostdev.xml", capsys.readouterr().out)


def test_an_address_that_cannot_be_derived_is_said(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    plug(tree)
    tree.configure(FLAVOR + TABLES)
    assert render(tree, "libvirt 3b:02.1") == DEGRADED
    out, err = capsys.readouterr()
    problem = (
        'mac = "stable" is not set: /etc/machine-id is missing, or not a machine id: systemd-machine-id-setup makes'
    )
    assert err == f"sriov-bootstrap: {PF}: {problem} one\n"
    assert "<mac" not in out
    for words in ("libvirt 3b:02.0", "libvirt 3b:02.1 --mac 52:54:00:12:34:56", "libvirt-hostdev"):
        assert render(tree, words) == 0, words


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        ("vlan = 100\nvlan_qos = 3", "vlan_qos"),
        ('vlan = 100\nvlan_protocol = "802.1ad"', "vlan_protocol"),
        ('vlan = 100\nvlan_qos = 3\nvlan_protocol = "802.1ad"', "vlan_qos and vlan_protocol"),
        ('vlan = 100\nvlan_qos = 0\nvlan_protocol = "802.1Q"', ""),
        ("vlan = 0\nvlan_qos = 0", ""),
    ],
)
def test_what_libvirt_cannot_set_of_a_vlan_is_said(
    tree: HostTree, capsys: pytest.CaptureFixture[str], table: str, keys: str
) -> None:
    plug(tree)
    tree.configure(f'{FLAVOR}[[pf.vf]]\nvfs = "0"\n{table}\n')
    assert render(tree, "libvirt") == (DEGRADED if keys else 0)
    remedy = f"an <interface> cannot have the {keys} of the rule, and libvirt takes it off: use render libvirt-hostdev"
    assert capsys.readouterr().err == (f"sriov-bootstrap: VF 0 0000:3b:02.0: {remedy}\n" if keys else "")
    assert render(tree, "libvirt 0000:3b:02.0 --vlan 7") == 0


def test_a_vf_in_use_is_said(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    plug(tree, num_vfs=0)
    tree.add_vf(PF, 0, driver="vfio-pci")
    tree.add_process(4711, "/dev/vfio/17")
    tree.configure(FLAVOR)
    assert render(tree, "libvirt") == 0
    assert capsys.readouterr().out == "# no PF with a rule has a free VF\n"
    assert render(tree, "libvirt 0000:3b:02.0") == DEGRADED
    assert "VF 0 0000:3b:02.0 is in use: held by qemu-system-x86 pid 4711" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("libvirt 0000:3b:02.7", "render: 0000:3b:02.7 is not a VF on this host"),
        ("libvirt eth0", 'render: "eth0" is not a PCI address: write it like 0000:3b:02.0'),
        ("libvirt 0000:3b:02.0 --mac x", 'render: --mac "x" is not a MAC address: write it like 52:54:00:12:34:56'),
        ("libvirt 0000:3b:02.0 --mac 01:00:00:00:00:00", "render: --mac 01:00:00:00:00:00 is a multicast address"),
        ("libvirt --mac 52:54:00:12:34:56", "render: --mac is for one VF: name it"),
        ("libvirt --vlan 4095", "render: --vlan 4095 is not between 1 and 4094"),
        ("libvirt-hostdev 0000:3b:02.0 --vlan 4", "render: a <hostdev> has no MAC address and no VLAN"),
        ("nova-computer", 'render: unknown target "nova-computer": did you mean "nova-compute"?'),
        ("zzz", 'render: unknown target "zzz": valid here: all, kernel-cmdline, modprobe, udev, nova-compute'),
    ],
)
def test_words_that_make_no_sense_are_refused(
    tree: HostTree, capsys: pytest.CaptureFixture[str], words: str, problem: str
) -> None:
    tree.configure(FLAVOR)
    assert render(tree, words) == USAGE
    assert problem in capsys.readouterr().err


# -- compared and installed --

NOVA = "etc/nova/nova.conf.d/sriov-bootstrap.conf"


def test_a_second_write_changes_nothing_and_a_first_says_what_follows(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    plug(tree)
    tree.configure(FLAVOR)
    assert render(tree, "nova-compute --diff") == DEGRADED
    assert capsys.readouterr().out.startswith(f"--- /dev/null\n+++ /{NOVA}\n")
    assert render(tree, "nova-compute --write") == 0
    assert capsys.readouterr().out == f"wrote /{NOVA}\nthen: systemctl restart nova-compute\n"
    before = (tree.root / NOVA).stat()
    assert render(tree, "nova-compute --write") == 0
    assert capsys.readouterr().out == f"unchanged /{NOVA}\n"
    after = (tree.root / NOVA).stat()
    assert (after.st_ino, after.st_ctime_ns) == (before.st_ino, before.st_ctime_ns)
    assert render(tree, "nova-compute --diff") == 0
    assert capsys.readouterr().out == ""


def test_owner_and_mode_stay(tree: HostTree) -> None:
    plug(tree)
    tree.configure(FLAVOR)
    path = tree.write(NOVA, "old\n")
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 0, 4242)
    before = path.stat()
    assert render(tree, "nova-compute --write") == 0
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert path.read_text() != "old\n"


def test_half_a_file_is_not_written(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write(NOVA, "old\n")
    tree.configure(FLAVOR)
    assert render(tree, "nova-compute --write") == DEGRADED
    assert capsys.readouterr().err.endswith("sriov-bootstrap: nothing was written\n")
    assert tree.read(NOVA) == "old\n"


def test_kolla_has_no_place_for_it(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    (tree.root / "etc/kolla").mkdir(parents=True)
    plug(tree)
    tree.configure(FLAVOR)
    assert render(tree, "nova-compute") == 0
    assert render(tree, "nova-compute --write") == DEGRADED
    where = (
        "merge it into /etc/kolla/config/nova/nova-compute.conf on the deployment host, then: kolla-ansible reconfigure"
    )
    assert capsys.readouterr().err == (
        f"sriov-bootstrap: this has no place on this host: {where}\nsriov-bootstrap: nothing was written\n"
    )


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("ID=ubuntu\n", "neutron-server"),
        ("ID=rocky\nID_LIKE='rhel centos'\n", "neutron-server"),
        ("", "neutron-server"),
        ("ID=debian\n", "neutron-rpc-server neutron-api"),
    ],
)
def test_the_distribution_decides_which_unit(
    tree: HostTree, capsys: pytest.CaptureFixture[str], text: str, unit: str
) -> None:
    tree.write("etc/os-release", text)
    tree.configure('[openstack]\nmechanism_drivers = ["ovn"]\n')
    assert render(tree, "neutron-server --write") == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"then: on the controllers: systemctl restart {unit}"


def test_root_is_another_tree(tree: HostTree, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = HostTree(tmp_path / "image")
    image.configure(FLAVOR + 'vf_id = "8086:10ca"\n')
    assert render(tree, f"nova-compute --write --root {image.root}/") == 0
    assert f'"address": "{PF}"' in image.read(NOVA)
    assert not (tree.root / NOVA).exists()
    assert f"wrote /{NOVA}" in capsys.readouterr().out


@pytest.fixture
def image(tmp_path: Path) -> HostTree:
    """With what is installed there elsewhere than usual, and a folder beside it that is not part of it."""
    image = HostTree(tmp_path / "image")
    image.configure(FLAVOR + 'vf_id = "8086:10ca"\n')
    image.write("opt/nova/nova.conf.d/other.conf", "")
    (tmp_path / "outside/nova.conf.d").mkdir(parents=True)
    (tmp_path / "outside/nova.conf.d/sriov-bootstrap.conf").write_text("secret\n")
    return image


@pytest.mark.parametrize("target", ["../opt/nova", "/opt/nova"])
def test_a_link_that_stays_below_the_root_is_followed(tree: HostTree, image: HostTree, target: str) -> None:
    (image.root / "etc/nova").symlink_to(target)
    assert render(tree, f"nova-compute --diff --root {image.root}") == DEGRADED
    assert render(tree, f"nova-compute --write --root {image.root}") == 0
    assert f'"address": "{PF}"' in image.read("opt/nova/nova.conf.d/sriov-bootstrap.conf")
    assert render(tree, f"nova-compute --diff --root {image.root}") == 0


@pytest.mark.parametrize("verb", ["--diff", "--write"])
@pytest.mark.parametrize(
    ("place", "target"),
    [
        ("etc/nova", "../../outside"),
        ("etc/nova", "{outside}"),
        ("etc/nova/nova.conf.d", "../../../outside/nova.conf.d"),
        ("etc/nova/nova.conf.d", "{outside}/nova.conf.d"),
        (NOVA, "../../../../outside/nova.conf.d/sriov-bootstrap.conf"),
        (NOVA, "{outside}/nova.conf.d/sriov-bootstrap.conf"),
        ("etc/os-release", "{outside}/nova.conf.d/sriov-bootstrap.conf"),
    ],
)
def test_a_link_that_leaves_the_root_is_named(
    tree: HostTree, image: HostTree, capsys: pytest.CaptureFixture[str], verb: str, place: str, target: str
) -> None:
    outside = image.root.parent / "outside"
    target = target.format(outside=outside)
    (image.root / place).parent.mkdir(parents=True, exist_ok=True)
    (image.root / place).symlink_to(target)
    assert render(tree, f"nova-compute {verb} --root {image.root}") == 1
    out, err = capsys.readouterr()
    assert f"{image.root / place}: is a link to {target}, which is not below {image.root}\n" in err
    assert "secret" not in out + err
    assert [path.name for path in (outside / "nova.conf.d").iterdir()] == ["sriov-bootstrap.conf"]
    assert (outside / "nova.conf.d/sriov-bootstrap.conf").read_text() == "secret\n"


def test_a_config_that_is_elsewhere_is_not_the_images(
    tree: HostTree, image: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    path = image.root / "etc/sriov-bootstrap/config.toml"
    path.unlink()
    path.symlink_to("../../../outside/nova.conf.d/sriov-bootstrap.conf")
    assert render(tree, f"nova-compute --root {image.root}") == USAGE
    out, err = capsys.readouterr()
    assert f"{path}: is a link to ../../../outside/" in err
    assert "secret" not in out + err


@pytest.mark.parametrize("place", ["sys", "proc", f"sys/bus/pci/devices/{PF}"])
def test_an_image_whose_kernel_files_are_elsewhere_is_refused(
    tree: HostTree, image: HostTree, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    path = image.root / place
    if path.is_dir():
        path.rename(image.root.parent / "elsewhere")
    path.symlink_to(image.root.parent / "elsewhere")
    assert render(tree, f"nova-compute --root {image.root}") == 1
    assert "elsewhere" in capsys.readouterr().err


def test_a_diff_obeys_nothing_that_is_installed(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    """A service's user may have written it."""
    tree.write("etc/default/grub.d/sriov-bootstrap.cfg", "a\x1b[2J\u2028b\n-- c\n")
    tree.configure(FLAVOR)
    render(tree, "kernel-cmdline --diff")
    lines = capsys.readouterr().out.split("\n")
    assert {r"-a\x1b[2J\xe2\x80\xa8b", "--- c"} <= {*lines}
    assert all(map(str.isprintable, lines))


def test_apply_runs_the_command(
    tree: HostTree, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tree.write("bin/update-grub", f"#!/bin/sh\necho done > {tree.root}/applied\nexit ${{CODE:-0}}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    tree.configure(FLAVOR)
    assert render(tree, "kernel-cmdline --apply") == 0
    assert capsys.readouterr().out == "wrote /etc/default/grub.d/sriov-bootstrap.cfg\nrunning update-grub\n"
    assert tree.read("applied") == "done\n"
    monkeypatch.setenv("CODE", "7")
    assert render(tree, "kernel-cmdline --apply") == 1
    assert "sriov-bootstrap: update-grub: exit code 7\n" in capsys.readouterr().err


def test_every_target_is_listed(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    assert render(tree, "--list") == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 9
    assert "kernel-cmdline   kernel parameters for the IOMMU\n" in out
    assert "neutron-server   controllers: mechanism driver and networks; not in `all`\n" in out


# -- the site's own templates --


def test_a_template_of_the_site_is_used(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("etc/sriov-bootstrap/templates/nova-scheduler.conf.j2", "[{{ group }}] {{ filters | length }}\n")
    assert render(tree, "nova-scheduler") == 0
    assert capsys.readouterr().out == "[filter_scheduler] 6\n"


@pytest.mark.parametrize(
    ("text", "mode", "problem"),
    [
        ("{{ nothing }}", 0o644, "'nothing' is undefined"),
        ("\n{% if %}", 0o644, "line 2: Expected an expression, got 'end of statement block'"),
        ("{{ ''.__class__ }}", 0o644, "access to attribute '__class__' of 'str' object is unsafe."),
        ("{{ 1 // 0 }}", 0o644, "division by zero"),  # as of Python 3.14; "integer division or modulo by zero" before
        ("x", 0o666, "is writable by users other than root (mode 0666): chmod go-w PATH"),
    ],
)
def test_a_template_that_is_wrong_or_open_is_refused(
    tree: HostTree, capsys: pytest.CaptureFixture[str], text: str, mode: int, problem: str
) -> None:
    path = tree.write("etc/sriov-bootstrap/templates/nova-scheduler.conf.j2", text)
    path.chmod(mode)
    assert render(tree, "nova-scheduler") == USAGE
    err = capsys.readouterr().err
    said = f"{path}: {problem}\n".replace("PATH", str(path))
    assert said in err.replace("integer division or modulo by zero", "division by zero")
    assert "hint: correct the template, or remove it to use ours" in err
