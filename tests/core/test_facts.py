"""What facts say of themselves."""

import pytest

from builders import make_vf
from sriov_bootstrap.core.facts import Routes, VfFacts
from sriov_bootstrap.core.vf_users import Use, UseKind


@pytest.mark.parametrize(
    ("vf", "is_ready"),
    [
        (make_vf(), True),
        (make_vf(driver=""), False),
        (make_vf(netdevs=()), False),
        (make_vf(netdevs=(), infiniband=("mlx5_2",)), True),
        (make_vf(driver="vfio-pci", netdevs=()), True),
    ],
    ids=["netdev", "no driver", "still probing", "RDMA", "vfio"],
)
def test_a_vf_is_ready_when_its_driver_has_finished(vf: VfFacts, *, is_ready: bool) -> None:
    assert vf.is_ready is is_ready


@pytest.mark.parametrize(
    ("vf", "use", "note"),
    [
        (make_vf(use=Use(UseKind.HELD, "dpdk pid 9")), "VF 0 0000:3b:02.0 is held by dpdk pid 9", ""),
        (make_vf(use=Use(UseKind.LOWER, "br0", "v0")), "VF 0 0000:3b:02.0 is in use: netdev v0 is below br0", ""),
        (
            make_vf(driver="vfio-pci", use=Use(UseKind.HELD, "dpdk pid 9")),
            "VF 0 0000:3b:02.0 is held by dpdk pid 9",
            "",
        ),
    ],
)
def test_a_refusal_names_the_vf_and_its_user(vf: VfFacts, use: str, note: str) -> None:
    assert (vf.refusal, vf.note) == (use, note)


def test_a_vf_that_is_bound_to_vfio_and_free_is_told_so() -> None:
    vf = make_vf(driver="vfio-pci")
    assert (vf.note, make_vf().note) == ("bound to vfio-pci, but not in use", "")


@pytest.mark.parametrize(
    ("routes", "known", "problem"),
    [
        (Routes(), frozenset(), ""),
        (Routes(frozenset({"bond0"})), frozenset({"bond0", "lo"}), ""),
        (Routes(frozenset({"bond0", "b"})), frozenset({"bond0"}), "one leaves through b, which has no netdev in /sys"),
        (Routes(problem="unread"), frozenset(), "unread"),
    ],
)
def test_a_route_through_a_netdev_that_is_not_there_could_be_through_any(
    routes: Routes, known: frozenset[str], problem: str
) -> None:
    assert routes.among(known) == Routes(routes.netdevs, problem)
