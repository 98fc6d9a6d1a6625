"""What is known at one place of a script: its variables and arguments, and whether it is certain to be reached."""

import itertools
from collections.abc import Iterable, Mapping

from sriov_bootstrap.formats.shell_unknowns import UNKNOWN, UNSET

MAX_VALUES = 64
REFERENCE = "&"  # before a name: which other one it stands for

Values = tuple[str, ...]
NOT_SET: Values = (UNSET,)
AS_ROOT: dict[str, Values] = {"EUID": ("0",), "UID": ("0",)}  # who else could write to the file


class ShellState:
    """What is known at one place: variables and arguments, the folder, whether it is certain that it is reached.

    `known`: name -> what it may be; arguments have the names `1`, `2`, and `@` for all of them, with their names in
    between where they are known. `ended`: "loop", "return" or "exit" after such a command.
    """

    __slots__ = ("ended", "folder", "is_doubtful", "known")

    def __init__(self, known: dict[str, Values] | None = None, folder: str = "") -> None:
        self.known = known or {}
        self.folder = folder
        self.is_doubtful = False
        self.ended = ""

    def copy(self) -> "ShellState":
        """What is changed there is not changed here."""
        made = ShellState(dict(self.known), self.folder)
        made.is_doubtful, made.ended = self.is_doubtful, self.ended
        return made

    def become(self, *others: "ShellState") -> None:
        """After a branch: whatever may hold after any of these."""
        alive = [other for other in others if not other.ended] or list(others)
        first = alive[0]
        self.known = _known_after([other.known for other in alive])
        self.folder = first.folder if all(other.folder == first.folder for other in alive) else UNKNOWN
        self.ended = first.ended
        self.is_doubtful = first.is_doubtful

    def restore(self, before: Mapping[str, Values | None]) -> None:
        """Variables as they were; None: not set."""
        for name, values in before.items():
            if values is None:
                self.known.pop(name, None)
            else:
                self.known[name] = values

    def resolve_name(self, name: str) -> str:
        """The name that a variable stands for which was made by `declare -n`; of any other its own."""
        base, bracket, index = name.partition("[")
        sign = "!" if base.startswith("!") else ""
        target = self.known.get(f"{REFERENCE}{base.removeprefix(sign)}")
        return f"{sign}{target[0]}{bracket}{index}" if target else name

    def enter_file(self, path: str) -> None:
        """What a script finds about itself, and about who runs it."""
        self.known |= {"BASH_SOURCE": (path,), "BASH_SOURCE[0]": (path,)} | AS_ROOT

    def set_element(self, name: str, key: str, values: Values) -> None:
        """Of an array; its elements and their keys are known as lines, too."""
        value = values[0] if len(values) == 1 else UNKNOWN
        self.known[f"{name}[{key}]"] = values
        for whole, part in ((f"{name}[@]", value), (f"!{name}[@]", key)):
            before = self.known.get(whole, ("",))[0]
            self.known[whole] = (f"{before}\n{part}" if before else part,)

    def clear_array(self, name: str) -> None:
        """As it is before its elements are set."""
        for whole in (f"{name}[@]", f"!{name}[@]"):
            self.known.pop(whole, None)

    def set_arguments(self, arguments: Iterable[Values] | None) -> None:
        """`$1` and so on; None: not known."""
        for name in [name for name in self.known if name.isdigit() or name in {"@", "#"}]:
            if name != "0":
                del self.known[name]
        if arguments is not None:
            given = tuple(itertools.islice(arguments, MAX_VALUES))
            self.known |= {str(number): values for number, values in enumerate(given, 1)}
            self.known["#"] = (str(len(given)),)

    @property
    def arguments(self) -> list[Values] | None:
        """None: not known."""
        if "#" not in self.known:
            return None
        return [self.known.get(str(number), ("",)) for number in range(1, int(self.known["#"][0]) + 1)]


def _known_after(branches: list[dict[str, Values]]) -> dict[str, Values]:
    """What variables may be after any of the branches; most have one value in all of them."""
    if len(branches) == 1:
        return dict(branches[0])
    merged: dict[str, Values] = {}
    for name in dict.fromkeys(name for known in branches for name in known):
        values = branches[0].get(name, NOT_SET)
        is_same = all(known.get(name, NOT_SET) == values for known in branches)
        merged[name] = (
            values if is_same else limit_values(value for known in branches for value in known.get(name, NOT_SET))
        )
    return merged


def limit_values(values: Iterable[str]) -> Values:
    """Each once, and no more than a few; what is left out is unknown."""
    kept = tuple(itertools.islice(dict.fromkeys(values), MAX_VALUES + 1))
    return kept if len(kept) <= MAX_VALUES else (*kept[: MAX_VALUES - 1], UNKNOWN)
