"""Plans -> results."""

import errno

from builders import PF, PF2, make_wish
from fakes import FakeMachine, FakePf
from sriov_bootstrap.core.actions import ReloadDriver, SetNumVfs
from sriov_bootstrap.core.plan import Plan
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.passes.execute import carry_out

WRITE = SetNumVfs(PF, 0, 4)


def nobody(_addresses: tuple[str, ...], *, at_work: bool = False) -> str:  # noqa: ARG001
    return ""


def test_a_result_says_how_long_its_last_try_took() -> None:
    machine = FakeMachine(FakePf())
    machine.failures = {PF: [errno.EAGAIN, "stuck"]}
    (result,) = carry_out([Plan(make_wish(), (WRITE,))], machine, guard=nobody)
    assert (result.outcome, result.seconds) == (Outcome.STUCK, 80.0)


def test_the_guard_of_a_reload_is_asked_for_all_its_pfs() -> None:
    machine = FakeMachine(FakePf(), FakePf(pci_address=PF2))
    reload = ReloadDriver(PF, "igb", (PF, PF2), 4)
    results = carry_out(
        [Plan(make_wish(), (reload,))], machine, guard=lambda addresses, **_how: " and ".join(addresses)
    )
    message = f"{PF}: igb is not reloaded: {PF} and {PF2}"
    assert results == (Result(reload, Outcome.REFUSED, message=message, hint="wait"),)
