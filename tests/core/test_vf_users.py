import pytest

from sriov_bootstrap.core.vf_users import Holder, Holders, Owner, Owners, Unseen, Use, UseKind, use_by_holder

MANY = "uid 1000 has more open files than can be checked: end some of its processes (ps -U 1000)"
GROUPS = ("/dev/vfio/17", "/dev/vfio/noiommu-17", "0000:3b:10.0")


@pytest.mark.parametrize(
    ("unseen", "user"),
    [
        pytest.param((), "", id="everything was looked at"),
        pytest.param((Unseen(1000),), "", id="somebody who can have no VF"),
        pytest.param((Unseen(1000, nodes=("/dev/vfio/18",)),), "", id="somebody who may open another one"),
        pytest.param((Unseen(1000, nodes=("/dev/vfio/17",)),), MANY, id="this one"),
        pytest.param((Unseen(7), Unseen(1000, is_any=True)), MANY, id="any"),
    ],
)
def test_who_has_too_many_files_open_counts_where_they_can_matter(unseen: tuple[Unseen, ...], user: str) -> None:
    assert use_by_holder(GROUPS, Holders(unseen=unseen), through_vfio=True) == (
        Use(UseKind.HOLDER_UNKNOWN, user) if user else None
    )


def test_a_holder_who_was_found_is_named_before_one_who_was_not() -> None:
    holders = Holders({"/dev/vfio/17": (Holder(4711, "dpdk"),)}, unseen=(Unseen(1000, is_any=True),))
    assert use_by_holder(GROUPS, holders, through_vfio=True) == Use(UseKind.HELD, "dpdk pid 4711")


def test_without_one_vm_the_others_still_have_what_they_have() -> None:
    mine, theirs = Holder(1, "qemu", "verify-a"), Holder(2, "qemu", "instance-1")
    holders = Holders({"/dev/vfio/17": (mine, theirs), "/dev/vfio/18": (mine,)}, (mine, theirs), "x", (Unseen(1000),))
    assert holders.besides("verify-a") == Holders({"/dev/vfio/17": (theirs,)}, (theirs,), "x", (Unseen(1000),))
    owner = Owner("instance-1", is_running=True)
    owners = Owners({"0000:3b:10.0": Owner("verify-a"), "0000:3b:10.1": owner}, "x", frozenset({"0000:3b:10.0"}))
    assert owners.besides("verify-a") == Owners({"0000:3b:10.1": owner}, "x")
