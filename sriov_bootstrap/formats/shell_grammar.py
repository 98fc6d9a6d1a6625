"""The grammar of shell: tokens -> commands, lists, `if`, `for`, `case`, functions. Nothing is expanded here.

Whatever the text is, something comes out: what fits nowhere is skipped.
"""

import re

from sriov_bootstrap.formats.shell_cursor import TokenCursor
from sriov_bootstrap.formats.shell_nodes import (
    AndOr,
    Arithmetic,
    Case,
    Command,
    CommandList,
    For,
    FunctionDefinition,
    Group,
    If,
    Pipeline,
    Redirection,
    Simple,
    While,
)
from sriov_bootstrap.formats.shell_tokens import ShellToken

REDIRECTIONS = frozenset({">", ">>", ">|", "&>", "&>>", ">&", "<", "<&", "<>", "<<<", "<<", "<<-"})
CLOSERS = frozenset({"then", "elif", "else", "fi", "do", "done", "esac", "}"})
ARRAY = re.compile(r"\w+\+?=")
MAX_DEPTH = 48
NO_ENDS: frozenset[str] = frozenset()


def parse(text: str) -> CommandList:
    """A script."""
    parser = _Parser(text)
    found: CommandList = []
    while not parser.is_at_end:
        found += parser.block(NO_ENDS)
        parser.advance()  # a closing word that closes nothing
    return found


class _Parser(TokenCursor):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def block(self, ends: frozenset[str]) -> CommandList:
        """Lists up to one of these words or operators, which is left; or up to any closing word."""
        found: CommandList = []
        while not self.is_at_end:
            self.skip("\n", ";", "&")
            if self.is_word(*CLOSERS) or self.is_operator(*(ends or (")",)), ";;", ";&", ";;&"):
                break
            before = self.at
            found.append(self._and_or())
            if self.at == before:
                self.advance()
        return [list_ for list_ in found if list_.parts]

    def _and_or(self) -> AndOr:
        parts: list[tuple[str, Pipeline]] = []
        connector = ""
        while pipeline := self._pipeline():
            parts.append((connector, pipeline))
            if not self.is_operator("&&", "||"):
                break
            connector = self.tokens[self.at].text
            self.advance()
            self.skip("\n")
        return AndOr(parts, is_apart=self.is_operator("&"))

    def _pipeline(self) -> Pipeline | None:
        is_negated = False
        while self.is_word("!", "time"):
            is_negated ^= self.is_word("!")
            self.advance()
        commands: list[Command] = []
        while command := self._command():
            commands.append(command)
            if not self.is_operator("|", "|&"):
                break
            self.advance()
            self.skip("\n")
        return Pipeline(commands, is_negated) if commands else None

    def _command(self) -> Command | None:
        token = self.peek()
        if token is None or self._depth > MAX_DEPTH:
            return None
        self._depth += 1
        try:
            if token.kind == "operator" and token.text not in REDIRECTIONS:
                return self._subshell(token.line) if token.text == "(" else None
            if token.kind == "arithmetic":
                self.advance()
                return Arithmetic(token.line, token.text)
            return self._compound(token) if token.kind == "word" else self._simple(token)
        finally:
            self._depth -= 1

    def _compound(self, token: ShellToken) -> Command | None:  # noqa: PLR0911 - a table of words
        match token.text:
            case "if":
                return self._if(token.line)
            case "while" | "until":
                return self._while(token)
            case "for" | "select":
                return self._for(token.line)
            case "case":
                return self._case(token.line)
            case "function":
                self.advance()
                return self._function(token.line)
            case "{":
                self.advance()
                return Group(token.line, self._closed_by("}"), self._redirections())
        is_called = self.is_operator("(", ahead=1) and self.is_operator(")", ahead=2)
        if is_called and not ARRAY.fullmatch(token.text):
            return self._function(token.line)
        return None if token.text in CLOSERS else self._simple(token)

    def _closed_by(self, *words: str) -> CommandList:
        body = self.block(NO_ENDS)
        if self.is_word(*words):
            self.advance()
        return body

    def _subshell(self, line: int) -> Group:
        self.advance()
        body = self.block(frozenset({")"}))
        if self.is_operator(")"):
            self.advance()
        return Group(line, body, self._redirections(), is_apart=True)

    def _function(self, line: int) -> FunctionDefinition:
        name = self.peek()
        self.advance()
        if self.is_operator("(") and self.is_operator(")", ahead=1):
            self.at += 2
        self.skip("\n")
        body = self._command()
        return FunctionDefinition(line, name.text if name else "", [AndOr([("", Pipeline([body]))])] if body else [])

    def _if(self, line: int) -> If:
        arms: list[tuple[CommandList, CommandList]] = []
        otherwise: CommandList = []
        while self.is_word("if", "elif"):
            self.advance()
            condition = self._closed_by("then")
            arms.append((condition, self.block(NO_ENDS)))
        if self.is_word("else"):
            self.advance()
            otherwise = self.block(NO_ENDS)
        if self.is_word("fi"):
            self.advance()
        self._redirections()
        return If(line, arms, otherwise)

    def _while(self, token: ShellToken) -> While:
        self.advance()
        condition = self._closed_by("do")
        body = self._closed_by("done")
        return While(token.line, condition, body, self._redirections(), token.text == "until")

    def _for(self, line: int) -> For:
        self.advance()
        first = self.peek()
        name, words, arithmetic = "", None, ""
        if first and first.kind == "arithmetic":
            arithmetic = first.text
            self.advance()
        elif first and first.kind == "word":
            name = first.text
            self.advance()
            self.skip("\n")
            if self.is_word("in"):
                self.advance()
                words = self._words()
        self.skip("\n", ";")
        if self.is_word("do", "{"):
            self.advance()
        body = self._closed_by("done", "}")
        return For(line, name, words, body, self._redirections(), arithmetic)

    def _words(self) -> list[str]:
        found: list[str] = []
        while (token := self.peek()) and token.kind == "word":
            found.append(token.text)
            self.advance()
        return found

    def _case(self, line: int) -> Case:
        self.advance()
        word = self.peek()
        self.advance()
        self.skip("\n")
        if self.is_word("in"):
            self.advance()
        arms: list[tuple[list[str], CommandList]] = []
        while not self.is_at_end and not self.is_word("esac"):
            self.skip("\n", ";;", ";&", ";;&", "(")
            if self.is_word("esac"):
                break
            before = self.at
            arms.append((self._patterns(), self.block(NO_ENDS)))
            if self.at == before or self.is_word(*CLOSERS - {"esac"}) or self.is_operator(")"):
                self.advance()
        self.advance()
        self._redirections()
        return Case(line, word.text if word and word.kind == "word" else "", arms)

    def _patterns(self) -> list[str]:
        found: list[str] = []
        while not self.is_at_end and not self.is_operator(")", "\n"):
            if (token := self.tokens[self.at]).kind == "word":
                found.append(token.text)
            self.advance()
        self.skip(")")
        return found

    def _redirections(self) -> list[Redirection]:
        found: list[Redirection] = []
        while self._redirection(found):
            pass
        return found

    def _redirection(self, found: list[Redirection]) -> bool:
        """Takes one if there is one."""
        token, descriptor = self.peek(), ""
        if token and token.kind == "descriptor":
            descriptor = token.text
            self.advance()
        if not self.is_operator(*REDIRECTIONS):
            return bool(descriptor)
        operator = self.tokens[self.at].text
        self.advance()
        target = self.peek()
        if target and target.kind == "word":
            found.append(Redirection(descriptor, operator, target))
            self.advance()
        return True

    def _simple(self, first: ShellToken) -> Simple:
        made = Simple(first.line, first.last_line, [], [], {})
        while token := self.peek():
            if self._redirection(made.redirections):
                made.last_line = max(made.last_line, self.tokens[self.at - 1].last_line)
                continue
            if token.kind != "word":
                break
            made.last_line = token.last_line
            self.advance()
            if ARRAY.fullmatch(token.text) and self.is_operator("("):
                made.arrays[token.text] = self._array()
            else:
                made.words.append(token.text)
                if token.text == "[[":
                    self._test(made.words)
        return made

    def _array(self) -> list[str]:
        self.advance()
        found: list[str] = []
        while not self.is_at_end and not self.is_operator(")"):
            found += self._words()
            self.skip("\n")
            if (token := self.peek()) and not (token.kind == "word" or self.is_operator(")")):
                self.advance()
        self.advance()
        return found

    def _test(self, words: list[str]) -> None:
        """`[[ ... ]]`, in which operators are words."""
        while (token := self.peek()) and token.text != "\n":
            words.append(token.text)
            self.advance()
            if token.text == "]]":
                break
