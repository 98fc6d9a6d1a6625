"""When an operator may have VFs removed, and whose they are."""

import re

import pytest

from builders import PF, PF2, make_config, make_netdev, make_pf, make_rule
from sriov_bootstrap.base.errors import NotOursError
from sriov_bootstrap.core import eswitch, ours, release
from sriov_bootstrap.core.actions import SetAutoprobe, SetNumVfs
from sriov_bootstrap.core.config import Config, Match
from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.former_links import FormerLink
from sriov_bootstrap.core.pf_report import report_vfs
from sriov_bootstrap.core.plan import plan_pf
from sriov_bootstrap.core.report import Leftover
from sriov_bootstrap.core.state import PendingRestart, State
from sriov_bootstrap.core.surroundings import Surroundings
from sriov_bootstrap.doctor.nic.switch_codes import SWITCH_CODES

FOUR, TWO = make_pf(num_vfs=4), make_pf(num_vfs=2)
OURS = {PF: frozenset({100, 101})}
UNKNOWN_NAMES = make_pf(num_vfs=2, altnames_known=False)
BY_ALTNAME = make_config(make_rule(match=Match(altname="tenant")))


@pytest.mark.parametrize(
    ("text", "address"),
    [("0000:3b:00.0", PF), (" 0000:3B:00.0\n", PF), ("3b:00.0", PF), ("10000:3b:00.0", "10000:3b:00.0")],
)
def test_an_address_is_understood(text: str, address: str) -> None:
    assert release.parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "ens1f0", "3b:00", "0000:3b:00.8", "0000:3b:20.0", "0000:3b:00.0/../x", "0000:3b:00.*"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(NotOursError, match="not a PCI address"):
        release.parse_address(text)


@pytest.mark.parametrize(
    ("pf", "config", "mine"),
    [
        pytest.param(TWO, Config(), OURS, id="ours, and no rule"),
        pytest.param(TWO, Config(), {PF: frozenset({99, 100, 101})}, id="some more that were ours are gone"),
        pytest.param(TWO, make_config(make_rule(num_vfs=0)), OURS, id="a rule asks for none"),
        pytest.param(make_pf(), Config(), {}, id="there are none"),
    ],
)
def test_what_is_ours_may_go(pf: PfFacts, config: Config, mine: ours.Ours) -> None:
    release.refuse_unless_ours(PF, pf, config, mine)


@pytest.mark.parametrize(
    ("pf", "config", "mine", "message"),
    [
        pytest.param(None, Config(), OURS, "no device with SR-IOV has this PCI address", id="absent"),
        pytest.param(TWO, make_config(make_rule()), OURS, 'rule "tenant-a" still asks for VFs on it', id="rule"),
        pytest.param(make_pf(), make_config(make_rule()), {}, 'rule "tenant-a" still asks for VFs on it', id="no VFs"),
        pytest.param(UNKNOWN_NAMES, BY_ALTNAME, OURS, 'rule "tenant-a" still asks for VFs on it', id="rule, maybe"),
        pytest.param(TWO, Config(), {}, "its 2 VFs are not of our making", id="before us"),
        pytest.param(TWO, Config(), {PF: frozenset({98, 99})}, "its 2 VFs are not of our making", id="made anew"),
        pytest.param(TWO, Config(), {PF2: OURS[PF]}, "its 2 VFs are not of our making", id="another PF's"),
    ],
)
def test_what_is_not_ours_to_remove_is_refused_with_a_remedy(
    pf: PfFacts | None, config: Config, mine: ours.Ours, message: str
) -> None:
    with pytest.raises(NotOursError) as caught:
        release.refuse_unless_ours(PF, pf, config, mine)
    assert caught.value.message == f"{PF}: {message}"
    assert caught.value.hint


def test_a_release_makes_no_vfs_and_brings_nothing_up_but_gives_probing_back() -> None:
    pf = make_pf(num_vfs=2, autoprobe=False, netdevs=(make_netdev(is_up=False),))
    around = Surroundings(autoprobe_off_by_us=frozenset({PF}))
    plan = plan_pf(DesiredPf(release.rule_for(PF, FormerLink()), pf), around)
    assert plan.actions == (SetAutoprobe(PF, enabled=True), SetNumVfs(PF, 2, 0))


@pytest.mark.parametrize(
    ("pf", "adopted", "left"),
    [
        (TWO, {PF}, OURS),
        (TWO, set(), {PF: frozenset({100})}),
        (make_pf(), {PF}, {}),
        (make_pf(pci_address=PF2, num_vfs=2), set(), {}),
    ],
    ids=["adopted", "what was ours and is there", "none are left", "the PF is gone"],
)
def test_vfs_are_ours_until_they_go(pf: PfFacts, adopted: set[str], left: ours.Ours) -> None:
    assert ours.still_ours({PF: frozenset({99, 100})}, [pf], adopted=adopted) == left


@pytest.mark.parametrize(
    ("pf", "config", "mine", "is_left"),
    [
        (TWO, Config(), OURS, True),
        (TWO, make_config(make_rule(num_vfs=0)), OURS, False),
        (UNKNOWN_NAMES, BY_ALTNAME, OURS, False),
        (TWO, Config(), {}, False),
        (make_pf(), Config(), {}, False),
    ],
    ids=["no rule", "a rule", "a rule, maybe", "not ours", "no VFs"],
)
def test_vfs_of_ours_without_a_rule_are_left_over(
    pf: PfFacts, config: Config, mine: ours.Ours, *, is_left: bool
) -> None:
    assert ours.leftovers(mine, [pf], config) == ((Leftover(PF, "ens1f0", report_vfs(pf)),) if is_left else ())


def test_a_leftover_says_what_can_be_done() -> None:
    left = Leftover(PF, "ens1f0", report_vfs(TWO))
    assert str(left) == f"{PF} (ens1f0): 2 VFs are ours, but no rule asks for them any more"
    assert str(Leftover(PF)).startswith(f"{PF}: 0 VFs")
    assert f"sriov-bootstrap release {PF} " in left.hint


@pytest.mark.parametrize(
    ("changed_at", "kept"),
    [(None, (7.0, {PF2: 7.0}, None)), (50.0, (50.0, {PF: 50.0, PF2: 7.0}, PendingRestart(50.0, (PF,))))],
)
def test_a_release_that_removed_vfs_is_a_change_of_this_pf_alone(changed_at: float | None, kept: object) -> None:
    """Whoever uses VFs is restarted for it, and doctor knows who has started before it."""
    saved = State(changed_at=7.0, vfs_changed_at={PF2: 7.0})
    after = release.fold_into(saved, PF, (FOUR,), jam=None, changed_at=changed_at)
    assert (after.changed_at, after.vfs_changed_at, after.pending) == kept
    assert after.known == {PF: FOUR.incarnations}


@pytest.mark.parametrize(
    "text",
    [
        eswitch.LAG_BOUND_HINT,
        eswitch.FUNCTIONS_HINT,
        eswitch.STEERING_HINT,
        SWITCH_CODES["SB-W236"].text,
        SWITCH_CODES["SB-W240"].text,
    ],
)
def test_who_is_told_to_release_a_pf_with_a_rule_is_told_to_take_that_out_first(text: str) -> None:
    before, found, after = " ".join(text.split()).partition("sriov-bootstrap release")
    assert found
    assert re.search(r"take (its rule|the rules of both|both rules) out of the config, $", before)
    assert re.search(r"put the rules? back, and sriov-bootstrap --once", after)
