"""Why a PF is not as desired, and what follows from it."""

from sriov_bootstrap.core.reasons import TRAITS, Reason


def test_what_follows_from_a_reason_is_said_of_each() -> None:
    assert set(TRAITS) == set(Reason)
    assert all(reason.traits is TRAITS[reason] for reason in Reason)
