"""A report as log events: what is new in it, and only that."""

from msgspec.structs import replace

from builders import PF, PF2
from sriov_bootstrap.core.actions import SetLinkUp, SetNumVfs
from sriov_bootstrap.core.events import Event, Level, Value, follow_up_events, pass_events
from sriov_bootstrap.core.followup import FollowUpReport, UnitOutcome, UnitResult
from sriov_bootstrap.core.reasons import Reason
from sriov_bootstrap.core.report import Leftover, Outcome, PassReport, PfReport, PfState, Result, VfReport

FINE = PfReport("a", "4", PfState.OK, pci_address=PF, netdev="ens1f0", desired=4, num_vfs=4)
BAD = PfReport(
    "a", "4", PfState.DEGRADED, PF, desired=4, num_vfs=7, reason=Reason.IN_USE, message="VFs stay", hint="wait"
)
OPTIONAL = PfReport("b", "4", PfState.OPTIONAL, message="no PF matches")
BAD_EVENT = Event(
    Level.WARNING,
    "VFs stay",
    {"pci_address": PF, "rule": "a", "from": 7, "to": 4, "reason": "in_use", "hint": "wait"},
)
FINE_EVENT = Event(Level.INFO, f"{PF} (ens1f0): 4 VFs, as desired", {"pci_address": PF, "rule": "a"})
NOTHING = PassReport()


def of(*pfs: PfReport, results: tuple[Result, ...] = ()) -> PassReport:
    """A pass."""
    return PassReport(pfs=pfs, results=results)


def test_the_first_pass_says_how_every_pf_is() -> None:
    optional = Event(Level.INFO, "no PF matches", {"pci_address": "", "rule": "b"})
    assert pass_events(of(FINE, OPTIONAL), NOTHING) == (FINE_EVENT, optional)
    assert pass_events(of(BAD), NOTHING) == (BAD_EVENT,)


def test_what_has_not_changed_is_not_said_again() -> None:
    assert pass_events(of(BAD, OPTIONAL), of(BAD, OPTIONAL)) == ()
    assert pass_events(of(FINE), of(FINE)) == ()


def test_a_pf_with_things_to_do_is_not_called_as_desired() -> None:
    assert pass_events(of(PfReport("a", "4", PfState.PENDING, PF, desired=4)), of(BAD)) == ()


def test_vfs_that_no_rule_asks_for_any_more_are_said_once() -> None:
    left = PassReport(leftovers=(Leftover(PF, vfs=(VfReport(0, "0000:3b:02.0"),)),))
    fields: dict[str, Value] = {"pci_address": PF, "vfs": 1, "hint": left.leftovers[0].hint}
    text = f"{PF}: 1 VF is ours, but no rule asks for it any more"
    assert pass_events(left, NOTHING) == (Event(Level.INFO, text, fields),)
    assert pass_events(left, left) == ()


def test_a_change_is_said() -> None:
    assert pass_events(of(BAD), of(FINE)) == (BAD_EVENT,)
    assert pass_events(of(FINE), of(BAD)) == (FINE_EVENT,)


def test_every_result_is_said_once_with_its_numbers() -> None:
    done = Result(SetNumVfs(PF, 0, 4), Outcome.CHANGED, seconds=1.23456)
    failed = Result(SetNumVfs(PF2, 0, 4), Outcome.FAILED, 0.5, 28, f"{PF2}: cannot: ENOSPC", "lower it")
    link = Result(SetLinkUp(PF, "ens1f0"), Outcome.UNCHANGED)
    worse = PfReport("b", "4", PfState.DEGRADED, PF2, message=failed.message, hint="lower it")
    numbers: dict[str, Value] = {"from": 0, "to": 4}
    assert pass_events(of(FINE, worse, results=(link, done, failed)), of(FINE)) == (
        Event(Level.INFO, f"{PF}: bring ens1f0 up: unchanged", {"pci_address": PF, "rule": "a", "seconds": 0.0}),
        Event(
            Level.INFO,
            f"{PF}: set sriov_numvfs from 0 to 4: changed",
            numbers | {"pci_address": PF, "rule": "a", "seconds": 1.235},
        ),
        Event(
            Level.ERROR,
            f"{PF2}: cannot: ENOSPC",
            numbers | {"pci_address": PF2, "rule": "b", "seconds": 0.5, "errno": "ENOSPC", "hint": "lower it"},
        ),
    )


def test_losses_notes_and_problems_of_the_config_are_said() -> None:
    report = PassReport(pfs=(FINE,), losses={PF: 3, PF2: 1}, notes=("old", "new"), config_problems=("/c: bad",))
    report = replace(report, loss_suspects={PF2: "the script /etc/rc.local:2"})
    assert pass_events(report, PassReport(pfs=(FINE,), notes=("old",))) == (
        Event(Level.WARNING, "config is not valid, the last valid one stays in force: /c: bad"),
        Event(Level.WARNING, "new"),
        Event(
            Level.WARNING,
            f"{PF}: 3 VFs disappeared, and not by sriov-bootstrap",
            {"pci_address": PF, "rule": "a", "lost": 3},
        ),
        Event(
            Level.WARNING,
            f"{PF2}: 1 VF disappeared, and not by sriov-bootstrap: perhaps the script /etc/rc.local:2",
            {"pci_address": PF2, "rule": "", "lost": 1},
        ),
    )
    again = PassReport(pfs=(FINE,), notes=("old", "new"), config_problems=("/c: bad",))
    assert pass_events(again, report) == ()


def test_a_mistake_in_a_table_is_said_once() -> None:
    report = PassReport(pfs=(FINE,), table_problems=("/c: old", "/c: new"))
    assert pass_events(report, PassReport(pfs=(FINE,), table_problems=("/c: old",))) == (
        Event(Level.WARNING, "config is not valid, and its rule sets nothing for VFs: /c: new"),
    )


def test_restarts_are_said_each_and_a_bus_that_stays_away_once() -> None:
    results = (
        UnitResult("a.service", UnitOutcome.DONE, 1.2345),
        UnitResult("b.service", UnitOutcome.TIMEOUT, 180.0, "no end in 180 s"),
        UnitResult("c.service", UnitOutcome.STOPPING, 180.0, "still stopping", why="it scans once"),
    )
    report = FollowUpReport(results, None, "no bus", (PF, PF2), spared=("d.service: not restarted",))
    changed: dict[str, Value] = {"changed": f"{PF}, {PF2}"}
    events = (
        Event(Level.INFO, "d.service: not restarted", dict(changed)),
        Event(Level.INFO, "a.service: restarted", changed | {"unit": "a.service", "seconds": 1.234}),
        Event(
            Level.ERROR,
            "b.service: restart timeout: no end in 180 s",
            changed | {"unit": "b.service", "seconds": 180.0},
        ),
        Event(
            Level.INFO,
            "c.service: restart stopping: still stopping",
            changed | {"unit": "c.service", "seconds": 180.0, "why": "it scans once"},
        ),
    )
    away = Event(Level.WARNING, "restarts stay pending: no bus", dict(changed))
    assert follow_up_events(report, FollowUpReport()) == (away, *events)
    assert follow_up_events(report, report) == events[1:]
    assert follow_up_events(report, replace(report, problem="")) == (away, *events)
    away = replace(away, fields=changed | {"hint": "start it"})
    assert follow_up_events(replace(report, hint="start it"), FollowUpReport()) == (away, *events)
