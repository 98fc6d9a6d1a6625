"""The process: takes its sockets from systemd, serves the page, ends on request. It remembers nothing."""

import asyncio
import os
import signal
import socket
import stat
import time
from collections.abc import Callable, Mapping

from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.exporter import credential
from sriov_bootstrap.exporter.access import WebConfigRules
from sriov_bootstrap.exporter.credential import Access
from sriov_bootstrap.exporter.endpoint import Endpoint
from sriov_bootstrap.exporter.lines import LogLine, say
from sriov_bootstrap.exporter.page import PageFile
from sriov_bootstrap.exporter.password_checks import Checks
from sriov_bootstrap.exporter.protocols import AccessRules
from sriov_bootstrap.exporter.public import PUBLIC
from sriov_bootstrap.exporter.refusals import Peer, Refusal, Refusals

FIRST_DESCRIPTOR = 3  # sd_listen_fds(3)
MAX_CREDENTIAL_BYTES = 1 << 20  # systemd's own limit
MakeChecks = Callable[[Callable[[bytes], None], Callable[[Refusal, Peer, str], None]], Checks]


def serve(page_path: str, environment: Mapping[str, str], make_checks: MakeChecks, *, owner: int = 0) -> int:
    """Until SIGTERM. SriovBootstrapError when there is nothing to listen on, or nothing says who may see the page."""
    listeners = take_listeners(environment)
    access = credential.load(_credential(environment))
    refusals = Refusals()

    def refused(refusal: Refusal, peer: Peer, user: str = "") -> None:
        if line := refusals.note(refusal, peer, now=time.monotonic(), user=user):
            say(line)

    def broke(line: bytes) -> None:
        text = line.lstrip(b"!").decode(errors="replace").strip() or "its process was killed"
        say(LogLine("error", f"metrics: a password could not be checked: {text}"))

    rules = make_rules(access, make_checks(broke, refused), refused)
    page = PageFile(page_path, refusals.counts, say, owner=owner)
    endpoint = Endpoint(page.read, rules=lambda: rules, refused=refused)
    asyncio.run(_serve(endpoint, listeners))
    return 0


async def _serve(endpoint: Endpoint, listeners: list[socket.socket]) -> None:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    await endpoint.start(listeners)
    await told.wait()
    await endpoint.stop()


def make_rules(access: Access, checks: Checks, refused: Callable[[Refusal, Peer, str], None]) -> AccessRules:
    """What was handed over as the rules of the endpoint. ConfigError when nothing can be made of it."""
    if not (access.tls or access.headers or access.users):
        return PUBLIC
    server = None
    if access.tls:
        from sriov_bootstrap.exporter import tls

        server = tls.Server(access.tls, access.files)
    return WebConfigRules(access.headers, access.users, server, checks, refused)


def take_listeners(environment: Mapping[str, str]) -> list[socket.socket]:
    """As sd_listen_fds(3). Only listening TCP sockets are served on."""
    count = environment.get("LISTEN_FDS", "")
    if environment.get("LISTEN_PID") != str(os.getpid()) or not count.isascii() or not count.isdigit():
        raise SriovBootstrapError("helper metrics: no socket was passed", hint="only its unit uses it")
    listeners = []
    for descriptor in range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + int(count)):
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            raise SriovBootstrapError(f"helper metrics: descriptor {descriptor} is not a socket")
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - its own signature
        listener = socket.socket(fileno=descriptor)
        listener.setblocking(False)  # noqa: FBT003 - the same
        if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise SriovBootstrapError(f"helper metrics: descriptor {descriptor} is not listening")
        listeners.append(listener)
    if not listeners:
        raise SriovBootstrapError("helper metrics: no socket was passed", hint="only its unit uses it")
    return listeners


def _credential(environment: Mapping[str, str]) -> bytes:
    path = os.path.join(environment.get("CREDENTIALS_DIRECTORY", "/nowhere"), credential.NAME)
    try:
        with open(path, "rb") as file:
            return file.read(MAX_CREDENTIAL_BYTES)
    except OSError as error:
        raise SriovBootstrapError(
            f"helper metrics: no access rules for the metrics: {path}: {error.strerror}",
            hint="systemctl restart sriov-bootstrap-metrics-config.service",
        ) from error
