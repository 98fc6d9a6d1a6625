"""packaging/locks: what the build and the tests install is known by its hash, and by no address."""

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

from sources import ROOT

FOLDER = ROOT / "packaging/locks"
LOCKS = runpy.run_path(str(ROOT / "packaging/locks.py"))
HASH = "--hash=sha256:" + "0" * 64
GOOD = f"# a comment\nh11==0.16.0 \\\n    {HASH} \\\n    {HASH}\npywin32==312 ; sys_platform == 'win32' {HASH}\n"


@pytest.fixture
def faults() -> Callable[[str, list[str]], list[str]]:
    found: Callable[[str, list[str]], list[str]] = LOCKS["faults"]
    return found


def test_every_lock_file_has_hashes_alone_and_what_is_wanted(faults: Callable[[str, list[str]], list[str]]) -> None:
    wanted = LOCKS["requirements"]()
    assert {path.stem for path in FOLDER.glob("*.txt")} == {*wanted} > {"runtime", "dev"}
    for name, requirements in wanted.items():
        assert faults((FOLDER / f"{name}.txt").read_text(), requirements) == [], f"{name}: make locks"


def test_a_good_one_is_good(faults: Callable[[str, list[str]], list[str]]) -> None:
    assert faults(GOOD, ["h11>=0.14", "H11"]) == []


@pytest.mark.parametrize(
    "line",
    [
        "h11==0.16.0",
        "h11==0.16.0 --hash=md5:0",
        f"h11>=0.16.0 {HASH}",
        f"h11 {HASH}",
        f"h11 @ https://packages.invalid/h11.whl {HASH}",
        f"h11 @ file:///tmp/h11.whl {HASH}",
        f"./h11.whl {HASH}",
        f"-e ./h11 {HASH}",
        "--index-url https://packages.invalid/simple",
        "--find-links /srv/wheels",
        "-r other.txt",
    ],
)
def test_a_lock_file_with_an_address_or_without_a_hash_is_refused(
    faults: Callable[[str, list[str]], list[str]], line: str
) -> None:
    assert len(faults(f"{GOOD}{line}\n", [])) == 1


@pytest.mark.parametrize("wanted", ["h11>=0.17", "h11<0.16", "msgspec", "pywin32>=313"])
def test_a_lock_file_that_does_not_have_what_is_wanted_is_refused(
    faults: Callable[[str, list[str]], list[str]], wanted: str
) -> None:
    assert len(faults(GOOD, [wanted])) == 1


def test_what_the_rpm_brings_along_is_what_the_tests_run_with() -> None:
    runtime, dev = (LOCKS["pinned"]((FOLDER / f"{name}.txt").read_text()) for name in ("runtime", "dev"))
    assert runtime.items() <= dev.items()


def test_what_the_rpm_brings_along_is_the_same_for_every_python() -> None:
    text = (FOLDER / "runtime.txt").read_text()
    assert ";" not in text, "build.sh runs on another Python than the package, so pip would take the wrong side"


def test_the_spec_says_what_the_lock_has() -> None:
    spec = (ROOT / "packaging/rpm/sriov-bootstrap.spec").read_text()
    versions = LOCKS["pinned"]((FOLDER / "runtime.txt").read_text())
    assert LOCKS["with_bundled"](spec, versions) == spec, "make locks"
    raised = LOCKS["with_bundled"](spec, {**versions, "h11": "99"})
    assert "Provides:       bundled(python3dist(h11)) = 99\n" in raised
    assert len(raised.splitlines()) == len(spec.splitlines())


@pytest.mark.parametrize(
    "script", ["packaging/setup.sh", "packaging/venv.sh", "packaging/rpm/build.sh"], ids=lambda path: Path(path).stem
)
def test_whoever_installs_asks_for_hashes(script: str) -> None:
    lines = (ROOT / script).read_text().replace("\\\n", " ").splitlines()
    installing = [line for line in lines if " install --" in line or " download --" in line or "pip install" in line]
    assert installing
    assert [line for line in installing if "--require-hashes" not in line and "apt" not in line] == []
