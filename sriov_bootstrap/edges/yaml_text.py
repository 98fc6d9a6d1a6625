"""YAML: the only module that knows PyYAML. Every scalar is a text here: what it means is decided where it is known."""

from typing import Any

import yaml

from sriov_bootstrap.errors import ConfigError

MAX_DEPTH = 8  # PyYAML's time grows with the square of it, and a web-config file needs four
MAX_BYTES = 32 << 10  # 400 users; PyYAML takes a third of a second for it, and the event loop waits


def parse(data: bytes, path: str) -> Any:  # noqa: ANN401 - YAML gives anything
    """Texts, lists and dicts of texts. Raises ConfigError; a key that is there twice is a mistake too."""
    if len(data) > MAX_BYTES:
        raise ConfigError((f"{path}: has at most {MAX_BYTES} bytes",))
    try:
        return yaml.load(data, _Loader)  # noqa: S506 - the base loader: it makes nothing but texts, lists and dicts
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ConfigError((f"{path}: not YAML: {line}{error.problem}",)) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError((f"{path}: not YAML: {' '.join(str(error).split())}",)) from error


class _Loader(yaml.BaseLoader):
    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:  # noqa: ANN401 - PyYAML's own signature
        """As the original, which goes as deep as the stack."""
        if len(self.indents) + self.flow_level > MAX_DEPTH:
            raise yaml.composer.ComposerError(None, None, "nested too deeply", self.get_mark())
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's own signature
        """As the original, which lets the last of two equal keys win in silence."""
        keys = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if key is not None and key in keys:
                raise yaml.constructor.ConstructorError(None, None, f'"{key}" is there twice', key_node.start_mark)
            keys.add(key)
        return super().construct_mapping(node, deep)
