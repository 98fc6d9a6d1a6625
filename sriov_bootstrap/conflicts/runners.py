"""Who runs what was read: root, or a user, whose commands come to nothing where only root may write.

That is not who owns it: root's job may run a script of a service's user, and that of a user one of root's. What a
script runs is run by who runs the script.
"""

import re
from collections.abc import Mapping

from sriov_bootstrap.conflicts.survey import Format, Source
from sriov_bootstrap.core.plurals import shortlist
from sriov_bootstrap.formats.crontab import cron_user

ROOT = frozenset({"", "root", "0"})
USER_NAME = re.compile(r"[A-Za-z_][\w.-]{0,63}\$?", re.ASCII)
ANOTHER = "another user"  # whose name is none
SPOOL = "/spool/"  # in the path of a table that is a user's, by its name
TABLES = frozenset({Format.CRON, Format.OTHER})  # of cron, and of incron
BY_SUDO = re.compile(r"\b(?:sudo|doas|pkexec|su|runuser)\b")
SHOWN = 4


def user_shown(name: str) -> str:
    """A user other than root as it is said, "" for root: what is no name may be anything, also secret."""
    return "" if name in ROOT else name if USER_NAME.fullmatch(name) else ANOTHER


def has_user_field(table: Source) -> bool:
    """Whether lines of a cron table say whose jobs they are."""
    return SPOOL not in table.path


def runner_of(source: Source, line: str) -> str:
    """Who runs what stands in that line of a file, "" for root."""
    if source.runner:
        return source.runner
    if source.format in TABLES and SPOOL in source.path and not source.caller:
        return user_shown(source.name)
    return user_shown(cron_user(line)) if source.format is Format.CRON else ""


def texts_by_runner(source: Source) -> Mapping[str, str]:
    """Who runs it -> what of a file that is, "" for root, with empty lines in place of the others."""
    if source.format is not Format.CRON or not has_user_field(source):
        return {runner_of(source, ""): source.text}
    lines = source.text.split("\n")
    jobs = [cron_user(line) for line in lines]
    users = {user_shown(name): None for name in jobs if name}
    named = shortlist(sorted(user for user in users if user), SHOWN)
    if not named:
        return {"": source.text}
    # What is no job, as a variable that is set, is root's if any job is, and the users' as well.
    of_users = "\n".join(line if name not in ROOT or not name else "" for name, line in zip(jobs, lines, strict=True))
    if "" not in users:
        return {named: of_users}
    of_root = "\n".join(line if name in ROOT else "" for name, line in zip(jobs, lines, strict=True))
    return {"": of_root, named: of_users}


def may_use_sudo(user: str, text: str) -> bool:
    """Whether what a user runs, "" for root, may be done by sudo or the like; `text`: what is run."""
    return bool(user and BY_SUDO.search(text))


def doubt_of_runner(user: str, text: str, doubt: str = "") -> str:
    """Why what a user runs may set nothing, with what else is doubtful; `text`: what is run."""
    why = f"it is run as {user}, who may not do that except by sudo"
    if may_use_sudo(user, text):
        why = f"it is run as {user}, and what sudo lets {user} do is not known"
    return f"{why}; {doubt}" if doubt else why
