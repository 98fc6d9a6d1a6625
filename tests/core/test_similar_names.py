"""Which name was probably meant, for as many names as anyone would fix by hand."""

from sriov_bootstrap.core.similar_names import GUESSES, Guesses

KNOWN = ("physnet1",)


def test_guesses_end_with_the_names_that_anyone_would_fix() -> None:
    guesses = Guesses()
    said = [guesses.nearest(f"physne{number:02}", KNOWN) for number in range(GUESSES + 1)]
    assert GUESSES == 32
    assert said == ["physnet1"] * GUESSES + [""]


def test_a_name_that_was_guessed_keeps_its_guess_and_costs_no_other() -> None:
    guesses = Guesses()
    for _ in range(GUESSES):
        assert guesses.nearest("phynet1", KNOWN) == "physnet1"
    assert guesses.nearest("physnet", KNOWN) == "physnet1"
