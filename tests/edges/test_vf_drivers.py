"""VFs and their drivers, on a tree that answers like the kernel: drivers/base/bus.c, drivers/pci/pci-driver.c."""

import errno
import os
import re
from pathlib import Path
from threading import Barrier

import pytest

from builders import PF, vf_address
from fakes_host import HostTree
from sriov_bootstrap.base.errors import KernelError
from sriov_bootstrap.core.actions import BindVfs
from sriov_bootstrap.core.report import Outcome
from sriov_bootstrap.edges.vf_drivers import HINT, VfDrivers

VFS = tuple(vf_address(PF, index) for index in range(3))
PROBED = [f"probe {vf}" for vf in VFS]


class Bus:
    """What the kernel makes of a write. `refuses`: VF -> errno of its probe; `default`: the driver that wants VFs.

    `outrun`: VFs that the kernel itself binds right before our `bind`; `wanted`: those that libvirt
    gives to a VM right after our driver_override.
    """

    def __init__(self, tree: HostTree, *, default: str = "igbvf") -> None:
        self.tree = tree
        self.default = default
        self.refuses: dict[str, int] = {}
        self.vanishing: set[str] = set()
        self.outrun: set[str] = set()
        self.wanted: set[str] = set()
        self.done: list[str] = []
        self.together: Barrier | None = None
        self.meddler = ""

    def write(self, path: str, text: str) -> None:
        folder, _, name = path.rpartition("/")
        match name:
            case "drivers_probe":
                self.probe(text)
            case "bind":
                self.bind(text, folder.rpartition("/")[2])
            case "unbind":
                self.done.append(f"unbind {text}")
                if folder.rpartition("/")[2] not in {"driver", self.driver(text)}:
                    raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
                (self.device(text) / "driver").unlink()
            case "driver_override":
                vf = folder.rpartition("/")[2]
                self.done.append(f"override {vf} {text.strip()}".strip())
                (self.device(vf) / name).write_text(text.strip() or "(null)")
                if vf in self.wanted:
                    (self.device(vf) / "driver").unlink()
                    self.tree.bind(vf, "vfio-pci")
            case _:
                self.done.append(f"{name} {text}")
                Path(path).write_text(self.meddler or text)

    def probe(self, vf: str) -> None:
        if self.together:
            self.together.wait(timeout=30)
        self.done.append(f"probe {vf}")
        override = self.override(vf)
        driver = override or (self.default if self.probing else "")
        if vf in self.vanishing:
            self.tree.remove(vf)
            raise OSError(errno.ENODEV, "No such device")
        if driver and vf not in self.refuses and (self.drivers / driver).is_dir():
            self.tree.bind(vf, driver)

    def bind(self, vf: str, driver: str) -> None:
        self.done.append(f"bind {vf} {driver}")
        if number := self.refuses.get(vf):
            raise OSError(number, os.strerror(number))
        self.tree.bind(vf, driver)
        if vf in self.outrun:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    @property
    def drivers(self) -> Path:
        return self.tree.root / "sys" / "bus" / "pci" / "drivers"

    @property
    def probing(self) -> bool:
        return (self.device(PF) / "sriov_drivers_autoprobe").read_text().strip() != "0"

    def device(self, address: str) -> Path:
        return self.tree.device(address)

    def override(self, vf: str) -> str:
        path = self.device(vf) / "driver_override"
        return path.read_text().strip().replace("(null)", "") if path.exists() else ""

    def driver(self, vf: str) -> str:
        path = self.device(vf) / "driver"
        return path.readlink().name if path.is_symlink() else ""


@pytest.fixture
def bus(tree: HostTree) -> Bus:
    """Three VFs without a driver, and probing off."""
    tree.add_pf(num_vfs=3)
    for vf in VFS:
        (tree.device(vf) / "driver").unlink()
        tree.write(f"sys/bus/pci/devices/{vf}/driver_override", "(null)\n")
    for driver in ("igbvf", "vfio-pci"):
        (tree.root / "sys" / "bus" / "pci" / "drivers" / driver).mkdir(parents=True, exist_ok=True)
    tree.write(f"sys/bus/pci/devices/{PF}/sriov_drivers_autoprobe", "0\n")
    return Bus(tree)


@pytest.fixture
def vf_drivers(bus: Bus) -> VfDrivers:
    return VfDrivers(f"{bus.tree.root}/sys", bus.write)


def nobody() -> str:
    return ""


def bind(vf_drivers: VfDrivers, driver: str, *vfs: str, former: str = "") -> Outcome:
    return vf_drivers.bind(BindVfs(PF, driver, vfs, former), nobody, ("igbvf", "nowhere"))


def refusal_of(vf_drivers: VfDrivers, driver: str, *vfs: str) -> str:
    with pytest.raises(KernelError) as caught:
        bind(vf_drivers, driver, *vfs)
    assert caught.value.hint == HINT
    return re.sub(r" VFs? did not get \w+ driver", "", caught.value.message.removeprefix(f"{PF}: "))


def test_the_kernel_chooses_once_probing_is_on(bus: Bus, vf_drivers: VfDrivers) -> None:
    assert bind(vf_drivers, "kernel") is Outcome.CHANGED
    assert [bus.driver(vf) for vf in VFS] == ["igbvf"] * 3
    assert bus.done[0] == "sriov_drivers_autoprobe 1"
    assert sorted(bus.done[1:]) == PROBED


def test_all_are_probed_at_the_same_time(bus: Bus, vf_drivers: VfDrivers) -> None:
    bus.together = Barrier(3)  # of which each waits for the others
    assert bind(vf_drivers, "kernel") is Outcome.CHANGED
    assert not bus.together.broken


def test_a_name_is_an_override_and_leaves_probing_as_it_is(bus: Bus, vf_drivers: VfDrivers) -> None:
    assert bind(vf_drivers, "vfio-pci") is Outcome.CHANGED
    assert [bus.driver(vf) for vf in VFS] == ["vfio-pci"] * 3
    assert sorted(bus.done) == sorted([*(f"override {vf} vfio-pci" for vf in VFS), *PROBED])
    bus.done.clear()
    assert bind(vf_drivers, "vfio-pci") is Outcome.CHANGED
    assert bus.done == []


def test_only_the_vfs_that_are_meant_are_moved(bus: Bus, vf_drivers: VfDrivers) -> None:
    bus.tree.bind(VFS[1], "igbvf")
    assert bind(vf_drivers, "vfio-pci", VFS[1]) is Outcome.CHANGED
    assert bus.done == [f"override {VFS[1]} vfio-pci", f"unbind {VFS[1]}", f"probe {VFS[1]}"]
    assert [bus.driver(vf) for vf in VFS] == ["", "vfio-pci", ""]


def test_each_vf_gets_its_own_driver(bus: Bus, vf_drivers: VfDrivers) -> None:
    action = BindVfs(PF, "kernel", others={1: "vfio-pci", 2: "none"})
    assert vf_drivers.bind(action, nobody, ("igbvf",)) is Outcome.CHANGED
    assert [bus.driver(vf) for vf in VFS] == ["igbvf", "vfio-pci", ""]
    assert bus.done[0] == "sriov_drivers_autoprobe 1"
    assert [bus.override(vf) for vf in VFS] == ["", "vfio-pci", ""]
    bus.done.clear()
    moved = BindVfs(PF, "vfio-pci", VFS[:2], "", others={1: "kernel"}, others_former={1: "vfio-pci"})
    assert vf_drivers.bind(moved, nobody, ("igbvf",)) is Outcome.CHANGED
    assert [bus.driver(vf) for vf in VFS] == ["vfio-pci", "igbvf", ""]


def test_vfs_that_the_kernel_has_probed_leave_its_driver_for_their_own(bus: Bus, vf_drivers: VfDrivers) -> None:
    for vf in VFS[:2]:
        bus.tree.bind(vf, "igbvf")
    bus.tree.bind(VFS[2], "vfio-pci")  # libvirt was faster
    action = BindVfs(PF, "kernel", others={1: "vfio-pci", 2: "none"}, are_probed=True)
    assert vf_drivers.bind(action, nobody, ("igbvf",)) is Outcome.STALE
    assert [bus.driver(vf) for vf in VFS] == ["igbvf", "vfio-pci", "vfio-pci"]
    assert f"unbind {VFS[2]}" not in bus.done
    unprobed = BindVfs(PF, "kernel", others={0: "vfio-pci"})
    assert vf_drivers.bind(unprobed, nobody, ("igbvf",)) is Outcome.STALE
    assert bus.driver(VFS[0]) == "igbvf"


@pytest.mark.parametrize(
    ("driver", "expected"),
    [
        ("kernel", ["igbvf", "igbvf", "igbvf"]),
        ("none", ["", "", ""]),
        ("", ["vfio-pci", "vfio-pci", "igbvf"]),  # the rule is gone: VFs stay where they are
    ],
)
def test_what_an_earlier_rule_has_named_is_taken_back(
    bus: Bus, vf_drivers: VfDrivers, driver: str, expected: list[str]
) -> None:
    bind(vf_drivers, "vfio-pci")
    (bus.device(VFS[2]) / "driver").unlink()
    bus.tree.bind(VFS[2], "igbvf")
    assert bind(vf_drivers, driver, *VFS, former="vfio-pci") is Outcome.CHANGED
    assert [bus.override(vf) for vf in VFS] == ["", "", ""]
    assert [bus.driver(vf) for vf in VFS] == expected


def test_an_override_of_somebody_else_stays(bus: Bus, vf_drivers: VfDrivers) -> None:
    bus.write(f"{bus.device(VFS[0])}/driver_override", "vfio-pci")
    expected = f"1 of 3: {VFS[0]}: something else has set its driver_override to vfio-pci"
    assert refusal_of(vf_drivers, "igbvf") == expected
    assert [bus.driver(vf) for vf in VFS] == ["", "igbvf", "igbvf"]


@pytest.mark.parametrize("is_bound", [False, True])
def test_an_override_of_somebody_else_is_the_kernels_choice(bus: Bus, vf_drivers: VfDrivers, *, is_bound: bool) -> None:
    bus.write(f"{bus.device(VFS[0])}/driver_override", "vfio-pci")
    if is_bound:
        bus.tree.bind(VFS[0], "vfio-pci")
    assert bind(vf_drivers, "kernel") is Outcome.CHANGED
    assert [bus.driver(vf) for vf in VFS] == ["vfio-pci", "igbvf", "igbvf"]
    assert bus.override(VFS[0]) == "vfio-pci"


def test_an_override_that_names_no_driver_is_said(bus: Bus, vf_drivers: VfDrivers) -> None:
    bus.write(f"{bus.device(VFS[0])}/driver_override", "none")
    expected = f"1 of 3: {VFS[0]}: something else has set its driver_override to none"
    assert refusal_of(vf_drivers, "kernel") == expected
    assert f"bind {VFS[0]} igbvf" not in bus.done


def test_a_vfio_driver_that_a_brother_has_is_not_asked(bus: Bus, vf_drivers: VfDrivers) -> None:
    bus.tree.bind(VFS[0], "vfio-pci")
    bus.refuses = {VFS[1]: errno.EIO}
    assert refusal_of(vf_drivers, "kernel") == f"1 of 3: {VFS[1]}: igbvf: EIO (Input/output error)"
    assert f"bind {VFS[1]} vfio-pci" not in bus.done


def test_a_vf_that_a_module_has_bound_meanwhile_is_not_refused(bus: Bus, vf_drivers: VfDrivers) -> None:
    bus.default = ""
    bus.outrun = {VFS[1]}
    assert bind(vf_drivers, "kernel") is Outcome.CHANGED


@pytest.mark.parametrize("driver", ["vfio-pci", "none"])
def test_new_vfs_that_have_a_driver_already_are_looked_at_again(bus: Bus, vf_drivers: VfDrivers, driver: str) -> None:
    """Something else has made them, or has probed them, and they may be in use."""
    bus.tree.bind(VFS[1], "igbvf")
    assert bind(vf_drivers, driver) is Outcome.STALE
    assert (bus.driver(VFS[1]), bus.override(VFS[1])) == ("igbvf", "")


def test_a_vf_that_has_gone_to_a_vm_by_now_is_not_taken_from_it(bus: Bus, vf_drivers: VfDrivers) -> None:
    for vf in VFS:
        bus.tree.bind(vf, "igbvf")
    bus.wanted = {VFS[1]}
    assert bind(vf_drivers, "dpdk", *VFS[1:2]) is Outcome.STALE
    assert bus.driver(VFS[1]) == "vfio-pci"


@pytest.mark.parametrize("driver", ["kernel", "igbvf"])
def test_a_vf_that_is_refused_is_named_with_its_errno_and_stops_no_other(
    bus: Bus, vf_drivers: VfDrivers, driver: str
) -> None:
    bus.refuses = {VFS[1]: errno.EIO}
    assert refusal_of(vf_drivers, driver) == f"1 of 3: {VFS[1]}: igbvf: EIO (Input/output error)"
    assert [bus.driver(vf) for vf in VFS] == ["igbvf", "", "igbvf"]


def test_a_vf_that_is_taken_when_asked_again_is_taken(bus: Bus, vf_drivers: VfDrivers) -> None:
    bus.default = "elsewhere"
    assert bind(vf_drivers, "kernel") is Outcome.CHANGED
    assert [bus.driver(vf) for vf in VFS] == ["igbvf"] * 3


def test_each_driver_that_wants_a_vf_is_asked(bus: Bus, vf_drivers: VfDrivers) -> None:
    bus.tree.bind(VFS[0], "iavf")
    bus.refuses = {VFS[1]: errno.EIO, VFS[2]: errno.ENOMEM}
    expected = f"{VFS[1]}: iavf: EIO (Input/output error); {VFS[2]}: iavf: ENOMEM (Cannot allocate memory)"
    assert refusal_of(vf_drivers, "kernel") == f"2 of 3: {expected}"
    assert f"bind {VFS[1]} igbvf" in bus.done


def test_a_driver_that_the_kernel_does_not_have(vf_drivers: VfDrivers) -> None:
    assert refusal_of(vf_drivers, "dpdk", VFS[0]) == f"1 of 1: {VFS[0]}: the kernel has no driver dpdk"


def test_without_a_driver_on_this_host_nothing_is_refused(bus: Bus, vf_drivers: VfDrivers) -> None:
    bus.default = ""
    assert vf_drivers.bind(BindVfs(PF, "kernel"), nobody, ("nowhere",)) is Outcome.CHANGED
    assert [bus.driver(vf) for vf in VFS] == ["", "", ""]


def test_probing_that_is_switched_off_behind_our_back(bus: Bus, vf_drivers: VfDrivers) -> None:
    bus.meddler = "0"
    expected = f"{VFS[0]}: probing has been switched off meanwhile (sriov_drivers_autoprobe)"
    assert refusal_of(vf_drivers, "kernel", VFS[0]) == f"1 of 1: {expected}"


def test_probing_that_cannot_be_switched_on(bus: Bus) -> None:
    (bus.device(PF) / "sriov_drivers_autoprobe").unlink()
    (bus.device(PF) / "sriov_drivers_autoprobe").mkdir()
    with pytest.raises(KernelError) as caught:
        VfDrivers(f"{bus.tree.root}/sys").bind(BindVfs(PF, "kernel"), nobody)
    assert caught.value.errno == errno.EISDIR


def test_vfs_that_are_used_by_now_are_looked_at_again(bus: Bus, vf_drivers: VfDrivers) -> None:
    assert vf_drivers.bind(BindVfs(PF, "vfio-pci", VFS), lambda: "qemu has it") is Outcome.STALE
    assert bus.done == []


def test_vfs_that_are_gone_are_looked_at_again(bus: Bus, vf_drivers: VfDrivers) -> None:
    bus.vanishing = {VFS[2]}
    assert bind(vf_drivers, "kernel") is Outcome.STALE
    bus.tree.remove(PF)
    assert bind(vf_drivers, "vfio-pci") is Outcome.STALE


def test_what_cannot_be_written_is_said_with_its_errno(bus: Bus) -> None:
    (bus.device(VFS[0]) / "driver_override").unlink()
    with pytest.raises(
        KernelError, match=rf"1 of 1 VF did not get its driver: {VFS[0]}: ENOENT \(No such file or directory\)"
    ):
        VfDrivers(f"{bus.tree.root}/sys").bind(BindVfs(PF, "vfio-pci", VFS[:1]), nobody)


def test_a_vf_without_a_driver_says_what_it_is(bus: Bus, vf_drivers: VfDrivers) -> None:
    bus.tree.bind(VFS[0], "igbvf")
    bus.tree.write(f"sys/bus/pci/devices/{VFS[1]}/modalias", "pci:v8086d10CA\n")
    assert vf_drivers.modalias(PF) == "pci:v8086d10CA"
    for vf in VFS[1:]:
        bus.tree.bind(vf, "igbvf")
    assert vf_drivers.modalias(PF) == ""
