"""What the ports of VFs say of the functions behind them: as tables ask for it, and what is not so."""

import pytest

from builders import PF, make_pf, make_rule, make_vf
from sriov_bootstrap.core.config import PfRule, VfBinding
from sriov_bootstrap.core.eswitch import differing_functions, functions_to_set, functions_verdict, question_of
from sriov_bootstrap.core.eswitch_config import Eswitch, EswitchMode
from sriov_bootstrap.core.facts import EswitchFacts
from sriov_bootstrap.core.port_functions import PortFunction
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.switch_actions import SetUpEswitch
from sriov_bootstrap.core.validate import vf_problems
from sriov_bootstrap.core.vf_attributes import VfTable

SWITCHDEV = Eswitch(EswitchMode.SWITCHDEV)
TABLES = (VfTable(vfs="all", roce=False), VfTable(vfs="1", max_io_eqs=8, roce=True))


def rule(*tables: VfTable, eswitch: Eswitch | None = SWITCHDEV, binding: VfBinding = VfBinding.AUTO) -> PfRule:
    return make_rule(num_vfs=2, vf=tables, eswitch=eswitch, vf_binding=binding)


def test_the_last_table_that_says_it_counts() -> None:
    wanted = {0: PortFunction(roce=False), 1: PortFunction(roce=True, max_io_eqs=8)}
    assert rule(*TABLES).port_functions(2) == wanted
    assert [str(function) for function in wanted.values()] == ["roce off", "roce on, max_io_eqs 8"]
    assert rule(VfTable(vfs="all", vlan=1)).port_functions(2) == {}


def test_only_a_rule_that_asks_for_it_has_ports_read() -> None:
    assert question_of(PF, rule(*TABLES)).functions
    assert not question_of(PF, rule()).functions


def test_they_are_no_attributes_that_the_netdev_of_a_pf_sets() -> None:
    assert rule(*TABLES).attribute_tables == ()


@pytest.mark.parametrize("driver", ["", "mlx5_core"])
def test_what_is_not_so_is_set_while_a_vf_has_no_driver_and_told_later(driver: str) -> None:
    told = {0: PortFunction(roce=False, migratable=False), 1: PortFunction(roce=True, max_io_eqs=4)}
    vfs = (make_vf(index=0, driver=driver), make_vf(index=1, driver=driver))
    pf = make_pf(vfs=vfs, eswitch=EswitchFacts("switchdev", functions=told))
    left = {1: PortFunction(max_io_eqs=8)}
    assert differing_functions(rule(*TABLES), pf) == left
    assert functions_to_set(rule(*TABLES), pf) == ({} if driver else left)
    found = functions_verdict(pf, rule(*TABLES))
    assert found
    assert (found.reason, found.message) == (Reason.ATTRIBUTES_REFUSED, f"{PF}: VF 1 lacks max_io_eqs 8")
    assert functions_verdict(pf, rule()) is None
    assert differing_functions(rule(*TABLES), make_pf()) == {}


@pytest.mark.parametrize(
    ("eswitch", "binding", "problems"),
    [
        (SWITCHDEV, VfBinding.AUTO, []),
        (None, VfBinding.AUTO, ["roce: is set at the port of a switch"]),
        (SWITCHDEV, VfBinding.KERNEL, ["roce: is read while a VF gets its driver"]),
    ],
)
def test_what_does_not_go_with_it(eswitch: Eswitch | None, binding: VfBinding, problems: list[str]) -> None:
    found = vf_problems(rule(TABLES[0], eswitch=eswitch, binding=binding))
    assert [
        text.partition("number 1: ")[2].startswith(problem) for text, problem in zip(found, problems, strict=True)
    ] == [True] * len(problems)


def test_the_step_says_so() -> None:
    step = SetUpEswitch(PF, SWITCHDEV, 2, {0: PortFunction(roce=False), 1: PortFunction(roce=True)})
    assert str(step) == "wait for 2 representors and set port functions of 2 VFs"
