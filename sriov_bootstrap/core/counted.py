"""Numbers of things in messages: 1 VF stays, 7 VFs stay."""


def counted(number: int, one: str, many: str = "") -> str:
    """`many` is for every number but 1; without it, `one` with an s."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"
