"""The conditions of shell: what `[ ... ]` says of what is known, and what is known where it holds."""

import itertools
import re
from fnmatch import fnmatchcase
from operator import eq, ge, gt, le, lt, ne

from msgspec import Struct

from sriov_bootstrap.formats.kernel_number import kernel_number
from sriov_bootstrap.formats.shell_files import ScriptFiles
from sriov_bootstrap.formats.shell_state import ShellState, Values
from sriov_bootstrap.formats.shell_unknowns import UNKNOWN, UNSET
from sriov_bootstrap.formats.shell_values import MAX_PATTERN, Expander

TESTS = frozenset({"[", "[[", "test"})
QUESTIONS = frozenset(
    {"grep", "egrep", "fgrep", "lspci", "lsmod", "hostname", "pgrep", "cmp", "diff", "systemd-detect-virt"}
)
VARIABLE = re.compile(r"([\w.-]*)\$(?:(\w+)|\{(\w+)\})")
COMPARISONS = {"-eq": eq, "-ne": ne, "-gt": gt, "-ge": ge, "-lt": lt, "-le": le}
FILE_TESTS = frozenset({"-e", "-f", "-r", "-s", "-x"})
LOOPBACK = "lo"
NEGATED = {"-eq": "-ne", "-ne": "-eq"}
NOTHING: dict[str, Values] = {}


class TestVerdict(Struct, frozen=True):
    """`holds` None: it depends. `is_assumed`: it is a command, which is taken to succeed.

    `is_doubtful`: it leaves a doubt whether what depends on it is done. `if_true`, `if_false`: what variables then are.
    """

    holds: bool | None = None
    is_assumed: bool = False
    is_doubtful: bool = True
    if_true: dict[str, Values] = NOTHING
    if_false: dict[str, Values] = NOTHING

    @property
    def negated(self) -> "TestVerdict":
        """The opposite."""
        holds = None if self.holds is None or self.is_assumed else not self.holds
        return TestVerdict(holds, is_doubtful=self.is_doubtful, if_true=self.if_false, if_false=self.if_true)


SUCCESS = TestVerdict(holds=True, is_doubtful=False)
FAILURE = TestVerdict(holds=False, is_doubtful=False)
ASSUMED = TestVerdict(holds=True, is_assumed=True)


def both(first: TestVerdict, second: TestVerdict) -> TestVerdict:
    """Of `&&`."""
    if False in {first.holds, second.holds}:
        return FAILURE
    holds = True if first.holds and second.holds else None
    return TestVerdict(
        holds,
        is_assumed=first.is_assumed or second.is_assumed,
        is_doubtful=first.is_doubtful or second.is_doubtful,
        if_true=first.if_true | second.if_true,
    )


def either(first: TestVerdict, second: TestVerdict) -> TestVerdict:
    """Of `||`."""
    if True in {first.holds, second.holds} and not (first.is_assumed or second.is_assumed):
        return SUCCESS
    if first.holds is False:
        return second
    if second.holds is False:
        return first
    names = first.if_true.keys() & second.if_true.keys()
    return TestVerdict(
        is_doubtful=first.is_doubtful or second.is_doubtful,
        if_true={name: tuple(dict.fromkeys((*first.if_true[name], *second.if_true[name]))) for name in sorted(names)},
        if_false=first.if_false | second.if_false,
    )


def judge_test(words: list[str], expander: Expander, state: ShellState) -> TestVerdict:
    """`[ ... ]`, `[[ ... ]]` or `test ...`."""
    inner = [word for word in words[1:] if word not in {"]", "]]", "(", ")"}]
    for operators, join in (({"-o", "||"}, either), ({"-a", "&&"}, both)):
        at = next((place for place, word in enumerate(inner) if word in operators and place), None)
        if at is not None:
            first = judge_test(["[", *inner[:at]], expander, state)
            return join(first, judge_test(["[", *inner[at + 1 :][:MAX_PATTERN]], expander, state))
    if inner[:1] == ["!"]:
        return _term(inner[1:], expander, state).negated
    return _term(inner, expander, state)


def _term(words: list[str], expander: Expander, state: ShellState) -> TestVerdict:
    match words:
        case [("-z" | "-n") as how, word]:
            found = _is_empty(word, expander, state)
            return found if how == "-z" else found.negated
        case [operator, word] if operator.startswith("-"):
            return _test_file(operator, expander.expand(word, state), expander.files)
        case [word]:
            return _is_empty(word, expander, state).negated
        case [left, ("=" | "==" | "!=") as how, right]:
            found = _compare(left, right, expander, state)
            return found.negated if how == "!=" else found
        case [left, operator, right] if operator in COMPARISONS:
            return _numbers(left, operator, right, expander, state)
    return TestVerdict()


def _test_file(operator: str, paths: Values, files: ScriptFiles) -> TestVerdict:
    """Of a script that was read it is known, and of a folder with one."""
    if operator == "-d" and all(files.names_in(path) for path in paths):
        return SUCCESS
    if operator in FILE_TESTS and all(path in files.texts for path in paths):
        answers = {operator != "-x" or files.is_executable(path) for path in paths}
        return _of_answers({*answers}, paths)
    return TestVerdict(is_doubtful=not any(path.startswith("/sys/") for path in paths))


def _is_empty(word: str, expander: Expander, state: ShellState) -> TestVerdict:
    values = expander.expand(word, state)
    answers = {None if UNKNOWN in value else not value for value in values}
    return _of_answers(answers, values)


def _of_answers(answers: set[bool | None], values: Values) -> TestVerdict:
    """A doubt, unless it asks for the number that is there: the count itself decides then."""
    if len(answers) == 1 and None not in answers:
        return SUCCESS if answers == {True} else FAILURE
    return TestVerdict(is_doubtful=not any(value.startswith(f"{UNKNOWN}/sys/") for value in values))


def _compare(left: str, right: str, expander: Expander, state: ShellState) -> TestVerdict:
    have, want = expander.expand(left, state), expander.expand(right, state)
    answers = {fits(value, pattern) for value, pattern in itertools.product(have, want)}
    found = _of_answers(answers, have)
    if found.holds is not None:
        return found
    if_true, if_false = _narrow_both(left, want, state)
    if not if_true:
        if_true, if_false = _narrow_both(right, have, state)
    return TestVerdict(is_doubtful=found.is_doubtful, if_true=if_true, if_false=if_false)


def fits(value: str, pattern: str) -> bool | None:
    """Whether a value fits a pattern; None if it is not known."""
    if pattern == "*":
        return True
    if UNKNOWN in value or UNKNOWN in pattern:
        return None
    if max(len(value), len(pattern)) > MAX_PATTERN:
        return value == pattern
    return value == pattern or fnmatchcase(value, pattern) or (None if _may_be(value, pattern) else False)


def _may_be(value: str, pattern: str) -> bool:
    """Whether a value that stands for the names of files may be one that fits. No function is called lo."""
    return "*" in value and pattern != LOOPBACK and fnmatchcase(pattern, value)


def variable_of(word: str) -> tuple[str, str]:
    """The name of the variable that the word is, and what stands before it; "" if it is not one alone."""
    found = VARIABLE.fullmatch(word)
    return (found[2] or found[3], found[1]) if found else ("", "")


def _narrow_both(word: str, others: Values, state: ShellState) -> tuple[dict[str, Values], dict[str, Values]]:
    """What the variable is where it equals one of the others, and where it does not."""
    name, prefix = variable_of(word)
    if not name or any(UNKNOWN in other or not other.startswith(prefix) for other in others):
        return {}, {}
    wanted = tuple(other.removeprefix(prefix) for other in others)
    known = state.known.get(name, (UNKNOWN,))
    return {name: narrow(known, wanted)}, {name: left_over(known, wanted)}


def narrow(known: Values, patterns: Values) -> Values:
    """Which of the values fit; an unknown one is what it is compared with."""
    kept = [value for value in known if any(fits(value, pattern) for pattern in patterns)]
    if any(UNKNOWN in value or value == UNSET for value in known):
        kept += patterns
    kept += [pattern for pattern in patterns if any(_may_be(value, pattern) for value in known)]
    return tuple(dict.fromkeys(kept)) or known


def left_over(known: Values, patterns: Values) -> Values:
    """Which of the values may be others."""
    return tuple(value for value in known if not any(fits(value, pattern) for pattern in patterns)) or known


def _numbers(left: str, operator: str, right: str, expander: Expander, state: ShellState) -> TestVerdict:
    values = expander.expand(left, state)
    compare = COMPARISONS[operator]
    answers: set[bool | None] = set()
    for have, want in itertools.product(values, expander.expand(right, state)):
        number, limit = kernel_number(have), kernel_number(want)
        answers.add(None if number is None or limit is None else bool(compare(number, limit)))
    return _of_answers(answers, values)
