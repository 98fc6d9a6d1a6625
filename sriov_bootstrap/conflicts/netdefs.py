"""Entries below `ethernets`, as netplan has them: of its own files, and of cloud-init's, which hands them on.

As src/parse.c and netplan_cli's sriov.py do: a number is decimal; a later file replaces a key, and adds VFs; an entry
that has both a number and more VFs than that is refused, and then nothing is applied. VFs are made, never removed.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from sriov_bootstrap.conflicts.besides import shown, vf_table
from sriov_bootstrap.conflicts.documents import Key, key_of, table_of, text_of, texts_of
from sriov_bootstrap.conflicts.master import MAX_COUNT, Master, without_keys
from sriov_bootstrap.conflicts.survey import Format, Source
from sriov_bootstrap.conflicts.switches import switch_of
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.desired import matches
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.plurals import quantity
from sriov_bootstrap.core.vf_attributes import VfTable

MAX_DEVICES = 64
MAX_FILES = 8
COUNT = "virtual-function-count"
MODE = "embedded-switch-mode"
BESIDES = (MODE, "delay-virtual-functions-rebind")  # only for an entry that is a PF
MERGED = ("match", "set-name", *BESIDES)  # what is asked of an entry that several files make
AS_WELL = "do the same in netplan's files, where cloud-init has written it"
DECIMAL = re.compile(r"\s*\+?([0-9]{1,20})", re.ASCII)  # g_ascii_strtoull, which must take all of it


class VfVlan(Struct, frozen=True):
    """The VLAN that a VF is given by its PF, and the name of the VF's netdev."""

    netdev: str
    vlan: str


class Netdef(Struct):
    """One entry below `ethernets`, merged over all files; `links` are the VFs that name it as their PF.

    `vlans`: those of them that have a VLAN. `count` is the last of its `counts`.
    """

    name: str
    settings: dict[str, Any]
    is_defined: bool
    count: Key | None
    links: dict[str, Key]
    vlans: dict[str, VfVlan] = {}
    counts: list[Key] = []


class VfCount(Struct, frozen=True):
    """What an entry asks for. `doubt`: why it may not come to that; `is_refused`: nor to anything else in the files."""

    num_vfs: int | None
    possible: tuple[int, ...] = ()
    doubt: str = ""
    is_refused: bool = False


def read_netdefs(sources: Iterable[Source]) -> tuple[Netdef, ...]:
    """Every entry that is a PF: it has a number, or VFs. A later file wins."""
    netdefs: dict[str, Netdef] = {}
    links: dict[str, Key] = {}
    documents = tuple(sources)
    for source in documents:
        for name, settings in table_of(table_of(source.document, "network"), "ethernets").items():
            if not isinstance(settings, dict):
                continue
            netdef = netdefs.setdefault(name, _no_entry(name))
            netdef.is_defined = True
            netdef.settings |= {key: settings[key] for key in MERGED if key in settings}
            if COUNT in settings:
                netdef.count = key_of(source, settings, COUNT)
                netdef.counts.append(netdef.count)
            if text_of(settings, "link"):
                links[name] = key_of(source, settings, "link")
    for name, link in links.items():
        netdefs.setdefault(link.value, _no_entry(link.value)).links[name] = link
    for name, vlan in _vlans_of_vfs(documents).items():
        if name in links:
            netdefs[links[name].value].vlans[name] = VfVlan(_netdev_of(netdefs[name]), vlan)
    return tuple(netdef for netdef in netdefs.values() if netdef.count or netdef.links)


def _netdev_of(vf: Netdef) -> str:
    return text_of(vf.settings, "set-name") or text_of(table_of(vf.settings, "match"), "name") or vf.name


def _vlans_of_vfs(sources: Iterable[Source]) -> dict[str, str]:
    """Of entries that are a VF's VLAN, and no interface (`ip link set PF vf N vlan ID`): link and id.

    Two of one VF are an error to netplan: "", as neither is certain.
    """
    vlans: dict[str, dict[str, Any]] = {}
    for source in sources:
        for name, settings in table_of(table_of(source.document, "network"), "vlans").items():
            if isinstance(settings, dict):
                vlans[name] = vlans.get(name, {}) | settings
    found: dict[str, str] = {}
    for vlan in vlans.values():
        if text_of(vlan, "renderer") == "sriov":
            link = text_of(vlan, "link")
            found[link] = "" if link in found else text_of(vlan, "id")
    return found


def _no_entry(name: str) -> Netdef:
    return Netdef(name, {}, is_defined=False, count=None, links={})


def masters_of(
    netdefs: Sequence[Netdef], kind: Format, pfs: tuple[PfFacts, ...], *, doubt: str = ""
) -> Iterator[Master]:
    """What netplan would do because of these. A mistake in one of them keeps it from all."""
    refused = next((netdef for netdef in netdefs if _wish(netdef).is_refused), None)
    for netdef in netdefs:
        place = _place(refused) if refused and not _wish(netdef).is_refused else None
        of_another = f"netplan refuses {place.source.path}:{place.line}, and with it all of its files" if place else ""
        yield _master(netdef, kind, pfs, tuple(filter(None, (doubt, of_another))))


def _place(netdef: Netdef) -> Key:
    return netdef.count or next(iter(netdef.links.values()))


def _master(netdef: Netdef, kind: Format, pfs: tuple[PfFacts, ...], known: tuple[str, ...]) -> Master:
    place = _place(netdef)
    devices = _devices(netdef, pfs)
    fitting = sum(any(matches(device, pf) for device in devices) for pf in pfs)
    wish = _wish(netdef)
    doubts = [*known, *filter(None, (wish.doubt,))]
    tables, lost = _vf_tables(netdef, next((pf for pf in pfs if any(matches(device, pf) for device in devices)), None))
    if fitting > 1:
        doubts.append(f"its match fits {fitting} NICs of this host, and netplan takes one of them or refuses it")
    return Master(
        kind,
        place.source.path,
        place.line,
        shown(COUNT, netdef.count.value.strip()) if netdef.count else f"link: {netdef.name}",
        devices,
        wish.num_vfs,
        is_certain=not doubts,
        doubt="; ".join(doubts),
        remedy=_remedy(netdef, place, kind),
        possible=wish.possible,
        besides=lost,
        vfs=tables,
        eswitch=switch_of({"mode": text_of(netdef.settings, MODE)}),
    )


def _vf_tables(netdef: Netdef, pf: PfFacts | None) -> tuple[tuple[VfTable, ...], tuple[str, ...]]:
    """netplan knows VFs by their netdevs; which number such a one has is up to the host."""
    tables, lost = [], list[str]()
    numbers = {name: vf.index for vf in (pf.vfs if pf else ()) for name in vf.netdevs}
    for name, vlan in netdef.vlans.items():
        table, _ = vf_table(str(numbers.get(vlan.netdev, "")), {"vlan": vlan.vlan})
        tables += [table] if table else []
        lost += [] if table else [f"the VLAN of {name}"]
    return tuple(tables), tuple(lost)


def _wish(netdef: Netdef) -> VfCount:
    links = len(netdef.links)
    if not netdef.is_defined:
        return VfCount(links, doubt=f"no file defines {netdef.name}, so netplan refuses all of them", is_refused=True)
    if netdef.count is None:
        return VfCount(links)
    found = DECIMAL.fullmatch(netdef.count.value)
    asked = int(found[1]) if found else None if netdef.count.value else 0
    if asked is None or asked > MAX_COUNT:
        return VfCount(None, doubt="netplan refuses that number, and with it all of its files", is_refused=True)
    if links > asked:
        doubt = f"netplan refuses {quantity(links, 'VF')}, as virtual-function-count asks for {asked}"
        return VfCount(None, (asked, links), doubt, is_refused=True)
    return VfCount(asked) if asked else VfCount(None, doubt="netplan removes no VFs: 0 does nothing")


def _remedy(netdef: Netdef, place: Key, kind: Format) -> str:
    """What else needs the VFs, or needs the entry to be a PF, stays: to netplan, a number that is there is right."""
    path = place.source.path
    needs = [f'"link: {netdef.name}"'] if netdef.links else []
    switch = [f'"{key}"' for key in BESIDES if key in netdef.settings]
    vlans = '; VLANs with "renderer: sriov" may go once the rule sets them' if netdef.vlans else ""
    if not needs:
        after = "netplan generate" if kind is Format.NETPLAN else AS_WELL
        paths = dict.fromkeys(key.source.path for key in reversed(netdef.counts))  # without the last, another counts
        keys = (*switch, f'"{COUNT}" of {netdef.name}')
        return without_keys(" and ".join([*paths][:MAX_FILES]), keys, after=after)
    also = f", and remove {' and '.join(switch)}" if switch else ""
    return (
        f'in {path}, set "{COUNT}" of {netdef.name} to the num_vfs of its rule, and keep it: netplan needs it for'
        f" {' and '.join(needs)}, and changes nothing while the number is right{also}{vlans}"
    )


def _devices(netdef: Netdef, pfs: tuple[PfFacts, ...]) -> tuple[Match, ...]:
    """With `set-name`, the netdev of that name if there is one."""
    match = table_of(netdef.settings, "match")
    if not match:
        return (Match(netdev=netdef.name),)
    renamed = Match(netdev=text_of(netdef.settings, "set-name"))
    if renamed != Match() and any(matches(renamed, pf) for pf in pfs):
        return (renamed,)
    mac = text_of(match, "macaddress").lower()
    pairs = itertools.product(texts_of(match, "name"), texts_of(match, "driver"))
    found = [Match(netdev=name, mac=mac, driver=driver) for name, driver in itertools.islice(pairs, MAX_DEVICES)]
    return tuple(device for device in (*found, renamed) if device != Match())
