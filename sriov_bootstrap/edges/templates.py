"""The package's templates: the only module that reads them."""

from pathlib import Path

FOLDER = Path(__file__).parent.parent / "templates"


def read_template(name: str) -> str:
    """The text of one template, by its file name."""
    return (FOLDER / name).read_text()
