"""Lines of a text, joined where a backslash at the end says so.

Not for modprobe.d, whose backslashes are libkmod's own (modprobe.py), and not for shell (shell.py).
"""

from collections.abc import Iterator


def logical_lines(text: str, comments: str = "#", *, may_interrupt: bool = False) -> Iterator[tuple[int, str]]:
    """Each with the number of its first line, without empty ones and comments; a blank stands where they are joined.

    `may_interrupt`: a comment between the parts is none of them, as in units (systemd.syntax(7)) and udev rules
    (src/udev/udev-rules.c). Else it is, as in interfaces(5), where only the first part can be a comment.
    """
    number, begun = 0, list[str]()
    for index, line in enumerate(text.split("\n"), 1):
        is_comment = line.lstrip()[:1] in tuple(comments)
        if is_comment and (may_interrupt or not begun):
            continue
        number = number if begun else index
        if line.endswith("\\"):
            begun.append(f"{line[:-1]} ")
            continue
        if (whole := "".join((*begun, line))).strip():
            yield number, whole
        begun.clear()
    if (rest := "".join(begun)).strip():
        yield number, rest
