"""Facts and wishes -> steps, where VFs come from a module parameter."""

from dataclasses import dataclass, field
from typing import TypedDict, Unpack

import pytest
from msgspec.structs import replace

from builders import PF, PF2, PF3, RuleValues, make_netdev, make_pf, make_wish
from sriov_bootstrap.core.actions import Action, ReloadDriver, SetAutoprobe, SetLinkUp, SetNumVfs, WriteFile, stage_of
from sriov_bootstrap.core.config import Method
from sriov_bootstrap.core.contest import Contest
from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.driver_wishes import VfDriver
from sriov_bootstrap.core.facts import PfFacts, Routes
from sriov_bootstrap.core.plan import Plan
from sriov_bootstrap.core.plan_max_vfs import due_step, make_plans
from sriov_bootstrap.core.reasons import Reason, Verdict
from sriov_bootstrap.core.surroundings import Jam, ModuleFacts, Short, Surroundings

PATH = "/etc/modprobe.d/sriov-bootstrap-igb.conf"
TEXT = '# Written by sriov-bootstrap (method = "max_vfs"); changes here are replaced.\noptions igb max_vfs=4\n'
FILE = WriteFile(PF, PATH, TEXT)
RELOAD = ReloadDriver(PF, "igb", (PF,), 4)
RELOAD_BOTH = ReloadDriver(PF, "igb", (PF, PF2), 4)
NEW = ModuleFacts("", has_max_vfs=True)
WRITTEN = ModuleFacts(TEXT, has_max_vfs=True)
BY_HAND = "reboot, or while nothing uses the device: modprobe -r igb && modprobe igb"
NO_RELOAD = Verdict(
    Reason.RELOAD_REQUIRED,
    f"{PF}: 0 VFs instead of 4 until igb is reloaded",
    f"{BY_HAND}; with reload_driver = true in the rule, this is done automatically",
)
FEWER = Verdict(
    Reason.FEWER_VFS,
    f"{PF}: asked for 4 VFs but got 0, and the kernel reported no error",
    "check the eswitch mode, the NIC's firmware settings and the driver's messages: journalctl -k",
)
DOWN = (make_netdev(is_up=False),)
JAM = Jam(4711, PF3, "set sriov_numvfs from 7 to 0", 1000.0)
JAM_HINT = "end the VM or process that holds one of its VFs; the kernel log may name the cause: journalctl -k"
BLOCKED = Verdict(
    Reason.BLOCKED,
    f"{PF3}: set sriov_numvfs from 7 to 0 has not returned (process 4711 is waiting in the kernel)",
    JAM_HINT,
)
STUCK = Verdict(
    Reason.STUCK, f"{PF}: reload the driver igb has not returned (process 4711 is waiting in the kernel)", JAM_HINT
)

BINDING = Jam(4711, PF2, "bind 4 VFs", 1000.0)
BINDING_TEXT = f"{PF2}: bind 4 VFs has not returned (process 4711 is waiting in the kernel)"
BINDING_HINT = "see journalctl -k if it takes long: a VF's driver, or its firmware, may not answer"


def wish(pf: PfFacts, **rule: Unpack[RuleValues]) -> DesiredPf:
    """A wish for max_vfs that may reload."""
    defaults: RuleValues = {"method": Method.MAX_VFS, "reload_driver": True}
    return make_wish(pf=pf, **(defaults | rule))


class SurroundingsValues(TypedDict, total=False):
    """Of Surroundings."""

    jam: Jam
    routes: Routes
    short: dict[str, Short]
    contests: dict[str, Contest]
    force: bool
    bindings: dict[str, Jam]


def around(*pfs: PfFacts, module: ModuleFacts = WRITTEN, **values: Unpack[SurroundingsValues]) -> Surroundings:
    """These PFs, all of igb."""
    return Surroundings(pfs=pfs, modules={"igb": module}, **values)


@dataclass
class Row:
    """One line of the table; `expected` is (actions, verdict, carrier) for each wish."""

    id: str
    wishes: tuple[DesiredPf, ...]
    around: Surroundings
    expected: list[tuple[tuple[Action, ...], Verdict | None, str]] = field(default_factory=list)


A, B = make_pf(), make_pf(pci_address=PF2)
OTHER = make_pf(is_nic=False)
A4, B4 = make_pf(num_vfs=4), make_pf(pci_address=PF2, num_vfs=4)
VM = make_pf(pci_address=PF2, num_vfs=2, holder="qemu pid 9")
ROUTED = make_pf(netdevs=(make_netdev(uppers=("bond0",)),))
DONE: tuple[tuple[Action, ...], Verdict | None, str] = ((), None, "")

CONTESTED = Verdict(
    Reason.CONTESTED,
    f"{PF}: something else sets 0 VFs where 4 are asked for",
    "it is written again after 5 s, and less and less often; "
    "sriov-bootstrap doctor names what else sets VFs if a file does: let only one of them do it",
)
ROWS = [
    Row("file and reload", (wish(A),), around(A, module=NEW), [((FILE, RELOAD), None, "")]),
    Row("the file is there", (wish(A),), around(A), [((RELOAD,), None, "")]),
    Row("equal does nothing", (wish(A4),), around(A4), [DONE]),
    Row("equal, the file is missing", (wish(A4),), around(A4, module=NEW), [((FILE,), None, "")]),
    Row(
        "reload not allowed",
        (wish(A, reload_driver=False),),
        around(A, module=NEW),
        [((FILE,), NO_RELOAD, "")],
    ),
    Row(
        "reload not allowed by one of two rules",
        (wish(A), wish(B4, reload_driver=False)),
        around(A, B4),
        [((), NO_RELOAD, ""), DONE],
    ),
    Row(
        "the first carries the steps of both",
        (wish(A), wish(B)),
        around(A, B, module=NEW),
        [((FILE, RELOAD_BOTH), None, ""), ((), None, PF)],
    ),
    Row("one of both is missing VFs", (wish(A4), wish(B)), around(A4, B), [((RELOAD_BOTH,), None, ""), ((), None, PF)]),
    Row(
        "what is no NIC",
        (wish(OTHER),),
        around(OTHER),
        [
            (
                (),
                Verdict(
                    Reason.RELOAD_REQUIRED,
                    f"{PF}: it is not a NIC, and what uses it cannot be seen, so igb is not reloaded",
                    BY_HAND,
                ),
                "",
            )
        ],
    ),
    Row(
        "the rules differ",
        (wish(A), wish(B, name="b", num_vfs=3)),
        around(A, B),
        [
            (
                (),
                Verdict(
                    Reason.CONFLICT,
                    f'{address}: max_vfs is one number for all PFs of igb, but the rules "b", "tenant-a" differ',
                    'give these rules the same num_vfs, or use method = "sriov_numvfs"',
                ),
                "",
            )
            for address in (PF, PF2)
        ],
    ),
    Row(
        "a PF of the driver without such a rule",
        (wish(A), make_wish(pf=B)),
        around(A, B),
        [
            (
                (),
                Verdict(
                    Reason.RELOAD_REQUIRED,
                    f"{PF2}: no rule with max_vfs covers this PF, so igb is not reloaded",
                    BY_HAND,
                ),
                "",
            ),
            ((SetNumVfs(PF2, 0, 4),), None, ""),
        ],
    ),
    Row(
        "a PF of another driver", (wish(A),), around(A, make_pf(pci_address=PF3, driver="ice")), [((RELOAD,), None, "")]
    ),
    Row(
        "a VF of a sibling is in use, also against force",
        (wish(A), wish(VM)),
        around(A, VM, force=True),
        [
            (
                (),
                Verdict(
                    Reason.IN_USE,
                    f"{PF2}: VF 0 0000:3b:02.0 is held by qemu pid 9; igb is not reloaded",
                    "this is done automatically once it is released",
                ),
                "",
            )
        ]
        * 2,
    ),
    Row(
        "the default route",
        (wish(ROUTED),),
        around(ROUTED, routes=Routes(frozenset({"bond0"}))),
        [
            (
                (),
                Verdict(
                    Reason.RELOAD_REQUIRED,
                    f"{PF}: ens1f0 carries the default route, so igb is not reloaded",
                    BY_HAND,
                ),
                "",
            )
        ],
    ),
    Row(
        "nobody knows where the default routes leave",
        (wish(A),),
        around(A, routes=Routes(problem="/proc/net/route: Permission denied")),
        [
            (
                (),
                Verdict(
                    Reason.RELOAD_REQUIRED,
                    f"{PF}: it may carry a default route, so igb is not reloaded: /proc/net/route: Permission denied",
                    BY_HAND,
                ),
                "",
            )
        ],
    ),
    Row(
        "the module has no such parameter",
        (wish(A),),
        around(A, module=ModuleFacts()),
        [
            (
                (),
                Verdict(
                    Reason.METHOD_UNSUPPORTED,
                    f"{PF}: the module igb has no max_vfs parameter that takes one number",
                    'use method = "sriov_numvfs"',
                ),
                "",
            )
        ],
    ),
    Row(
        "too much for one is too much for the driver",
        (wish(make_pf(total_vfs=3)), wish(B)),
        around(A, B, module=NEW),
        [
            (
                (),
                Verdict(
                    Reason.EXCEEDS_MAX,
                    f"{PF}: cannot create 4 VFs: the device offers 3",
                    'lower num_vfs in rule "tenant-a" to 3 or "max"',
                ),
                "",
            )
        ]
        * 2,
    ),
    Row("a jam blocks the reload, not the file", (wish(A),), around(A, module=NEW, jam=JAM), [((FILE,), BLOCKED, "")]),
    Row(
        "a jam blocks what is left to prepare",
        (wish(replace(A4, netdevs=DOWN)),),
        around(A4, jam=JAM),
        [((), BLOCKED, "")],
    ),
    Row(
        "no reload while VFs of the driver are being bound",
        (wish(A), wish(B)),
        around(A, B, module=NEW, bindings={PF2: BINDING}),
        [((), Verdict(reason, BINDING_TEXT, BINDING_HINT), "") for reason in (Reason.BLOCKED, Reason.STUCK)],
    ),
    Row("a jam and nothing to do", (wish(A4),), around(A4, jam=JAM), [DONE]),
    Row("stuck", (wish(A),), around(A, jam=Jam(4711, PF, "reload the driver igb", 0.0)), [((), STUCK, "")]),
    Row(
        "a reload that made none is not repeated",
        (wish(A),),
        around(A, short={PF: Short(4, frozenset(), is_proven=True)}),
        [((), FEWER, "")],
    ),
    Row(
        "a reload whose VFs somebody has changed waits",
        (wish(A),),
        around(A, contests={PF: Contest(4, 0, 1, 60.0)}),
        [((), CONTESTED, "")],
    ),
    Row(
        "a reload for another number",
        (wish(A),),
        around(A, short={PF: Short(3, frozenset(), is_proven=True)}),
        [((RELOAD,), None, "")],
    ),
    Row(
        "a reload by force",
        (wish(A),),
        around(A, short={PF: Short(4, frozenset(), is_proven=True)}, force=True),
        [((RELOAD,), None, "")],
    ),
    Row(
        "autoprobe of every PF goes first, the link comes after",
        (wish(replace(A, netdevs=DOWN), vf_driver=VfDriver.NONE), wish(B, vf_driver=VfDriver.NONE)),
        around(A, B),
        [
            ((SetAutoprobe(PF, enabled=False), SetAutoprobe(PF2, enabled=False), RELOAD_BOTH), None, ""),
            ((), None, PF),
        ],
    ),
    Row(
        "the link after the reload",
        (wish(replace(A4, netdevs=DOWN)),),
        around(A4),
        [((SetLinkUp(PF, "ens1f0"),), None, "")],
    ),
    Row("absent and optional", (make_wish(method=Method.MAX_VFS, required=False),), around(), [DONE]),
    Row(
        "no driver",
        (wish(make_pf(driver="")),),
        around(),
        [
            (
                (),
                Verdict(
                    Reason.DRIVER_MISSING,
                    f"{PF}: no driver is bound, so it cannot have VFs",
                    f"load its driver: modprobe $(cat /sys/bus/pci/devices/{PF}/modalias)",
                ),
                "",
            )
        ],
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_steps(row: Row) -> None:
    plans = make_plans(row.wishes, row.around)
    assert plans == tuple(Plan(one, *expected) for one, expected in zip(row.wishes, row.expected, strict=True))
    assert all(list(plan.actions) == sorted(plan.actions, key=stage_of) for plan in plans)


NOT_NOW = Verdict(
    Reason.RELOAD_REQUIRED,
    "the config does not ask for a reload of igb now",
    "sriov-bootstrap --once --dry-run shows what has to be done",
)


@pytest.mark.parametrize(
    ("plans", "expected"),
    [
        pytest.param((Plan(wish(A), (RELOAD,)),), RELOAD, id="the next step"),
        pytest.param((Plan(wish(B), carrier=PF), Plan(wish(A), (RELOAD_BOTH,))), RELOAD_BOTH, id="for another PF, too"),
        pytest.param((Plan(wish(A), (FILE, RELOAD)),), FILE, id="the file comes first"),
        pytest.param(
            (Plan(wish(A), (SetAutoprobe(PF, enabled=False), RELOAD)),), NOT_NOW, id="something else has to come first"
        ),
        pytest.param((Plan(wish(A), (FILE,), NO_RELOAD),), FILE, id="the file, where no reload is allowed"),
        pytest.param((Plan(wish(A), (), NO_RELOAD),), NO_RELOAD, id="not allowed: why not"),
        pytest.param((Plan(wish(A4)),), NOT_NOW, id="all is as desired"),
        pytest.param((Plan(wish(make_pf(driver="ixgbe")), (RELOAD,)),), NOT_NOW, id="of another driver"),
        pytest.param((Plan(replace(wish(A), pf=None)),), NOT_NOW, id="no PF"),
        pytest.param((), NOT_NOW, id="no rule"),
    ],
)
def test_a_file_or_a_reload_is_due_when_it_is_the_very_next_step(
    plans: tuple[Plan, ...], expected: WriteFile | ReloadDriver | Verdict
) -> None:
    assert due_step(plans, "igb") == expected
