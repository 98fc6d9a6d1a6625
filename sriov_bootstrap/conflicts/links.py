"""systemd.link(5): the first file that matches a PF counts, and each of its drop-ins."""

from collections.abc import Iterator
from enum import IntEnum
from fnmatch import fnmatchcase

from sriov_bootstrap.conflicts.master import KeyValue, Master, Search, count, key_values, setting, without_keys
from sriov_bootstrap.conflicts.survey import Format, without_overridden
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.facts import PfFacts

COUNT_KEY = "SR-IOVVirtualFunctions"
KERNEL_NAMES = ("eth", "ib")
MAX_GLOB = 256  # characters; fnmatch searches for the end of each bracket again
RELOAD_LINKS = "udevadm control --reload; it takes effect at the next boot"


class Fit(IntEnum):
    """Whether a [Match] section takes a netdev."""

    NO = 0
    MAYBE = 1
    YES = 2


def read(search: Search) -> Iterator[Master]:
    """For each PF the .link file that udev takes: the first that matches, and those before it that may."""
    sources = search.survey.sources_of(Format.LINK)
    mains = without_overridden(tuple(source for source in sources if source.name.endswith(".link")))
    drop_ins = without_overridden(tuple(source for source in sources if source.folder.endswith(".link.d")))
    files = {
        main: tuple(
            entry
            for part in (main, *(source for source in drop_ins if source.folder == f"{main.name}.d"))
            for entry in key_values(part)
        )
        for main in mains
    }
    for pf in search.pfs:
        for said in files.values():
            fit = _fit_of(said, pf)
            if fit and (master := _link_master(said, pf, fit)):
                yield master
            if fit is Fit.YES:
                break


def _link_master(said: tuple[KeyValue, ...], pf: PfFacts, fit: Fit) -> Master | None:
    counts = [line for line in said if line.section == "Link" and line.key == COUNT_KEY]
    listed = [line for line in said if line.section == "SR-IOV" and line.key == "VirtualFunction"]
    if not counts and not listed:
        return None
    entry = counts[-1] if counts and counts[-1].value else (listed or counts)[-1]
    numbers = [number for function in listed if (number := count(function.value)) is not None]
    number = count(entry.value) if entry in counts else max(numbers, default=-1) + 1
    return Master(
        Format.LINK,
        entry.source.path,
        entry.line,
        setting(entry.key, entry.value),
        (Match(pci_address=pf.pci_address),),
        number,
        is_certain=fit is Fit.YES,
        doubt="" if fit is Fit.YES else "only udev can tell whether its [Match] section applies to this PF",
        remedy=without_keys(entry.source.path, (setting(entry.key, entry.value),), after=RELOAD_LINKS),
    )


def _fit_of(said: tuple[KeyValue, ...], pf: PfFacts) -> Fit:
    """The least certain of its conditions; udev ignores a file without any."""
    conditions = [entry for entry in said if entry.section == "Match" and entry.value]
    return min((_condition(condition.key, condition.value.split(), pf) for condition in conditions), default=Fit.NO)


def _condition(key: str, words: list[str], pf: PfFacts) -> Fit:
    if key == "OriginalName":
        return _original_name(words, pf)
    have = {
        "Path": [f"pci-{pf.pci_address}"],
        "Driver": [dev.driver or pf.driver for dev in pf.netdevs] or [pf.driver],
        "Type": ["ether"],
        "MACAddress": [dev.mac for dev in pf.netdevs],
        "PermanentMACAddress": [dev.mac for dev in pf.netdevs],
    }.get(key)
    if have is None:
        return Fit.MAYBE
    if "MACAddress" in key:
        words = [word.lower().replace("-", ":") for word in words]
    return Fit.YES if _any_fits(words, have) else Fit.NO


def _any_fits(words: list[str], have: list[str]) -> bool:
    is_inverted = words[0].startswith("!")
    globs = [word for word in (words[0].removeprefix("!"), *words[1:]) if len(word) <= MAX_GLOB]
    return any(fnmatchcase(text, glob) for text in have for glob in globs) is not is_inverted


def _original_name(words: list[str], pf: PfFacts) -> Fit:
    """Compared with the kernel's own name, which is no longer known once udev has assigned another."""
    if words == ["*"]:
        return Fit.YES
    names = [dev.name for dev in pf.netdevs]
    if _any_fits(words, names):
        return Fit.MAYBE
    return Fit.MAYBE if any(word.lstrip("!").startswith(KERNEL_NAMES) for word in words) else Fit.NO
