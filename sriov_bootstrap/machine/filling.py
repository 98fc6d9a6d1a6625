"""Renderings filled: each file as it should be, beside what is installed."""

from collections.abc import Callable, Iterable

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.base.errors import ConfigError
from sriov_bootstrap.edges.templates import read_template
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.render.catalogue import TARGETS
from sriov_bootstrap.render.host import Ask, Draft, Host, Rendering
from sriov_bootstrap.render.templates import render_file

MARK = "Written by `sriov-bootstrap render"  # in the first line of each of our templates


class Filled(Struct, frozen=True):
    """A file as it should be. `path` "": it has no place here and is only printed; `text` "": it should not exist."""

    path: str
    text: str
    installed: str | None = None

    @property
    def differs(self) -> bool:
        """Whether there is something to do."""
        return bool(self.path) and self.text != (self.installed or "")


def outdated_files(machine: HostMachine, host: Host, is_ours: Callable[[str], bool]) -> tuple[str, ...]:
    """Our installed files that would be written differently now. If anything is unclear: none."""
    paths = []
    for target in (candidate for candidate in TARGETS.values() if candidate.in_all):
        rendering = target.make(host, Ask())
        if rendering.problems:
            continue
        drafts = tuple(draft for draft in rendering.drafts if draft.path and is_ours(draft.path))
        ours = replace(rendering, drafts=drafts, obsolete=tuple(filter(is_ours, rendering.obsolete)))
        paths += [file.path for file in fill_drafts(machine, ours, read=True) if file.differs]
    return tuple(paths)


def fill_drafts(machine: HostMachine, rendering: Rendering, *, read: bool) -> Iterable[Filled]:
    """What each file should say, including our files that should not exist; with `read` also what it says now."""
    for draft in rendering.drafts:
        installed = machine.files.read_text(draft.path) if read and draft.path else None
        yield Filled(draft.path, _fill(machine, draft), installed)
    for path in rendering.obsolete if read else ():
        installed = machine.files.read_text(path)
        if installed and MARK in installed.partition("\n")[0]:  # ours, from when it was needed
            yield Filled(path, "", installed)


def _fill(machine: HostMachine, draft: Draft) -> str:
    if not draft.template:
        return str(draft.context["text"])
    own = machine.files.read_template(draft.template)
    if own is None:
        return render_file(draft.template, read_template(draft.template), draft.context)
    if own.problem:
        raise ConfigError((f"{own.path}: {own.problem}",), hint="correct the template, or remove it to use ours")
    return render_file(own.path, own.data.decode(errors="replace"), draft.context)
