"""trials.json: VFs that verify has in VMs right now."""

import pytest

from builders import PF, make_raw_pf, make_raw_vf, vf_address
from sriov_bootstrap.core.facts import Links
from sriov_bootstrap.core.parse import parse_pf
from sriov_bootstrap.core.trials import Trial, Trials, TriedVf, dump_trials, load_trials
from sriov_bootstrap.core.vf_attributes import VfAttributes
from sriov_bootstrap.core.vf_users import Holders, Owners

BOTH = tuple(TriedVf(vf_address(PF, number), number, "igbvf", VfAttributes(vlan=7)) for number in (0, 1))
SAVED = Trials("b007", (Trial("x", PF, "ens1f0", BOTH),))


def test_what_is_recorded_is_read_again() -> None:
    assert load_trials(dump_trials(SAVED), boot_id="b007") == SAVED
    assert SAVED.vfs == {vf_address(PF, 0), vf_address(PF, 1)}


def test_a_record_of_an_earlier_version_is_understood() -> None:
    """It has no incarnations, and means whichever VF is there."""
    trial = Trial("x", PF, "ens1f0", (TriedVf(vf_address(PF, 0), 0, incarnation=7),))
    data = dump_trials(Trials("b007", (trial,))).replace(b'"incarnation":7', b'"of_a_later_one":7')
    vf = load_trials(data, boot_id="b007").trials[0].vfs[0]
    assert vf.incarnation == 0
    assert vf.is_at(vf_address(PF, 0), 4711)
    assert not vf.is_at(vf_address(PF, 1), 4711)


@pytest.mark.parametrize(("incarnation", "is_it"), [(7, True), (8, False)])
def test_a_vf_that_was_created_again_is_another_one(incarnation: int, *, is_it: bool) -> None:
    vf = TriedVf(vf_address(PF, 0), 0, incarnation=7)
    assert vf.is_at(vf_address(PF, 0), incarnation) is is_it


def test_what_is_over_is_no_longer_recorded() -> None:
    other = Trial("y", PF, "ens1f0", BOTH[:1])
    both = Trials("b007", (*SAVED.trials, other))
    assert both.without(SAVED.trials) == Trials("b007", (other,))
    assert both.without(()) == both


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", dump_trials(Trials("another", SAVED.trials))])
def test_what_is_of_another_boot_or_garbage_counts_for_nothing(data: bytes) -> None:
    assert load_trials(data, boot_id="b007") == Trials()


def test_a_vf_that_is_tried_says_so_and_is_no_tenants() -> None:
    vf = make_raw_vf()
    pf = parse_pf(make_raw_pf(vfs=(vf,)), Links(), Holders(), Owners(tried=frozenset({vf.pci_address})))
    assert pf.vfs[0].is_tried
    assert pf.vfs[0].note == "tried by sriov-bootstrap verify"
