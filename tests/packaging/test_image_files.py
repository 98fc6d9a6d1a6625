"""The configs that packaging/ hands to makers of images, and docs/images.md, against the command itself."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from installed import assert_both_start, calls, shims
from sources import deb
from sriov_bootstrap.cli import main

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging"
PAGE = (ROOT / "docs" / "images.md").read_text()
CLOUD_CONFIGS = sorted((PACKAGING / "cloud-init").glob("*.yaml"))
MKOSI_CONFIG = PACKAGING / "mkosi/mkosi.extra/usr/lib/sriov-bootstrap/config.d/10-image.toml"


def _written(path: Path) -> tuple[str, str]:
    """Where a cloud-config writes a config of ours, and what."""
    asked = yaml.safe_load(path.read_text())
    if files := asked.get("write_files"):
        [file] = files
        return file["path"], file["content"]
    [script] = asked["bootcmd"]
    found = re.fullmatch(r"mkdir -p (\S+)\ncat >(\1/\S+) <<'TOML'\n(.*)TOML\n", script, re.DOTALL)
    assert found, script
    return found[2], found[3]


@pytest.mark.parametrize("path", CLOUD_CONFIGS, ids=lambda path: path.stem)
def test_a_cloud_config_writes_a_valid_config_where_it_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], path: Path
) -> None:
    name, content = _written(path)
    file = tmp_path / name.removeprefix("/")
    file.parent.mkdir(parents=True)
    file.write_text(content)
    assert main(["check-config"], root=str(tmp_path)) == 0
    assert f"{name}\nrule " in capsys.readouterr().out


def test_what_is_in_run_is_written_at_every_boot() -> None:
    """write_files writes once, and /run is empty after the next boot."""
    for path in CLOUD_CONFIGS:
        assert ("bootcmd" in yaml.safe_load(path.read_text())) == _written(path)[0].startswith("/run/")


def test_the_config_of_the_mkosi_snippet_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(MKOSI_CONFIG), "check-config"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert set(said[1:]) <= {line.strip() for line in PAGE.splitlines()}


def test_the_page_names_every_cloud_config() -> None:
    assert {path.name for path in CLOUD_CONFIGS} == set(re.findall(r"`cloud-init/(\S+)`", PAGE))


def _last_run(path: Path) -> str:
    """What a Containerfile does to the image when the package is in it, but for bootc's own look."""
    runs = re.findall(r"^RUN ((?:.*\\\n)*.*)$", path.read_text(), re.MULTILINE)
    assert runs[-1] == "bootc container lint"
    return str(runs[-2])


@pytest.mark.parametrize(
    "hook",
    [
        pytest.param(
            (PACKAGING / "diskimage-builder/sriov-bootstrap/post-install.d/80-sriov-bootstrap").read_text(), id="dib"
        ),
        pytest.param((PACKAGING / "mkosi/mkosi.postinst.d/50-sriov-bootstrap.chroot").read_text(), id="mkosi"),
        pytest.param(_last_run(PACKAGING / "bootc/Containerfile"), id="bootc"),
        pytest.param("systemctl preset-all\n", id="presets"),
    ],
)
def test_both_start_at_the_first_boot_of_an_image(tmp_path: Path, hook: str) -> None:
    """The hook after the package is there, whose own scripts have enabled nothing; in a build nothing is started."""
    tree = tmp_path / "tree"
    deb("--extract", str(tree))
    (tree / "usr/lib/systemd/system-preset/99-default-disable.preset").write_text("disable *\n")
    environment = shims(tmp_path / "shims", tree, sriov_bootstrap=f'echo "$*" >>{tree}/checked')
    done = subprocess.run(["bash", "-c", hook], check=False, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert_both_start(tree)
    asked = calls(tree)
    assert not [words for words in asked if "start" in words.split() or "--now" in words]
    if asked != ["preset-all"]:
        assert (tree / "checked").read_text() == "check-config\n"
