"""Names in the package: one meaning each, and a noun or a verb rather than a pronoun or a participle."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import sriov_bootstrap

PACKAGE = Path(sriov_bootstrap.__file__).parent
# Pronouns and the like: at the place of its call such a name says nothing.
# fmt: off
PRONOUNS = {
    "it", "this", "that", "of", "and", "by", "with", "other", "others", "nobody", "nothing", "everything", "more",
    "less", "first", "last", "once", "now", "then", "told", "meant", "given", "held", "said", "seen", "known",
    "found", "spelt", "kept", "left", "lost", "taken", "gone", "look", "finding", "things",
}
# fmt: on
# Function name -> why it stays.
NAMELIKE = {
    "once": "the verb --once",
    "_once": "the verb --once",
    "setting": "a noun",
    "mapping": "a noun",
    "_spelling": "a noun",
}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield f"{path.relative_to(PACKAGE)}", ast.parse(path.read_text())


def is_type(name: str) -> bool:
    return name[0].isupper() and name.upper() != name


def test_a_class_or_an_alias_has_its_name_for_itself() -> None:
    modules: dict[str, list[str]] = defaultdict(list)
    for module, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                modules[node.name].append(module)
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and is_type(node.targets[0].id):
                modules[node.targets[0].id].append(module)
    shared = {name: where for name, where in modules.items() if len(where) > 1}
    assert not shared


def functions(tree: ast.Module) -> Iterator[str]:
    """Of modules and classes. A property is read as an attribute, so it may be an adjective."""
    for body in (tree.body, *(node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef))):
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                decorators = map(ast.unparse, node.decorator_list)
                if not any(decorator.endswith("property") for decorator in decorators):
                    yield node.name


def says_nothing(name: str) -> bool:
    word = name.strip("_")
    return word in PRONOUNS or ("_" not in word and word.endswith(("ed", "ing")))


def test_a_function_is_named_by_a_verb_or_a_noun() -> None:
    names = {(module, name) for module, tree in trees() for name in functions(tree) if says_nothing(name)}
    assert not {(module, name) for module, name in names if name not in NAMELIKE}
    assert {name for _, name in names} == {*NAMELIKE}


@pytest.mark.parametrize("name", ["_told", "_and", "look", "_finding", "_watching", "counted"])
def test_such_a_name_is_seen(name: str) -> None:
    assert says_nothing(name)


def test_nothing_is_called_one() -> None:
    """A loop over findings has a finding in its hand."""
    stores = {
        (module, node.lineno)
        for module, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == "one" and isinstance(node.ctx, ast.Store)
    }
    assert {module for module, _ in stores} <= {"core/similar_names.py"}  # one and other: neither is anything else
