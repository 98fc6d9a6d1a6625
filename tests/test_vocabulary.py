"""Names in the package: one meaning each, and a noun or a verb rather than a pronoun or a participle."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import sriov_bootstrap

PACKAGE = Path(sriov_bootstrap.__file__).parent
# Class name -> why several modules have one.
SHARED = {
    "Completed": "edges never import each other: two of them say with a protocol what they need of child.Completed"
}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield f"{path.relative_to(PACKAGE)}", ast.parse(path.read_text())


def test_a_class_has_its_name_for_itself() -> None:
    modules: dict[str, list[str]] = defaultdict(list)
    for module, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                modules[node.name].append(module)
    shared = {name: where for name, where in modules.items() if len(where) > 1 and name not in SHARED}
    assert not shared
    assert all(len(modules[name]) > 1 for name in SHARED)
