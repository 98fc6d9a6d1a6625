"""All pages: a code, a command or an option that they name exists."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from sriov_bootstrap.arguments import make_parser, misuse
from sriov_bootstrap.asked import Arguments
from sriov_bootstrap.doctor.codes import CODES

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("docs/**/*.md"), *ROOT.glob("docs/man/*"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
NAMES = ("sriov-bootstrap release", "sriov-bootstrap render")  # a sentence may speak of them as such
PLACEHOLDER = re.compile(r"\.\.\.|\b[A-Z]{2,}\b|[<{]")


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_every_code_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text().replace(r"\-", "-")
    assert set(re.findall(r"SB-[EW]\d{3}", text)) <= set(CODES)


def commands(text: str) -> list[str]:
    """What a page tells people to type, in blocks and sentences: up to a comment, a pipe or another command."""
    found = re.findall(r"(?:^    (?:# )?|`)(sriov-bootstrap(?: [^`\n]*)?)(?:`|$)", text, re.MULTILINE)
    return [re.split(r"  +#|[|>;]|&&|: ", command)[0].strip() for command in found]


PAGES_WITH_COMMANDS = [page for page in PAGES if page.suffix == ".md" and commands(page.read_text())]


@pytest.mark.parametrize("page", PAGES_WITH_COMMANDS, ids=names(PAGES_WITH_COMMANDS))
def test_every_command_that_a_page_tells_people_to_type_can_be_typed(page: Path) -> None:
    for command in commands(page.read_text()):
        if not PLACEHOLDER.search(command) and command not in NAMES:
            arguments = make_parser().parse_args(shlex.split(command)[1:], namespace=Arguments())
            assert not misuse(arguments), command


def test_the_readme_is_for_one_reader() -> None:
    """What is for the others has a page of its own."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 140


def test_what_sets_the_addresses_of_the_project_finds_them_all() -> None:
    """A sentence had run into that command: it named files that there are not."""
    (command,) = re.findall(r"^    (grep -rl .*)$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    done = subprocess.run(shlex.split(command), cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "pyproject.toml" in done.stdout.splitlines()


def test_commands_are_found() -> None:
    text = (
        "Type `sriov-bootstrap status`.\n\n    # sriov-bootstrap --once | tee log\n    sriov-bootstrap doctor   # why\n"
    )
    assert commands(text) == ["sriov-bootstrap status", "sriov-bootstrap --once", "sriov-bootstrap doctor"]
