"""What becomes of VFs whose rule is gone."""

import pytest

from builders import PF, PF2, make_config, make_pf, make_rule
from sriov_bootstrap.core.actions import BindVfs
from sriov_bootstrap.core.config import PfRule
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.ours import plans_without_rule
from sriov_bootstrap.core.placing import Placement
from sriov_bootstrap.core.surroundings import Jam, Surroundings

VM = "qemu-system-x86 pid 4711"
JAM = Jam(4711, PF2, "set sriov_numvfs from 7 to 0", 1000.0)
NAMED_BEFORE = {PF: Placement(applied="vfio-pci")}


@pytest.mark.parametrize(
    ("rules", "pf", "around", "is_cleared"),
    [
        ((), make_pf(num_vfs=2), Surroundings(placements=NAMED_BEFORE), True),
        ((make_rule(),), make_pf(num_vfs=2), Surroundings(placements=NAMED_BEFORE), False),
        ((), make_pf(num_vfs=2), Surroundings(), False),
        ((), make_pf(), Surroundings(placements=NAMED_BEFORE), False),
        ((), make_pf(num_vfs=2, holder=VM), Surroundings(placements=NAMED_BEFORE), False),
        ((), make_pf(num_vfs=2), Surroundings(placements=NAMED_BEFORE, bindings={PF: JAM}), False),
        ((), make_pf(num_vfs=2), Surroundings(placements=NAMED_BEFORE, jam=JAM), False),
    ],
    ids=["gone", "there is one", "named none", "without VFs", "in use", "being bound", "a jam"],
)
def test_vfs_whose_rule_is_gone_no_longer_carry_the_driver_that_it_named(
    rules: tuple[PfRule, ...], pf: PfFacts, around: Surroundings, *, is_cleared: bool
) -> None:
    plans = plans_without_rule(make_config(*rules), (pf,), around)
    cleared = BindVfs(PF, "", tuple(vf.pci_address for vf in pf.vfs), "vfio-pci")
    assert [plan.actions for plan in plans] == ([(cleared,)] if is_cleared else [])
