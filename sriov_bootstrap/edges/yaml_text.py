"""YAML: the only module that knows PyYAML. Every scalar is text here: its meaning is decided by the reader."""

from typing import Any

import yaml

from sriov_bootstrap.base.errors import ConfigError
from sriov_bootstrap.formats.located import Table, Word

MAX_DEPTH = 8  # PyYAML's time grows with the square of it, and a web-config file needs four
MAX_BYTES = 32 << 10  # 400 users; PyYAML takes a third of a second for it, and the event loop waits
FOREIGN_DEPTH = 40  # os-net-config nests bonds in bridges, and nothing waits for doctor
FOREIGN_BYTES = 128 << 10
MAX_MERGED_KEYS = 10_000


def parse(data: bytes, path: str) -> Any:  # noqa: ANN401 - YAML gives anything
    """Texts, lists and dicts of texts. Raises ConfigError; a duplicate key is a mistake too."""
    return _load(data, path, _Loader, MAX_BYTES)


def parse_located(data: bytes, path: str, *, merges: bool = False) -> Any:  # noqa: ANN401 - YAML gives anything
    """The same of another program's file: every text is a Word, which knows its line. Of equal keys the last counts.

    A merge (`<<`) takes in the mapping that is named, as PyYAML has it. `merges`: as netplan reads it, which knows no
    such key, takes the first document, and of equal keys whose values are mappings all.
    A mistake is reported only by its line: PyYAML's message quotes the text, which may be a password.
    """
    try:
        return _load(data, path, _MergingLoader if merges else _LocatedLoader, FOREIGN_BYTES)
    except ConfigError as error:
        if error.__cause__ is None:  # our own words
            raise
        mark = getattr(error.__cause__, "problem_mark", None)
        raise ConfigError((f"{path}: not YAML: {f'line {mark.line + 1}' if mark else 'it cannot be read'}",)) from None


def _load(data: bytes, path: str, loader: "type[_Loader]", max_bytes: int) -> Any:  # noqa: ANN401
    if len(data) > max_bytes:
        raise ConfigError((f"{path}: must have at most {max_bytes} bytes",))
    try:
        return yaml.load(data, loader)  # noqa: S506 - the base loader: it makes nothing but texts, lists and dicts
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ConfigError((f"{path}: not YAML: {line}{error.problem}",)) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError((f"{path}: not YAML: {' '.join(str(error).split())}",)) from error


class _Loader(yaml.BaseLoader):
    max_depth = MAX_DEPTH

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:  # noqa: ANN401 - PyYAML's own signature
        """Like the original, but that nests as deep as the stack allows."""
        if len(self.indents) + self.flow_level > self.max_depth:
            raise yaml.composer.ComposerError(None, None, "nested too deeply", self.get_mark())
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's own signature
        """Like the original, but there the last of two equal keys silently wins."""
        keys = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if key is not None and key in keys:
                raise yaml.constructor.ConstructorError(None, None, f'duplicate key "{key}"', key_node.start_mark)
            keys.add(key)
        return super().construct_mapping(node, deep)


class _LocatedLoader(_Loader):
    max_depth = FOREIGN_DEPTH
    merged_keys = 0

    def construct_scalar(self, node: yaml.ScalarNode) -> Word:
        """Like the original, but keeps its line."""
        text = super().construct_scalar(node)
        return Word.at(text, node.start_mark.line + 1, is_plain=node.style is None)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's own signature
        """The original of PyYAML: the last of two equal keys wins; but what that drops is noted."""
        dropped = _dropped_keys(node)
        self.flatten(node)
        return Table.make(yaml.BaseLoader.construct_mapping(self, node, deep), dropped)

    def flatten(self, node: yaml.MappingNode) -> None:
        """As yaml.SafeLoader: what `<<` names comes before the mapping's own keys, the first one named last."""
        taken: list[tuple[yaml.Node, yaml.Node]] = []
        own = []
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value != "<<" or key.style is not None:
                own.append((key, value))
                continue
            named = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for mapping in reversed([mapping for mapping in named if isinstance(mapping, yaml.MappingNode)]):
                self.flatten(mapping)
                self.count_merged(mapping)
                taken += mapping.value
        node.value = taken + own

    def count_merged(self, node: yaml.MappingNode) -> None:
        """Aliases would let one that is merged into another grow without an end."""
        self.merged_keys += len(node.value)
        if self.merged_keys > MAX_MERGED_KEYS:
            raise yaml.constructor.ConstructorError(None, None, "too many merged keys", node.start_mark)


def _dropped_keys(node: yaml.MappingNode) -> dict[str, int]:
    """Not of equal values: nothing is lost."""
    before: dict[str, tuple[int, object]] = {}
    dropped: dict[str, int] = {}
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode):
            said = value.value if isinstance(value, yaml.ScalarNode) else id(value)
            line, lost = before.setdefault(key.value, (key.start_mark.line + 1, said))
            if lost != said:
                dropped.setdefault(key.value, line)
    return dropped


class _MergingLoader(_LocatedLoader):
    def flatten(self, node: yaml.MappingNode) -> None:
        """Not at all."""

    def get_single_data(self) -> Any:  # noqa: ANN401 - YAML gives anything
        """The first document."""
        return self.get_data() if self.check_node() else None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's own signature
        """Nodes of equal keys become one node, if both are mappings."""
        first: dict[str, yaml.MappingNode] = {}
        pairs = []
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) and isinstance(value, yaml.MappingNode) else None
            if name in first:
                self._merge(first[name], value)
                continue
            if name is not None:
                first[name] = value
            pairs.append((key, value))
        node.value = pairs
        return super().construct_mapping(node, deep)

    def _merge(self, into: yaml.MappingNode, node: yaml.MappingNode) -> None:
        self.count_merged(node)
        if into is not node:
            into.value += node.value
