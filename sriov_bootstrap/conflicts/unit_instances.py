"""systemd services with their drop-ins, in the instances that are started; and what their files say."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property

from msgspec import Struct

from sriov_bootstrap.conflicts.master import KeyValue, key_values
from sriov_bootstrap.conflicts.runners import user_shown
from sriov_bootstrap.conflicts.started_units import MAX_PULLED
from sriov_bootstrap.conflicts.survey import Source, is_drop_in_folder
from sriov_bootstrap.conflicts.unit_sources import is_shared, sources_by_unit
from sriov_bootstrap.formats import unit_files
from sriov_bootstrap.formats.unit_conditions import UnitCondition, is_told_by_files, unit_conditions

OUR_UNITS = "sriov-bootstrap"
STARTS = ("ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost")  # in this order
STOPS = ("ExecStop", "ExecStopPost")
INSTALLS = re.compile(r"^[ \t]*(?:WantedBy|RequiredBy|UpheldBy)[ \t]*=[ \t]*\S", re.MULTILINE)
PRIVILEGED = re.compile(r"^[ \t]*Exec\w+[ \t]*=[ \t]*[-@:|]*(?:\+|!(?!!))", re.MULTILINE)  # of some command
OUTPUTS = frozenset({"StandardOutput", "StandardError"})
TO_FILE = re.compile(r"(?:file|append|truncate):")


class Unit(Struct, frozen=True, dict=True):
    """A service with its drop-ins, weakest first. `instances`: the values of %i, ("",) if it is no template."""

    name: str
    sources: tuple[Source, ...]
    instances: tuple[str, ...]

    @cached_property
    def commands(self) -> tuple[KeyValue, ...]:
        """Its Exec lines; an empty one drops those of its key before it."""
        kept: list[KeyValue] = []
        for entry in (entry for source in self.sources for entry in key_values(source)):
            if entry.section == "Service" and entry.key.startswith("Exec"):
                kept = kept if entry.value else [before for before in kept if before.key != entry.key]
                kept += [entry] if entry.value else []
        return tuple(sorted(kept, key=lambda entry: (*STARTS, *STOPS, entry.key).index(entry.key)))

    def starts(self, instance: str) -> frozenset[str]:
        """The keys of what is run when it is started: what ends at once is stopped at once, unless it remains."""
        ends = self.last_value("Type", instance) == "oneshot"
        remains = self.last_value("RemainAfterExit", instance).lower() in unit_files.YES
        return frozenset((*STARTS, *(STOPS if ends and not remains else ())))

    @cached_property  # each of its entries asks
    def users(self) -> Mapping[str, unit_files.ServiceUser]:
        """Instance -> who runs its commands; none if no other user than root does: most say nothing."""
        instances = self.instances if any(map(says_users, self.sources)) else ()
        found = {name: unit_files.service_user(self.texts(name)) for name in instances}
        return {instance: user for instance, user in found.items() if user_shown(user.name)}

    @cached_property
    def _users_alone(self) -> frozenset[str]:
        """Instances of which root runs no command."""
        is_roots = bool(self.users) and any(PRIVILEGED.search(source.text) for source in self.sources)
        return frozenset(name for name, user in self.users.items() if not is_roots and not user.is_for_start)

    @property
    def sole_user(self) -> str:
        """Who runs all of its commands, in all of its instances; "" if root runs any."""
        is_users = bool(self.users) and all(instance in self._users_alone for instance in self.instances)
        return user_shown(self.users[self.instances[0]].name) if is_users else ""

    def runner(self, key: str, value: str, instance: str) -> str:
        """Who runs the command of an entry, "" for root; any other entry is for all of its commands."""
        user = self.users.get(instance)
        if user is None:
            return ""
        if key.startswith("Exec"):
            return user_shown(user.runner(key, value))
        return user_shown(user.name) if instance in self._users_alone else ""

    @property
    def outputs(self) -> tuple[KeyValue, ...]:
        """The last StandardOutput= and StandardError=, if they are files."""
        last = {entry.key: entry for source in self.sources for entry in key_values(source) if entry.key in OUTPUTS}
        return tuple(entry for entry in last.values() if TO_FILE.match(entry.value))

    def texts(self, instance: str) -> tuple[str, ...]:
        """Of its files, as that instance finds them."""
        return tuple(with_specifiers(source.text, self.name, instance) for source in self.sources)

    def last_value(self, option: str, instance: str) -> str:
        """Of an option of [Service]; "" if it is not given, or empty in the end."""
        return (unit_files.service_values(self.texts(instance), option) or [""])[-1]

    def environment(self, instance: str, files: Mapping[str, str]) -> dict[str, str]:
        """What its commands find, out of its Environment= and of the files that were read."""
        texts = self.texts(instance)
        return unit_files.environment(texts, unit_files.texts_of_files(unit_files.environment_files(texts), files))


def says_users(source: Source) -> bool:
    """Whether a file of a unit may say that another user than root runs it."""
    return "User" in source.text


def units_of(sources: tuple[Source, ...], wanted: frozenset[str], concerns: Callable[[Source], bool]) -> Iterator[Unit]:
    """Those that are started, and of which some file concerns us."""
    by_unit = sources_by_unit(sources, concerns)
    shared = {name for name in by_unit if is_shared(name)}
    instances: dict[str, list[str]] = {}
    for unit in sorted(unit for unit in wanted if "@" in unit and unit.endswith(".service")):
        prefix, _, instance = unit.removesuffix(".service").partition("@")
        instances.setdefault(prefix, []).append(instance)
    for name, own in by_unit.items():
        with_others = unit_files.shared_names(name)[:MAX_PULLED] if shared else ()
        found = [*own, *(source for other in with_others for source in by_unit.get(other, ()))]
        if name in shared or name.startswith(OUR_UNITS) or not any(map(concerns, found)):
            continue
        files = tuple(sorted(found, key=lambda source: is_drop_in_folder(source.folder)))
        prefix, at, instance = name.removesuffix(".service").partition("@")
        if at:
            mine = [other for other in instances.get(prefix, ()) if instance in {"", other}]
        else:
            mine = [""] if name in wanted or _is_static(files) else []
        if mine:
            yield Unit(name, files, tuple(mine))


def _is_static(files: tuple[Source, ...]) -> bool:
    """Whether it cannot be enabled, so that others start it: it has no [Install] section that says by whom."""
    return not is_drop_in_folder(files[0].folder) and not any(INSTALLS.search(source.text) for source in files)


def environment_paths(units: Iterable[Unit]) -> tuple[str, ...]:
    """The files that their EnvironmentFile= name."""
    found: dict[str, None] = {}
    for unit in units:
        for instance in unit.instances:
            found |= dict.fromkeys(unit_files.environment_files(unit.texts(instance)))
    return tuple(found)[:MAX_PULLED]


def conditions_to_look_at(units: Iterable[Unit]) -> tuple[UnitCondition, ...]:
    """Those of which the file system tells whether they hold."""
    found: dict[UnitCondition, None] = {}
    for unit in units:
        for instance in unit.instances:
            found |= dict.fromkeys(filter(is_told_by_files, unit_conditions(unit.texts(instance))))
    return tuple(found)[:MAX_PULLED]


def with_specifiers(text: str, name: str, instance: str) -> str:
    """With the specifiers that the name gives: systemd.unit(5)."""
    if "%" not in text:
        return text
    whole = name.replace("@.", f"@{instance}.")
    values = {
        "i": instance,
        "I": instance.replace("-", "/").replace("\\x2d", "-"),
        "n": whole,
        "N": whole.removesuffix(".service"),
        "p": name.partition("@")[0].removesuffix(".service"),
        "%": "%",
    }
    return re.sub("%([iInNp%])", lambda found: values[found[1]], text)
