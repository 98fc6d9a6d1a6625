"""migrate: prints the config that replaces what sets VFs on this host today, and the lines to remove."""

import sys
from collections.abc import Iterable
from itertools import count

from sriov_bootstrap.base.errors import ExitCode
from sriov_bootstrap.base.printable import printable
from sriov_bootstrap.conflicts.checks import find_masters
from sriov_bootstrap.conflicts.migrate import migrate
from sriov_bootstrap.conflicts.read import survey_masters
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.facts import Links, PfFacts, parse_pf
from sriov_bootstrap.core.finding import Diagnosis
from sriov_bootstrap.core.vf_users import Holders
from sriov_bootstrap.doctor.diagnose import within_limits
from sriov_bootstrap.edges.limits import limit_resources
from sriov_bootstrap.edges.templates import read_template, schema_uri
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.passes.reconcile import load_config, read_facts
from sriov_bootstrap.render.templates import render


def print_migration(machine: HostMachine) -> int:
    """0, even if there is nothing to migrate. What could not be read is reported on stderr."""
    config = load_config(machine, None).config
    pfs = read_facts(machine, config)
    notes: list[str] = []
    with limit_resources("migrate"):
        survey = survey_masters(machine)
        masters = find_masters(survey, pfs, notes.append)
        migration = migrate(masters, pfs, config, _read_others(machine, pfs) if masters else ())
    taken = {rule.name for rule in config.pf}
    names = (name for number in count(1) if (name := f"port-{number}") not in taken)
    context = {
        "migration": migration,
        "names": [next(names) for _ in migration.proposals],
        "keys": Match.__struct_fields__,
        "schema": schema_uri(),
    }
    print(render(read_template("migrate.toml.j2"), context), end="")
    unseen = tuple(dict.fromkeys((*survey.unseen, *notes)))
    for text in within_limits(Diagnosis(unseen=unseen)).unseen:
        sys.stderr.write(f"not seen: {printable(text)}\n")
    return ExitCode.OK


def _read_others(machine: HostMachine, pfs: Iterable[PfFacts]) -> tuple[PfFacts, ...]:
    """What a line may name that gets no rule: a NIC that offers no VFs, a PF that is no NIC."""
    known = frozenset(address for pf in pfs for address in (pf.pci_address, *(vf.pci_address for vf in pf.vfs)))
    return tuple(parse_pf(raw, Links(), Holders()) for raw in machine.sysfs.read_others(known))
