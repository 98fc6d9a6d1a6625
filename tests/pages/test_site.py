"""The manuals as a web site: nothing is loaded from elsewhere, no link is dead, and one that were would stop it."""

import html.parser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "docs", "tests/lab/README.md", "packaging/site")
LOADED = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("object", "data")}


class Page(html.parser.HTMLParser):
    """What a page loads, where it leads, and which places it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if (tag, name) in LOADED:
                self.loads.append(value or "")
            if (tag, name) == ("a", "href"):
                self.links.append(value or "")
            if name in {"id", "name"}:
                self.ids.add(value or "")


def build(repository: Path, out: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(repository / "packaging/site/build.py"), str(repository), str(out)]
    return subprocess.run(argv, check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    """The pages by their path."""
    out = tmp_path_factory.mktemp("site")
    done = build(ROOT, out)
    assert (done.returncode, done.stderr) == (0, "")
    return {path: Page(path) for path in (out / "html").rglob("*.html")}


def test_every_page_is_there(site: dict[Path, Page]) -> None:
    markdown = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("docs/man/*")]
    assert len(site) >= len(markdown) + len(["README", "CONTRIBUTING", "CHANGELOG", "the lab", "404"])
    (root,) = {path.parent for path in site if path.name == "404.html"}
    for name in ("index", "docs/index", "docs/tutorial", "docs/man/sriov-bootstrap.8", "docs/runbooks/SriovVfLoss"):
        assert root / f"{name}.html" in site


def test_nothing_is_loaded_from_elsewhere(site: dict[Path, Page]) -> None:
    loaded = {url for page in site.values() for url in page.loads}
    assert len(loaded) > 3
    assert not [url for url in loaded if urlsplit(url).netloc]
    (root,) = {path.parent for path in site if path.name == "404.html"}
    sheets = [path.read_text() for path in root.rglob("*.css")]
    assert sheets
    assert not [
        url for text in sheets for url in re.findall(r"(?:@import|url\()\s*[\"']?((?:https?:)?//[^\"')\s]*)", text)
    ]


def test_every_link_inside_leads_to_a_place_that_is_there(site: dict[Path, Page]) -> None:
    """mkdocs has looked at those of the pages; these are also the ones in manual pages and menus."""
    for path, page in site.items():
        for url in page.links:
            parts = urlsplit(url)
            if parts.scheme or parts.netloc or path.name == "404.html":
                continue
            target = Path(os.path.normpath(path.parent / parts.path)) if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            assert target.exists(), f"{path}: {url}"
            known = site[target].ids if target in site else set()
            assert not parts.fragment or parts.fragment in known | {"__skip", "__codelineno"}, f"{path}: {url}"


def test_links_to_the_outside_are_whole(site: dict[Path, Page]) -> None:
    urls = {url for page in site.values() for url in page.links if urlsplit(url).scheme}
    assert urls
    for url in urls:
        assert re.fullmatch(r"https://[a-z0-9.-]+\.[a-z]{2,}(/[^\s\"<>]*)?", url) or url.startswith("mailto:"), url


def test_a_link_to_nowhere_stops_it(tmp_path: Path) -> None:
    for name in SOURCES:
        (tmp_path / "repository" / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / "repository" / name)
        else:
            shutil.copy(ROOT / name, tmp_path / "repository" / name)
    with (tmp_path / "repository/docs/tutorial.md").open("a") as page:
        page.write("\n[a](nowhere.md) [b](concepts.md#nothing) [c](/docs/concepts.md)\n")
    done = build(tmp_path / "repository", tmp_path / "out")
    assert done.returncode != 0
    assert all(target in done.stderr for target in ("'nowhere.md'", "'#nothing'", "'/docs/concepts.md'"))


def pages_linked_from(page: Path) -> set[Path]:
    urls = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    return {(page.parent / url).resolve() for url in urls if not urlsplit(url).scheme}


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, todo = set(), {ROOT / "README.md"}
    while todo:
        page = todo.pop()
        seen.add(page)
        todo |= {one for one in pages_linked_from(page) if one.suffix == ".md" and one.exists()} - seen
    assert set(ROOT.glob("docs/**/*.md")) <= seen
