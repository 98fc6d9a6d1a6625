"""What a PF's netdev had before us: noted once, and forgotten when no rule changes it any more."""

import pytest
from msgspec.structs import replace

from builders import PF, make_pf, make_wish
from sriov_bootstrap.core.actions import SetPfLink
from sriov_bootstrap.core.config import Switch
from sriov_bootstrap.core.former_links import FormerLink, FormerLinks, with_former
from sriov_bootstrap.core.plan import Plan
from sriov_bootstrap.core.vf_attributes import PfLink

DULL = FormerLink(promisc=False)
LINK = PfLink(2, mtu=1500, is_promiscuous=True)


def plan(*actions: SetPfLink, mtu: int = 9000, promisc: Switch | None = Switch.OFF) -> Plan:
    return Plan(make_wish(pf=replace(make_pf(), link=LINK), mtu=mtu, promisc=promisc), actions)


@pytest.mark.parametrize(
    ("known", "plans", "expected"),
    [
        ({}, [], {}),
        ({}, [plan()], {}),
        ({}, [plan(SetPfLink(PF, "ens1f0", 9000))], {PF: FormerLink(1500)}),
        ({}, [plan(SetPfLink(PF, "ens1f0", 9000, promisc=False))], {PF: FormerLink(1500, promisc=True)}),
        ({PF: FormerLink(1400)}, [plan(SetPfLink(PF, "ens1f0", 9000))], {PF: FormerLink(1400)}),
        (
            {PF: FormerLink(promisc=False)},
            [plan(SetPfLink(PF, "ens1f0", promisc=False))],
            {PF: FormerLink(0, promisc=False)},
        ),
        ({PF: FormerLink(1400)}, [], {PF: FormerLink(1400)}),
        ({PF: FormerLink(1400)}, [Plan(make_wish())], {PF: FormerLink(1400)}),
        ({PF: FormerLink(1400, promisc=True)}, [plan(mtu=0)], {PF: FormerLink(0, promisc=True)}),
        ({PF: FormerLink(1400)}, [plan(mtu=0, promisc=None)], {}),
    ],
    ids=[
        "nothing",
        "nothing is set",
        "an MTU",
        "both",
        "the first value counts",
        "the first mode counts",
        "no rule any more",
        "no PF",
        "a key that is gone",
        "both keys gone",
    ],
)
def test_what_was_there_before(known: FormerLinks, plans: list[Plan], expected: FormerLinks) -> None:
    assert with_former(known, plans) == expected


@pytest.mark.parametrize(("promisc", "switch"), [(None, None), (True, Switch.ON), (False, Switch.OFF)])
def test_as_a_rule_says_it(promisc: bool | None, switch: Switch | None) -> None:  # noqa: FBT001 - a value, no switch
    assert FormerLink(1500, promisc).switch is switch
