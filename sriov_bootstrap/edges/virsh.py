"""libvirt, through its own command: the only module that starts and ends domains. libvirt-python is no dependency.

A domain is created with --autodestroy by a virsh that stays connected, and that dies with us (prctl(2),
PR_SET_PDEATHSIG). So libvirt ends the VM and puts its VFs back as soon as this process ends, however it ends.
"""

import time
from typing import Protocol

from msgspec import Struct

from sriov_bootstrap.base.command_end import CommandEnd
from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.base.pipes import Waiting
from sriov_bootstrap.base.printable import one_line

URI = "qemu:///system"
ANSWER_SECONDS = 60.0  # the first answer of a libvirt that systemd starts for it
DESTROY_SECONDS = 60.0
LEAST_SECONDS = 1.0  # for a second question, however long the first has taken
NOT_FOUND = 127
MISSING = "virsh is not installed (Debian, Ubuntu: libvirt-clients; RHEL: libvirt-client)"
NO_DOMAIN = ("failed to get domain", "Domain not found")


class RunCommand(Protocol):
    """child.run."""

    def __call__(self, argv: list[str], *, timeout_seconds: float, waiting: Waiting = ...) -> CommandEnd: ...


class LibvirtAnswer(Struct, frozen=True):
    """Why libvirt cannot be used, in its own words, "" if it answers; the names of all domains, running or not."""

    problem: str = ""
    domains: frozenset[str] = frozenset()


class Virsh:
    """`run` starts a command and waits for it, see edges/child.py."""

    def __init__(self, run: RunCommand) -> None:
        """Runs nothing yet."""
        self._run = run

    def ask(self) -> LibvirtAnswer:
        """Whether it answers, and which domains it has. Takes up to a minute: no lock is held meanwhile."""
        try:
            done = self._run(["virsh", "-q", "-c", URI, "list", "--all", "--name"], timeout_seconds=ANSWER_SECONDS)
        except SriovBootstrapError as error:
            return LibvirtAnswer(f"libvirt does not answer: {error.message}")
        if done.returncode == NOT_FOUND:
            return LibvirtAnswer(MISSING)
        if done.returncode:
            return LibvirtAnswer(f"libvirt does not answer: {words_of(done.stderr)}")
        return LibvirtAnswer(domains=frozenset(done.stdout.decode(errors="replace").splitlines()) - {""})

    def _exists(self, domain: str, timeout_seconds: float, waiting: Waiting) -> bool:
        words = ["virsh", "-q", "-c", URI, "domstate", domain]
        done = self._run(words, timeout_seconds=timeout_seconds, waiting=waiting)
        if not done.returncode:
            return True
        said = words_of(done.stderr)
        if not any(word in said for word in NO_DOMAIN):
            raise SriovBootstrapError(f"{domain}: {said}", hint="see virsh list --all")
        return False

    @staticmethod
    def words_to_create(xml_path: str, domain: str, *, limit_seconds: float) -> list[str]:
        """The command that creates a domain, which exists as long as the command runs: `limit_seconds` at most."""
        events = f"event --domain {domain} --event lifecycle --loop --timeout {limit_seconds:.0f}"
        words = ["virsh", "-q", "-c", URI, f"create {xml_path} --autodestroy; {events}"]
        return ["setpriv", "--pdeathsig", "KILL", "--", *words]

    def destroy(
        self,
        domain: str,
        *,
        timeout_seconds: float = DESTROY_SECONDS,
        waiting: Waiting = lambda _passed_seconds: None,
    ) -> None:
        """Ends a domain, if there is one, and waits until libvirt has put its VFs back; `waiting` as in child.run().

        StuckError if there is no answer in that time, another SriovBootstrapError if the domain does not end.
        """
        began = time.monotonic()
        words = ["virsh", "-q", "-c", URI, "destroy", domain]
        done = self._run(words, timeout_seconds=timeout_seconds, waiting=waiting)
        left = max(LEAST_SECONDS, round(timeout_seconds - (time.monotonic() - began), 1))
        if done.returncode and self._exists(domain, left, waiting):
            raise SriovBootstrapError(f"{domain}: {words_of(done.stderr)}", hint=f"virsh destroy {domain}")


def words_of(said: bytes) -> str:
    """What virsh said is wrong: the first cause, without its own lead."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line.removeprefix(b"error: ") for line in lines if line.startswith(b"error: ")]
    causes = [line for line in errors if not line.startswith((b"Failed to", b"Disconnected"))]
    return one_line((causes or errors or lines or [b"it said nothing"])[0])
