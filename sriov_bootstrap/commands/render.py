"""render: the files of the chain from the kernel to neutron: printed, compared with what is installed, or installed."""

import difflib
from collections.abc import Iterable, Sequence

from msgspec import Struct

from sriov_bootstrap.base.errors import ExitCode, SriovBootstrapError, UsageError
from sriov_bootstrap.base.printable import one_line, printable, write_stderr
from sriov_bootstrap.core import decode
from sriov_bootstrap.edges import child
from sriov_bootstrap.machine.filling import Filled, fill_drafts
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.machine.read_host import read_host
from sriov_bootstrap.render.catalogue import TARGETS
from sriov_bootstrap.render.host import Ask, Rendering

COMMAND_SECONDS = 600.0  # update-grub looks at every disk


class Wanted(Struct, frozen=True):
    """What was asked for on the command line."""

    target: str = ""
    ask: Ask = Ask()
    diff: bool = False
    write: bool = False
    apply: bool = False


def list_targets() -> int:
    """`render --list`."""
    width = max(map(len, TARGETS))
    for name, target in TARGETS.items():
        print(f"{name.ljust(width)}  {target.description}{'' if target.in_all else '; not in `all`'}")
    return ExitCode.OK


def render(machine: HostMachine, wanted: Wanted) -> int:
    """0; with --diff, 3 if something differs; 3 if something is not known."""
    machine.files.refuse_links_out()
    host = read_host(machine, decode.decode(decode.effective(machine.read_config())))
    renderings = [TARGETS[name].make(host, wanted.ask) for name in _names(wanted.target)]
    files = [
        file for rendering in renderings for file in fill_drafts(machine, rendering, read=wanted.diff or wanted.write)
    ]
    problems = tuple(dict.fromkeys(problem for rendering in renderings for problem in rendering.problems))
    for problem in problems:
        write_stderr(f"sriov-bootstrap: {printable(problem)}\n")
    if wanted.diff:
        return _diff(files, problems)
    if not wanted.write:
        _print(files, renderings)
        return ExitCode.DEGRADED if problems else ExitCode.OK
    if problems or not all(file.path for file in files):
        return _refuse(renderings, problems)
    return _install(machine, wanted, renderings, files)


def _names(target: str) -> Sequence[str]:
    if target == "all":
        return [name for name, candidate in TARGETS.items() if candidate.in_all]
    if target not in TARGETS:
        near = difflib.get_close_matches(target, TARGETS, n=1)
        advice = f'did you mean "{near[0]}"?' if near else f"valid here: all, {', '.join(TARGETS)}"
        raise UsageError((f'render: unknown target "{target}": {advice}',), hint="see sriov-bootstrap render --list")
    return [target]


def _print(files: Sequence[Filled], renderings: Iterable[Rendering]) -> None:
    for note in (note for rendering in renderings for note in rendering.notes):
        print(f"# {printable(note)}")
    for file in files:
        if len(files) > 1 and file.path:
            print(f"# ==> {file.path} <==")
        print(file.text, end="")


def _diff(files: Iterable[Filled], problems: Iterable[str]) -> int:
    changed = [file for file in files if file.differs]
    for file in changed:
        before, after = _lines(file.installed or ""), _lines(file.text)
        old, new = file.path if file.installed is not None else "/dev/null", file.path if file.text else "/dev/null"
        for line in difflib.unified_diff(before, after, old, new, lineterm=""):
            print(f"{line[:1]}{printable(line[1:])}")  # a service may have written what is installed
    return ExitCode.DEGRADED if changed or any(problems) else ExitCode.OK


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _refuse(renderings: Iterable[Rendering], problems: Iterable[str]) -> int:
    """A file without a PF would take its VFs away from nova: better the old one than an incomplete new one."""
    if not any(problems):
        for place in dict.fromkeys(text for rendering in renderings for text in rendering.after):
            write_stderr(f"sriov-bootstrap: this has no place on this host: {place}\n")
    write_stderr("sriov-bootstrap: nothing was written\n")
    return ExitCode.DEGRADED


def _install(machine: HostMachine, wanted: Wanted, renderings: Iterable[Rendering], files: Sequence[Filled]) -> int:
    for file in files:
        if not file.differs:
            print(f"unchanged {file.path}")
        elif file.text:
            machine.files.install_file(file.path, file.text)
            print(f"wrote {file.path}")
        else:
            machine.files.remove_file(file.path)
            print(f"removed {file.path}")
    changed = {file.path for file in files if file.differs}
    for rendering in renderings:
        if wanted.apply and rendering.commands:
            _run_commands(rendering.commands)
        elif changed & {*(draft.path for draft in rendering.drafts), *rendering.obsolete}:
            print(*(f"then: {text}" for text in rendering.after), sep="\n")
        for note in rendering.notes:
            print(printable(note))
    return ExitCode.OK


def _run_commands(commands: Iterable[tuple[str, ...]]) -> None:
    for command in commands:
        print(f"running {' '.join(command)}", flush=True)
        completed = child.run(list(command), timeout_seconds=COMMAND_SECONDS)
        if completed.returncode:
            text = one_line(completed.stderr) or f"exit code {completed.returncode}"
            raise SriovBootstrapError(f"{' '.join(command)}: {text}", hint="run it by hand")
