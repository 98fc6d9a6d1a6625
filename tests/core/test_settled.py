"""Whether a write has taken effect."""

import pytest

from builders import make_pf, make_vf
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.settled import is_settled, settle_deadline_seconds


@pytest.mark.parametrize(
    ("pf", "expects_driver", "settled"),
    [
        (None, True, False),
        (make_pf(num_vfs=1), True, False),
        (make_pf(num_vfs=2), True, True),
        (make_pf(vfs=(make_vf(), make_vf(index=1, driver=""))), True, False),
        (make_pf(vfs=(make_vf(), make_vf(index=1, driver=""))), False, True),
        (make_pf(vfs=(make_vf(), make_vf(index=1, driver="")), autoprobe=False), True, True),
    ],
    ids=["gone", "too few", "there", "no driver yet", "no driver to come", "none is to bind"],
)
def test_a_write_has_become_true_when_the_vfs_are_ready(
    pf: PfFacts | None, *, expects_driver: bool, settled: bool
) -> None:
    assert is_settled(pf, 2, expects_driver=expects_driver) is settled


def test_the_wait_for_vfs_grows_with_their_number() -> None:
    assert [settle_deadline_seconds(count) for count in (0, 64)] == [20.0, 148.0]
