"""Which files belong to which service: its own, and drop-ins, some of which are for several."""

from collections.abc import Callable

from sriov_bootstrap.conflicts.survey import Source, is_drop_in_folder, without_overridden


def sources_by_unit(sources: tuple[Source, ...], concerns: Callable[[Source], bool]) -> dict[str, list[Source]]:
    """Name of a unit -> its files, of those with one that may concern us."""
    concerning = {_name_of_unit(source) for source in sources if concerns(source)}
    is_any = any(map(is_shared, concerning))
    by_unit: dict[str, list[Source]] = {}
    for source in without_overridden(sources) if concerning else ():
        name = _name_of_unit(source)
        if is_any or name in concerning or is_shared(name):
            by_unit.setdefault(name, []).append(source)
    return by_unit


def _name_of_unit(source: Source) -> str:
    """Which it belongs to."""
    folder = source.folder
    return folder.removesuffix(".d") if is_drop_in_folder(folder) else source.name


def is_shared(name: str) -> bool:
    """Whether drop-ins for that name are for several units."""
    return name == "service" or name.endswith("-.service")
