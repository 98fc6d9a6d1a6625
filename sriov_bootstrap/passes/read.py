"""What a pass begins with: the config and the PFs, read from the machine and understood."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.base.errors import ConfigError
from sriov_bootstrap.base.printable import printable
from sriov_bootstrap.core import decode, facts
from sriov_bootstrap.core.config import Config
from sriov_bootstrap.core.desired import asks_for, ports_of, rule_of
from sriov_bootstrap.core.facts import PfFacts, RawPf
from sriov_bootstrap.core.parse import needs_holders, needs_port_names, parse_pf
from sriov_bootstrap.core.vf_attributes import PfLinks
from sriov_bootstrap.core.vf_mtus import netdevs_to_ask, with_mtus
from sriov_bootstrap.core.vf_users import Holders, Owners

if TYPE_CHECKING:
    from sriov_bootstrap.passes.protocols import PassMachine  # loaded for no pass: it only names types


class Loaded(Struct, frozen=True):
    """The config that a pass uses; `problems` are why the last good one had to serve, `files` what was read.

    `table_problems`: what is wrong in [[pf.vf]] tables and of switches, which costs no more than these.
    """

    config: Config
    problems: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    checksums: tuple[int, ...] = ()
    table_problems: tuple[str, ...] = ()

    @property
    def mistakes(self) -> tuple[str, ...]:
        """Everything that is wrong with the config on disk."""
        return (*self.problems, *self.table_problems)


def load_config(machine: "PassMachine", last_good: Config | None) -> Loaded:
    """What the files say now; where they are broken, or all gone, what they said before.

    Raises ConfigError when they are broken and there is nothing to fall back to. A mistake in a [[pf.vf]] table breaks
    nothing but the tables of its rule.
    """
    files = decode.effective(machine.read_config())
    names = tuple(printable(file.path) for file in files)
    checksums = tuple(file.checksum for file in files)
    if last_good and last_good.pf and not files:
        vanished = (
            "every config file is gone, the last valid config stays in force: restart the service if that is intended"
        )
        return Loaded(last_good, (vanished,))
    try:
        config, table_problems = decode.decode_without_bad_tables(files)
    except ConfigError as error:
        if last_good is None:
            raise
        return Loaded(last_good, error.problems, names, checksums)
    return Loaded(config, (), names, checksums, table_problems)


def read_facts(
    machine: "PassMachine", config: Config, known: Iterable[str] = (), only: tuple[str, ...] = ()
) -> tuple[PfFacts, ...]:
    """Every NIC that is a PF, understood, and other PFs if a rule names them, or if they are `known`.

    The costly reads are made only if they can matter to a rule. `only`: these PFs, and no others.
    """
    found = _read_vfs_and_users(machine, config, known, only)
    if any(rule.asks_vf_mtus for rule in config.pf):
        found = tuple(_add_mtus(machine, config, pf) for pf in found)
    if any(rule.asks_devlink for rule in config.pf):
        found = _add_eswitches(machine, config, found)
    return _add_links(machine, config, found) if any(rule.asks_link for rule in config.pf) else found


def _read_vfs_and_users(
    machine: "PassMachine", config: Config, known: Iterable[str], only: tuple[str, ...] = ()
) -> tuple[PfFacts, ...]:
    """All of it but what only netdevs tell, which a driver may keep the kernel from giving."""
    raw = machine.read_pfs(
        only,
        others=lambda address, *ids: address in known or asks_for(config, address, *ids),
        serial_numbers=any(rule.match.serial_number for rule in config.pf),
        vf_ifindexes=any(rule.vf for rule in config.pf),  # they tell whether a VF was bound anew
    )
    needs_links = any(rule.match.netdev or rule.match.altname for rule in config.pf)
    users = _read_users(machine, raw, needs_links=needs_links, shut_off=config.openstack.protect_shutoff)
    return _parse(machine, raw, users)


class _Users(Struct, frozen=True):
    """Everything that tells who uses the VFs of some PFs; `owners` None: they have no VFs."""

    links: facts.Links
    holders: Holders
    owners: Owners | None


def _read_users(machine: "PassMachine", raws: tuple[RawPf, ...], *, needs_links: bool, shut_off: bool) -> _Users:
    """The costly reads, as far as they can matter."""
    needs_links = needs_links or needs_port_names(raws) or any(vf.netdevs for pf in raws for vf in pf.vfs)
    links = machine.read_links() if needs_links else facts.Links()
    holders = machine.read_holders() if needs_holders(raws) else Holders()
    owners = machine.read_owners(shut_off=shut_off) if any(pf.vfs for pf in raws) else None
    return _Users(links, holders, owners)


def _parse(machine: "PassMachine", raws: tuple[RawPf, ...], users: _Users) -> tuple[PfFacts, ...]:
    bindings = machine.read_bindings() if users.owners else {}
    links, holders, owners = users.links, users.holders, users.owners
    pfs = (parse_pf(raw, links, holders, owners, is_binding=raw.pci_address in bindings) for raw in raws)
    return tuple(pf for pf in pfs if pf.total_vfs > 0)


def _add_mtus(machine: "PassMachine", config: Config, pf: PfFacts) -> PfFacts:
    rule = rule_of(config, pf)
    netdevs = netdevs_to_ask(rule, pf) if rule else ()
    return with_mtus(pf, machine.read_mtus(netdevs)) if netdevs else pf


def _add_eswitches(machine: "PassMachine", config: Config, pfs: tuple[PfFacts, ...]) -> tuple[PfFacts, ...]:
    """The same, with the switch of each PF of which a rule says something of the kind."""
    from sriov_bootstrap.core.eswitch import question_of  # only rules that ask for it pay for the import

    rules = ((pf, rule_of(config, pf)) for pf in pfs if pf.driver)
    questions = {pf.pci_address: question_of(pf.pci_address, rule) for pf, rule in rules if rule and rule.asks_devlink}
    told = machine.read_eswitches(tuple(questions.values())) if questions else facts.Eswitches()
    return tuple(_add_eswitch(pf, told) if pf.pci_address in questions else pf for pf in pfs)


def _add_eswitch(pf: PfFacts, told: facts.Eswitches) -> PfFacts:
    if found := told.by_address.get(pf.pci_address):
        return replace(pf, eswitch=found)
    return replace(pf, eswitch_problem=told.problems.get(pf.pci_address, told.problem))


def _add_links(machine: "PassMachine", config: Config, pfs: tuple[PfFacts, ...]) -> tuple[PfFacts, ...]:
    """The same, with what only the netdevs of PFs tell, where a rule says something of it."""
    rules = {pf.pci_address: rule for pf in pfs if (rule := rule_of(config, pf)) and rule.asks_link}
    ports = {pf.pci_address: ports_of(rules[pf.pci_address].match, pf) for pf in pfs if pf.pci_address in rules}
    names = {address: found[0].name for address, found in ports.items() if found}
    if not rules:
        return pfs
    links = machine.read_pf_links(tuple(names.values())) if names else PfLinks()
    return tuple(_add_link(pf, names.get(pf.pci_address, ""), links) if pf.pci_address in rules else pf for pf in pfs)


def _add_link(pf: PfFacts, netdev: str, links: PfLinks) -> PfFacts:
    if link := links.by_name.get(netdev):
        return replace(pf, link=link)
    if not pf.driver:
        return pf
    lack = links.problem or (f"{netdev} is gone" if netdev else "it has no netdev here")
    return replace(pf, link_problem=f"what it has set for its VFs cannot be read: {lack}")


def read_users(
    machine: "PassMachine", config: Config, addresses: tuple[str, ...], *, pfs: tuple[str, ...], at_work: bool = False
) -> str:
    """Who uses these VFs, or a VF of these PFs, right now; "" if no one does.

    `pfs`: the PFs that they are, or belong to; no other is read. `at_work`: only what carries traffic counts, see
    PfFacts.
    """
    found = _read_vfs_and_users(machine, config, (), pfs)
    used = ((pf.pci_address, vf) for pf in found for vf in (pf.vfs_at_work if at_work else pf.vfs_in_use))
    return "; ".join(vf.refusal for pf, vf in used if pf in addresses or vf.pci_address in addresses)


def read_other_users(machine: "PassMachine", pf: str, domain: str, *, has_ended: bool) -> PfFacts | None:
    """One PF, and who uses its VFs besides a VM of `verify`, whose `domain` this is. None if the PF is gone.

    Its VFs are not those of a VM that is shut off: that has lost nothing when it starts. `has_ended`: what `domain`
    has open still counts, because it should have ended, and whatever is done would wait for it.
    """
    raws = machine.read_pfs((pf,))
    users = _read_users(machine, raws, needs_links=False, shut_off=False)
    holders = users.holders if has_ended else users.holders.besides(domain)
    owners = users.owners.besides(domain) if users.owners else None
    return next(iter(_parse(machine, raws, replace(users, holders=holders, owners=owners))), None)
