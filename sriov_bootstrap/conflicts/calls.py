"""The noun: a file that something which was read hands on; and what is known of the host while these are looked for."""

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from sriov_bootstrap.conflicts.survey import Format, Source
from sriov_bootstrap.conflicts.tool_files import Look

NO_PROGRAMS: Mapping[str, str] = {}


class Call(Struct, frozen=True):
    """What runs a script: `place` is the `file:line`. `look`: what is to be found out of it first.

    `is_by_folder`: only the folder is named that it is in. `is_bare`: by a name alone, as a shell finds it. `format`:
    what it is, which may be no script. `is_given`: a command may take settings from it, if it is no script.
    `is_doubtful`: whether it is run is not certain.
    """

    place: str
    source: Source
    look: Look = Look.KIND
    is_by_folder: bool = False
    is_bare: bool = False
    format: Format = Format.SCRIPT
    is_given: bool = False
    is_doubtful: bool = False

    @property
    def is_named(self) -> bool:
        """As what it is, such as a script by a language in front of it."""
        return self.look is not Look.KIND


def _is_script(_path: str, call: Call) -> Format | None:
    return call.format


def _no_files(_pattern: str) -> Iterable[str]:
    return ()


def _is_there(_path: str) -> bool:
    return True


class HostFiles(Struct, frozen=True):
    """What names and paths lead to.

    `programs`: name -> path of what a shell finds by its name, `packages` of what Python finds where administrators
    install it. `format_of`: what there is at a path, None if it is nothing to read, or not there. `matching`: the
    files that a glob fits. `is_there`: whether anything is.
    """

    programs: Mapping[str, str] = NO_PROGRAMS
    packages: Mapping[str, str] = NO_PROGRAMS
    format_of: Callable[[str, Call], Format | None] = _is_script
    matching: Callable[[str], Iterable[str]] = _no_files
    is_there: Callable[[str], bool] = _is_there


NO_HOST = HostFiles()


class Settled(Struct):
    """What need not be found again. `paths`: known, or no scripts unless somebody says so. `programs`: names left.

    `idle`: paths of what is nothing to read for a unit that runs it.
    """

    paths: set[str]
    idle: set[str]
    programs: set[str]

    def note(self, nothing: Mapping[str, Call]) -> None:
        """Paths at which there is nothing to read."""
        for path, call in nothing.items():
            if not (call.source.owner or call.is_given or call.is_bare or call.is_named):
                self.idle.add(path)
