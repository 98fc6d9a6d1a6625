"""What is said of what the endpoint refuses: the first at once, then a line a minute with a number."""

import pytest

from sriov_bootstrap.exporter.lines import LogLine
from sriov_bootstrap.exporter.refusals import (
    LOOPBACK,
    MAX_NETWORKS,
    QUIET_SECONDS,
    Peer,
    Refusal,
    Refusals,
    network_of,
    peer_at,
)

THIEF = Peer("198.51.100.1", "198.51.100.1")
OTHER = Peer("198.51.100.2", "198.51.100.2")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("12.7.0.1", "12.7.0.1"),
        ("127.0.0.1", LOOPBACK),
        ("127.255.255.254", LOOPBACK),
        ("::1", LOOPBACK),
        ("::2", "::/64"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::7", "2001:db8:1:3::/64"),
        ("fe80::1", "fe80::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::ffff:127.3.4.5", LOOPBACK),
        ("", ""),
    ],
)
def test_limits_are_for_all_addresses_that_one_peer_can_have(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("name", "peer"),
    [
        (("192.0.2.1", 40000), Peer("192.0.2.1", "192.0.2.1")),
        (("127.0.0.2", 40000), Peer("127.0.0.2", LOOPBACK)),
        (("fe80::1", 40000, 0, 3), Peer("fe80::1", "fe80::/64")),
        (None, Peer()),
        ("", Peer()),
        ("/run/own-name", Peer()),
        (b"\0own-name", Peer()),
    ],
    ids=["IPv4", "loopback", "IPv6", "gone", "unnamed", "path", "abstract"],
)
def test_a_peer_is_known_by_the_name_of_its_socket(name: object, peer: Peer) -> None:
    assert peer_at(name) == peer


def wrong(**fields: str | int) -> LogLine:
    return LogLine("warning", "metrics: a wrong user or password", dict(fields))


def test_a_wrong_password_is_said_once_a_minute_with_address_name_and_number() -> None:
    refusals = Refusals()
    said = [refusals.note(Refusal.WRONG, THIEF, now=second, user="root") for second in range(61)]
    assert said == [
        wrong(address="198.51.100.1", user="root"),
        *[None] * 59,
        wrong(address="198.51.100.1", user="root", more_since_last_line=59),
    ]
    assert refusals.counts == {**dict.fromkeys(Refusal, 0), Refusal.WRONG: 61}


def test_each_address_that_guesses_has_its_line() -> None:
    refusals = Refusals()
    assert [refusals.note(Refusal.WRONG, peer, now=0.0) for peer in (THIEF, OTHER)] == [
        wrong(address="198.51.100.1"),
        wrong(address="198.51.100.2"),
    ]


def test_all_other_refusals_share_one_line() -> None:
    refusals = Refusals()
    first = refusals.note(Refusal.SLOW, THIEF, now=0.0)
    assert first == LogLine("info", "metrics: a peer is too slow", {"address": "198.51.100.1"})
    assert refusals.note(Refusal.MALFORMED, OTHER, now=1.0) is None
    assert refusals.note(Refusal.WRONG, OTHER, now=1.0) == wrong(address="198.51.100.2")


def test_a_name_is_one_bounded_line() -> None:
    event = Refusals().note(Refusal.WRONG, THIEF, now=0.0, user="a\nb\udcff" + "x" * 5000)
    assert event is not None
    user = str(event.fields["user"])
    assert user.startswith("a\\x0ab\\xff")
    assert len(user) == 64


def test_addresses_beyond_number_share_a_line_until_older_ones_have_been_quiet() -> None:
    refusals = Refusals()
    peers = [Peer(str(number), str(number)) for number in range(MAX_NETWORKS + 20)]
    said = [event for peer in peers if (event := refusals.note(Refusal.WRONG, peer, now=0.0))]
    assert len(said) == MAX_NETWORKS + 1
    new = Peer("new", "new")
    assert refusals.note(Refusal.WRONG, new, now=QUIET_SECONDS) == wrong(address="new")
    assert refusals.note(Refusal.WRONG, new, now=QUIET_SECONDS) is None
