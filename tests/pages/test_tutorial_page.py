"""docs/tutorial.md from its first command to its last: what others do is done to a tree, what we print is there."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from builders import PF, vf_address
from consoles import Entry, assert_printed, entries, redirected, run
from fakes_host import HostTree
from fakes_kernel import kernel_of
from fakes_openstack import add_debian
from fakes_systemd import fake_systemd

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text()
[CONFIG] = re.findall(r"^```toml\n(.*?)```$", PAGE, re.MULTILINE | re.DOTALL)
KERNEL = "6.12.48+deb13-amd64"
VF = vf_address(PF, 0)
ML2_CONF = "etc/neutron/plugins/ml2/ml2_conf.ini"


class Story:
    """A compute host and a controller, and what other programs do to them."""

    def __init__(self, folder: Path) -> None:
        self.compute, self.controller = HostTree(folder / "compute"), HostTree(folder / "controller")
        add_debian(self.controller, "nova-scheduler", "neutron-rpc-server")
        self.controller.write("root/compute.toml", CONFIG.replace("num_vfs", "required = false\nnum_vfs"))
        host = self.compute
        host.write("proc/sys/kernel/osrelease", f"{KERNEL}\n")
        host.write(f"boot/config-{KERNEL}", "CONFIG_PCI_IOV=y\nCONFIG_INTEL_IOMMU_DEFAULT_ON=y\n")
        host.write("etc/os-release", "ID=debian\n")
        host.write("usr/sbin/update-grub", "")
        host.write("proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu vmx\n")
        host.write("sys/firmware/acpi/tables/APIC", "")
        (host.root / "sys/kernel/iommu_groups").mkdir(parents=True)
        host.add_card(num_vfs=0)

    def edit(self) -> None:
        self.compute.configure(CONFIG)

    def switch_iommu_on(self) -> None:
        self.compute.write("sys/firmware/acpi/tables/DMAR", "")
        self.compute.link(f"sys/kernel/iommu_groups/14/devices/{PF}", self.compute.device(PF))

    def attach(self, vm: str) -> None:
        (self.compute.device(VF) / "driver").unlink()
        self.compute.bind(VF, "vfio-pci")
        self.compute.add_process(4711, "/dev/vfio/17", cmdline=f"qemu\0-name\0guest={vm}\0".encode())

    def detach(self) -> None:
        (self.compute.root / "proc/4711/fd/0").unlink()
        (self.compute.device(VF) / "driver").unlink()
        self.compute.bind(VF, "igbvf")

    def edit_ml2(self) -> None:
        text = self.controller.read(ML2_CONF)
        self.controller.write(ML2_CONF, re.sub(r"^mechanism_drivers.*\n", "", text, flags=re.MULTILINE))

    def ask_for_six(self) -> None:
        self.compute.configure(CONFIG.replace("num_vfs = 4", "num_vfs = 6"))

    def go_on_to_openstack(self) -> None:
        self.detach()
        add_debian(self.compute, "nova-compute", "neutron-sriov-agent")


def effects(story: Story) -> dict[str, Callable[[], None]]:
    """What other programs, and people, have done when the next command of ours is typed."""
    return {
        "cat /etc/sriov-bootstrap/config.toml": story.edit,
        "systemctl reboot --firmware-setup": story.switch_iommu_on,
        "virsh attach-device": lambda: story.attach("x"),
        "virsh detach-device": story.go_on_to_openstack,
        "sed -i /^mechanism_drivers/d": story.edit_ml2,
        "openstack server create": lambda: story.attach("instance-0000002a"),
        "openstack server remove port": story.detach,
        "openstack server add port": lambda: story.attach("instance-0000002a"),
        "sed -i 's/num_vfs = 4": story.ask_for_six,
        "sed -i 's/num_vfs = 6": story.edit,
    }


def test_the_tutorial_from_its_first_command_to_its_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story(tmp_path)
    waiting = effects(story)
    with fake_systemd(tmp_path, {}) as (fake, _), kernel_of(story.compute, PF):
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", fake.address)
        for entry in entries(PAGE):
            tree = story.controller if entry.section.startswith("8.") else story.compute
            if entry.command.startswith("sriov-bootstrap "):
                type_it(tree, entry, capsys)
            elif entry.output:
                assert entry.output in tree.read(entry.command.rpartition(" /")[2])
            for start in [one for one in waiting if entry.command.startswith(one)]:
                waiting.pop(start)()
    assert not waiting


def type_it(tree: HostTree, entry: Entry, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    run(tree, entry.command)
    out, err = capsys.readouterr()
    if path := redirected(entry.command):
        tree.write(path, out)
        out = ""
    assert_printed(entry, out + err, tree.root)
