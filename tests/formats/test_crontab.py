"""crontab(5): commands, their input, and when they are run."""

import pytest

from sriov_bootstrap.formats.crontab import cron_job, cron_user, is_often


@pytest.mark.parametrize(
    ("line", "command", "feed"),
    [
        ("@reboot root echo 8  > /x", "echo 8 > /x", None),
        ("*/5 * * * * root cat > /x%8", "cat > /x", "8\n"),
        ("@reboot root tee /x%8%4\\%%", "tee /x", "8\n4%\n\n"),
        ("@reboot root date +\\%F", "date +%F", None),
        ("MAILTO=root", "", None),
    ],
)
def test_a_percent_sign_ends_the_command(line: str, command: str, feed: str | None) -> None:
    job = cron_job(line, has_user=True)
    assert (job.command, job.feed) == (command, feed)


def test_the_tables_of_users_name_none() -> None:
    assert cron_job("@daily root x", has_user=False).command == "root x"


@pytest.mark.parametrize(
    ("line", "user"),
    [
        ("@reboot root x", "root"),
        ("*/5 * * * * alice x", "alice"),
        ("  0 4 * * * alice", "alice"),
        ("MAILTO=root", ""),
        ("A = 1 2 3 4 5 6", ""),
        ("# @reboot root x", ""),
        ("@reboot", ""),
        ("0 4 * * *", ""),
        ("", ""),
    ],
)
def test_the_tables_of_the_host_say_who_runs_a_job(line: str, user: str) -> None:
    assert cron_user(line) == user


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("@reboot x", True),
        ("@hourly x", True),
        ("@daily x", False),
        ("*/5 * * * * x", True),
        ("0 4 * * * x", False),
        ("0 * * * 1 x", False),
        ("0 * *", False),
    ],
)
def test_what_is_run_soon_after_boot(line: str, answer: bool) -> None:  # noqa: FBT001 - pytest's way
    assert is_often(line) is answer
