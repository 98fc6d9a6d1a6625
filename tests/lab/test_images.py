"""An image that diskimage-builder made with our element boots with a seed, and has its VFs: no hand in it."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import HERE, prepared
from .element_image import ELEMENTS, REPOSITORY, ROOT_ELEMENTS, TOOLS, build_tree, make_image
from .host import AGENT, METRICS_UNITS, NOVA, PF1, PF2, UNIT, Guest, address_rule
from .image import guest_image
from .qemu import Disks, Hardware
from .vm import running_vm

CLOUD_CONFIGS = sorted((REPOSITORY / "packaging" / "cloud-init").glob("*.yaml"))
LATE_UNIT = "sriov-bootstrap-cloud-init.service"
IN_IMAGE = address_rule(PF1, 4).replace(
    f'"{PF1}"', '"tenant-a"', 1
)  # the rule that etc.yaml replaces, with another number


@pytest.fixture(scope="module")
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to build in, with everything that it takes installed on this machine."""
    prepared(guest_image, request)
    subprocess.run([HERE / "image_tools.sh"], check=True)
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="module")
def tree(folder: Path) -> Path:
    return build_tree(folder, IN_IMAGE)


@pytest.fixture(scope="module")
def seed(folder: Path) -> Path:
    """A disk for cloud-init's NoCloud, made as docs/images.md says, with what etc.yaml and run.yaml ask for."""
    parts = [path.read_text() for path in CLOUD_CONFIGS if path.stem in {"etc", "run"}]
    assert len(parts) == 2
    archive = "".join("- |\n" + "".join(f"  {line}" for line in part.splitlines(keepends=True)) for part in parts)
    (folder / "user-data").write_text(f"#cloud-config-archive\n{archive}")
    (folder / "meta-data").write_text("instance-id: compute-1\n")
    command = "genisoimage -quiet -output seed.iso -volid cidata -rational-rock -joliet user-data meta-data"
    subprocess.run(command.split(), check=True, cwd=folder)
    return folder / "seed.iso"


@pytest.fixture(scope="module")
def booted(tree: Path, seed: Path, folder: Path) -> Iterator[Guest]:
    (folder / "image").mkdir()
    with running_vm(make_image(tree, folder / "image"), hardware=Hardware(cpus=1), disks=Disks(seed=seed)) as vm:
        yield Guest(vm)


def in_tree(tree: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the image, with no part of the image started."""
    return subprocess.run(["chroot", str(tree), *command], check=False, capture_output=True, text=True)


def test_the_element_installs_enables_and_starts_nothing(tree: Path, folder: Path) -> None:
    said = (folder / "build.log").read_text()
    assert f'rule "tenant-a": 4 VFs on every PF with pci_address {PF1}\nvalid\n' in said
    wants = tree / "etc/systemd/system"
    assert (wants / "multi-user.target.wants" / UNIT).is_symlink()
    assert (wants / "cloud-init.target.wants" / LATE_UNIT).is_symlink()
    assert not list((tree / "run").glob("**/sriov-bootstrap*"))
    assert not list((tree / "tmp").iterdir())


def test_a_mistake_in_the_config_fails_the_build(tree: Path) -> None:
    """The hook where it is run, in the image, by the tool's own runner: a whole build takes 20 s more."""
    handed = tree / "tmp" / "in_target.d"
    shutil.copytree(ELEMENTS / "sriov-bootstrap", handed)
    [runner] = TOOLS.parent.glob("lib/python3*/site-packages/diskimage_builder/lib/dib-run-parts")
    shutil.copy(runner, handed)
    (handed / "sriov-bootstrap" / "config.d").mkdir(parents=True)
    broken = handed / "sriov-bootstrap" / "config.d" / "broken.toml"
    broken.write_text(IN_IMAGE.replace("num_vfs", "num_fvs"))
    inside = f"/{handed.relative_to(tree)}"
    try:
        done = in_tree(tree, f"{inside}/dib-run-parts", f"{inside}/post-install.d")
    finally:
        shutil.rmtree(handed)
        (tree / "usr/lib/sriov-bootstrap/config.d/broken.toml").unlink()
    assert done.returncode == 2, done
    assert 'unknown key "num_fvs": did you mean "num_vfs"?' in done.stderr


@pytest.mark.parametrize(
    ("package", "config", "said"),
    [
        ("", "tenant.conf", "tenant.conf: not a .toml, so nothing would read it"),
        ("", "missing.toml", "missing.toml: no such file"),
        ("", "a.toml a.toml", "a.toml: there is a a.toml already"),
        ("missing.deb", "", "missing.deb: no such file"),
        ("a.toml", "", "a.toml: neither a .deb nor an .rpm"),
    ],
)
def test_what_is_not_there_is_said_before_anything_is_installed(
    tmp_path: Path, package: str, config: str, said: str
) -> None:
    for name in ("tenant.conf", "a.toml"):
        (tmp_path / name).touch()
    done = subprocess.run(
        [ELEMENTS / "sriov-bootstrap" / "extra-data.d" / "50-sriov-bootstrap"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={
            "PATH": "/usr/bin:/bin",
            "TMP_HOOKS_PATH": str(tmp_path / "hooks"),
            "DIB_SRIOV_BOOTSTRAP_PACKAGE": package,
            "DIB_SRIOV_BOOTSTRAP_CONFIG": config,
        },
    )
    assert done.returncode == 1
    assert done.stderr.endswith(f"{said}\n")


@pytest.mark.parametrize("elements", [ELEMENTS, ROOT_ELEMENTS], ids=lambda path: path.name)
@pytest.mark.usefixtures("folder")
def test_dib_lint_has_nothing_to_say(elements: Path) -> None:
    variables = {"ELEMENTS_DIR": str(elements), "LIB_DIR": str(elements), "PATH": f"{TOOLS}:/usr/bin:/bin"}
    done = subprocess.run(["dib-lint"], check=False, capture_output=True, text=True, env=variables)
    assert (done.returncode, done.stderr) == (0, ""), done


@pytest.mark.usefixtures("folder")
def test_hadolint_has_nothing_to_say() -> None:
    containerfile = REPOSITORY / "packaging" / "bootc" / "Containerfile"
    done = subprocess.run([TOOLS / "hadolint", containerfile], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("path", CLOUD_CONFIGS, ids=lambda path: path.stem)
def test_cloud_init_takes_the_cloud_configs_as_its_schema_has_them(tree: Path, path: Path) -> None:
    shutil.copy(path, tree / "root" / path.name)
    done = in_tree(tree, "cloud-init", "schema", "--config-file", f"/root/{path.name}")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"Valid schema /root/{path.name}\n", "")


def test_the_first_boot_has_the_vfs_of_image_and_seed_before_anybody_looks(booted: Guest) -> None:
    assert booted.vfs() == {PF1: 7, PF2: 3}
    for log in (NOVA, AGENT):
        [start] = booted.until(lambda log=log: booted.starts(log), "its start")  # type: ignore[misc]
        assert start.endswith(f" {PF1}=7 {PF2}=3")
    running = f"systemctl is-active {UNIT} {METRICS_UNITS}"  # who serves starts later, with the ordinary services
    booted.until(lambda: booted.run(running).stdout == "active\n" * 3, "who makes VFs and who serves the metrics")
    assert not booted.scrape().value("sriov_bootstrap_service_restarts_total")
    journal = booted.check(f"journalctl -b -o cat -u {UNIT}")
    assert "sriov_numvfs from 0 to 4" in journal, journal  # the image's number came first, and was not waited for


def test_the_next_boots_have_them_without_the_detour(booted: Guest) -> None:
    """write_files has written once, and bootcmd writes each time."""
    booted.vm.reboot()
    assert booted.vfs() == {PF1: 7, PF2: 3}
    for log in (NOVA, AGENT):
        starts = booted.until(lambda log=log: booted.starts(log)[1:], "its second start")  # type: ignore[misc]
        assert [line.split(maxsplit=1)[1] for line in starts] == [f"{PF1}=7 {PF2}=3"]
    journal = booted.check(f"journalctl -b -o cat -u {UNIT}")
    assert "sriov_numvfs from 0 to 7" in journal, journal
    assert "sriov_numvfs from 0 to 4" not in journal, journal
