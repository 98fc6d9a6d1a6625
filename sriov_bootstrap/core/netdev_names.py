"""What may be meant by a netdev that does not exist: an altname, a name from before an upgrade, a typo."""

import re
from collections.abc import Iterable

from sriov_bootstrap.core import pci_address
from sriov_bootstrap.core.facts import Netdev, PfFacts
from sriov_bootstrap.core.similar_names import Guesses

OwnedNetdev = tuple[PfFacts, Netdev]
LONGEST = 64  # characters; a netdev has 15, an altname 127
PORT = "np"  # between a slot and the name of a port: systemd.net-naming-scheme(7)
# A name made of the address, with decimal numbers: enP1p59s0f0. What follows is a port's.
OF_ADDRESS = re.compile(r"(?:en|ib)(?:P(\d{1,5}))?p(\d{1,3})s(\d{1,2})(?:f([0-7]))?(?:np\w+|d\d+)?")
UPGRADES = "Names change with upgrades"


class NetdevNames:
    """Those of a host's PFs, each looked up in constant time: others' files decide how often."""

    def __init__(self, pfs: Iterable[PfFacts]) -> None:
        owners = tuple(pfs)
        devices = [(pf, dev) for pf in reversed(owners) for dev in reversed(pf.netdevs)]  # the first of a name counts
        self._names: dict[str, OwnedNetdev] = {dev.name: (pf, dev) for pf, dev in devices}
        self._altnames: dict[str, OwnedNetdev] = {name: (pf, dev) for pf, dev in devices for name in dev.altnames}
        self._bases: dict[str, OwnedNetdev] = {base: (pf, dev) for pf, dev in devices for base in _bases(dev.name)}
        self._places: dict[str, OwnedNetdev] = {pf.pci_address: (pf, dev) for pf, dev in devices}
        self._guesses = Guesses(are_sure=True)

    def find_meant(self, name: str) -> OwnedNetdev | None:
        """The netdev that is most likely meant; None where nothing, or more than one, is as likely."""
        found = self._altnames.get(name) or self._after_rename(name)
        return found or self._names.get(self._guesses.nearest(name, reversed(self._names)))

    def question(self, name: str) -> str:
        """`did you mean ens1f0np0 (0000:3b:00.0)? Names change with upgrades`; "" if nothing is close."""
        found = self.find_meant(name)
        if not found:
            return ""
        pf, dev = found
        said = f"did you mean {dev.name} ({pf.pci_address})?"
        return f"{said} {UPGRADES}" if self._after_rename(name) else said

    def why_unknown(self, name: str, reader: str) -> str:
        """Why `reader`, which looks up netdevs by name, does not find it: to be appended; "" if unknown."""
        if found := self._altnames.get(name):
            return (
                f": it is an altname of {found[1].name} ({found[0].pci_address}), and {reader} does not accept altnames"
            )
        question = self.question(name)
        return f": {question}" if question else ""

    def _after_rename(self, name: str) -> OwnedNetdev | None:
        """The netdev that had this name before: without or with its port's, or made of its address."""
        later = (self._names[base] for base in _bases(name) if base in self._names)
        return self._bases.get(name) or next(later, None) or self._places.get(_address_in(name))


def _bases(name: str) -> list[str]:
    if len(name) > LONGEST:
        return []
    return [name[:place] for place in range(1, len(name)) if name.startswith(PORT, place)]


def _address_in(name: str) -> str:
    """The PCI address that a name is made of, "" where it is made of none."""
    found = OF_ADDRESS.fullmatch(name)
    if not found:
        return ""
    domain, bus, slot, function = (int(part or 0) for part in found.groups())
    return pci_address.normalize(pci_address.kernel_name(domain, bus, slot, function))
