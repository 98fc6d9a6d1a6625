"""The arithmetic of shell, as far as numbers and variables go: + - * / % and parentheses."""

import re
from collections.abc import Callable

from sriov_bootstrap.formats.kernel_number import kernel_number

TOKEN = re.compile(r"\s*(\d\w*|[A-Za-z_]\w*|[-+*/%()])")
MAX_LENGTH = 1 << 7  # and thus how deep its parentheses are
MAX_NUMBER = 1 << 32


class _NotConstant(Exception):  # noqa: N818 - it never leaves this module
    pass


def evaluate(text: str, variable: Callable[[str], int | None]) -> int | None:
    """None if it is anything else, or a variable is not a number that is known."""
    if len(text) > MAX_LENGTH:
        return None
    words = TOKEN.findall(text)
    if "".join(words) != "".join(text.split()):
        return None
    try:
        value = _Sum(words, variable).whole()
    except _NotConstant:
        return None
    return value if abs(value) < MAX_NUMBER else None


class _Sum:
    def __init__(self, words: list[str], variable: Callable[[str], int | None]) -> None:
        self._words = [*words, ""]
        self._variable = variable
        self._at = 0

    def whole(self) -> int:
        value = self._sum()
        if self._words[self._at]:
            raise _NotConstant
        return value

    def _next(self) -> str:
        word = self._words[self._at]
        self._at += bool(word)
        return word

    def _sum(self) -> int:
        value = self._product()
        while self._words[self._at] in {"+", "-"}:
            value += self._product() if self._next() == "+" else -self._product()
        return value

    def _product(self) -> int:
        value = self._factor()
        while (sign := self._words[self._at]) in {"*", "/", "%"}:
            self._at += 1
            other = self._factor()
            if sign != "*" and not other:
                raise _NotConstant
            value = value * other if sign == "*" else value // other if sign == "/" else value % other
            if abs(value) >= MAX_NUMBER:
                raise _NotConstant
        return value

    def _factor(self) -> int:
        word = self._next()
        if word == "-":
            return -self._factor()
        if word == "(":
            value = self._sum()
            if self._next() != ")":
                raise _NotConstant
            return value
        number = kernel_number(word) if word[:1].isdigit() else self._variable(word) if word else None
        if number is None:
            raise _NotConstant
        return number
