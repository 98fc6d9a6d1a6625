from pathlib import Path

import pytest

from builders import PF, PF2
from sriov_bootstrap.base.errors import InUseError, KernelError
from sriov_bootstrap.core.actions import ReloadDriver
from sriov_bootstrap.core.report import Outcome
from sriov_bootstrap.core.surroundings import ModuleFacts
from sriov_bootstrap.edges.child import Completed
from sriov_bootstrap.edges.kmod import Kmod

OK = Completed(0, b"", b"")
ACTION = ReloadDriver(PF, "igb", (PF, PF2), 7)
UNLOAD, LOAD = "modprobe -r -- igb", "modprobe -- igb"
# modinfo -F parm of Linux 6.12's igb, of Intel's own igb 5.x, and of ixgbe
IGB = b"max_vfs:Maximum number of virtual functions to allocate per physical function (uint)\ndebug:Debug level (int)\n"
OUT_OF_TREE = b"InterruptThrottleRate:Maximum interrupts (array of int)\nmax_vfs:Number of Virtual Functions: 0 = disable, 1-7 enable, default 0 (array of int)\n"  # noqa: E501 - one line of modinfo
IXGBE = b"max_vfs:Maximum number of virtual functions to allocate per physical function - default is zero and maximum value is 63. (Deprecated) (uint)\n"  # noqa: E501 - one line of modinfo


class FakeRun:
    """Answers by command line; keeps what it was asked, and with how much patience."""

    def __init__(self, answers: dict[str, Completed] | None = None) -> None:
        self._answers = answers or {}
        self.asked: list[str] = []
        self.patience: set[float] = set()

    def __call__(self, argv: list[str], *, timeout_seconds: float = 30.0) -> Completed:
        self.asked.append(" ".join(argv))
        self.patience.add(timeout_seconds)
        return self._answers.get(self.asked[-1], OK)


def nobody() -> str:
    return ""


@pytest.mark.parametrize(
    ("parameters", "has_max_vfs"),
    [
        pytest.param(IGB, True, id="igb"),
        pytest.param(IXGBE, True, id="ixgbe"),
        pytest.param(OUT_OF_TREE, False, id="an array, which the mainline module does not load with"),
        pytest.param(b"not_max_vfs:Something else (uint)\n", False, id="another parameter"),
        pytest.param(b"debug:Use with max_vfs: (uint)\n", False, id="mentioned only"),
        pytest.param(b"", False, id="no parameters, no such module, or no modinfo"),
    ],
)
def test_max_vfs_must_be_one_number(tmp_path: Path, parameters: bytes, *, has_max_vfs: bool) -> None:
    run = FakeRun({"modinfo -F parm -- igb": Completed(0, parameters, b"")})
    assert Kmod(run, str(tmp_path)).read_module("igb") == ModuleFacts("", has_max_vfs=has_max_vfs)


def test_the_modprobe_file_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "etc/modprobe.d/sriov-bootstrap-igb.conf"
    path.parent.mkdir(parents=True)
    path.write_text("options igb max_vfs=7\n")
    assert Kmod(FakeRun(), str(tmp_path)).read_module("igb").modprobe_text == "options igb max_vfs=7\n"


def test_a_modprobe_file_that_is_no_text_is_to_be_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "etc/modprobe.d/sriov-bootstrap-igb.conf"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xff\xfe")
    assert Kmod(FakeRun(), str(tmp_path)).read_module("igb").modprobe_text == ""


@pytest.mark.parametrize(
    ("completed", "modules"),
    [
        pytest.param(Completed(0, b"igbvf\nslowvf\n", b""), ("igbvf", "slowvf"), id="modules take it"),
        pytest.param(Completed(0, b"", b""), (), id="blacklisted"),
        pytest.param(Completed(1, b"", b"FATAL: Module pci:x not found\n"), (), id="nobody takes it"),
        pytest.param(Completed(127, b"", b"modprobe: No such file or directory"), (), id="no modprobe"),
    ],
)
def test_modules_that_claim_a_device(completed: Completed, modules: tuple[str, ...]) -> None:
    run = FakeRun({"modprobe --use-blacklist --resolve-alias -- pci:x": completed})
    assert Kmod(run).modules_for("pci:x") == modules
    assert len(run.asked) == 1


@pytest.mark.parametrize(
    ("state", "is_loaded"),
    [
        pytest.param("live\n", True, id="live"),
        pytest.param("coming\n", False, id="its init has not returned"),
        pytest.param("going\n", False, id="being unloaded"),
        pytest.param(None, True, id="built in"),
    ],
)
def test_a_module_is_there_once_its_drivers_are(tmp_path: Path, state: str | None, *, is_loaded: bool) -> None:
    folder = tmp_path / "sys" / "module" / "mlx5_core"
    assert not Kmod(FakeRun(), f"{tmp_path}").is_loaded("mlx5-core")
    folder.mkdir(parents=True)
    if state is not None:
        (folder / "initstate").write_text(state)
    assert Kmod(FakeRun(), f"{tmp_path}").is_loaded("mlx5-core") is is_loaded


def test_a_reload_waits_longer_than_any_caller_so_that_it_always_loads_again() -> None:
    run = FakeRun()
    Kmod(run).reload(ACTION, nobody)
    assert run.asked == [UNLOAD, LOAD]
    assert run.patience == {86400.0}


def test_a_driver_whose_vfs_are_in_use_is_not_touched() -> None:
    run = FakeRun()
    with pytest.raises(InUseError) as caught:
        Kmod(run).reload(ACTION, lambda: "VF 0 is held by qemu pid 4711")
    assert caught.value.message == f"{PF}: igb is not reloaded: VF 0 is held by qemu pid 4711"
    assert caught.value.hint == "this is applied automatically once they are released"
    assert run.asked == []


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        pytest.param(
            {UNLOAD: Completed(1, b"", b"modprobe: FATAL: Module igb is in use.\n")},
            "cannot unload the driver igb: modprobe: FATAL: Module igb is in use.",
            id="unload",
        ),
        pytest.param(
            {LOAD: Completed(1, b"", b"modprobe: ERROR: could not insert 'igb': Invalid argument\n")},
            "cannot load the driver igb: modprobe: ERROR: could not insert 'igb': Invalid argument",
            id="load",
        ),
        pytest.param({UNLOAD: Completed(3, b"", b"")}, "cannot unload the driver igb: exit code 3", id="no words"),
    ],
)
def test_a_failed_reload_quotes_modprobe_and_has_loaded_again(answers: dict[str, Completed], text: str) -> None:
    run = FakeRun(answers)
    with pytest.raises(KernelError) as caught:
        Kmod(run).reload(ACTION, nobody)
    assert (caught.value.message, caught.value.errno) == (f"{PF}: {text}", 0)
    assert caught.value.hint == "find out what uses it: lsmod | grep igb"
    assert run.asked == [UNLOAD, LOAD]


# -- a module that is not there yet --

LOAD_VFIO, ASK_VFIO = "modprobe -- vfio-pci", "modinfo -- vfio-pci"
ABSENT = Completed(1, b"", b"modprobe: FATAL: Module vfio-pci not found in directory /lib/modules/6.12.41\n")


class FakeKernel(FakeRun):
    """As FakeRun, with the drivers that modules register; those in `loaded` have done so."""

    def __init__(
        self,
        modules: dict[str, tuple[str, ...]],
        answers: dict[str, Completed] | None = None,
        loaded: tuple[str, ...] = (),
    ) -> None:
        super().__init__(answers)
        self._modules = modules
        self._loaded = {*loaded}

    def __call__(self, argv: list[str], *, timeout_seconds: float = 30.0) -> Completed:
        completed = super().__call__(argv, timeout_seconds=timeout_seconds)
        if argv[0] == "modprobe" and not completed.returncode:
            self._loaded.add(argv[-1])
        return completed

    def has_driver(self, name: str) -> bool:
        return any(name in self.drivers_of(module) for module in self._loaded)

    def drivers_of(self, module: str) -> tuple[str, ...]:
        return self._modules.get(module, ())


def test_a_module_is_loaded_once_and_with_patience() -> None:
    kernel = FakeKernel({"vfio-pci": ("vfio-pci",)})
    assert Kmod(kernel).load("vfio-pci", kernel, where=PF) is Outcome.CHANGED
    assert Kmod(kernel).load("vfio-pci", kernel, where=PF) is Outcome.UNCHANGED
    assert (kernel.asked, kernel.patience) == ([LOAD_VFIO], {86400.0})


def test_a_driver_that_is_built_in_or_of_another_module_needs_none() -> None:
    kernel = FakeKernel({"elsewhere": ("vfio-pci",)}, loaded=("elsewhere",))
    assert Kmod(kernel).load("vfio-pci", kernel, where=PF) is Outcome.UNCHANGED
    assert kernel.asked == []


@pytest.mark.parametrize(
    ("modules", "answers", "message", "hint"),
    [
        pytest.param(
            {},
            {LOAD_VFIO: ABSENT, ASK_VFIO: Completed(1, b"", b"modinfo: ERROR: Module vfio-pci not found.\n")},
            "cannot load the module vfio-pci: "
            "modprobe: FATAL: Module vfio-pci not found in directory /lib/modules/6.12.41",
            "check the spelling of vf_driver; if it is right, install the package that has it",
            id="not installed",
        ),
        pytest.param(
            {},
            {
                LOAD_VFIO: Completed(
                    1, b"", b"modprobe: ERROR: could not insert 'vfio_pci': Key was rejected by service\n"
                )
            },
            "cannot load the module vfio-pci: "
            "modprobe: ERROR: could not insert 'vfio_pci': Key was rejected by service",
            "see journalctl -k",
            id="installed, and refused by the kernel",
        ),
        pytest.param(
            {},
            {LOAD_VFIO: Completed(3, b"", b"")},
            "cannot load the module vfio-pci: exit code 3",
            "see",
            id="no words",
        ),
        pytest.param(
            {"vfio-pci": ("vfio_pci",)},
            {},
            "the module vfio-pci is loaded, but there is no PCI driver of that name",
            'set vf_driver to "vfio_pci"',
            id="its driver has another name",
        ),
        pytest.param(
            {"vfio-pci": ("a", "b")},
            {},
            "the module vfio-pci is loaded, but there is no PCI driver of that name",
            'set vf_driver to "a" or "b"',
            id="it has two of other names",
        ),
        pytest.param(
            {},
            {},
            "the module vfio-pci is loaded, but there is no PCI driver of that name",
            "set vf_driver to a name that ls /sys/bus/pci/drivers shows",
            id="it has no PCI driver",
        ),
    ],
)
def test_a_module_that_brings_no_driver_is_told_with_its_remedy(
    modules: dict[str, tuple[str, ...]], answers: dict[str, Completed], message: str, hint: str
) -> None:
    kernel = FakeKernel(modules, answers)
    with pytest.raises(KernelError) as caught:
        Kmod(kernel).load("vfio-pci", kernel, where=PF)
    assert (caught.value.message, caught.value.errno) == (f"{PF}: {message}", 0)
    assert hint in caught.value.hint
