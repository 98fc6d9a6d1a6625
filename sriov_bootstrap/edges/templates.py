"""The package's templates, and the schema beside them: the only module that knows where they are."""

from pathlib import Path

FOLDER = Path(__file__).parent.parent / "templates"


def read_template(name: str) -> str:
    """The text of one template, by its file name."""
    return (FOLDER / name).read_text()


def schema_uri() -> str:
    """Where an editor finds the JSON Schema of the config (packaging/schema.py makes it)."""
    return (FOLDER / "config.schema.json").as_uri()
