"""`ip`: the only module that asks the kernel's network side. altnames and addresses are not in /sys.

The command and not a netlink library: it answers in 3 ms where an import costs 190, it can be ended when the kernel
does not answer, and its `novf` (iproute2 6.9) keeps a PF with 256 VFs from overflowing the reply (64 KiB an attribute).
"""

from collections.abc import Callable
from typing import Protocol

import msgspec
from msgspec import Struct

from sriov_bootstrap.core.facts import Link, Links
from sriov_bootstrap.errors import StuckError

COMMAND = ["ip", "-json", "address", "show"]
WITHOUT_VFS = "novf"


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
    ifname: str = ""
    altnames: tuple[str, ...] = ()
    addr_info: tuple[_Address, ...] = ()
    xdp: object = None  # its form differs between versions of ip; it is there only with a program


def read_links(run: Callable[[list[str]], Completed]) -> Links:
    """Every netdev of this network namespace; never raises: what failed is in Links.problem."""
    try:
        completed = run([*COMMAND, WITHOUT_VFS])
        if completed.returncode and WITHOUT_VFS.encode() in completed.stderr:  # an older ip takes the word for a netdev
            completed = run(COMMAND)
    except StuckError as error:
        return Links(problem=error.message)
    if completed.returncode:
        return Links(problem=f"ip failed: {completed.stderr.decode(errors='replace').strip()}")
    try:
        text = completed.stdout.decode(errors="replace")  # the kernel lets a name or an alias have any bytes
        rows = msgspec.json.decode(text, type=list[_Row])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Links(problem=f"ip gave no usable answer: {error}")
    return Links({row.ifname: _link(row) for row in rows if row.ifname})


def _link(row: _Row) -> Link:
    addresses = (f"{one.local}/{one.prefixlen}" for one in row.addr_info if one.local and one.scope != "link")
    return Link(row.ifname, row.altnames, tuple(addresses), has_xdp=bool(row.xdp))
