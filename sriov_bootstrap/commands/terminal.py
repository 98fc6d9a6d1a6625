"""Colour, where somebody sees it."""

import os
import sys


def coloured(text: str, colour: str) -> str:
    """`colour` is a number of ECMA-48 (SGR). Only on a terminal, and not where NO_COLOR asks for none."""
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"
