"""What --help teaches of each verb can be typed as it stands, and fits a terminal."""

import shlex

import pytest

from sriov_bootstrap.arguments import make_parser, misuse
from sriov_bootstrap.asked import Arguments
from sriov_bootstrap.verb_help import VERB_HELP

NO_PEOPLE = ["helper"]
COLUMNS = 80
EXAMPLES = [words for told in VERB_HELP.values() for words in told.examples]


@pytest.mark.parametrize("words", EXAMPLES)
def test_every_example_can_be_typed(words: str) -> None:
    argv = shlex.split(words.partition(" > ")[0])
    assert not misuse(make_parser().parse_args(argv, namespace=Arguments()))


@pytest.mark.parametrize("verb", VERB_HELP)
def test_every_verb_says_what_it_does_within_a_terminal(verb: str) -> None:
    told = VERB_HELP[verb]
    assert told.description.endswith(".")
    assert max(map(len, told.description.splitlines())) <= COLUMNS


def test_every_verb_that_answers_people_has_an_example_of_its_own() -> None:
    shown = [verb for verb, told in VERB_HELP.items() if any(words.startswith(verb) for words in told.examples)]
    assert shown == [verb for verb in VERB_HELP if verb not in {*NO_PEOPLE, "run"}]


def test_examples_and_exit_codes_end_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make_parser().parse_args(["check-config", "--help"])
    assert capsys.readouterr().out.endswith("""\
examples:
  sriov-bootstrap check-config           the installed files
  sriov-bootstrap check-config new.toml  a file before it is installed

exit code: 2 if something is wrong
""")


def test_a_verb_without_examples_ends_with_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make_parser().parse_args(["run", "--help"])
    assert capsys.readouterr().out.endswith("(default: auto)\n")
