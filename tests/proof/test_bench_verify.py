"""`make bench-verify`, with two PFs and one round."""

from bench import verify_host


def test_each_pf_is_proved_together_with_the_others_and_alone() -> None:
    seconds = verify_host.measure(pfs=2, rounds=1)
    assert {name: len(values) for name, values in seconds.items()} == {"verify together": 1, "verify in turn": 1}


def test_the_line_is_one_run_for_all_pfs_to_one_run_for_each() -> None:
    (line,) = verify_host.lines({"verify together": [20.0, 30.0, 25.0], "verify in turn": [100.0]})
    assert (line.key, line.value, line.target) == ("verify", 0.25, 0.35)
