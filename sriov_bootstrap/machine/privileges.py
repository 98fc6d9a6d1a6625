"""What the service may not do itself: it asks its own helper units, which may. helper.py is the other end.

`systemctl`, and not D-Bus: as root it talks to systemd over a private socket, which exists before D-Bus is up.
"""

import time
from collections.abc import Callable

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sriov_bootstrap.base.errors import KernelError, SriovBootstrapError, StuckError
from sriov_bootstrap.base.printable import one_line, shell_quoted, to_json
from sriov_bootstrap.base.undecodable import UNDECODABLE
from sriov_bootstrap.core.actions import LoadModule, ReloadDriver, WriteFile
from sriov_bootstrap.core.report import Outcome, Result
from sriov_bootstrap.core.vf_users import Holders
from sriov_bootstrap.edges import child
from sriov_bootstrap.edges.files import Files
from sriov_bootstrap.edges.locks import Locks
from sriov_bootstrap.machine import pipe_messages
from sriov_bootstrap.machine.writer import LOADING_HINT
from sriov_bootstrap.passes.apply import failure

Run = Callable[..., child.Completed]

HOLDERS_SECONDS = 40.0  # the unit's own limit is 30
STUCK_HINT = "see journalctl -k; the reload continues once the kernel lets it"
START_SECONDS = 30.0  # until the other end has loaded and looked: its own limit counts from there
FILE_SECONDS = 30.0


class Stamped(Struct):
    """An answer's stamp, beside what it says: when the other end began to look (CLOCK_MONOTONIC)."""

    began_at: float = 0.0


def stamp_answer(told: pipe_messages.Answer, began_at: float) -> bytes:
    """The answer of a helper, a line."""
    return to_json({**msgspec.to_builtins(told), "began_at": began_at}) + b"\n"


class Privileges:
    """`run` starts a command, `say` gets progress."""

    def __init__(self, files: Files, locks: Locks, run: Run, say: Callable[[str], None]) -> None:
        """Asks nothing yet."""
        self._files = files
        self._locks = locks
        self._run = run
        self._say = say

    def holders(self) -> Holders:
        """Which processes have a vfio node open. Never raises: without an answer, every VF may be held."""
        try:
            told = self._ask("holders", HOLDERS_SECONDS)
        except SriovBootstrapError as error:
            return Holders(problem=error.message)
        return (
            told.holders
            if isinstance(told, pipe_messages.Looked)
            else Holders(problem="its answer is not about holders")
        )

    def reload(self, action: ReloadDriver, *, timeout_seconds: float) -> Result:
        """Has a driver reloaded, if the other end comes to the same decision."""
        return self._result(action, f"reload@{action.driver}", timeout_seconds)

    def write_modprobe(self, action: WriteFile) -> Result:
        """Has a driver's file in modprobe.d written; the other end decides on its content."""
        driver = action.path.rpartition("/sriov-bootstrap-")[2].removesuffix(".conf")
        return self._result(action, f"reload@{driver}", FILE_SECONDS)

    def load(self, action: LoadModule, *, timeout_seconds: float) -> Result:
        """Has a module loaded, if a rule names it. Taking too long is a failure, not a hang: no other PF waits."""
        result = self._result(action, f"load@{action.module}", timeout_seconds)
        if result.outcome is not Outcome.STUCK:
            return result
        message = f"{action.pci_address}: the module {action.module} is not loaded yet: {result.message}"
        return replace(result, outcome=Outcome.FAILED, message=message, hint=LOADING_HINT)

    def _result(self, action: ReloadDriver | WriteFile | LoadModule, name: str, timeout_seconds: float) -> Result:
        """The other end's own, as that of what it was asked for."""
        try:
            told = self._ask(name, timeout_seconds + START_SECONDS)
            return replace(pipe_messages.result_of(told, _unit_name(name)), action=action)
        except StuckError as error:  # of our `systemctl`; what matters is the process that has the write lock
            jam = self._locks.read_jam(time.monotonic())
            hint = error.hint or STUCK_HINT
            return failure(action, StuckError(str(jam or error.message), pid=jam.pid if jam else 0, hint=hint))
        except SriovBootstrapError as error:
            return failure(action, error)

    def _ask(self, name: str, timeout_seconds: float) -> pipe_messages.Answer:
        """Starts sriov-bootstrap-NAME.service, which ends when its answer is there.

        Its answer is a file that we only read: the one before it is known by its stamp. A start joins one in
        progress, which began to look before we asked: hence the second attempt.
        """
        unit, answer = _unit_name(name), name.replace("@", "-")
        command = ["systemctl", "--no-ask-password", "start", unit]
        said, asked_at = "", time.monotonic()
        for _ in range(2):
            completed = self._run(
                command,
                timeout_seconds=timeout_seconds,
                waiting=child.progress(self._say, unit),
            )
            line = self._files.read_answer(answer)
            if line.endswith(b"\n") and _began_at(line) >= asked_at:
                return pipe_messages.decode(line, unit)
            said = one_line(completed.stderr) or "it exited without an answer"
        raise KernelError(f"{unit}: {said.partition(' | ')[0]}", hint=f"see journalctl -u {shell_quoted(unit)}")


def _unit_name(name: str) -> str:
    return f"sriov-bootstrap-{name}.service"


def _began_at(line: bytes) -> float:
    try:
        return msgspec.json.decode(line, type=Stamped).began_at
    except UNDECODABLE:
        return 0.0
