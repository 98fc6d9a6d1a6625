"""Template text + context -> text. The only module that knows jinja2."""

from collections.abc import Mapping

from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment


def render(template: str, context: Mapping[str, object]) -> str:
    """A name that the context does not have is an error, never an empty string in somebody's config file."""
    environment = SandboxedEnvironment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.from_string(template).render(context)
