"""Which VF is tried: a free one."""

import pytest

from builders import PF, PF2, make_config, make_netdev, make_pf, make_rule, make_vf, vf_address
from sriov_bootstrap.base.errors import UsageError
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.facts import PfFacts, VfFacts
from sriov_bootstrap.core.vf_users import Use, UseKind
from sriov_bootstrap.verify.choice import choose, choose_all

VF1 = vf_address(PF, 1)
HELD = Use(UseKind.HELD, "qemu-system-x86 pid 4711")
BUSY = make_pf(vfs=(make_vf(index=0, use=HELD), make_vf(index=1, use=HELD)))
HALF = make_pf(vfs=(make_vf(index=0, use=HELD), make_vf(index=1), make_vf(index=2)))
OTHER = make_pf(
    pci_address=PF2, netdevs=(make_netdev(name="ens1f1", altnames=("tenant1",)),), vfs=(make_vf(index=0, pf=PF2),)
)
BARE = make_pf(pci_address=PF2, netdevs=())
RULE = make_rule(name="a", match=Match(pci_address=PF))
RULE2 = make_rule(name="b", match=Match(pci_address=PF2))
BOTH = make_config(RULE, RULE2)
ONE = make_config(RULE)


def everyone_is_alone(_: VfFacts) -> bool:
    return True


@pytest.mark.parametrize(
    ("name", "rule", "expected"),
    [
        pytest.param("", "", (vf_address(PF, 1), "a"), id="any PF with a rule"),
        pytest.param(PF, "", (vf_address(PF, 1), "a"), id="a PF"),
        pytest.param("3b:00.0", "", (vf_address(PF, 1), "a"), id="a PF, in short"),
        pytest.param(vf_address(PF, 2), "", (vf_address(PF, 2), "a"), id="a VF"),
        pytest.param("ens1f1", "", (vf_address(PF2, 0), "b"), id="a netdev"),
        pytest.param("tenant1", "", (vf_address(PF2, 0), "b"), id="an altname"),
        pytest.param("", "b", (vf_address(PF2, 0), "b"), id="a rule"),
        pytest.param(PF2, "b", (vf_address(PF2, 0), "b"), id="a PF of a rule"),
    ],
)
def test_a_free_vf_of_what_was_named_is_tried(name: str, rule: str, expected: tuple[str, str]) -> None:
    choice = choose(BOTH, (HALF, OTHER), name, rule, everyone_is_alone)
    assert choice.vf
    assert (choice.vf.pci_address, choice.rule) == expected


def test_a_pf_without_a_rule_can_be_named() -> None:
    choice = choose(ONE, (HALF, OTHER), PF2, "", everyone_is_alone)
    assert (choice.rule, choice.vf) == ("", OTHER.vfs[0])


def test_another_free_vf_of_the_same_pf_is_the_second() -> None:
    assert choose(ONE, (HALF,), "", "", everyone_is_alone).second == HALF.vfs[2]
    assert choose(BOTH, (OTHER,), "", "", everyone_is_alone).second is None


def test_a_vf_alone_in_its_group_is_preferred_and_only_such_a_one_is_the_second() -> None:
    def is_alone(vf: VfFacts) -> bool:
        return vf.index == 2

    choice = choose(ONE, (HALF,), "", "", is_alone)
    assert (choice.vf, choice.second) == (HALF.vfs[2], None)


def test_a_pf_whose_vfs_are_all_in_use_is_passed_over_for_one_with_a_free_vf() -> None:
    assert choose(BOTH, (BUSY, OTHER), "", "", everyone_is_alone).pf == OTHER


@pytest.mark.parametrize(
    ("pf", "name", "why"),
    [
        (
            BUSY,
            PF,
            "no VF is free, 2 are in use: "
            + "; ".join(f"VF {n} {vf_address(PF, n)}: held by qemu-system-x86 pid 4711" for n in (0, 1)),
        ),
        (
            HALF,
            vf_address(PF, 0),
            f"no VF is free, 1 is in use: VF 0 {vf_address(PF, 0)}: held by qemu-system-x86 pid 4711",
        ),
        (make_pf(), PF, "it has no VFs"),
    ],
    ids=["a PF", "a VF", "no VFs"],
)
def test_where_none_is_free_it_says_who_has_them(pf: PfFacts, name: str, why: str) -> None:
    choice = choose(ONE, (pf,), name, "", everyone_is_alone)
    assert (choice.vf, choice.why) == (None, why)
    assert choice.remedy.startswith("shut a VM down" if pf.vfs else "sriov-bootstrap --once makes those")


@pytest.mark.parametrize(
    ("kind", "who", "remedy"),
    [
        (UseKind.OWNED, "the VM a", "shut a VM down, or take a VF from it, and try again"),
        (UseKind.HOLDER_UNKNOWN, "run as root", "shut a VM down, or take a VF from it, and try again"),
        (
            UseKind.NO_NETDEV,
            "igb_uio",
            f"if no program uses it: echo {VF1} > /sys/bus/pci/devices/{VF1}/driver/unbind;",
        ),
        (UseKind.NO_NIC, "qat", f"if no program uses it: echo {VF1} > /sys/bus/pci/devices/{VF1}/driver/unbind;"),
        (UseKind.LOWER, "bond0", "take its netdev out of what has it (ip -d link show v1), or name another VF"),
    ],
)
def test_what_to_do_is_what_costs_least(kind: UseKind, who: str, remedy: str) -> None:
    """Before a VM has to be shut down."""
    held, other = make_vf(index=0, use=HELD), make_vf(index=1, use=Use(kind, who, "v1"))
    choice = choose(ONE, (make_pf(vfs=(held, other)),), "", "", everyone_is_alone)
    assert choice.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("name", "rule", "said"),
    [
        ("ens9", "", 'verify: "ens9" is neither a PF nor a VF of one'),
        (PF, "b", f'verify: "{PF}" is neither a PF nor a VF of one'),
        ("", "c", 'verify: there is no rule "c"'),
    ],
)
def test_what_is_not_there_is_wrong_usage(name: str, rule: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose(BOTH, (HALF, OTHER), name, rule, everyone_is_alone)
    assert caught.value.problems == (said,)


def test_a_rule_without_a_pf_is_said() -> None:
    with pytest.raises(UsageError, match='rule "b" has no PF on this host'):
        choose(BOTH, (HALF,), "", "b", everyone_is_alone)


def test_a_host_without_rules_has_nothing_to_choose_from() -> None:
    with pytest.raises(UsageError, match="no rule has a PF on this host"):
        choose(make_config(), (HALF,), "", "", everyone_is_alone)
    with pytest.raises(UsageError, match="no rule has a PF on this host"):
        choose_all(make_config(), (HALF,), everyone_is_alone)
    with pytest.raises(UsageError, match="there is no rule") as caught:
        choose(make_config(), (HALF,), "", "c", everyone_is_alone)
    assert caught.value.hint == "sriov-bootstrap status lists rules, PFs and VFs"


def test_each_pf_with_a_rule_gets_its_choice() -> None:
    found = choose_all(BOTH, (BUSY, OTHER), everyone_is_alone)
    assert [(it.rule, it.vf) for it in found] == [("a", None), ("b", OTHER.vfs[0])]


def test_a_pf_is_called_as_everywhere() -> None:
    assert [str(choose(BOTH, (it,), "", "", everyone_is_alone)) for it in (HALF, BARE)] == [f"{PF} (ens1f0)", PF2]
