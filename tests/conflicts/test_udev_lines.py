"""GOTO and LABEL in udev rules: a line that is never reached sets nothing, one that may not be is in doubt."""

import pytest

from builders import PF, PF2, make_netdev, make_pf
from sriov_bootstrap.conflicts.checks import find_masters
from sriov_bootstrap.conflicts.survey import Format, MastersSurvey, Source
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.desired import matches

SETS = 'ATTR{device/sriov_numvfs}="4"'
NET = f'SUBSYSTEM=="net", KERNEL=="ens1f0", {SETS}'
PFS = (make_pf(netdevs=(make_netdev(name="ens1f0"),)), make_pf(pci_address=PF2, netdevs=(make_netdev(name="ens1f1"),)))
END = '\nLABEL="end"'


def found(rules: str) -> list[tuple[tuple[Match, ...], bool]]:
    survey = MastersSurvey((Source(Format.UDEV, "/etc/udev/rules.d/a.rules", f"{rules}\n"),))
    return [(master.devices, master.is_certain) for master in find_masters(survey, PFS)]


def certain(rules: str) -> list[bool]:
    return [is_certain for _, is_certain in found(rules)]


@pytest.mark.parametrize(
    ("rules", "reached"),
    [
        pytest.param(f'SUBSYSTEM=="net", GOTO="end"\n{NET}{END}', [], id="of its subsystem"),
        pytest.param(f'GOTO="end"\n{NET}{END}', [], id="of all"),
        pytest.param(f'KERNEL=="ens*", GOTO="end"\n{NET}{END}', [], id="of its name"),
        pytest.param(f'KERNEL!="ens1f0|ens1f1", GOTO="end"\n{NET}{END}', [True], id="of other names"),
        pytest.param(f'SUBSYSTEM=="net", ACTION!="add", GOTO="end"\n{NET}{END}', [True], id="of other events"),
        pytest.param(f'SUBSYSTEM=="net", GOTO="end"\nKERNEL=="ens1f0", {SETS}{END}', [False], id="it names none"),
        pytest.param(f'ACTION=="add", GOTO="end"\n{NET}{END}', [False], id="at other events"),
        pytest.param(f'ACTION=="remove", GOTO="end"\n{NET}{END}', [True], id="at another event"),
        pytest.param(f'ATTR{{address}}=="02:*", GOTO="end"\n{NET}{END}', [False], id="by what it does not say"),
        pytest.param(f'KERNEL=="ens1f0", GOTO="end"\nKERNEL=="ens1*", {SETS}{END}', [False], id="of one of its names"),
        pytest.param(f'TEST!="device/sriov_numvfs", GOTO="end"\n{NET}{END}', [True], id="of no PF"),
        pytest.param(f'TEST=="device/sriov_numvfs", GOTO="end"\n{NET}{END}', [], id="of any PF"),
        pytest.param(f'ATTR{{device/sriov_numvfs}}!="0", GOTO="end"\n{NET}{END}', [True], id="with VFs"),
        pytest.param(f'SUBSYSTEM=="net", GOTO="nowhere"\n{NET}', [True], id="without a label"),
        pytest.param(f'LABEL="end"\nSUBSYSTEM=="net", GOTO="end"\n{NET}', [True], id="back"),
        pytest.param(f'ATTR{{address}}=="02:*", GOTO="end"\nLABEL="end"\n{NET}', [True], id="it ends before"),
        pytest.param(f'ATTR{{address}}=="02:*", GOTO="end"\nLABEL="end", {NET}', [True], id="it ends there"),
        pytest.param("\n".join(['KERNEL=="x", GOTO="end"'] * 65) + f"\n{NET}{END}", [False], id="too many"),
    ],
)
def test_a_line_is_judged_by_what_leads_past_it(rules: str, reached: list[bool]) -> None:
    assert certain(rules) == reached


def test_what_a_goto_leaves_is_what_the_next_lines_are_for() -> None:
    rules = f'SUBSYSTEM!="pci", GOTO="end"\nACTION!="add", GOTO="end"\nKERNEL=="{PF}", ATTR{{sriov_numvfs}}="4"{END}'
    ((devices, is_certain),) = found(rules)
    assert is_certain
    assert [matches(device, pf) for device in devices for pf in PFS] == [True, False]


def test_case_may_not_count() -> None:
    ((devices, is_certain),) = found(f'SUBSYSTEM=="net", KERNEL==i"ENS1F0", {SETS}')
    assert (devices, is_certain) == ((Match(netdev="ens1f0"),), True)
