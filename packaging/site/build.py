"""The manuals as a web site: `python packaging/site/build.py REPOSITORY OUT`.

The pages keep their places in the repository, so links between them are the same in both; only manual pages become
HTML pages. mkdocs.yml has the rest. A link to a missing page or heading is an error.
"""

import html
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

COPIED = ("README.md", "docs", "packaging/site")
HEADING = re.compile(r'<h([12]) class="S[hs]" id="([^"]*)"><a class="permalink"[^>]*>(.*?)</a></h\1>', re.DOTALL)
DROPPED = re.compile(
    r"</?section[^>]*>\n|<br/>\n|<table class=\"(?:head|foot)\">.*?</table>\n?|<div class=\"manual-text\">\n", re.DOTALL
)


def main(repository: Path, out: Path) -> int:
    """The exit code of mkdocs, whose output is shown only if something is wrong."""
    out = out.absolute()
    pages, config = out / "pages", out / "mkdocs.yml"
    shutil.rmtree(out, ignore_errors=True)
    lay_out(repository, pages)
    settings = yaml.safe_load((repository / "packaging/site/mkdocs.yml").read_text())
    settings |= {"docs_dir": str(pages), "site_dir": str(out / "html")}
    settings["nav"] += more(settings["nav"], pages)
    config.write_text(yaml.safe_dump(settings, sort_keys=False))
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    # Not --quiet: warnings would no longer be counted.
    argv = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(config)]
    done = subprocess.run(argv, check=False, env=environment, capture_output=True, text=True)
    sys.stderr.write(done.stderr if done.returncode else "")
    return done.returncode


def lay_out(repository: Path, pages: Path) -> None:
    """Copy the pages, and turn the manual pages into pages."""
    for name in COPIED:
        source, target = repository / name, pages / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.py", "*.yml", "__pycache__"))
        else:
            shutil.copy(source, target)
    add_linked(repository, pages)
    manuals = sorted((pages / "docs/man").iterdir())
    for manual in manuals:
        (manual.parent / f"{manual.name}.md").write_text(as_page(manual, {one.name for one in manuals}))
        manual.unlink()
    for page in pages.rglob("*.md"):
        page.write_text(re.sub(r"(\]\([^)\s]*man/[^)\s#]*\.[58])(?=[)#])", r"\1.md", page.read_text()))


def add_linked(repository: Path, pages: Path) -> None:
    """Add the files of the repository that pages link to, recursively."""
    todo = list(pages.rglob("*.md"))
    while todo:
        page = todo.pop()
        for link in re.findall(r"\]\(([^)\s#:]+)", page.read_text()):
            name = os.path.relpath(os.path.normpath(page.parent / link), pages)
            source, target = repository / name, pages / name
            if not name.startswith("..") and source.is_file() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
                todo += [target] if target.suffix == ".md" else []


def as_page(manual: Path, names: set[str]) -> str:
    """mandoc's HTML, with headings in Markdown and links between our own manual pages."""
    argv = ["mandoc", "-T", "html", "-O", "fragment", str(manual)]
    text = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    text = DROPPED.sub("", text).replace("</div>\n<table", "<table").strip().removesuffix("</div>")
    text = HEADING.sub(
        lambda found: f"\n\n{'#' * (int(found[1]) + 1)} {_words(found[3])} {{ #{_anchor(found[2])} }}\n\n", text
    )
    text = re.sub(r'(?<= href="#)[^"]*', lambda found: _anchor(found[0]), text)
    name, _, section = manual.name.rpartition(".")
    return f"# {name}({section})\n\n{_linked(text, names)}"


def _anchor(name: str) -> str:
    """Markdown does not allow a colon in an anchor."""
    return name.replace(":", "")


def _words(text: str) -> str:
    return " ".join(html.unescape(text).split()).replace("[", r"\[")


def _linked(text: str, names: set[str]) -> str:
    def link(found: re.Match[str]) -> str:
        name = f"{found[1]}.{found[2]}"
        return (
            f'<a class="Xr" href="{name}.html">{found[1]}({found[2]})</a>'
            if name in names
            else f"{found[1]}({found[2]})"
        )

    return re.sub(r'<a class="Xr">([^<(]*)\((\d)\)</a>', link, text)


def more(nav: list[Any], pages: Path) -> list[dict[str, list[str]]]:
    """A menu for the pages that are in no other menu."""
    known = set(_paths(nav))
    found = [str(path.relative_to(pages)) for path in sorted(pages.rglob("*.md"))]
    others = [path for path in found if path not in known]
    return [{"More": others}] if others else []


def _paths(nav: Any) -> Iterator[str]:  # noqa: ANN401 - YAML
    if isinstance(nav, str):
        yield nav
    for one in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _paths(one)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
