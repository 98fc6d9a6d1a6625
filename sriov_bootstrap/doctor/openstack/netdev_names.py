"""What may be meant by a netdev that does not exist: an altname, a name from before an upgrade, a typo."""

from sriov_bootstrap.core.facts import Netdev, PfFacts
from sriov_bootstrap.doctor.similar_names import Guesses
from sriov_bootstrap.render.host import Host

OwnedNetdev = tuple[PfFacts, Netdev]
LONGEST = 64  # characters; a netdev has 15, an altname 127
PORT = "np"  # between a slot and the name of a port: systemd.net-naming-scheme(7)


class NetdevNames:
    """Those of a host's PFs, each looked up in constant time: others' files decide how often."""

    def __init__(self, host: Host) -> None:
        devices = [(pf, dev) for pf in reversed(host.pfs) for dev in reversed(pf.netdevs)]  # the first of a name counts
        self._names: dict[str, OwnedNetdev] = {dev.name: (pf, dev) for pf, dev in devices}
        self._altnames: dict[str, OwnedNetdev] = {name: (pf, dev) for pf, dev in devices for name in dev.altnames}
        self._bases: dict[str, OwnedNetdev] = {base: (pf, dev) for pf, dev in devices for base in _bases(dev.name)}
        self._guesses = Guesses()

    def why_unknown(self, name: str, reader: str) -> str:
        """Why `reader`, which looks up netdevs by name, does not find it: to be appended; "" if unknown."""
        if found := self._altnames.get(name):
            return (
                f": it is an altname of {found[1].name} ({found[0].pci_address}), and {reader} does not accept altnames"
            )
        if found := self._after_rename(name):
            return f": {found[0].pci_address} is now {found[1].name}, renamed by an upgrade"
        near = self._guesses.nearest(name, reversed(self._names))
        return f": was {near} meant?" if near else ""

    def _after_rename(self, name: str) -> OwnedNetdev | None:
        """The netdev that had this name before, without or with the name of its port."""
        later = (self._names[base] for base in _bases(name) if base in self._names)
        return self._bases.get(name) or next(later, None)


def _bases(name: str) -> list[str]:
    if len(name) > LONGEST:
        return []
    return [name[:place] for place in range(1, len(name)) if name.startswith(PORT, place)]
