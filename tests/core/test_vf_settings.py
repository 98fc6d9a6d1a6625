"""Which VFs' attributes are set now, which later, and which are a tenant's."""

from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from builders import PF, make_pf, make_rule, make_vf
from sriov_bootstrap.core.facts import PfFacts, VfFacts
from sriov_bootstrap.core.vf_attributes import PfLink, VfAttributes, VfTable, fingerprint, stable_mac
from sriov_bootstrap.core.vf_settings import (
    QUIET_SECONDS,
    AttributeMemory,
    AttributeRefusal,
    Before,
    Seen,
    Settings,
    changes,
    has_changed,
    settings,
    wishes,
)
from sriov_bootstrap.core.vf_users import Use, UseKind

MAC, ID = "02:00:00:00:00:01", "0123456789abcdef0123456789abcdef"
RIGHT = VfAttributes(mac=MAC, vlan=100, trust=False, min_tx_rate=0, max_tx_rate=0)
WRONG = replace(RIGHT, vlan=7)
VLAN = (VfTable(vfs="all", vlan=100),)
VECTORS = (VfTable(vfs="all", vlan=100, msix_vectors=8),)
NOW = 1000.0
QUIET, JUST_NOW = NOW - QUIET_SECONDS, NOW - QUIET_SECONDS + 1
VF = make_vf()
HELD = make_vf(use=Use(UseKind.HELD, "qemu"))


def seen(since: float, actual: VfAttributes | None = WRONG, driver: str = "igbvf") -> dict[int, Seen]:
    """The VF as earlier passes saw it."""
    return {VF.incarnation: Seen(fingerprint(actual, driver), since)}


def refused(tables: tuple[VfTable, ...], request: str = "vlan", vf: int = VF.incarnation) -> AttributeMemory:
    """Some time ago, and the rest was given."""
    refusal = AttributeRefusal({request: frozenset({vf})}, "no")  # type: ignore[dict-item]
    return AttributeMemory(tables, frozenset({VF.incarnation}), refusal=refusal)


@dataclass
class Row:
    """A VF, its rule and what is remembered -> where it is listed; "" if it is as it should be."""

    id: str
    expected: str
    vf: VfFacts = VF
    actual: VfAttributes | None = WRONG
    tables: tuple[VfTable, ...] = VLAN
    memory: AttributeMemory = field(default_factory=AttributeMemory)
    vf_driver: str = "kernel"
    is_unfinished: bool = False
    has_carrier: bool = True
    is_rebound: bool = False


RATE = (VfTable(vfs="all", max_tx_rate=10),)
GIVEN = frozenset({VF.incarnation})
ROWS = [
    Row("equal", "", actual=RIGHT),
    Row("named by no table", "", tables=(VfTable(vfs="1", vlan=100),)),
    Row("beyond the count", "", tables=(VfTable(vfs="5-9", vlan=100),)),
    Row("seen for the first time", "later"),
    Row("quiet", "now", memory=AttributeMemory(seen=seen(QUIET))),
    Row("not yet quiet", "later", memory=AttributeMemory(seen=seen(JUST_NOW))),
    Row("somebody has set another one since", "later", memory=AttributeMemory(seen=seen(QUIET, RIGHT))),
    Row("it has another driver since", "later", memory=AttributeMemory(seen=seen(QUIET, driver=""))),
    Row("another rule, and quiet", "now", memory=AttributeMemory(RATE, GIVEN, seen(QUIET))),
    Row("held", "held", vf=HELD, memory=AttributeMemory(seen=seen(QUIET))),
    Row("on a driver of libvirt's", "held", vf=make_vf(driver="vfio-pci")),
    Row("on a vfio driver of the rule", "later", vf=make_vf(driver="vfio-pci"), vf_driver="vfio-pci"),
    Row("of ours, not bound yet", "now", vf=make_vf(driver=""), is_unfinished=True),
    Row("of ours, bound by now", "later", is_unfinished=True),
    Row("without a driver, not of ours", "later", vf=make_vf(driver="")),
    Row("refused", "refused", memory=refused(VLAN)),
    Row("refused, and the rule is another", "later", memory=refused(RATE)),
    Row("refused, and made anew", "later", memory=refused(VLAN, vf=7)),
    Row("refused and not told", "refused", actual=RIGHT, tables=VECTORS, memory=refused(VECTORS, "msix")),
    Row("refused, and right by now", "", actual=RIGHT, memory=refused(VLAN)),
    Row("refused in part", "later", tables=VECTORS, memory=refused(VECTORS, "msix")),
    Row("given and not told", "", actual=RIGHT, tables=VECTORS, memory=AttributeMemory(VECTORS, GIVEN)),
    Row("not told, and given to another rule", "later", actual=RIGHT, tables=VECTORS, memory=refused(RATE)),
    Row("nothing is told", "later", actual=None),
    Row("nothing is told, and all is given", "", actual=None, memory=AttributeMemory(VLAN, GIVEN)),
    Row("no carrier", "carrier", tables=RATE, has_carrier=False),
    Row("no carrier, and another one", "later", tables=(*RATE, *VLAN), has_carrier=False),
    Row("no carrier, and refused", "refused", tables=(*RATE, *VLAN), has_carrier=False, memory=refused((*RATE, *VLAN))),
    Row(
        "vectors of a VF that is bound",
        "now",
        tables=VECTORS,
        memory=AttributeMemory(seen=seen(QUIET)),
        is_rebound=True,
    ),
    Row(
        "an address of a VF that is bound",
        "now",
        tables=(VfTable(vfs="all", mac="02:00:00:00:00:02"),),
        memory=AttributeMemory(seen=seen(QUIET)),
        is_rebound=True,
    ),
    Row(
        "vectors that are refused cost no driver",
        "now",
        tables=VECTORS,
        memory=replace(refused(VECTORS, "msix"), seen=seen(QUIET)),
    ),
    Row(
        "bound although the rule says none",
        "now",
        tables=VECTORS,
        vf_driver="none",
        memory=AttributeMemory(seen=seen(QUIET)),
    ),
]


def judged(row: Row, machine_id: str = ID) -> Settings:
    pf = replace(make_pf(vfs=(row.vf,)), link=linked(row.actual, has_carrier=row.has_carrier))
    rule = make_rule(vf=row.tables, vf_driver=row.vf_driver, num_vfs=1)
    return settings(rule, pf, row.memory, machine_id, now=NOW, is_unfinished=row.is_unfinished)


def linked(actual: VfAttributes | None, *, has_carrier: bool = True) -> PfLink:
    return PfLink(2, has_carrier=has_carrier, vfs={} if actual is None else {0: actual})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_each_vf_is_in_one_list(row: Row) -> None:
    found = judged(row)
    lists = ("now", "later", "held", "refused", "carrier")
    assert [name for name in lists if getattr(found, name)] == ([row.expected] if row.expected else [])
    assert bool(found.rebound) is row.is_rebound
    assert bool(found.seen) is (row.expected in {"now", "later", "carrier"})
    assert len(found.differing) == (row.expected not in {"", "held"})
    assert found.awaits_carrier is (not row.has_carrier)


@pytest.mark.parametrize("pf", [make_pf(num_vfs=2), replace(make_pf(), link=linked(None))], ids=["unread", "no VFs"])
def test_of_vfs_that_are_not_there_or_not_known_nothing_is_said(pf: PfFacts) -> None:
    assert settings(make_rule(vf=VLAN), pf, AttributeMemory(), ID, now=NOW) == Settings()


def test_without_a_machine_id_no_vf_lacks_a_mac() -> None:
    row = Row("", "", actual=RIGHT, tables=(VfTable(vfs="all", vlan=100, mac="stable"),))
    assert not judged(row, machine_id="").differing
    assert judged(row).differing == {0}
    assert wishes(row.tables, PF, 1, ID)[0].mac == stable_mac(ID, PF, 0)


def test_what_is_planned_is_compared_with_what_is_there() -> None:
    planned = {0: Before(fingerprint(WRONG, "igbvf"), is_given=False)}
    assert not has_changed(planned, linked(WRONG), {0: "igbvf"})
    assert has_changed(planned, linked(RIGHT), {0: "igbvf"})
    assert has_changed(planned, linked(WRONG), {})
    assert has_changed(planned, linked(WRONG), {0: "igbvf 11"})
    assert not has_changed({}, linked(WRONG), {0: "igbvf"})


def test_only_planned_vfs_are_changed_without_what_was_refused() -> None:
    wished = wishes(VECTORS, PF, 2, ID)
    link = PfLink(2, vfs={0: WRONG, 1: WRONG})
    assert {vf: change.requests for vf, change in changes(wished, {}, link, ["igbvf"] * 2).items()} == dict.fromkeys(
        range(2), ("msix", "vlan")
    )
    before = Before(0, is_given=True, refused=("msix",))
    assert {vf: change.requests for vf, change in changes(wished, {1: before}, link, ["igbvf"] * 2).items()} == {
        1: ("vlan",)
    }
    assert changes(wished, {1: before}, PfLink(2, vfs={1: RIGHT}), ["igbvf"] * 2) == {}


def test_a_new_vf_that_is_on_vfio_is_somebodys() -> None:
    wished, link = wishes(VECTORS, PF, 2, ID), PfLink(2, vfs={0: WRONG, 1: WRONG})
    assert [*changes(wished, {}, link, ["vfio-pci", ""])] == [1]
    planned = dict.fromkeys(range(2), Before(0, is_given=False))
    assert [*changes(wished, planned, link, ["vfio-pci", ""])] == [0, 1]  # of those it is known whose they are


def test_who_asks_has_what_was_refused_given_anew() -> None:
    memory = refused(VECTORS, "msix")
    assert memory.without_refusal == AttributeMemory(VECTORS)
    assert AttributeMemory(VLAN, GIVEN).without_refusal == AttributeMemory(VLAN, GIVEN)


def test_a_refusal_is_about_vfs_that_are_there() -> None:
    refusal = AttributeRefusal({"vlan": frozenset({1, 2}), "mac": frozenset({2})}, "no")
    assert refusal.among(frozenset({1, 3})) == AttributeRefusal({"vlan": frozenset({1})}, "no")
    assert refusal.among(frozenset()) is None
