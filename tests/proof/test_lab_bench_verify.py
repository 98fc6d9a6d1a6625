"""`make bench-verify`, as far as that goes without a VM."""

from lab import bench_verify


def test_the_line_is_one_run_for_all_pfs_to_one_run_for_each() -> None:
    (line,) = bench_verify.lines({"verify together": [20.0, 30.0, 25.0], "verify in turn": [100.0]})
    assert (line.key, line.value, line.target) == ("verify", 0.25, 0.35)
