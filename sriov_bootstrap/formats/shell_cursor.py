"""A place among the tokens of a script, which only moves on."""

from sriov_bootstrap.formats.shell_tokens import ShellToken, tokens


class TokenCursor:
    """`tokens`: all of them; `at`: the number of the next one."""

    def __init__(self, text: str) -> None:
        """At the first token."""
        self.tokens = list(tokens(text))
        self.at = 0

    @property
    def is_at_end(self) -> bool:
        """Whether no token is left."""
        return self.at >= len(self.tokens)

    def advance(self) -> None:
        """Takes one token, whatever it is."""
        self.at += 1

    def peek(self, ahead: int = 0) -> ShellToken | None:
        """The token here or further on; None beyond the last one."""
        at = self.at + ahead
        return self.tokens[at] if at < len(self.tokens) else None

    def is_operator(self, *texts: str, ahead: int = 0) -> bool:
        """Whether one of these operators is there."""
        token = self.peek(ahead)
        return token is not None and token.kind == "operator" and token.text in texts

    def is_word(self, *texts: str) -> bool:
        """Whether one of these words comes next."""
        token = self.peek()
        return token is not None and token.kind == "word" and token.text in texts

    def skip(self, *operators: str) -> None:
        """Takes as many of these operators as there are."""
        while self.is_operator(*operators):
            self.advance()
