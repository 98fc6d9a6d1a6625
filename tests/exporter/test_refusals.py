"""What is said of what the endpoint refuses: the first at once, then a line a minute with a number."""

from sriov_bootstrap.exporter.lines import LogLine
from sriov_bootstrap.exporter.refusals import MAX_NETWORKS, QUIET_SECONDS, Peer, Refusal, Refusals

THIEF = Peer("198.51.100.1", "198.51.100.1")
OTHER = Peer("198.51.100.2", "198.51.100.2")


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
