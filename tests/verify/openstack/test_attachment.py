"""What is decided before a port is attached: by nova's release, by network, by port."""

from typing import NoReturn

import pytest

from sriov_bootstrap.base.errors import CloudError, UsageError
from sriov_bootstrap.edges.openstack_api import SystemClock
from sriov_bootstrap.verify.openstack.attachment import Attachments
from sriov_bootstrap.verify.openstack.attachment_rules import PortWish, choose_network, choose_port, doubts
from sriov_bootstrap.verify.openstack.survey import CloudPort, CloudServer, Network, PortProfile, Segment

SRIOV = Network(id="n1", name="sriov", physical_network="physnet2", network_type="vlan", segmentation_id=101)
OTHER = Network(id="n2", name="other", physical_network="physnet3", network_type="flat")
OVERLAY = Network(id="n3", name="overlay", network_type="vxlan", segmentation_id=7)
BOTH = Network(id="n4", name="both", several=(Segment("physnet2", "vlan", 5), Segment("physnet3", "vlan", 6)))


@pytest.mark.parametrize(
    ("newest", "said"),
    [
        ((2, 88), ""),
        ((2, 104), ""),
        ((2, 87), "nova is 21 or 22"),
        ((2, 80), "nova is 21 or 22"),
    ],
)
def test_a_nova_that_may_be_too_old_is_named_before_it_is_tried(newest: tuple[int, int], said: str) -> None:
    assert doubts(newest).startswith(said)
    assert bool(doubts(newest)) == bool(said)


@pytest.mark.parametrize(
    ("newest", "said"),
    [
        ((2, 79), "nova's API ends at 2.79, as 19 .Stein. and 20 .Train.: they answer HTTP 400"),
        ((2, 72), "they answer HTTP 400"),
        ((2, 65), "claim no VF for it"),
        ((2, 1), "claim no VF for it"),
    ],
)
def test_a_nova_that_cannot_is_not_tried(newest: tuple[int, int], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        doubts(newest)


@pytest.mark.parametrize(
    ("found", "wish", "chosen"),
    [
        ((SRIOV,), PortWish("s"), (SRIOV, "physnet2")),
        ((SRIOV, OVERLAY), PortWish("s", network="sriov"), (SRIOV, "physnet2")),
        ((BOTH, OTHER), PortWish("s", physical_network="physnet2"), (BOTH, "physnet2")),
    ],
)
def test_the_network_that_fits_is_taken(
    found: tuple[Network, ...], wish: PortWish, chosen: tuple[Network, str]
) -> None:
    assert choose_network(found, wish) == chosen


@pytest.mark.parametrize(
    ("found", "wish", "said"),
    [
        ((), PortWish("s", network="x"), 'no network is called "x", or these credentials do not see it'),
        (
            (),
            PortWish("s", network="x", physical_network="physnet9"),
            'no network is called "x" on physical_network physnet9, or',
        ),
        ((), PortWish("s"), "no network has a flat or vlan segment on a physical network"),
        (
            (OVERLAY,),
            PortWish("s", network="overlay"),
            "network overlay has no flat or vlan segment on a physical network",
        ),
        (
            (SRIOV,),
            PortWish("s", physical_network="physnet9"),
            "no network has a flat or vlan segment on physical_network physnet9",
        ),
        (
            (SRIOV, OTHER),
            PortWish("s"),
            "several networks have a segment for VFs: sriov .physnet2., other .physnet3.",
        ),
        ((BOTH,), PortWish("s"), "several networks have a segment for VFs: both .physnet2., both .physnet3."),
    ],
)
def test_a_network_in_doubt_is_not_chosen(found: tuple[Network, ...], wish: PortWish, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        choose_network(found, wish)


SERVER = CloudServer("s1")
FIRST = CloudPort("p1", "one", profile=PortProfile("0000:3b:02.0"))
SECOND = CloudPort("p2", "two", mac_address="fa:16:3e:00:00:01")


@pytest.mark.parametrize(
    ("ports", "wanted", "chosen"),
    [((FIRST,), "", FIRST), ((FIRST, SECOND), "p2", SECOND), ((FIRST, SECOND), "one", FIRST)],
)
def test_the_port_that_was_meant_is_taken(ports: tuple[CloudPort, ...], wanted: str, chosen: CloudPort) -> None:
    assert choose_port(ports, wanted, SERVER) == chosen


@pytest.mark.parametrize(
    ("ports", "wanted", "said"),
    [
        ((), "", "server s1 has no port with a VF"),
        ((FIRST,), "p9", 'server s1 has no port called "p9" with a VF'),
        (
            (FIRST, SECOND),
            "",
            "server s1 has several ports with VFs: p1 .0000:3b:02.0., p2 .fa:16:3e:00:00:01.",
        ),
        ((FIRST, FIRST), "one", 'server s1 has several ports called "one" with VFs'),
    ],
)
def test_a_port_in_doubt_is_not_chosen(ports: tuple[CloudPort, ...], wanted: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        choose_port(ports, wanted, SERVER)


class BreakingCloud:
    """Makes a port, and then does nothing more."""

    def newest_microversion(self) -> tuple[int, int]:
        return 2, 96

    def get(self, api: str, path: str, parameters: object = None, *, microversion: str = "") -> object:
        del api, parameters, microversion
        network = {"id": "n1", "provider:physical_network": "physnet2", "provider:network_type": "vlan"}
        return {"networks": [network]} if path == "/networks" else {"server": {"id": "s1"}}

    def post(self, api: str, path: str, body: object, *, microversion: str = "") -> object:
        del api, body, microversion
        if path == "/ports":
            return {"port": {"id": "p1"}}
        raise CloudError("compute: no VF is free")

    def delete(self, api: str, path: str) -> NoReturn:
        del api, path
        raise CloudError("network: the database is away")


def test_a_port_that_cannot_be_deleted_hides_nothing_and_is_named() -> None:
    said: list[str] = []
    with pytest.raises(CloudError, match="no VF is free"):
        Attachments(BreakingCloud(), SystemClock(), said.append).attach(PortWish("s1"))
    assert said == ["port p1 is left: network: the database is away; openstack port delete p1"]
