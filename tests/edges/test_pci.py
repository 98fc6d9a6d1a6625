import pytest

from builders import PF, vf_address
from builders_pci import sriov
from fakes_host import ROOT_PORT, HostTree
from sriov_bootstrap.edges.pci import Pci


@pytest.fixture
def pci(tree: HostTree) -> Pci:
    return Pci(f"{tree.root}/sys")


def test_what_is_not_there_reads_as_nothing(pci: Pci) -> None:
    assert pci.read_config(PF) == b""
    assert pci.read_text(PF, "modalias") == ""
    assert pci.read_bridge(PF) == ("", "")
    assert pci.read_groups() is None
    assert pci.read_acpi_tables() == ()
    assert pci.read_ifindex("ens1f0") == ""
    assert pci.read_online_cpus() == ""
    assert pci.count_vectors() == {}


def test_config_space_and_attributes_of_a_function(tree: HostTree, pci: Pci) -> None:
    (tree.add_pf() / "config").write_bytes(sriov(8))
    assert pci.read_config(PF) == sriov(8)
    assert pci.read_text(PF, "vendor") == "0x8086"
    assert pci.read_text(PF, "net") == "", "a folder"


def test_the_bridge_above(tree: HostTree, pci: Pci) -> None:
    tree.add_pf()
    assert pci.read_bridge(PF) == ("0000:3a:00.0", "")
    tree.write(f"{ROOT_PORT}/subordinate_bus_number", "59\n")
    assert pci.read_bridge(PF) == ("0000:3a:00.0", "59")


def test_a_function_on_a_root_bus_has_no_bridge(tree: HostTree, pci: Pci) -> None:
    tree.link("sys/bus/pci/devices/0000:00:02.0", tree.write("sys/devices/pci0000:00/0000:00:02.0/class", "x").parent)
    assert pci.read_bridge("0000:00:02.0") == ("", "")


def test_groups_vectors_and_the_rest(tree: HostTree, pci: Pci) -> None:
    tree.add_pf(num_vfs=1)
    vf = vf_address(PF, 0)
    tree.link(f"sys/kernel/iommu_groups/17/devices/{vf}", tree.device(vf))
    tree.write("sys/kernel/iommu_groups/17/name", "vfio-noiommu\n")
    for number in (40, 41):
        tree.write(f"{ROOT_PORT}/{vf}/msi_irqs/{number}", "msix\n")
    tree.write("sys/firmware/acpi/tables/DMAR", "")
    tree.write("sys/devices/system/cpu/online", "0-3\n")
    assert pci.read_groups() == {"17": ("vfio-noiommu", {vf: "0x020000"})}
    assert pci.count_vectors() == {PF: 0, vf: 2}
    assert pci.read_acpi_tables() == ("DMAR",)
    tree.write("sys/firmware/acpi/tables/IORT", b"IORT\0")
    assert (pci.read_acpi_table("IORT"), pci.read_acpi_table("VIOT")) == (b"IORT\0", b"")
    assert pci.read_online_cpus() == "0-3"
    assert pci.read_ifindex("ens1f0v0") == "10"


def test_what_the_firmware_calls_the_machine(tree: HostTree, pci: Pci) -> None:
    assert pci.read_machine_names() == ("", "")
    tree.write("sys/class/dmi/id/sys_vendor", "QEMU\n")
    assert pci.read_machine_names() == ("QEMU", "")
