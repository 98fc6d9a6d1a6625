"""libvirt takes what `render libvirt` writes, and takes and gives back our VFs; the guard sees each step."""

import pytest

from lab.host import CONFIG_FILE, PF1, PF2
from lab.openstack_host import OpenstackGuest, services, tenant_rules

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(3600)]

DOMAIN = """\
<domain type='kvm'><name>x</name><memory>1024</memory><os><type>hvm</type></os><devices>{}</devices></domain>"""


@pytest.fixture(scope="module")
def host(openstack_guest: OpenstackGuest) -> OpenstackGuest:
    """VFs with their kernel driver, and libvirtd."""
    guest = openstack_guest
    guest.ask_for(*tenant_rules("kernel"))
    guest.lose(PF1, PF2)
    # /dev/vfio/vfio, by which libvirt tells whether there is vfio: else kmod-static-nodes.service, off here, makes it.
    guest.check("modprobe vfio; systemctl start libvirtd", timeout_seconds=300)
    return guest


def node(address: str) -> str:
    """libvirt's name of a device."""
    return "pci_" + address.replace(":", "_").replace(".", "_")


def test_libvirt_lists_every_vf(host: OpenstackGuest) -> None:
    listed = host.check("virsh nodedev-list --cap pci", timeout_seconds=300).split()
    assert {node(vf) for pf in (PF1, PF2) for vf in host.vf_addresses(pf)} <= set(listed)
    assert "address domain='0x0000' bus='0x01' slot='0x10' function='0x0'" in host.check(
        f"virsh nodedev-dumpxml {node(PF1)}", timeout_seconds=300
    )


@pytest.mark.parametrize(
    "words", ["libvirt ADDRESS", "libvirt ADDRESS --mac 52:54:00:12:34:56 --vlan 7", "libvirt-hostdev ADDRESS"]
)
def test_libvirts_own_validator_takes_what_we_render(host: OpenstackGuest, words: str) -> None:
    rendered = host.check(f"sriov-bootstrap render {words.replace('ADDRESS', host.vf_addresses(PF1)[0])}")
    host.vm.write("/run/domain.xml", DOMAIN.format(rendered))
    host.check("virt-xml-validate /run/domain.xml domain")
    host.vm.write("/run/domain.xml", DOMAIN.format("<interface type='nonsense'/>"))
    assert host.run("virt-xml-validate /run/domain.xml domain").rc != 0


def test_the_guard_sees_a_vf_that_libvirt_has_taken(host: OpenstackGuest) -> None:
    vf = host.vf_addresses(PF1)[0]
    idle = f"note: {PF1} ({host.netdev(PF1)}): VF 0 bound to vfio, but not in use"
    assert seen(host) == ("igbvf", "")
    host.check(f"virsh nodedev-detach {node(vf)}", timeout_seconds=300)
    assert seen(host) == ("vfio-pci", "")
    assert idle in host.check("sriov-bootstrap status")
    with host.held_vf(PF1, 0) as pid:
        assert seen(host) == ("vfio-pci", f"held by python3 pid {pid}")
        assert idle not in host.check("sriov-bootstrap status")
        fewer = (tenant_rules("kernel", num_vfs=1)[0], tenant_rules("kernel")[1])
        host.vm.write(CONFIG_FILE, "\n".join(fewer) + services())
        refused = host.once()
        assert (refused.rc, f"VF 0 {vf} is held by python3 pid {pid}" in refused.stdout) == (3, True), refused
    host.vm.write(CONFIG_FILE, "\n".join(tenant_rules("kernel")) + services())
    host.check(f"virsh nodedev-reattach {node(vf)}", timeout_seconds=300)
    assert seen(host) == ("igbvf", "")
    assert idle not in host.check("sriov-bootstrap status")
    host.make_pass()
    host.settle({PF1: 7, PF2: 7})


def seen(host: OpenstackGuest) -> tuple[str, str]:
    """Return the driver and the user of the first VF of the first PF, as our status has them."""
    [vf] = [vf for pf in host.status()["pfs"] if pf["pci_address"] == PF1 for vf in pf["vfs"] if vf["index"] == 0]
    return vf["driver"], vf["user"]
