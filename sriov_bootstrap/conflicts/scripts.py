"""Files with shell in them: rc.local, hooks, cron tables; what interfaces(5), units and udev's RUN do in a shell."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.base.printable import shell_quoted
from sriov_bootstrap.conflicts.library import is_shell
from sriov_bootstrap.conflicts.master import Master, Search, count
from sriov_bootstrap.conflicts.paths import devices_of, number_of
from sriov_bootstrap.conflicts.places import SNIPPETS
from sriov_bootstrap.conflicts.runners import doubt_of_runner, has_user_field, may_use_sudo, runner_of
from sriov_bootstrap.conflicts.sequence import UNKNOWN_NUMBER, NumberStep, lasting_places
from sriov_bootstrap.conflicts.survey import Format, Source
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.formats.crontab import cron_command, cron_job, is_often
from sriov_bootstrap.formats.logical_lines import logical_lines
from sriov_bootstrap.formats.shell import FILE, Reading, ScriptSurroundings, Write, follow, is_one_command
from sriov_bootstrap.formats.steps import Steps, TooMuch

INSTALL = re.compile(r"\s*(?:install|remove)\s+\S+\s+")
INIT_SCRIPT = re.compile(r"/etc/init\.d/(?!.*\.local$)[^/]+")  # is told what to do
GENERATORS = "/system-generators/"
GENERATED = (("/run/systemd/generator",), ("/run/systemd/generator.early",), ("/run/systemd/generator.late",))
START = (("start",),)
CRON_FOLDER = re.compile(r"/etc/cron\.(daily|weekly|monthly)/")
RUN_PARTS = re.compile(r"(/etc/network/if-[\w-]+\.d|/etc/cron\.hourly)/(?![\w-]+\Z)", re.ASCII)
LOGIN = re.compile(r"/etc/(?:profile|bash\.bashrc|bashrc)\b")
ODD_CRON_TABLE = re.compile(r"/etc/cron\.d/(?![\w-]+\Z)", re.ASCII)
AT_ITS_TIME = "cron runs it at its time, not at boot"
DEBIAN_SKIPS = "cron of Debian only takes names of letters, digits, _ and - in /etc/cron.d"
MAX_LINE = 1 << 10  # that is looked at for other commands
NOTHING: Mapping[str, str] = {}
NO_KEYS: Mapping[tuple[str, int], str] = {}
IN_A_BLOCK = "it is in a block that is not always run"
SHOWN = 8


def describe_write(devices: tuple[Match, ...], numbers: tuple[int, ...]) -> str:
    """A write in our own words, as evidence."""
    first = devices[0] if devices else Match()
    folder = f"/sys/class/net/{first.netdev}/device" if first.netdev else "..."
    folder = f"/sys/bus/pci/devices/{first.pci_address}" if first.pci_address else folder
    folder = f"/sys/bus/pci/drivers/{first.driver}/*" if first.driver else folder
    more = f" and {len(devices) - 1} more" if len(devices) > 1 else ""
    said = f"echo {' or '.join(map(str, numbers[:SHOWN]))} >" if numbers else "a write to"
    return f"{said} {folder}/{FILE}{more}"


class Script(Struct, frozen=True):
    """A file with shell in it, on its way through the reader. `runner`: the user who runs it, "" for root.

    `command`: what is run of it, if that is not all.
    """

    source: Source
    search: Search
    steps: Steps
    runner: str = ""
    command: str = ""


class RunContext(Struct, frozen=True):
    """What a command finds: variables, the folder that it is run in, "" if that is not known, and its input."""

    environment: Mapping[str, str] = NOTHING
    folder: str = ""
    feed: str | None = None


NO_CONTEXT = RunContext()


class Known(Struct, frozen=True):
    """A write of which it is known whose VFs it sets. `numbers`: those that it may set, as far as they are known."""

    write: Write
    devices: tuple[Match, ...]
    numbers: tuple[int, ...]
    is_lasting: bool = True

    @property
    def num_vfs(self) -> int | None:
        """None if there are several, or it is not known."""
        return self.numbers[0] if len(self.numbers) == 1 and len(self.write.numbers) == 1 else None


def follow_script(source: Source, search: Search, read: Callable[[Script], Iterator[Master]]) -> Iterator[Master]:
    """What `read` finds in one file; it is noted if that is not all."""
    script = Script(source, search, Steps(), source.runner)
    try:
        yield from read(script)
    except TooMuch:
        script.steps.cut()
    if script.steps.is_cut:
        search.note(f"{source.path}: too much to follow: not everything that it sets is known")


def known_writes(writes: Iterable[Write], search: Search) -> tuple[Known, ...]:
    """Those to network devices, in order; which of them last is known if all are of one run.

    Several that differ in their device alone, as those of a loop, are one.
    """
    found = [
        (write, devices, _numbers_of(write, search))
        for write in writes
        if (devices := devices_of(write.paths, search.links)) is not None
    ]
    steps = [
        NumberStep(devices, tuple(dict.fromkeys(_steps_of(write, numbers))), write.is_conditional)
        for write, devices, numbers in found
    ]
    last = lasting_places(steps, search.pfs)
    merged: dict[tuple[object, ...], Known] = {}
    for at, (write, devices, numbers) in enumerate(found):
        key = (write.place, numbers, write.is_conditional, at in last, bool(devices), len(write.numbers))
        before = merged[key].devices if key in merged else ()
        merged[key] = Known(write, tuple(dict.fromkeys((*before, *devices))), numbers, at in last)
    return tuple(merged.values())


def _numbers_of(write: Write, search: Search) -> tuple[int, ...]:
    found = (number_of(text, search.pfs, search.links) for text in write.numbers)
    return tuple(number for number in found if number is not None)


def _steps_of(write: Write, numbers: tuple[int, ...]) -> tuple[int, ...]:
    return numbers if len(numbers) == len(write.numbers) else (*numbers, UNKNOWN_NUMBER)


def read(search: Search) -> Iterator[Master]:
    """rc.local, hooks and cron tables, with the scripts that they run."""
    readers = ((Format.SCRIPT, _script), (Format.CRON, _cron))
    for kind, reader in readers:
        for source in search.survey.sources_of(kind):
            if not source.caller and is_shell(source) and search.library.concerns_source(source):
                yield from follow_script(source, search, reader)


def read_installs(search: Search) -> Iterator[Master]:
    """Commands that modprobe runs in place of loading a module: modprobe.d(5)."""
    for source in search.survey.sources_of(Format.MODPROBE):
        if FILE in source.text:
            yield from follow_script(source, search, _installs)


def _installs(script: Script) -> Iterator[Master]:
    for number, line in logical_lines(script.source.text):
        if (found := INSTALL.match(line)) and FILE in line:
            reading = follow_commands(script, line[found.end() :], first_line=number)
            yield from masters_of_writes(script, reading.writes)


def read_rest(search: Search) -> Iterator[Master]:
    """Scripts that nothing was seen to run with these arguments or those."""
    for source in search.library.rest():
        if is_shell(source) and source.mentions_vfs:
            for master in follow_script(source, search, _script):
                is_doubtful = source.is_by_folder or source.is_doubtful
                doubt = f"whether {source.caller} runs it is not certain" if is_doubtful else ""
                yield replace(master, is_certain=master.is_certain and not doubt, doubt=master.doubt or doubt)


def follow_commands(
    script: Script,
    text: str,
    *,
    first_line: int = 1,
    is_shell: bool = True,
    context: RunContext = NO_CONTEXT,
) -> Reading:
    """What a text of that file does, and the scripts that it runs."""
    library, path = script.search.library, script.source.path
    arguments = GENERATED if GENERATORS in path else START if INIT_SCRIPT.fullmatch(path) else None
    around = ScriptSurroundings(
        path,
        library.files_for(script.runner, f"{script.command}\n{text}"),
        arguments,
        context.environment,
        context.folder,
        context.feed,
    )
    reading = follow(text, around, first_line=first_line, is_shell=is_shell, steps=script.steps)
    library.note(reading, path, is_users=bool(script.runner))
    return reading


def _script(script: Script) -> Iterator[Master]:
    writes = follow_commands(script, script.source.text).writes
    yield from masters_of_writes(script, writes, doubt=_doubt_of_place(script.source))


def _doubt_of_place(source: Source) -> str:
    """Why a script there may not be run at boot, "" if it is."""
    path = source.path
    if source.is_doubtful and not source.caller:
        return "what runs it, and when, is not known"
    if later := CRON_FOLDER.match(path):
        return f"cron runs it {later[1]}, not at boot"
    if later := RUN_PARTS.match(path):
        return f"run-parts of Debian only takes names of letters, digits, _ and - in {later[1]}"
    if path.startswith(SNIPPETS):
        return "it is only run by a VM that has it as its hookscript, when that starts"
    if LOGIN.match(path):
        return "it is run when somebody logs in, not at boot"
    return "it is only run in an initramfs that dracut puts it into" if "/dracut/" in path else ""


def _cron(script: Script) -> Iterator[Master]:
    for number, line in logical_lines(script.source.text):
        if script.search.library.concerns(line):
            job = cron_job(line, has_user=has_user_field(script.source))
            of_job = replace(script, runner=runner_of(script.source, line), command=job.command)
            context = RunContext(feed=job.feed)
            writes = follow_commands(of_job, job.command, first_line=number, context=context).writes
            doubt = "" if is_often(line) else AT_ITS_TIME
            doubt = doubt or (DEBIAN_SKIPS if ODD_CRON_TABLE.match(script.source.path) else "")
            yield from masters_of_writes(of_job, writes, doubt=doubt)


def masters_of_writes(
    script: Script,
    writes: Iterable[Write],
    owners: Iterable[Source] = (),
    keys: Mapping[tuple[str, int], str] = NO_KEYS,
    remedy: Callable[[Write, Source], str] | None = None,
    doubt: str = "",
) -> Iterator[Master]:
    """`owners`: files besides the script's own that the writes may stand in; `keys`: what is said before evidence.

    `remedy` "": the one for a script. `doubt`: why none of it may be run, if there is nothing else to say.
    """
    own = {source.path: source for source in (script.source, *owners)}
    for known in known_writes(writes, script.search):
        place = known.write.place
        source = own.get(place.path) or script.search.library.by_path[place.path]
        why = _doubt_of_write(script, known.write, source, doubt)
        key = keys.get((place.path, place.line), "")
        yield Master(
            source.format,
            source.path,
            place.line,
            f"{key}{': ' if key else ''}{describe_write(known.devices, known.numbers)}",
            known.devices,
            known.num_vfs,
            is_certain=not why,
            doubt=why,
            remedy=(remedy(known.write, source) if remedy else "") or _remedy(source, known.write),
            possible=() if known.num_vfs is not None else tuple(sorted(known.numbers)),
            is_lasting=known.is_lasting,
            runner=script.runner,
            by_sudo=may_use_sudo(script.runner, _text_run(script, known.write, source)),
        )


def _doubt_of_write(script: Script, write: Write, source: Source, doubt: str) -> str:
    """Why it may set nothing, "" if it does. `source`: where it stands; `doubt`: of all that the script does."""
    doubt = doubt or (IN_A_BLOCK if write.is_conditional else "")
    if not script.source.is_run or (write.is_conditional and source.path in script.search.library.not_run):
        stopped = source if script.source.is_run else script.source
        doubt = f"{stopped.path} is not executable, so it is not run now"
    if not script.runner:
        return doubt
    return doubt_of_runner(script.runner, _text_run(script, write, source), doubt)


def _text_run(script: Script, write: Write, source: Source) -> str:
    """What would say sudo: the command, and the line that writes."""
    return f"{script.command}\n{_line_of(source, write.place.line)}"


def masters_of_settings(source: Source, search: Search, pattern: re.Pattern[str], doubt: str) -> Iterator[Master]:
    """Lines of a file of settings that a program writes to /sys; `pattern`: path and value, of a whole line."""
    doubt = doubt_of_runner(source.runner, "", doubt) if source.runner else doubt
    for number, line in enumerate(source.text.split("\n") if FILE in source.text else (), 1):
        found = pattern.fullmatch(line[:MAX_LINE].strip())
        devices = devices_of((found[1],), search.links) if found else None
        if found and devices is not None:
            num_vfs = count(found[2])
            yield Master(
                source.format,
                source.path,
                number,
                describe_write(devices, () if num_vfs is None else (num_vfs,)),
                devices,
                num_vfs,
                is_certain=not doubt,
                doubt=doubt,
                remedy=f"remove line {number} from {source.path}",
                runner=source.runner,
            )


def _line_of(source: Source, number: int) -> str:
    """A line of a file, by its number; "" if it has no such line."""
    return "".join(source.text.split("\n", number)[number - 1 : number])


def _remedy(source: Source, write: Write) -> str:
    """Leaves a script that runs: a block may not be empty, so something that does nothing takes the command's place."""
    number = write.place.line
    line = _line_of(source, number)
    caller = f" (run by {source.caller})" if source.caller else ""
    what = f"line {number} of {source.path}{caller}"
    command = line
    if source.format is Format.CRON:
        command = cron_command(line or "=", has_user=has_user_field(source))
    elif source.format is Format.INTERFACES:
        command = line.strip().partition(" ")[2]
    is_whole = write.is_alone and len(line) <= MAX_LINE and not line.endswith("\\") and is_one_command(command)
    if is_whole:
        return f"delete {what}: sed -i {number}d {shell_quoted(source.path)}"
    return f"in an editor, replace the command that sets VFs in {what} with : (which does nothing)"
