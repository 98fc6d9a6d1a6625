"""What a mutant changes: one thing in one module, small enough for a person to have typed it.

Left alone: docstrings, annotations, decorators, class keywords, assertions, what only mypy sees, the text between the
braces of an f-string, and prose in the tables of a module.
"""

import ast
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

NEGATED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
}
MOVED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}
Key = tuple[str, str, str, int]
ASSERTION: Final = "strict"  # of zip()
SKIPPED: Final = frozenset({"annotation", "returns", "decorator_list", "bases", "keywords"})


@dataclass(frozen=True)
class Mutant:
    """`nth`: of those in its file that read the same. `fallback` is the first line of its statement.

    `is_table`: it runs when its module is imported, which may happen in the middle of any test.
    """

    file: str
    line: int
    fallback: int
    text: str
    what: str
    nth: int
    index: int
    is_table: bool = False

    @property
    def key(self) -> Key:
        """Stays when other lines of the file change."""
        return self.file, self.text, self.what, self.nth

    def rank(self, seed: int) -> bytes:
        """The mutants of a run are those of the lowest rank, so that a change of the package leaves most in it."""
        return hashlib.sha256(repr((seed, self.key)).encode()).digest()


@dataclass(frozen=True)
class Edit:
    """`old` makes way for `new` in the tree; both have the same place in it."""

    old: ast.AST
    new: ast.AST
    statement: ast.stmt
    is_table: bool

    @property
    def what(self) -> str:
        shown = ast.unparse(self.old)
        if isinstance(self.old, ast.stmt):
            return f"{shown} -> dropped"
        return f"{shown} -> {ast.unparse(self.new)}"


def mutants(file: str, source: str) -> Iterator[Mutant]:
    """All that can be made of a module, in the order in which `mutated` counts them."""
    lines = source.splitlines()
    seen: Counter[tuple[str, str]] = Counter()
    for index, edit in enumerate(_edits(ast.parse(source))):
        line = getattr(edit.old, "lineno", edit.statement.lineno)
        text = lines[line - 1].strip()
        yield Mutant(file, line, edit.statement.lineno, text, edit.what, seen[text, edit.what], index, edit.is_table)
        seen[text, edit.what] += 1


def mutated(source: str, index: int) -> str:
    """The module with that one change; it lacks comments."""
    tree = ast.parse(source)
    edit = list(_edits(tree))[index]
    return ast.unparse(ast.fix_missing_locations(_Exchange(edit.old, edit.new).visit(tree)))


class _Exchange(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old = old
        self._new = new

    def visit(self, node: ast.AST) -> ast.AST:
        return self._new if node is self._old else super().generic_visit(node)


def _edits(tree: ast.Module) -> Iterator[Edit]:
    for statement in tree.body:
        yield from _of_statement(statement, is_table=True)


def _of_statement(statement: ast.stmt, *, is_table: bool) -> Iterator[Edit]:
    """`is_table`: it runs when the module is imported."""
    match statement:
        case ast.Import() | ast.ImportFrom() | ast.Assert():
            return
        case ast.Expr(ast.Constant()):  # a docstring, or the body of a Protocol's method
            return
        case ast.Expr(ast.Call(ast.Name("assert_never"))) | ast.If(ast.Name("TYPE_CHECKING")):
            return
        case ast.Expr(ast.Yield() | ast.YieldFrom()):  # what yields nothing stays a generator
            yield Edit(statement, ast.parse("yield from ()").body[0], statement, is_table)
        case ast.Expr() | ast.AugAssign():
            yield Edit(statement, ast.Pass(), statement, is_table)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            is_table = False
    for name, value in ast.iter_fields(statement):
        if name in SKIPPED:
            continue
        for child in value if isinstance(value, list) else [value]:
            yield from _of_child(child, statement, is_table=is_table or name == "args")  # defaults


def _of_child(child: object, statement: ast.stmt, *, is_table: bool) -> Iterator[Edit]:
    if isinstance(child, ast.stmt):
        yield from _of_statement(child, is_table=is_table)
    elif isinstance(child, ast.AST) and not (isinstance(child, ast.keyword) and child.arg == ASSERTION):
        if isinstance(child, ast.expr):
            yield from (Edit(child, new, statement, is_table) for new in _others(child, is_table=is_table))
        for name, value in ast.iter_fields(child):
            if name in SKIPPED and not isinstance(child, ast.Call):
                continue
            if isinstance(child, ast.JoinedStr):
                value = [part for part in value if not isinstance(part, ast.Constant)]  # noqa: PLW2901
            for inner in value if isinstance(value, list) else [value]:
                yield from _of_child(inner, statement, is_table=is_table)


def _others(node: ast.expr, *, is_table: bool) -> Iterator[ast.expr]:
    match node:
        case ast.Compare(ops=[operator]):
            for table in (NEGATED, MOVED):
                if type(operator) in table:
                    yield ast.Compare(node.left, [table[type(operator)]()], node.comparators)
        case ast.BoolOp():
            yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        case ast.UnaryOp(ast.Not(), operand):
            yield operand
        case ast.Constant():
            yield from map(ast.Constant, _constants(node.value, is_table=is_table))
        case ast.Call():
            yield from _calls(node)


def _constants(value: object, *, is_table: bool) -> Iterator[bool | int | str]:
    match value:
        case bool():
            yield not value
        case int():
            yield from (value + 1, value - 1)
        case str() if value and not (is_table and " " in value):
            yield ""


def _calls(call: ast.Call) -> Iterator[ast.Call]:
    """Two neighbours change places where both are names, or both attributes; each keyword argument is left out."""
    for place, (left, right) in enumerate(zip(call.args, call.args[1:], strict=False)):
        if type(left) is type(right) and isinstance(left, ast.Name | ast.Attribute):
            swapped = [*call.args[:place], right, left, *call.args[place + 2 :]]
            yield ast.Call(call.func, swapped, call.keywords)
    for keyword in call.keywords:
        if keyword.arg and keyword.arg != ASSERTION:
            yield ast.Call(call.func, call.args, [other for other in call.keywords if other is not keyword])
