"""Numbers as the kernel reads them from a file in /sys, and a shell in its arithmetic."""

import re

NUMBER = re.compile(r"(0[xX][0-9a-fA-F]{1,16}|0[0-7]{0,22}|[1-9][0-9]{0,19})")


def kernel_number(text: str) -> int | None:
    """lib/kstrtox.c with base 0: 0x10 is 16, 010 is 8, 08 none; one new line may follow. None if it is not one."""
    found = NUMBER.fullmatch(text.removesuffix("\n").removeprefix("+"))
    if not found:
        return None
    digits = found[1].lower()
    return int(digits, 16 if digits.startswith("0x") else 8 if digits.startswith("0") else 10)
