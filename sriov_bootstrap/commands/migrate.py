"""migrate: prints the config that replaces what sets VFs on this host today, and the lines to remove."""

from collections.abc import Iterable
from itertools import count

from msgspec import to_builtins

from sriov_bootstrap import __version__
from sriov_bootstrap.base.errors import ExitCode
from sriov_bootstrap.base.printable import printable, to_json, write_stderr
from sriov_bootstrap.conflicts.checks import find_masters
from sriov_bootstrap.conflicts.migrate import migrate
from sriov_bootstrap.conflicts.proposals import Migration
from sriov_bootstrap.conflicts.read import survey_masters
from sriov_bootstrap.conflicts.survey import MastersSurvey
from sriov_bootstrap.conflicts.switches import sets_switches, switch_commands
from sriov_bootstrap.conflicts.unit_commands import unit_runners
from sriov_bootstrap.core.config import Config, Match
from sriov_bootstrap.core.facts import Links, PfFacts
from sriov_bootstrap.core.finding import Diagnosis
from sriov_bootstrap.core.parse import needs_port_names, parse_pf
from sriov_bootstrap.core.plurals import quantity
from sriov_bootstrap.core.vf_users import Holders
from sriov_bootstrap.doctor.diagnose import within_limits
from sriov_bootstrap.edges.limits import limit_resources
from sriov_bootstrap.edges.templates import read_template, schema_uri
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.passes.read import load_config, read_facts
from sriov_bootstrap.render.templates import render


def print_migration(machine: HostMachine, *, as_json: bool = False) -> int:
    """0, even if there is nothing to migrate. What could not be read, or is not understood, is said on stderr."""
    config = load_config(machine, None).config
    pfs = read_facts(machine, config)
    notes: list[str] = []
    with limit_resources("migrate"):
        survey = survey_masters(machine)
        masters = find_masters(survey, pfs, notes.append)
        others = _read_others(machine, pfs) if masters else ()
        commands = switch_commands(survey, unit_runners(survey, sets_switches))
        migration = migrate(masters, pfs, config, others, commands)
    unseen = within_limits(Diagnosis(unseen=tuple(dict.fromkeys((*survey.unseen, *notes))))).unseen
    if as_json:
        print(to_json(_as_json(migration, (*unseen, *survey.elsewhere))).decode())
    else:
        print(render(read_template("migrate.toml.j2"), _context(migration, config, unseen, survey)), end="")
    for text in unseen:
        write_stderr(f"not seen: {printable(text)}\n")
    if migration.unclear:
        what = quantity(len(migration.unclear), "file mentions VFs", "files mention VFs")
        write_stderr(f"not understood: {what} in a way that is not understood\n")
    return ExitCode.OK


def _context(migration: Migration, config: Config, unseen: tuple[str, ...], survey: MastersSurvey) -> dict[str, object]:
    """What the template prints."""
    taken = {rule.name for rule in config.pf}
    names = (name for number in count(1) if (name := f"port-{number}") not in taken)
    return {
        "migration": migration,
        "names": [next(names) for _ in migration.proposals],
        "keys": Match.__struct_fields__,
        "schema": schema_uri(),
        "unseen": (*unseen, *survey.elsewhere),
    }


def _as_json(migration: Migration, unseen: tuple[str, ...]) -> dict[str, object]:
    """The rules, the lines, and how many files are not understood."""
    removals = {removal.master: removal for removal in (*migration.removals, *migration.waiting)}
    return {
        "version": __version__,
        "rules": [
            {
                "match": {key: value for key, value in to_builtins(proposal.match).items() if value},
                "num_vfs": proposal.num_vfs,
                "is_live": not proposal.reasons and not proposal.has_rule,
                "has_rule": proposal.has_rule,
                "notes": proposal.notes,
                "reasons": proposal.reasons,
            }
            for proposal in migration.proposals
        ],
        "lines": [
            {"place": master.place, "evidence": master.evidence, "remedy": master.remedy, "notes": removal.notes}
            for master, removal in removals.items()
        ],
        "not_understood": len(migration.unclear),
        "unclear": [{"place": master.place, "remedy": master.remedy} for master in migration.unclear],
        "unseen": unseen,
    }


def _read_others(machine: HostMachine, pfs: Iterable[PfFacts]) -> tuple[PfFacts, ...]:
    """What a line may name that gets no rule: a NIC that offers no VFs, a PF that is no NIC."""
    known = frozenset(address for pf in pfs for address in (pf.pci_address, *(vf.pci_address for vf in pf.vfs)))
    raws = machine.sysfs.read_others(known)
    links = machine.read_links() if needs_port_names(raws) else Links()
    return tuple(parse_pf(raw, links, Holders()) for raw in raws)
