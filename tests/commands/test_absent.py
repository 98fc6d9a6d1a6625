"""A rule whose device is here and offers no VFs: status, --once, doctor and init agree on why."""

import json

import pytest
from msgspec import Struct

from builders import PF, PF2
from builders_pci import config, sriov
from fakes_host import HostTree, rule
from sriov_bootstrap.cli import main

RELEASE = "6.12.0"
GAPS = config((0x100, 1, b""), (0x140, 0, b""), (0x180, 3, b""))
NO_CAPABILITY = config((0x100, 1, b""), (0x140, 3, b""))
WITHOUT_IOV = "CONFIG_PCI=y\n# CONFIG_PCI_IOV is not set\n"
FIRMWARE = ("firmware", "BIOS", "setup", "mlxconfig", "reseat")


class Shape(Struct, frozen=True):
    """A device at PF and its host. `words`: of the reason."""

    code: str
    words: str
    data: bytes = NO_CAPABILITY
    ids: tuple[str, str] = ("8086", "10c9")
    driver: str = "igb"
    pci_class: str = "0x020000"
    netdev: str = "ens1f0"
    kernel: str = ""
    is_guest: bool = False
    offers: str = ""
    match: str = ""


SHAPES = {
    "an accelerator in a VM": Shape(
        "SB-E226",
        "this host is a VM, and its hypervisor hides",
        data=GAPS,
        ids=("1e52", "b140"),
        driver="tenstorrent",
        pci_class="0x120000",
        netdev="",
        kernel=WITHOUT_IOV,
        is_guest=True,
    ),
    "the same, by driver": Shape(
        "SB-E226",
        "hypervisor hides",
        GAPS,
        ("1e52", "b140"),
        "tenstorrent",
        "0x120000",
        "",
        WITHOUT_IOV,
        is_guest=True,
        match='driver = "tenstorrent"',
    ),
    "the same, by ids": Shape(
        "SB-E226",
        "hypervisor hides",
        GAPS,
        ("1e52", "b140"),
        "tenstorrent",
        "0x120000",
        "",
        WITHOUT_IOV,
        is_guest=True,
        match='vendor_id = "1e52", device_id = "b140"',
    ),
    "a GPU in a VM, kernel with": Shape(
        "SB-E226",
        "hypervisor hides",
        GAPS,
        ("10de", "2330"),
        "nvidia",
        "0x030200",
        "",
        "CONFIG_PCI_IOV=y\n",
        is_guest=True,
    ),
    "a NIC in a VM": Shape("SB-E226", "hypervisor hides", ids=("8086", "159b"), driver="ice", is_guest=True),
    "a NIC in a VM, of which 256 bytes are in reach": Shape(
        "SB-E226", "hypervisor hides", sriov(8)[:256], ("15b3", "101d"), "mlx5_core", is_guest=True
    ),
    "a kernel without": Shape("SB-E204", "this kernel was built without SR-IOV", sriov(8), kernel=WITHOUT_IOV),
    "a kernel without, not as root": Shape(
        "SB-E204", "this kernel was built without SR-IOV", sriov(8)[:64], kernel=WITHOUT_IOV, match='netdev = "ens1f0"'
    ),
    "a QAT under a kernel without": Shape(
        "SB-E204", "built without SR-IOV", sriov(16), ("8086", "4940"), "4xxx", "0x0b4000", "", WITHOUT_IOV
    ),
    "firmware: TotalVFs 0": Shape("SB-E203", "SR-IOV is disabled in its firmware", sriov(0)),
    "firmware: sriov_totalvfs 0": Shape("SB-E203", "its firmware or driver offers no VFs", sriov(8), offers="0"),
    "firmware: ConnectX": Shape(
        "SB-E203", "disabled in its firmware", ids=("15b3", "1017"), driver="mlx5_core", match='driver = "mlx5_core"'
    ),
    "firmware: X710": Shape(
        "SB-E203", "disabled in its firmware", ids=("8086", "1572"), driver="i40e", match='mac = "3c:fd:fe:aa:bb:00"'
    ),
    "a VF that a VM was given": Shape(
        "SB-E205", "a VF that this machine was given", ids=("8086", "154c"), driver="iavf", is_guest=True
    ),
    "a chip without: I210": Shape("SB-E202", "its chip has no SR-IOV", ids=("8086", "1533"), match='driver = "igb"'),
    "a chip without: r8169": Shape(
        "SB-E202", "its chip has no SR-IOV", bytes(64), ("10ec", "8168"), "r8169", match='netdev = "ens1f0"'
    ),
    "a chip without: e1000 in a VM": Shape(
        "SB-E202", "its chip has no SR-IOV", bytes(256), ("8086", "100e"), "e1000", is_guest=True
    ),
    "an unknown chip": Shape("SB-E202", "the chip does not support it, or", ids=("1234", "5678"), driver="acme"),
}


def add_shape(tree: HostTree, shape: Shape) -> None:
    flags = "fpu hypervisor" if shape.is_guest else "fpu vmx"
    tree.write("proc/cpuinfo", f"processor : 0\nvendor_id : GenuineIntel\nflags : {flags}\n")
    tree.write("proc/sys/kernel/osrelease", f"{RELEASE}\n")
    if shape.kernel:
        tree.write(f"boot/config-{RELEASE}", shape.kernel)
    vendor, device = (f"0x{number}" for number in shape.ids)
    files = {"class": shape.pci_class} | ({"sriov_totalvfs": shape.offers} if shape.offers else {})
    folder = tree.add_function(PF, driver=shape.driver, vendor=vendor, device=device, **files)
    (folder / "config").write_bytes(b"\x86\x80" + shape.data[2:])
    if shape.netdev:
        tree.add_netdev(PF, shape.netdev)
    match = shape.match or f'pci_address = "{PF}"'
    tree.configure(f'[[pf]]\nname = "tenant-a"\nmatch = {{ {match} }}\nnum_vfs = 4\n')


def answer(tree: HostTree, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    main([*words], root=str(tree.root))
    return capsys.readouterr().out


@pytest.mark.parametrize("name", SHAPES)
def test_status_once_and_doctor_say_the_same(tree: HostTree, capsys: pytest.CaptureFixture[str], name: str) -> None:
    shape = SHAPES[name]
    add_shape(tree, shape)
    status = json.loads(answer(tree, capsys, "status", "--json"))["pfs"][0]
    plan = json.loads(answer(tree, capsys, "--once", "--dry-run", "--json"))["report"]["pfs"][0]
    done = json.loads(answer(tree, capsys, "--once", "--json"))["report"]["pfs"][0]
    (finding,) = [
        one for one in json.loads(answer(tree, capsys, "doctor", "--json"))["findings"] if one["code"][4] == "2"
    ]
    assert (finding["code"], finding["place"]) == (shape.code, PF)
    assert shape.words in finding["problem"]
    for line in (status, plan, done):
        assert line["reason"] == "absent"
        assert finding["problem"] in line["message"]
        assert PF in line["message"]
        assert line["hint"] == finding["remedy"]
    if shape.is_guest:
        assert not any(word in finding["remedy"] for word in FIRMWARE)


@pytest.mark.parametrize("name", [name for name, shape in SHAPES.items() if shape.pci_class.startswith("0x02")])
def test_init_says_why_a_nic_is_not_proposed(tree: HostTree, capsys: pytest.CaptureFixture[str], name: str) -> None:
    shape = SHAPES[name]
    add_shape(tree, shape)
    text = answer(tree, capsys, "init")
    assert f"\n# NICs that offer no VFs:\n# {PF} (ens1f0): {':'.join(shape.ids)}, driver {shape.driver}: " in text
    assert shape.words in text
    assert ("enable SR-IOV in the firmware" in text) is False
    assert ("It is a VM" in text) is shape.is_guest
    assert ("\n#   To have it: " in text) is (shape.code in {"SB-E203", "SB-E204"})


def test_init_in_a_vm_with_an_accelerator(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    add_shape(tree, SHAPES["an accelerator in a VM"])
    text = answer(tree, capsys, "init")
    assert "# Its kernel was built without it: CONFIG_PCI_IOV is not set.\n# It is a VM: " in text
    assert not any(word in text for word in FIRMWARE)


def test_init_lists_nics_without_beside_those_with(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.add_pf(num_vfs=2)
    tree.add_function(PF2, driver="tg3", vendor="0x14e4", device="0x165f", **{"class": "0x020000"})
    text = answer(tree, capsys, "init")
    assert text.count("[[pf]]") == 1
    assert f"# NICs that offer no VFs:\n# {PF2}: 14e4:165f, driver tg3: its chip has no SR-IOV.\n" in text


def test_a_vf_is_named_with_its_pf(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.add_pf(num_vfs=2)
    tree.configure(rule(2).replace(f'pci_address = "{PF}"', 'netdev = "ens1f0v1"'))
    out = answer(tree, capsys, "status")
    assert "0000:3b:02.1 (ens1f0v1): it is a VF, which cannot have VFs" in out
    assert f'hint: match its PF: match = {{ pci_address = "{PF}" }}' in out


def test_a_name_that_has_changed_is_asked_about_alike(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.add_pf(netdev="ens1f0np0")
    tree.add_pf(PF2, netdev="ens1f1np1")
    tree.configure(rule(4).replace(f'pci_address = "{PF}"', 'netdev = "ens1f1"'))
    question = f"did you mean ens1f1np1 ({PF2})? Names change with upgrades"
    for words in (["status"], ["--once", "--dry-run"], ["doctor"]):
        assert question in answer(tree, capsys, *words)


def test_lines_with_a_name_that_has_changed_are_asked_about_in_the_same_words(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.add_pf(netdev="ens1f0np0")
    tree.add_pf(PF2, netdev="ens1f1np1")
    tree.configure(rule(4).replace(f'pci_address = "{PF}"', 'netdev = "ens1f0np0"'))
    tree.write("etc/rc.local", "#!/bin/sh\necho 8 > /sys/class/net/ens1f1/device/sriov_numvfs\n").chmod(0o755)
    question = f"did you mean ens1f1np1 ({PF2})? Names change with upgrades"
    assert question in answer(tree, capsys, "doctor")
    migration = answer(tree, capsys, "migrate")
    assert question in migration
    assert f'# match = {{ pci_address = "{PF2}" }}' in migration


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        (
            "etc/netplan/1.yaml",
            "network:\n  ethernets:\n    a:\n      virtual-function-count: 8\n      virtual-function-count: 4\n",
            4,
        ),
        ("etc/sriov-netplan-shim/interfaces.yaml", "interfaces:\n  ens1f0: {num_vfs: 8}\n  ens1f0: {num_vfs: 4}\n", 2),
        ("etc/os-net-config/config.json", '{"network_config": [],\n"network_config": [1]}\n', 1),
    ],
)
def test_what_the_reader_of_a_file_drops_is_said(
    tree: HostTree, capsys: pytest.CaptureFixture[str], path: str, text: str, line: int
) -> None:
    tree.add_pf()
    tree.configure(rule(4))
    tree.write(path, text)
    unseen = json.loads(answer(tree, capsys, "doctor", "--json"))["unseen"]
    assert any(note.startswith(f"/{path}:{line}: ") and "comes again below" in note for note in unseen)


def test_lines_for_the_second_netdev_of_a_pf_are_told_with_that_netdev(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.add_pf(netdev="enp4s0", driver="mlx4_core")
    tree.add_netdev(PF, "enp4s0d1", ifindex=3)
    tree.configure(rule(4).replace(f'pci_address = "{PF}"', 'netdev = "enp4s0d1"'))
    tree.write("etc/rc.local", "#!/bin/sh\necho 3 > /sys/class/net/enp4s0d1/device/sriov_numvfs\n").chmod(0o755)
    assert f'sets 3 VFs of {PF} (enp4s0d1), for which rule "tenant-a" asks for 4' in answer(tree, capsys, "doctor")
    assert f"# {PF} (enp4s0 and enp4s0d1): 0 VFs now" in answer(tree, capsys, "migrate")
