"""trials.json: VFs that verify has in VMs right now."""

import pytest

from builders import PF, vf_address
from sriov_bootstrap.core.trials import Trial, Trials, TriedVf, dump_trials, load_trials
from sriov_bootstrap.core.vf_attributes import VfAttributes

BOTH = tuple(TriedVf(vf_address(PF, number), number, "igbvf", VfAttributes(vlan=7)) for number in (0, 1))
SAVED = Trials("b007", (Trial("x", PF, "ens1f0", BOTH),))


def test_what_is_recorded_is_read_again() -> None:
    assert load_trials(dump_trials(SAVED), boot_id="b007") == SAVED
    assert SAVED.vfs == {vf_address(PF, 0), vf_address(PF, 1)}


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", dump_trials(Trials("another", SAVED.trials))])
def test_what_is_of_another_boot_or_garbage_counts_for_nothing(data: bytes) -> None:
    assert load_trials(data, boot_id="b007") == Trials()
