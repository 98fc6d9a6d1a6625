"""Where the metrics can be listened for: of this host's addresses, and why not. Numeric ones: nothing is looked up."""

import errno
import socket
from collections.abc import Iterable

from sriov_bootstrap.base.errors import SriovBootstrapError

QUEUE = 1024  # in the kernel; who finds it full tries again after a second

HINTS = {
    errno.EADDRINUSE: "another process has this port (see ss -ltnp): stop it, or change metrics.listen",
    errno.EADDRNOTAVAIL: "no interface has this address yet, or metrics.listen is wrong",
    errno.EACCES: "ports below 1024 need CAP_NET_BIND_SERVICE: choose another for metrics.listen",
}


def present_addresses(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Of several addresses those that this host has, or all if it has none; of one it is not asked."""
    present = []
    for address in addresses:
        try:
            listener(address, 0).close()
        except OSError:
            continue
        present.append(address)
    return tuple(present) if present and len(addresses) > 1 else addresses


def refuse_if_taken(addresses: Iterable[str]) -> None:
    """SriovBootstrapError that says why one of these (ADDRESS:PORT) cannot be listened on, if it cannot."""
    for text in addresses:
        host, _, port = text.rpartition(":")
        address = host.strip("[]")
        try:
            listener(address, int(port)).close()
        except OSError as error:
            raise _cannot_listen(address, int(port), error) from error


def listener(address: str, port: int) -> socket.socket:
    """A socket that listens there; `port` 0: on any free one. An OSError for everything that can be wrong."""
    host, _, scope = address.partition("%")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    socket.inet_pton(family, host)  # bind() would ask DNS about anything that is not an address
    where = (host, port) if family == socket.AF_INET else (host, port, 0, socket.if_nametoindex(scope) if scope else 0)
    made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # or :: would take 0.0.0.0 as well
        made.bind(where)
        made.listen(QUEUE)  # only now is it certain that nothing else listens here
    except OSError:
        made.close()
        raise
    return made


def host_and_port(address: str, port: int) -> str:
    """As systemd and URLs have it: `[::1]:10049`."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _cannot_listen(address: str, port: int, error: OSError) -> SriovBootstrapError:
    return SriovBootstrapError(
        f"metrics: cannot listen on {host_and_port(address, port)}: {error.strerror or error}",
        hint=HINTS.get(error.errno or 0, "metrics.listen must be ADDRESS:PORT of this host"),
    )
