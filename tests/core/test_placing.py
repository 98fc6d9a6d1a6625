"""Which VFs are given another driver: rule, memory and what they have now -> now, later, or not at all."""

from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from builders import make_pf, make_rule, make_vf
from sriov_bootstrap.core.config import IncompleteRule, Method, PfRule, VfBinding
from sriov_bootstrap.core.facts import PfFacts, VfFacts
from sriov_bootstrap.core.placing import Moves, Placement, VfRefusal, binds_late, former_name, lacks, moves
from sriov_bootstrap.core.vf_attributes import VfTable
from sriov_bootstrap.core.vf_users import Use, UseKind

USE = Use(UseKind.HELD, "qemu")
BARE = make_vf(driver="", netdevs=())
NETDEV = make_vf(index=1)
VFIO = make_vf(index=2, driver="vfio-pci", netdevs=())
HELD = make_vf(index=3, driver="vfio-pci", netdevs=(), use=USE)
IN_NETNS = make_vf(index=4, use=USE)
ALL = (BARE, NETDEV, VFIO, HELD, IN_NETNS)
PF_WITH_ALL = make_pf(vfs=ALL)


def rule(vf_driver: str) -> PfRule:
    return make_rule(vf_driver=vf_driver, vf_binding=VfBinding.AUTO)


@dataclass
class Row:
    id: str
    vf_driver: str
    placed: Placement
    now: tuple[VfFacts, ...] = ()
    later: tuple[VfFacts, ...] = ()
    may_probe: bool = True
    pf: PfFacts = field(default_factory=lambda: PF_WITH_ALL)
    tables: tuple[VfTable, ...] = ()


def refused(driver: str, *vfs: VfFacts) -> Placement:
    return Placement("", refusal=VfRefusal(driver, frozenset(vf.incarnation for vf in vfs), "EIO"))


ONE_WITHOUT = VfTable(vfs="1", driver="none")
MIXED = (VfTable(vfs="0", driver="none"), VfTable(vfs="1-2", driver="vfio-pci"), VfTable(vfs="3", driver="igbvf"))

ROWS = [
    Row("kernel, and nothing known", "kernel", Placement()),
    Row("kernel as before", "kernel", Placement("kernel")),
    Row("kernel, not finished", "kernel", Placement(is_unfinished=True), (BARE,)),
    Row("kernel, not finished, and probing is off", "kernel", Placement(is_unfinished=True), may_probe=False),
    Row("kernel after none", "kernel", Placement("none"), (BARE,)),
    Row("kernel after a name: all carry it", "kernel", Placement("vfio-pci"), (BARE, NETDEV, VFIO), (HELD, IN_NETNS)),
    Row("kernel after another name", "kernel", Placement("igbvf"), (BARE, NETDEV), (HELD, IN_NETNS)),
    Row("none, and nothing known", "none", Placement()),
    Row("none as before", "none", Placement("none")),
    Row("none after kernel", "none", Placement("kernel"), (NETDEV,), (HELD, IN_NETNS)),
    Row("none after a name", "none", Placement("vfio-pci"), (BARE, NETDEV, VFIO), (HELD, IN_NETNS)),
    Row("a name, and nothing known", "igbvf", Placement(), (BARE,), (HELD,)),
    Row("a name that some have", "vfio-pci", Placement("vfio-pci"), (BARE, NETDEV), (IN_NETNS,)),
    Row("a name after another", "mlx5_vfio_pci", Placement("vfio-pci"), (BARE, NETDEV, VFIO), (HELD, IN_NETNS)),
    Row("a name, refused", "vfio-pci", refused("vfio-pci", BARE), (NETDEV,), (IN_NETNS,)),
    Row("a name, another one refused", "vfio-pci", refused("igbvf", BARE), (BARE, NETDEV), (IN_NETNS,)),
    Row("some with a name", "kernel", Placement("kernel"), (NETDEV,), (HELD,), tables=MIXED),
    Row(
        "some without the name that they had",
        "kernel",
        Placement("kernel", others={1: "igbvf", 2: "vfio-pci", 4: "igbvf"}),
        (NETDEV, VFIO),
        (IN_NETNS,),
    ),
    Row(
        "one that has left it already",
        "kernel",
        Placement("kernel", others={1: "igbvf", 2: "vfio-pci"}, moved=frozenset({NETDEV.incarnation})),
        (VFIO,),
    ),
    Row("none for one, after the kernel's", "kernel", Placement("kernel"), (NETDEV,), tables=(ONE_WITHOUT,)),
    Row(
        "the kernel's for one, after none",
        "none",
        Placement("none"),
        (BARE,),
        tables=(VfTable(vfs="0", driver="kernel"),),
    ),
    Row(
        "one refused, by its number",
        "kernel",
        Placement("kernel", refusal=VfRefusal("kernel", frozenset({101}), "EIO", others={1: "vfio-pci"})),
        later=(HELD,),
        tables=MIXED,
    ),
    Row(
        "refused with another driver",
        "kernel",
        Placement("kernel", refusal=VfRefusal("kernel", frozenset({101}), "EIO", others={1: "igbvf"})),
        (NETDEV,),
        (HELD,),
        tables=MIXED,
    ),
    Row("no VFs", "vfio-pci", Placement("kernel"), pf=make_pf()),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_moves(row: Row) -> None:
    wished = replace(rule(row.vf_driver), vf=row.tables)
    assert moves(wished, row.pf, row.placed, may_probe=row.may_probe) == Moves(row.now, row.later)


def test_while_tables_are_wrong_no_vf_is_moved() -> None:
    values = {key: getattr(rule("vfio-pci"), key) for key in PfRule.__struct_fields__}
    incomplete = IncompleteRule(**values, vf_problems=("bad",))
    assert moves(incomplete, PF_WITH_ALL, Placement("kernel"), may_probe=True) == Moves()


@pytest.mark.parametrize(
    ("wished", "names_follow_probes", "is_late"),
    [
        (replace(rule("kernel"), vf=MIXED), False, False),  # none of these is left to the kernel
        (replace(rule("kernel"), vf=MIXED[:2]), False, True),
        (replace(rule("none"), vf=(VfTable(vfs="0", driver="kernel"),)), False, True),
        (replace(rule("none"), vf=(VfTable(vfs="0", driver="kernel"),)), True, False),
        (rule("kernel"), False, True),
        (rule("kernel"), True, False),
        (rule("none"), False, False),
        (rule("vfio-pci"), False, False),
        (make_rule(), False, False),  # vf_binding = "kernel"
        (make_rule(method=Method.MAX_VFS, vf_binding=VfBinding.AUTO), False, False),
    ],
)
def test_vfs_are_bound_after_the_count_unless_something_speaks_against_it(
    wished: PfRule, *, names_follow_probes: bool, is_late: bool
) -> None:
    assert binds_late(wished, 4, names_follow_probes=names_follow_probes) is is_late


@pytest.mark.parametrize(
    ("applied", "vf_driver", "former"),
    [
        ("", "kernel", ""),
        ("none", "kernel", ""),
        ("kernel", "vfio-pci", ""),
        ("vfio-pci", "vfio-pci", ""),
        ("vfio-pci", "igbvf", "vfio-pci"),
        ("vfio-pci", "", "vfio-pci"),
    ],
)
def test_the_name_of_an_earlier_rule(applied: str, vf_driver: str, former: str) -> None:
    assert former_name(vf_driver, applied) == former


@pytest.mark.parametrize(
    ("vf_driver", "lacking"), [("kernel", [BARE]), ("none", [NETDEV, VFIO]), ("vfio-pci", [BARE, NETDEV])]
)
def test_a_free_vf_lacks_its_driver(vf_driver: str, lacking: list[VfFacts]) -> None:
    assert [vf for vf in ALL if lacks(vf, vf_driver)] == lacking
