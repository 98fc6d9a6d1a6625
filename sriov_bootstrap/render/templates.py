"""Template text + context -> text. The only module that knows jinja2."""

from collections.abc import Mapping

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from sriov_bootstrap.base.errors import ConfigError
from sriov_bootstrap.base.printable import printable
from sriov_bootstrap.core.plurals import quantity


def render(template: str, context: Mapping[str, object]) -> str:
    """A name missing from the context is an error, never an empty string in a config file."""
    environment = SandboxedEnvironment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.globals["counted"] = quantity  # an operator's own template may call it by this name
    environment.filters["printable"] = printable
    return environment.from_string(template).render(context)


def render_file(name: str, template: str, context: Mapping[str, object]) -> str:
    """The same for a template that the site may have written: its mistakes are ConfigErrors that name it."""
    try:
        return render(template, context)
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        where = f"{name}: line {line}" if line else name
        raise ConfigError((f"{where}: {error}",), hint="correct the template, or remove it to use ours") from error
