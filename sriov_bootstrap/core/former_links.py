"""What PFs had before a rule changed it, so that a release can put it back: as long as a rule says it."""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.core.actions import SetPfLink
from sriov_bootstrap.core.config import Switch
from sriov_bootstrap.core.eswitch_config import Eswitch, EswitchMode
from sriov_bootstrap.core.plan import Plan
from sriov_bootstrap.core.switch_actions import SetEswitchMode


class FormerLink(Struct, frozen=True):
    """Of one PF's netdev, and its eswitch mode; 0, None and "": not changed by us."""

    mtu: int = 0
    promisc: bool | None = None
    eswitch_mode: str = ""

    @property
    def eswitch(self) -> Eswitch | None:
        """`eswitch_mode` as a rule says it."""
        return Eswitch(EswitchMode(self.eswitch_mode)) if self.eswitch_mode else None

    @property
    def switch(self) -> Switch | None:
        """`promisc` as a rule says it."""
        return None if self.promisc is None else Switch.ON if self.promisc else Switch.OFF


FormerLinks = dict[str, FormerLink]  # by PCI address


def with_former(known: FormerLinks, plans: Iterable[Plan]) -> FormerLinks:
    """The same before these plans are carried out. The first value counts; what a rule says no more is forgotten."""
    found = dict(known)
    for plan in plans:
        pf, rule = plan.desired.pf, plan.desired.rule
        if pf is None:
            continue
        former = found.pop(pf.pci_address, FormerLink())
        former = FormerLink(
            former.mtu if rule.mtu else 0,
            former.promisc if rule.promisc else None,
            former.eswitch_mode if rule.eswitch else "",
        )
        link = pf.link
        for action in plan.actions:
            if isinstance(action, SetEswitchMode) and action.before != action.after:
                former = replace(former, eswitch_mode=former.eswitch_mode or action.before)
            if link and isinstance(action, SetPfLink):
                mtu = former.mtu or (link.mtu if action.mtu else 0)
                was_promiscuous = None if action.promisc is None else link.is_promiscuous
                promisc = was_promiscuous if former.promisc is None else former.promisc
                former = replace(former, mtu=mtu, promisc=promisc)
        if former != FormerLink():
            found[pf.pci_address] = former
    return found
