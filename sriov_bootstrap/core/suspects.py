"""What else may have set a PF's number of VFs: found in files by doctor's look, named where that was overwritten.

A write to sriov_numvfs leaves no trace of its writer. But what writes a number mostly has it from a file, so a file
that names this PF and the number that was found is named as the probable cause, with what to do about it.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from sriov_bootstrap.core.plurals import shortlist

SHOWN = 3


class Suspect(Struct, frozen=True):
    """`who`: a program and the kind of its file, `place`: `file:line`. `names_pf` False: of a PF that is not known.

    `numbers`: of VFs, any of these; () if that is not known.
    """

    who: str
    place: str
    numbers: tuple[int, ...] = ()
    names_pf: bool = True
    remedy: str = ""

    def __str__(self) -> str:
        """For people: `udev, by the .link file /etc/systemd/network/10-a.link:4`."""
        return f"{self.who} {self.place}"


Suspects = Mapping[str, tuple[Suspect, ...]]  # by the PF's PCI address


def likeliest(suspects: Iterable[Suspect], found: int) -> tuple[Suspect, ...]:
    """Those that fit best to the number that was found; () if none does."""
    everyone = tuple(suspects)
    ranks = (
        (suspect for suspect in everyone if found in suspect.numbers and suspect.names_pf),
        (suspect for suspect in everyone if found in suspect.numbers),
        (suspect for suspect in everyone if not suspect.numbers and suspect.names_pf),
    )
    return next(filter(None, map(tuple, ranks)), ())


def name_breakers(suspects: Suspects, addresses: Iterable[str]) -> dict[str, str]:
    """PCI address of a PF that has lost VFs -> what sets its number, and may have: every writer goes through 0."""
    named = {
        address: [str(suspect) for suspect in suspects.get(address, ()) if suspect.names_pf] for address in addresses
    }
    return {address: shortlist(names, SHOWN, " or ") for address, names in named.items() if names}


def name_suspects(suspects: tuple[Suspect, ...]) -> str:
    """To append to a message; "" for none."""
    return f": probably {shortlist([str(suspect) for suspect in suspects], SHOWN, ' or ')}" if suspects else ""
