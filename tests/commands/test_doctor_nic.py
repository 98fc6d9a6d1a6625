"""doctor's codes 1xx and 2xx through the command line, on trees that look like hosts."""

import json
import shutil
from typing import Any

import pytest

from builders import PF, PF2, vf_address
from builders_pci import PLACED, resource, sriov
from fakes_host import ROOT_PORT, HostTree, rule
from sriov_bootstrap.cli import main
from sriov_bootstrap.core.vf_attributes import PfLink, PfLinks, VfAttributes
from sriov_bootstrap.doctor.examination import examine
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.machine.jobs import load

RELEASE = "6.1.0-13-amd64"
CPUINFO = "processor\t: 0\nvendor_id\t: {vendor}\nflags\t\t: fpu {flags}\n"
NM = "sys/fs/cgroup/system.slice/NetworkManager.service/cgroup.procs"


def make_host(
    tree: HostTree, *, vendor: str = "GenuineIntel", table: str = "DMAR", num_vfs: int = 4, flags: str = "vmx"
) -> None:
    """A host with a PF and its VFs, each in a group of its own, and the rule for them."""
    tree.write("proc/cpuinfo", CPUINFO.format(vendor=vendor, flags=flags))
    tree.write("proc/sys/kernel/osrelease", f"{RELEASE}\n")
    tree.write("sys/firmware/acpi/tables/APIC", "")
    tree.write("sys/devices/system/cpu/online", "0-3\n")
    (tree.root / "sys/kernel/iommu_groups").mkdir(parents=True)
    if table:
        tree.write(f"sys/firmware/acpi/tables/{table}", "")
    tree.add_pf(num_vfs=num_vfs)
    for index in range(num_vfs):
        add_to_group(tree, 17 + index, vf_address(PF, index))
    tree.configure(rule(4))


def add_to_group(tree: HostTree, group: int, address: str) -> None:
    tree.link(f"sys/kernel/iommu_groups/{group}/devices/{address}", tree.device(address))


def doctor(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Code and place of each finding, and what was not seen."""
    code = main(["doctor", "--json"], root=str(tree.root))
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    findings = [(one["code"], one["place"]) for one in answer["findings"] if one["code"][4] in "12"]
    assert not findings or code == 3
    return findings, answer["unseen"]


@pytest.mark.parametrize(
    ("vendor", "table", "flags"), [("GenuineIntel", "DMAR", "vmx"), ("AuthenticAMD", "IVRS", "svm")]
)
def test_a_clean_host_gives_no_finding(
    tree: HostTree, capsys: pytest.CaptureFixture[str], vendor: str, table: str, flags: str
) -> None:
    make_host(tree, vendor=vendor, table=table, flags=flags)
    tree.write(NM, "1\n")
    tree.write("run/NetworkManager/devices/10", "[device]\nmanaged=false\n")
    tree.write("run/udev/data/n10", "E:NM_UNMANAGED=1\n")
    tree.write("etc/modprobe.d/kvm.conf", "options kvm_intel nested=1\n")
    assert doctor(tree, capsys) == ([], [])


def test_a_vm_that_passes_nothing_on_gives_no_finding(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    make_host(tree, table="", num_vfs=0, flags="hypervisor")
    tree.configure(rule(0))
    assert doctor(tree, capsys) == ([], [])
    for index in range(4):
        tree.add_vf(PF, index)
    tree.configure(rule(4))
    assert doctor(tree, capsys) == ([], [])


def test_a_host_without_rules_is_not_judged(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    make_host(tree, table="", num_vfs=0)
    tree.configure("")
    tree.write("etc/modprobe.d/old.conf", "options igb max_vfs=32\n")
    assert doctor(tree, capsys) == ([], [])


def test_an_old_tutorial(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    make_host(tree, num_vfs=0)
    tree.configure(rule(32))
    tree.write("etc/modprobe.d/igb.conf", "options igb max_vfs=32\n")
    tree.write(f"lib/modules/{RELEASE}/modules.dep", "kernel/drivers/net/ethernet/intel/igb/igb.ko:\n")
    tree.write("etc/default/grub", 'GRUB_CMDLINE_LINUX="intel_iommu=on"\n')
    tree.write("boot/grub/grub.cfg", "menuentry {\n linux /vmlinuz root=/dev/vda ro quiet\n}\n")
    wanted = [("SB-E103", "/etc/default/grub:1"), ("SB-E211", "/etc/modprobe.d/igb.conf:1"), ("SB-E210", PF)]
    assert doctor(tree, capsys) == (wanted, [])
    tree.write("boot/grub/grub.cfg", "menuentry {\n linux /vmlinuz root=/dev/vda ro quiet intel_iommu=on\n}\n")
    assert doctor(tree, capsys)[0][0] == ("SB-E104", "/etc/default/grub:1")


def test_a_nic_whose_firmware_has_sriov_off(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    make_host(tree, num_vfs=0)
    add_to_group(tree, 1, PF)
    for name in ("sriov_totalvfs", "sriov_numvfs"):
        (tree.device() / name).unlink()
    (tree.device() / "config").write_bytes(sriov(0))
    assert doctor(tree, capsys) == ([("SB-E203", PF)], [])
    (tree.device() / "config").write_bytes(sriov(0)[:64])
    findings, (unseen,) = doctor(tree, capsys)
    assert findings == [("SB-E202", PF)]
    assert unseen.endswith("run doctor as root")


def test_a_rule_that_means_a_vf(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    make_host(tree)
    vf = vf_address(PF, 1)
    tree.link(f"{ROOT_PORT}/{vf}/physfn", tree.device(PF))
    tree.configure(rule(4, address=vf))
    assert doctor(tree, capsys) == ([("SB-E205", vf)], [])


def test_a_pf_whose_driver_is_blocked(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    make_host(tree, num_vfs=0)
    add_to_group(tree, 1, PF)
    (tree.device() / "driver").unlink()
    (tree.device() / "modalias").write_text("pci:v00008086d000010C9sv00008086sd0000A03Cbc02sc00i00\n")
    tree.write(f"lib/modules/{RELEASE}/modules.alias", "alias pci:v00008086d000010C9sv*sd*bc*sc*i* igb\n")
    assert doctor(tree, capsys)[0] == [("SB-E206", PF)]
    tree.write("usr/lib/modprobe.d/no-nic.conf", "blacklist igb\n")
    assert doctor(tree, capsys)[0] == [("SB-E207", PF)]
    (tree.root / "etc/modprobe.d/no-nic.conf").symlink_to("/dev/null")
    assert doctor(tree, capsys)[0] == [("SB-E206", PF)], "masked"


def test_no_room_for_vfs(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    make_host(tree, num_vfs=0)
    add_to_group(tree, 1, PF)
    (tree.device() / "resource").write_text(resource())
    assert doctor(tree, capsys) == ([("SB-E213", PF)], [])
    (tree.device() / "resource").write_text(resource(PLACED))
    (tree.device() / "sriov_offset").write_text("384\n")
    (tree.device() / "sriov_stride").write_text("2\n")
    tree.write(f"{ROOT_PORT}/subordinate_bus_number", "59\n")
    assert doctor(tree, capsys) == ([("SB-E214", PF)], [])


def test_vfs_in_one_group_that_networkmanager_manages_below_a_pf_that_is_down(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    make_host(tree)
    add_to_group(tree, 17, vf_address(PF, 1))
    (tree.device() / "net/ens1f0/flags").write_text("0x1002\n")
    tree.write(NM, "1\n")
    tree.write("run/NetworkManager/devices/11", "[device]\nmanaged=true\n")
    for number in range(900):
        tree.write(f"{ROOT_PORT}/{vf_address(PF, 0)}/msi_irqs/{number}", "msix\n")
    wanted = [("SB-E105", PF), ("SB-E217", PF), ("SB-W221", PF), ("SB-W222", "host")]
    assert doctor(tree, capsys) == (wanted, [])


UNMANAGED = "E:NM_UNMANAGED=1\n"


@pytest.mark.parametrize(
    ("carrier", "database", "addresses", "is_found"),
    [
        ("0", "", "0", True),
        ("0", UNMANAGED, "0", False),
        ("0", UNMANAGED, "1", True),
        ("1", "", "1", False),
        ("", "", "1", False),
    ],
)
def test_a_vf_without_a_carrier_has_no_record_of_networkmanager(
    tree: HostTree, capsys: pytest.CaptureFixture[str], carrier: str, database: str, addresses: str, *, is_found: bool
) -> None:
    make_host(tree)
    tree.write(NM, "1\n")
    netdev = tree.device(vf_address(PF, 1)) / "net/ens1f0v1"
    (netdev / "carrier").write_text(carrier + "\n")
    tree.write("run/udev/data/n11", f"I:1\n{database}G:systemd\n")
    tree.write("proc/sys/net/ipv6/conf/ens1f0v1/addr_gen_mode", addresses + "\n")
    assert doctor(tree, capsys) == ([("SB-W221", PF)] if is_found else [], [])


@pytest.mark.parametrize(
    ("name", "text", "is_found"),
    [
        ("etc/NetworkManager/NetworkManager.conf", "[ifupdown]\nmanaged=false\n", True),
        ("etc/NetworkManager/NetworkManager.conf", "[keyfile]\nunmanaged-devices=driver:igbvf\n", False),
        ("usr/lib/NetworkManager/conf.d/10-a.conf", "[keyfile]\nunmanaged-devices+=*\n", False),
        ("etc/NetworkManager/conf.d/a.conf", "[device-vfs]\nmatch-device=driver:igbvf\nmanaged=0\n", False),
        ("var/lib/NetworkManager/NetworkManager-intern.conf", "[device-a]\nmanaged=0\n", False),
    ],
)
def test_a_vf_that_networkmanager_was_told_to_leave_needs_the_rule_or_a_setting(
    tree: HostTree, capsys: pytest.CaptureFixture[str], name: str, text: str, *, is_found: bool
) -> None:
    make_host(tree)
    tree.write(NM, "1\n")
    tree.write("run/NetworkManager/devices/10", "[device]\nmanaged=false\n")
    tree.write(name, text)
    assert doctor(tree, capsys) == ([("SB-W221", PF)] if is_found else [], [])
    tree.write("run/udev/data/n10", f"I:1\n{UNMANAGED}")
    assert doctor(tree, capsys) == ([], [])


def test_a_vf_is_judged_against_its_siblings(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    make_host(tree, num_vfs=5)
    tree.configure(rule(5))
    vf = tree.device(vf_address(PF, 4))
    (vf / "driver").unlink()
    shutil.rmtree(vf / "net")
    assert doctor(tree, capsys) == ([("SB-W220", PF)], [])
    main(["doctor"], root=str(tree.root))
    assert f"if not, echo {vf.name} > /sys/bus/pci/drivers_probe\n" in capsys.readouterr().out
    tree.bind(vf.name, "igbvf")
    assert doctor(tree, capsys) == ([("SB-W228", PF)], [])
    (vf / "net").mkdir()
    assert doctor(tree, capsys) == ([], [])


def test_garbage_everywhere_is_survived(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    make_host(tree)
    tree.add_pf(PF2, driver="", netdev="")
    tree.configure(rule(4, address=f"{PF[:-1]}*"))
    junk = bytes(range(256)) * 16
    names = [
        *(f"{ROOT_PORT}/{PF2}/{name}" for name in ("config", "resource", "modalias", "sriov_offset", "sriov_stride")),
        f"{ROOT_PORT}/subordinate_bus_number",
        "sys/devices/system/cpu/online",
        "sys/kernel/iommu_groups/17/name",
        "proc/cmdline",
        "proc/cpuinfo",
        "etc/default/grub",
        "etc/default/grub.d/a.cfg",
        "boot/grub/grub.cfg",
        "etc/modprobe.d/a.conf",
        f"lib/modules/{RELEASE}/modules.alias",
        f"lib/modules/{RELEASE}/modules.dep",
        "run/NetworkManager/devices/10",
        "run/sriov-bootstrap/state/state.json",
        NM,
    ]
    for name in names:
        tree.write(name, junk)
    findings, _ = doctor(tree, capsys)
    assert ("SB-E206", PF2) in findings


class TellingMachine(HostMachine):
    """Its kernel tells of no VF but of its first."""

    def __init__(self, tree: HostTree, *, problem: str = "") -> None:
        super().__init__(root=str(tree.root), config_paths=())
        self.problem = problem
        self.asked: list[tuple[str, ...]] = []

    def read_pf_links(self, netdevs: tuple[str, ...]) -> PfLinks:
        self.asked.append(netdevs)
        told = PfLink(2, vfs={0: VfAttributes(mac="00:00:00:00:00:00")})
        return PfLinks({} if self.problem else dict.fromkeys(netdevs, told), self.problem)

    def diagnose(self) -> tuple[list[tuple[str, str]], list[str]]:
        diagnosis = examine(self, load(self, None))
        findings = [(one.code, one.place) for one in diagnosis.findings if one.code[4] == "2"]
        return findings, [text for text in diagnosis.unseen if "MAC" in text]


def test_vfs_of_flavors_are_asked_for_their_addresses(tree: HostTree) -> None:
    make_host(tree)
    machine = TellingMachine(tree)
    assert machine.diagnose() == ([], [])
    assert machine.asked == [], "no rule gives a reason"
    tree.configure(rule(4, more='alias = "vf"\n'))
    assert machine.diagnose() == ([("SB-W229", PF)], [])
    assert machine.asked == [("ens1f0",)]
    refusing = TellingMachine(tree, problem="ens1f0: EPERM: no")
    assert refusing.diagnose() == ([], ["MAC addresses of VFs: ens1f0: EPERM: no"])


def test_attributes_of_vfs_that_this_host_cannot_have(tree: HostTree) -> None:
    make_host(tree)
    tree.configure(rule(4, more='alias = "vf"\n[[pf.vf]]\nvfs = "all"\nmac = "stable"\nlink_state = "auto"\n'))
    machine = TellingMachine(tree)
    assert machine.diagnose() == ([("SB-E230", PF), ("SB-E231", "host")], [])
    assert machine.asked == [("ens1f0",)], "for the rule's own sake, once"
    tree.write("etc/machine-id", f"{'5e' * 16}\n")
    assert machine.diagnose() == ([("SB-E230", PF)], [])
