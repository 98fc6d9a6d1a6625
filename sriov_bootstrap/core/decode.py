"""TOML texts -> one Config, or every mistake in them.

Drop-ins follow systemd's rules: sorted by file name over all folders, the same name in a higher folder replaces the
lower one, and an empty file masks it (a link to /dev/null reads as empty). Over that, tables merge key by key and a
[[pf]] replaces the earlier one of the same name, in its place.

A mistake in a [[pf.vf]] table is that of its rule alone, which then counts without such tables: the VFs of this PF and
of all others are needed at boot, whatever becomes of their attributes. So is an eswitch mode that the driver named by
the rule does not have: devlink has the last word on that.
"""

import binascii
import itertools
import tomllib
from collections.abc import Container, Iterable, Sequence
from enum import StrEnum
from typing import Any, get_args

import msgspec
from msgspec import Struct

from sriov_bootstrap.base.errors import CORRECT_FILE, ConfigError
from sriov_bootstrap.core import validate
from sriov_bootstrap.core.config import Boot, Config, IncompleteRule, Match, Metrics, OpenStack, PfRule, Services
from sriov_bootstrap.core.eswitch_config import DevlinkParam, Eswitch
from sriov_bootstrap.core.vf_attributes import VfTable

MAX_FILE_BYTES = 1 << 20  # a thousand rules are 300 kB; a larger file is not a config
TABLES: dict[str, type[Services | Metrics | Boot | OpenStack]] = {
    "services": Services,
    "metrics": Metrics,
    "boot": Boot,
    "openstack": OpenStack,
}
_ONLY_OF_PF = frozenset(PfRule.__struct_fields__) - {*VfTable.__struct_fields__}


class ConfigFile(Struct, frozen=True):
    """A file as read; `problem` says why it could not be, or why it does not count.

    `untrusted`: what is in one that users other than root could change; None if that was not the problem.
    """

    path: str
    data: bytes = b""
    problem: str = ""
    is_drop_in: bool = False
    untrusted: bytes | None = None

    @property
    def name(self) -> str:
        """The file's own name, by which drop-ins replace each other."""
        return self.path.rpartition("/")[2]

    @property
    def checksum(self) -> int:
        """Different for different text."""
        return binascii.crc32(self.data)


def effective(files: Iterable[ConfigFile]) -> tuple[ConfigFile, ...]:
    """From all files, lowest folder first, the ones that count, in the order in which they are merged."""
    mains: list[ConfigFile] = []
    drop_ins: dict[str, ConfigFile] = {}
    for file in files:
        if file.is_drop_in:
            drop_ins[file.name] = file
        else:
            mains.append(file)
    ordered = mains + [drop_ins[name] for name in sorted(drop_ins)]
    return tuple(file for file in ordered if file.data.strip() or file.problem)


def decode(files: Iterable[ConfigFile]) -> Config:
    """Merges and validates the effective files. Raises ConfigError with every problem found, not only the first."""
    config, mistakes = decode_without_bad_tables(files)
    if mistakes:
        raise ConfigError(mistakes, hint=CORRECT_FILE)
    return config


def decode_without_bad_tables(files: Iterable[ConfigFile]) -> tuple[Config, tuple[str, ...]]:
    """The same, and what is wrong in [[pf.vf]] tables, whose rules are there as IncompleteRule, and of switches.

    Raises ConfigError for everything else, with what is wrong in these tables as well.
    """
    problems: list[str] = []
    mistakes: list[str] = []
    tables: dict[str, dict[str, Any]] = {}
    pf_rules: dict[str, PfRule] = {}
    origins: dict[str, str] = {}  # a rule's name, "" for [openstack] -> the file that says it
    for file in files:
        found, document = parse(file)
        if not found:
            found, rules = _check(file.path, document)
            mistakes += (
                mistake for rule in rules for mistake in (*rule.vf_problems, *_switch_mistakes(file.path, rule))
            )
            pf_rules |= {rule.name: rule for rule in rules}
            origins |= dict.fromkeys((rule.name for rule in rules), file.path)
        problems += found
        if "openstack" in document:
            origins[""] = file.path
        for name in (name for name in document if name != "pf" and not problems):
            tables.setdefault(name, {}).update(document[name])
    if problems:
        raise ConfigError((*problems, *mistakes), hint=CORRECT_FILE)
    config = msgspec.structs.replace(msgspec.convert(tables, Config), pf=tuple(pf_rules.values()))
    if problems := _openstack_conflicts(config, origins):  # most hosts say nothing of the kind
        raise ConfigError((*problems, *mistakes), hint=CORRECT_FILE)
    config, shared = _without_shared_addresses(config, origins)
    return config, (*mistakes, *shared)


def _switch_mistakes(path: str, rule: PfRule) -> list[str]:
    return [f'{path}: [[pf]] "{rule.name}": {mistake}' for mistake in validate.switch_mistakes(rule)]


def _without_shared_addresses(config: Config, origins: dict[str, str]) -> tuple[Config, tuple[str, ...]]:
    """None of the rules that give one address to a VF each: which of them is wrong is not known."""
    if not any(rule.vf for rule in config.pf):
        return config, ()
    from sriov_bootstrap.core.vf_tables import shared_between_rules

    found: dict[str, tuple[str, ...]] = {}
    for name, problem in shared_between_rules(config):
        found[name] = (*found.get(name, ()), f'{origins[name]}: [[pf]] "{name}": {problem}')
    rules = tuple(_incomplete(rule, found[rule.name]) if rule.name in found else rule for rule in config.pf)
    return msgspec.structs.replace(config, pf=rules), tuple(itertools.chain.from_iterable(found.values()))


def _incomplete(rule: PfRule, problems: Sequence[str]) -> IncompleteRule:
    return IncompleteRule(**msgspec.structs.asdict(rule) | {"vf": (), "vf_problems": tuple(problems)})


def _openstack_conflicts(config: Config, origins: dict[str, str]) -> list[str]:
    if not any(rule.asks_openstack for rule in config.pf) and config.openstack == OpenStack():
        return []
    from sriov_bootstrap.core.openstack_rules import conflicts

    return [
        f'{origins[conflict.rule]}: [[pf]] "{conflict.rule}": {conflict.message}'
        if conflict.rule
        else f"{origins['']}: [openstack]: {conflict.message}"
        for conflict in conflicts(config)
    ]


def parse(file: ConfigFile) -> tuple[list[str], dict[str, Any]]:
    """What is wrong with the file as a whole; or nothing, and what it says."""
    if file.problem:
        return [f"{file.path}: {file.problem}"], {}
    if len(file.data) > MAX_FILE_BYTES:
        return [f"{file.path}: {len(file.data)} bytes: a config file may have at most {MAX_FILE_BYTES}"], {}
    try:
        return [], tomllib.loads(file.data.decode())
    except UnicodeDecodeError as error:
        line = file.data.count(b"\n", 0, error.start) + 1
        return [f"{file.path}: line {line}: not UTF-8 text (byte 0x{file.data[error.start]:02x})"], {}
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, or int() on a number of over 4300 digits
        return [f"{file.path}: not TOML: {error}"], {}


def _check(path: str, document: dict[str, Any]) -> tuple[list[str], list[PfRule]]:
    """Every problem of one file, such as unknown keys, wrong types and impossible values; and its rules."""
    problems = unknown_keys(document, Config, where=path)
    problems += [problem for name in document if name != "pf" for problem in check_table(path, name, document[name])]
    entries = document.get("pf", [])
    if not isinstance(entries, list):
        return [*problems, f"{path}: pf: write [[pf]], with double brackets: there may be several"], []
    rules: list[PfRule] = []
    for number, entry in enumerate(entries, 1):
        found, rule = _read_pf(path, number, entry, {rule.name for rule in rules})
        problems += found
        rules += [rule] if rule else []
    return problems, rules


def check_table(path: str, name: str, table: Any) -> list[str]:  # noqa: ANN401 - TOML gives anything
    """Every problem of one table other than [[pf]]."""
    if name not in TABLES:
        return []
    where = f"{path}: [{name}]"
    if not isinstance(table, dict):
        return [f"{where}: must be a table"]
    if unknown := unknown_keys(table, TABLES[name], where=where):
        return unknown
    try:
        converted = msgspec.convert(table, TABLES[name])
    except msgspec.ValidationError as error:
        return [f"{where}: {rephrase(error)}"]
    return [f"{where}: {problem}" for problem in validate.table_problems(converted)]


def _read_pf(path: str, number: int, entry: Any, seen: Container[str]) -> tuple[list[str], PfRule | None]:  # noqa: ANN401 - TOML gives anything
    """The rule, or what is wrong with it, also in its [[pf.vf]] tables."""
    where = f"{path}: [[pf]] number {number}"
    if not isinstance(entry, dict):
        return [f"{where}: must be a table"], None
    if isinstance(entry.get("name"), str):
        where = f'{path}: [[pf]] "{entry["name"]}"'
    keys = {key: value for key, value in entry.items() if key != "vf"}
    problems = unknown_keys(keys, PfRule, where=where)
    if isinstance(entry.get("match"), dict):
        problems += unknown_keys(entry["match"], Match, where=f"{where}: match")
    if isinstance(entry.get("eswitch"), dict):
        problems += unknown_keys(entry["eswitch"], Eswitch, where=f"{where}: [pf.eswitch]")
    tables, mistakes = _read_vf_tables(entry.get("vf", []), where)
    if problems:
        return problems + mistakes, None
    try:
        rule = msgspec.convert(keys, PfRule)
    except msgspec.ValidationError as error:
        return [*mistakes, f"{where}: {rephrase(error)}"], None
    if rule.name in seen:
        return [*mistakes, f"{where}: this name occurs twice in the file: only a drop-in may replace a rule"], None
    complete = msgspec.structs.replace(rule, vf=tables)
    problems = [f"{where}: {problem}" for problem in validate.pf_problems(rule)]
    mistakes = mistakes or [f"{where}: {problem}" for problem in validate.vf_problems(complete)]
    if problems:
        return problems + mistakes, None
    complete = validate.normalise(complete)
    return [], _incomplete(complete, mistakes) if mistakes else complete


def _read_vf_tables(tables: Any, where: str) -> tuple[tuple[VfTable, ...], list[str]]:  # noqa: ANN401 - TOML gives anything
    """Every [[pf.vf]] of a rule, or none and what is wrong with them."""
    if not isinstance(tables, list):
        return (), [f"{where}: vf: write [[pf.vf]], with double brackets: there may be several"]
    found, problems = list[VfTable](), list[str]()
    for number, table in enumerate(tables, 1):
        place = f"{where}: [[pf.vf]] number {number}"
        if not isinstance(table, dict):
            problems.append(f"{place}: must be a table")
            continue
        strays = table.keys() & _ONLY_OF_PF  # what follows a header belongs to it
        problems += [
            f'{place}: "{key}" is a key of [[pf]]: write it above the first [[pf.vf]]' for key in table if key in strays
        ]
        problems += (
            wrong := unknown_keys({key: table[key] for key in table if key not in strays}, VfTable, where=place)
        )
        try:
            found += [] if strays or wrong else [msgspec.convert(table, VfTable)]
        except msgspec.ValidationError as error:
            problems.append(f"{place}: {rephrase(error)}")
    return (() if problems else tuple(found)), problems


def unknown_keys(table: dict[str, Any], struct: type[Struct], *, where: str) -> list[str]:
    """A line for each key that `struct` does not have, with the nearest one that it has."""
    known = struct.__struct_fields__
    return [f'{where}: unknown key "{key}": {_advice(key, known)}' for key in table if key not in known]


def _advice(key: str, known: tuple[str, ...]) -> str:
    from difflib import get_close_matches  # only mistakes pay for this import, not the boot

    near = get_close_matches(key, known, n=1, cutoff=0.5)
    return f'did you mean "{near[0]}"?' if near else f"valid here: {', '.join(known)}"


def rephrase(error: msgspec.ValidationError) -> str:
    """`Expected `int`, got `str` - at `$.num_vfs`` -> `num_vfs: expected int, got str`."""
    text, _, place = str(error).replace("`", "").replace(" | null", "").partition(" - at $")
    key = place.lstrip(".")
    text = text[:1].lower() + text[1:]
    if words := _words_of(key.rpartition(".")[2]):
        text += f": valid here: {', '.join(words)}"
    if key == "vfs":
        text += ', such as "0-3,7" or "all"'
    return f"{key}: {text}" if key else text


def _words_of(key: str) -> tuple[str, ...]:
    """Every word that a key may have as its value; () for one whose values are no such words."""
    tables = (PfRule, VfTable, Eswitch, DevlinkParam, *TABLES.values())
    types = (field.type for table in tables for field in msgspec.structs.fields(table) if field.name == key)
    kinds = (kind for either in types for kind in (either, *get_args(either)))
    return next((tuple(kind) for kind in kinds if isinstance(kind, type) and issubclass(kind, StrEnum)), ())
