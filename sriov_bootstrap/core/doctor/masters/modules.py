"""Module parameters: `max_vfs` in modprobe.d and on the kernel command line."""

import re
from collections.abc import Iterator

from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.doctor.masters.master import Master, count, logical_lines
from sriov_bootstrap.core.doctor.masters_survey import Format, MastersSurvey, visible

OPTION = re.compile(r"\bmax_vfs=([^\s\"';&|]*)")
WORD = re.compile(r"\"?([\w-]+)\.max_vfs=([^\s\"]*)\"?")
OURS = re.compile(r"/etc/modprobe\.d/sriov-bootstrap-[\w-]+\.conf")


def read_modules(survey: MastersSurvey) -> Iterator[Master]:
    """A number for every PF of a driver. Ours is not a second master."""
    for source in visible(survey.of(Format.MODPROBE)):
        if OURS.fullmatch(source.path):
            continue
        for number, line in logical_lines(source.text):
            words = line.split()
            if words[0] not in {"options", "install"} or len(words) < 3:  # noqa: PLR2004
                continue
            if found := OPTION.findall(line):
                remedy = f"take max_vfs out of line {number} of {source.path}"
                yield _master(Format.MODPROBE, source.path, number, line.strip(), (words[1], found[-1]), remedy)
    for source in survey.of(Format.KERNEL):
        for word in source.text.split():
            if spelt := WORD.fullmatch(word):
                remedy = f"take {word} off the kernel command line in the boot loader's config, and reboot"
                yield _master(Format.KERNEL, source.path, 0, word, (spelt[1], spelt[2]), remedy)


def _master(kind: Format, path: str, line: int, text: str, parameter: tuple[str, str], remedy: str) -> Master:
    driver, number = parameter
    return Master(kind, path, line, text, (Match(driver=driver.replace("-", "_")),), count(number), remedy=remedy)
