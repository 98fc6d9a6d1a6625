"""The nouns for what migrate proposes: rules, and what to do about the lines that they replace."""

from msgspec import Struct

from sriov_bootstrap.conflicts.master import Master
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.facts import PfFacts


class Proposal(Struct, frozen=True):
    """A proposed rule. `pf` None: what the lines name does not exist now. `has_rule`: the config already has one.

    `num_vfs` None: left to the operator. `notes`: what the operator should know about the choice of the number.
    `reasons`: why the rule is a comment; () if it is live. `vfs`: lines of what they set for its VFs, as our config has
    it, and `unsure_vfs`: what they may set; without what a rule that the config has already says. `eswitch`: the same
    of its switch.
    """

    match: Match
    num_vfs: int | None
    masters: tuple[Master, ...]
    pf: PfFacts | None = None
    has_rule: bool = False
    notes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    vfs: tuple[str, ...] = ()
    unsure_vfs: tuple[str, ...] = ()
    eswitch: tuple[str, ...] = ()

    @property
    def is_decided(self) -> bool:
        """Whether a rule for this PF is in force once the config is."""
        return self.has_rule or not self.reasons


class Removal(Struct, frozen=True):
    """A line to remove, and what to know about it first."""

    master: Master
    notes: tuple[str, ...] = ()


class Migration(Struct, frozen=True):
    """`removals`: lines that the rules replace, within a file from the last one up: removing one moves those after it.

    `waiting`: those that a rule replaces which is a comment now. `staying`: lines of what is no NIC, and what that is.
    `unclear`: places that mention VFs, and are not understood.
    """

    proposals: tuple[Proposal, ...] = ()
    removals: tuple[Removal, ...] = ()
    waiting: tuple[Removal, ...] = ()
    staying: tuple[Removal, ...] = ()
    unclear: tuple[Master, ...] = ()
