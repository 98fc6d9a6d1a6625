import pytest

from sriov_bootstrap.core.vf_users import Holder, Holders, Unseen, Use, UseKind, use_by_holder

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
