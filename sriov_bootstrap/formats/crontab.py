"""Lines of crontab(5): when a job is run, and as whom, its command, and what stands at its input."""

import re

from msgspec import Struct

FIELDS = 5  # of the time
PERCENT = re.compile(r"(?<!\\)%")
VARIABLE = re.compile(r"\s*[\"']?[A-Za-z_]\w*[\"']?\s*=")


class CronJob(Struct, frozen=True):
    """`feed`: what comes behind the first %, with its lines; None if there is none."""

    command: str
    feed: str | None = None


def cron_command(line: str, *, has_user: bool) -> str:
    """Without the time, and without the user if there is one; "" if the line sets a variable."""
    words = line.split(None, FIELDS + 1)
    skip = 1 if line.lstrip().startswith("@") else FIELDS
    return "" if "=" in words[0] else " ".join(line.split()[skip + has_user :])


def cron_user(line: str) -> str:
    """Who runs a job, of a table whose lines say it; "" if the line is none of a job."""
    words = [] if VARIABLE.match(line) or line.lstrip().startswith("#") else line.split(None, FIELDS + 1)
    skip = 1 if words and words[0].startswith("@") else FIELDS
    return words[skip] if len(words) > skip else ""


def cron_job(line: str, *, has_user: bool) -> CronJob:
    """A % ends the command, and each further one a line of its input, unless a backslash stands before it."""
    command, *rest = PERCENT.split(cron_command(line, has_user=has_user))
    feed = "".join(f"{text}\n" for text in rest).replace("\\%", "%")
    return CronJob(command.replace("\\%", "%"), feed if rest else None)


def is_often(line: str) -> bool:
    """Whether a job is run at boot, or each hour: soon after it at the latest."""
    time = line.split(None, FIELDS)[:FIELDS]
    if time[0].startswith("@"):
        return time[0] in {"@reboot", "@hourly"}
    return len(time) == FIELDS and time[1].startswith("*") and time[2:] == ["*"] * (FIELDS - 2)
