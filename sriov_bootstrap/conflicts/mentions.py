"""The last net: files that mention what sets VFs, and that no reader understood in full, are named.

A comment, a mere read, and what is understood to set nothing are no mentions: a net that cries wolf is cut.
"""

import re
from collections.abc import Iterable, Iterator

from sriov_bootstrap.conflicts import nmstate, tmpfiles
from sriov_bootstrap.conflicts.library import Library, is_shell
from sriov_bootstrap.conflicts.master import Master, Search
from sriov_bootstrap.conflicts.netdefs import read_netdefs
from sriov_bootstrap.conflicts.runners import doubt_of_runner, may_use_sudo, runner_of
from sriov_bootstrap.conflicts.survey import Format, Source, mentions_vfs, without_overridden
from sriov_bootstrap.formats.hidden_texts import hidden_texts
from sriov_bootstrap.formats.logical_lines import logical_lines
from sriov_bootstrap.formats.shell import FILE
from sriov_bootstrap.formats.written_texts import OPTION, sets_vfs

NAMED = re.compile(
    rf"[/'\"{{}}$]{FILE}\b|\b(?:mlx5|mlx4)_num_vfs\b|\bmodprobe\b[^#\n]{{0,200}}\b(?:max_vfs|num_vfs)="
    rf"|['\"]-{{0,2}}{OPTION}|\b(?:num|max)_vfs=\d",
    re.IGNORECASE,
)
SETTING = re.compile(rf"\b{FILE}\b|(?<![$\w]){OPTION}|\bvirtual-function-count\b", re.IGNORECASE)
COMMAND = re.compile(  # in a file of settings that has commands, too
    rf"/{FILE}\b|\b(?:max_vfs|num_vfs)=|\b(?:sriov[._-]|sr-iov\.)?total-vfs\b|\bsriov-num-vfs\b|\bvirtual-function-count="
)
COUNT_OF_NETPLAN = re.compile(r"\bvirtual-function-count\b")  # where no entry has it
WRITES = re.compile(
    r"['\"](?:w|a|x|r\+|w\+|wb|ab|wt)['\"]|write|O_WRONLY|O_RDWR|subprocess|system\(|popen|>>?[ ]?['\"$/]|['\"][ ]?>"
    r"|check_call|run\(|\btee\b|\becho\b|spew|exec\(|put_contents|\bputs\b",
    re.IGNORECASE,
)
READS = re.compile(r"read|['\"]rb?['\"]|['\"]<['\"]|exists|isfile|access\(|stat\(|glob|listdir|-[ef] ")
DOCUMENTATION = re.compile(r"^[ \t]*[rRuU]?(\"\"\"|''').*?\1", re.DOTALL | re.MULTILINE)
SETTINGS = frozenset({Format.OTHER, Format.TUNED, Format.PLAYBOOK})  # files of nothing but these
COMMENTS = ("#", ";", "//", "-- ", "/*", "* ", "<!--")
MAX_LINE = 1 << 12  # that is looked at
NOT_UNDERSTOOD = "it mentions VFs in a way that is not understood"


def read(search: Search, of_root: Iterable[Master], of_users: Iterable[Master]) -> Iterator[Master]:
    """One for each file. `of_root`, `of_users`: what the readers have made of them, by who runs it.

    What a user's job makes of a script that root runs says nothing of that.
    """
    by_root = _lines_by_path(of_root)
    by_any = _lines_by_path((*of_root, *of_users))
    hidden = frozenset(source.path for source in search.survey.sources_of(Format.TMPFILES))
    hidden -= {source.path for source in tmpfiles.in_force(search.survey.sources_of(Format.TMPFILES))}
    netplans = search.survey.sources_of(Format.NETPLAN)
    hidden |= {source.path for source in netplans} - {source.path for source in without_overridden(netplans)}
    hidden |= {key.source.path for netdef in read_netdefs(netplans) for key in netdef.counts}
    for source in search.survey.sources:
        if source.path in hidden:
            continue
        understood = (by_root if source.format is Format.SCRIPT and not source.runner else by_any).get(source.path)
        lines = [line for line in _lines_of(source, search.library) if line not in (understood or ())]
        lines += _lines_of_hidden(source.text) if source.mentions_vfs and not understood else []
        if lines:
            yield _mention(source, lines)


def _lines_by_path(masters: Iterable[Master]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for master in masters:
        found.setdefault(master.path, set()).add(master.line)
    return found


def _lines_of(source: Source, library: Library) -> Iterator[int]:
    """Where it mentions VFs."""
    if source.format is Format.PROGRAM:
        yield 0
        return
    unclear = [place.line for place in library.unclear if place.path == source.path] if library.unclear else []
    yield from dict.fromkeys(unclear)
    if not source.mentions_vfs:
        return
    if source.format is Format.TMPFILES:
        yield from _lines_with(tmpfiles.without_harmless(source.text), SETTING)
    elif source.format in SETTINGS:
        yield from _lines_with(source.text, SETTING)
    elif source.format is Format.CLOUD_INIT:
        yield from _lines_with(source.text, COMMAND)
    elif source.format is Format.NETPLAN:
        yield from _lines_with(source.text, COUNT_OF_NETPLAN)
    elif source.format is Format.NMSTATE and not nmstate.interfaces_of(source):
        yield from _lines_with(source.text, SETTING)
    elif source.format is Format.INTERFACES:
        lines = ((number, line.split(None, 1)[0]) for number, line in logical_lines(source.text))
        yield from (number for number, word in lines if SETTING.search(word[:MAX_LINE]))
    elif source.format is Format.SCRIPT and not is_shell(source):
        yield from _lines_of_program(source.text)


def _lines_of_hidden(text: str) -> list[int]:
    """Where a text begins that sets VFs once it is decoded."""
    return [text.count("\n", 0, at) + 1 for at, hidden in hidden_texts(text) if sets_vfs(hidden)]


def mentions_in_settings(text: str) -> bool:
    """Whether a file of settings mentions VFs."""
    return "\0" not in text and mentions_vfs(text) and any(_lines_with(text, SETTING))


def _lines_with(text: str, pattern: re.Pattern[str]) -> Iterator[int]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.lstrip().startswith(COMMENTS) and pattern.search(line[:MAX_LINE]):
            yield number


def _lines_of_program(text: str) -> Iterator[int]:
    """Of a language that is not read: it counts if something in it writes, and not in this line alone it is read."""
    if "\0" in text or not WRITES.search(text):
        return
    text = DOCUMENTATION.sub(lambda found: "\n" * found[0].count("\n"), text)
    lines = text.split("\n")
    for number in _lines_with(text, NAMED):
        line = lines[number - 1][:MAX_LINE]
        if WRITES.search(line) or not READS.search(line):
            yield number


def _mention(source: Source, lines: list[int]) -> Master:
    what = f"line {lines[0]} of {source.path}" if lines[0] else source.path
    more = f", and in {len(lines) - 1} more" if len(lines) > 1 else ""
    caller = f" (run by {source.caller})" if source.caller else ""
    runner = runner_of(source, "")
    return Master(
        source.format,
        source.path,
        lines[0],
        f"a mention of VFs in line {lines[0]}{more}" if lines[0] else "a program that mentions the number of VFs",
        is_certain=False,
        doubt=doubt_of_runner(runner, source.text, NOT_UNDERSTOOD) if runner else NOT_UNDERSTOOD,
        remedy=f"look at {what}{caller}, and take out what sets VFs of PFs that have a rule",
        is_mention=True,
        runner=runner,
        by_sudo=may_use_sudo(runner, source.text),
    )
