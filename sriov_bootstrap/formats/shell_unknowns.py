"""Marks in the values of shell for what only the shell would know; and what stays known where a value is lost."""

from collections.abc import Iterable

FILE = "sriov_numvfs"
UNKNOWN = "\0"  # what only the shell would know
TOTAL_OF = f"{UNKNOWN}total:"  # before the path of a sriov_totalvfs: what is in it; behind UNKNOWN what is made of that
ADDRESS_OF = f"{UNKNOWN}at:"  # before a device's folder in /sys: its address on the PCI bus
ABOUT = f"{UNKNOWN}about:"  # before such a folder: lines about the device, of which one has its address
UNSET = "\ue002"  # a variable that may have no value
UNKNOWN_TARGET = f"{UNKNOWN}/{FILE}"  # what comes out of a path of such a file, or of a list of them


def unknown_from(texts: Iterable[str]) -> str:
    """What is made of these in a way that is not followed: it may still be the path of a number of VFs."""
    return UNKNOWN_TARGET if any(FILE in text for text in texts) else UNKNOWN
