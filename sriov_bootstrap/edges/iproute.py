"""`ip`: the only module that asks the kernel's network side. altnames and addresses are not in /sys.

The command and not a netlink library: it answers in 3 ms where an import costs 190, it can be ended when the kernel
does not answer, and its `novf` (iproute2 6.9) keeps a PF with 256 VFs from overflowing the reply (64 KiB an attribute).
"""

from collections.abc import Callable
from typing import Protocol

import msgspec
from msgspec import Struct

from sriov_bootstrap.base.errors import StuckError
from sriov_bootstrap.base.printable import one_line, text_of
from sriov_bootstrap.core.facts import Link, Links

COMMAND = ["ip", "-json", "address", "show"]
WITHOUT_VFS = "novf"
# `ip` escapes some control characters and prints the others, which JSON does not allow (lib/json_writer.c, jsonw_puts).
CONTROLS = {number: f"\\u{number:04x}" for number in range(32) if number != ord("\n")}


class Completed(Protocol):
    """A command that ended."""

    @property
    def returncode(self) -> int: ...
    @property
    def stdout(self) -> bytes: ...
    @property
    def stderr(self) -> bytes: ...


class _Address(Struct):
    local: str = ""
    prefixlen: int = 0
    scope: str = ""


class _Row(Struct):
    ifindex: int = 0
    ifname: str = ""
    altnames: tuple[str, ...] = ()
    addr_info: tuple[_Address, ...] = ()
    xdp: object = None  # its form differs between versions of ip; only present with a program


def read_links(run: Callable[[list[str]], Completed]) -> Links:
    """Every netdev of this network namespace; never raises: what failed is in Links.problem."""
    try:
        completed = run([*COMMAND, WITHOUT_VFS])
        if completed.returncode and WITHOUT_VFS.encode() in completed.stderr:  # to an older ip, that word is a netdev
            completed = run(COMMAND)
    except StuckError as error:
        return Links(problem=error.message)
    if completed.returncode:
        return Links(problem=f"ip failed: {one_line(completed.stderr)}")
    try:
        # A byte is a character here, so that the bytes of a name survive JSON decoding.
        text = completed.stdout.decode("latin-1").translate(CONTROLS)
        rows = msgspec.json.decode(text, type=list[_Row])
        links = [_link(row) for row in rows if row.ifname]
    except (msgspec.DecodeError, UnicodeError) as error:
        return Links(problem=f"ip gave no usable answer: {error}")
    return Links({link.name: link for link in links})


def _link(row: _Row) -> Link:
    addresses = (
        f"{address.local}/{address.prefixlen}" for address in row.addr_info if address.local and address.scope != "link"
    )
    altnames = tuple(map(_name, row.altnames))
    return Link(_name(row.ifname), altnames, tuple(addresses), row.ifindex, has_xdp=bool(row.xdp))


def _name(characters: str) -> str:
    return text_of(characters.encode("latin-1"))
