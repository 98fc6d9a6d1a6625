"""helper metrics-config: brings the metrics units in line with the config, and reports what prevents that.

sriov-bootstrap-metrics-config.service runs it when the service starts or is reloaded, and when a file has changed. The
units that listen and serve know no config: the first gets its address from a drop-in below /run, unless it is the
default; the second gets what it needs as a credential. Nothing is touched that is as it should be.

While a oneshot runs, systemd drops what would start it: a path unit forgets the change that it saw (systemd/systemd,
src/core/path.c: path_check_good() from path_trigger_notify()), and a start joins the job under way, which may have read
the config already. So it looks again when it is done, and ends when it finds what it found before.
"""

from typing import TYPE_CHECKING

from msgspec import Struct

from sriov_bootstrap import __version__
from sriov_bootstrap.base.errors import ConfigError, ExitCode, SriovBootstrapError
from sriov_bootstrap.base.printable import one_line, printable, write_stderr
from sriov_bootstrap.core.config import Metrics
from sriov_bootstrap.core.validate import parse_listen
from sriov_bootstrap.edges import child
from sriov_bootstrap.exporter import credential
from sriov_bootstrap.exporter.addresses import host_and_port, present_addresses, refuse_if_taken
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.passes.read import load_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SOCKET, SERVICE = "sriov-bootstrap-metrics.socket", "sriov-bootstrap-metrics.service"
WATCH = "sriov-bootstrap-metrics-config.path"
FOLDER = "/run/sriov-bootstrap-metrics"
ACCESS, SAID = f"{FOLDER}/access", f"{FOLDER}/said"
DROP_IN = "/run/systemd/system/{}.d/50-sriov-bootstrap.conf"
DEFAULT = ("127.0.0.1:10049", "[::1]:10049")  # as the socket's unit has it
SYSTEMCTL_SECONDS = 60.0
BROKEN = "config"  # an extra of what was made of a broken config, which is no last good state
CLOSED = "the endpoint stays closed until this is corrected: the config may protect it, or switch it off"
ROUNDS = 5  # of a config that changes all the time; then the unit's own retry
FILTERS = ("IPAddressAllow=", "IPAddressDeny=")


class _MetricsTable(Struct):
    """[metrics], as far as it is known. `is_partial`: of a config that is broken elsewhere."""

    metrics: Metrics
    problems: tuple[str, ...] = ()
    is_known: bool = True
    is_partial: bool = False


class _Target(Struct):
    """`addresses`: empty if nothing should listen. `is_final`: another try would find the same."""

    addresses: tuple[str, ...] = ()
    access: bytes = b""
    watched: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    hint: str = ""
    textfile: str = ""
    is_final: bool = True


def metrics_config(machine: HostMachine, run: "Callable[..., child.Completed]" = child.run) -> int:
    """ExitCode.ERROR if it should be tried again."""
    machine.require_root("helper metrics-config")
    return _Units(machine, run).bring_in_line()


class _Units:
    def __init__(self, machine: HostMachine, run: "Callable[..., child.Completed]") -> None:
        self._machine = machine
        self._files = machine.files
        self._run = run

    def bring_in_line(self) -> int:
        wanted = self._decide()
        for _ in range(ROUNDS):
            is_done = self._apply(wanted)
            before, wanted = wanted, self._decide()
            if wanted == before:
                return ExitCode.OK if is_done else ExitCode.ERROR
        return ExitCode.ERROR

    def _apply(self, wanted: _Target) -> bool:
        problems, hint = wanted.problems, wanted.hint
        try:
            if wanted.addresses:
                self._start(wanted)
            else:
                self._stop(wanted)
        except SriovBootstrapError as error:
            problems, hint = (*problems, error.message), hint or error.hint
        self._report(problems, hint, wanted.textfile)
        return wanted.is_final and problems == wanted.problems

    def _read_table(self) -> _MetricsTable:
        try:
            return _MetricsTable(load_config(self._machine, None).config.metrics)
        except ConfigError as error:
            return self._table_meanwhile(error.problems)

    def _table_meanwhile(self, problems: tuple[str, ...]) -> _MetricsTable:
        """While the config is broken: what was in force stays. If nothing was, as after a boot, [metrics] alone counts.

        Unless it was made of a broken config itself: that is found anew, as more may be said of it by now.
        """
        said = self._last_settings()
        if said and BROKEN not in said:
            return _MetricsTable(Metrics(listen=said["listen"], web_config=said["web_config"]), problems)
        from sriov_bootstrap.core.metrics_alone import metrics_alone  # only a broken config needs it

        found = metrics_alone(self._machine.read_config())
        if found is None:
            return _MetricsTable(Metrics(listen=""), (*problems, CLOSED), is_known=False)
        return _MetricsTable(found, problems, is_partial=True)

    def _last_settings(self) -> dict[str, str]:
        said = credential.extras(self._files.read_private(ACCESS))
        return said if said.keys() >= {"listen", "web_config"} else {}

    def _decide(self) -> _Target:
        table = self._read_table()
        metrics = table.metrics
        if self._machine.switches():
            return _Target(textfile=metrics.textfile)
        addresses, port = parse_listen(metrics.listen) or ((), 0)
        listening = tuple(host_and_port(address, port) for address in present_addresses(addresses))
        # Fixing the config counts as a change: no retry before that. Only what keeps it closed is looked at again.
        problems, is_final = table.problems, table.is_known
        wanted = _Target(listening, problems=problems, textfile=metrics.textfile, is_final=is_final)
        if not wanted.addresses:
            return wanted
        value = credential.Access()
        if metrics.web_config:
            from sriov_bootstrap.machine.web_access import WebAccess  # YAML

            web = WebAccess(metrics.web_config)
            try:
                value = web.read()
            except ConfigError as error:
                wanted.problems, wanted.hint, wanted.is_final = (*wanted.problems, *error.problems), error.hint, False
                if self._last_settings().get("web_config") == metrics.web_config:
                    wanted.access = self._files.read_private(ACCESS)  # the last good one
                else:
                    wanted.addresses = ()
            wanted.watched = tuple(web.paths)
        more = {"listen": metrics.listen, "web_config": metrics.web_config, "program": __version__}
        more |= {BROKEN: "broken"} if table.is_partial else {}
        wanted.access = wanted.access or credential.dump(value, **more)
        return wanted

    # -- units --

    def _start(self, wanted: _Target) -> None:
        text = _socket_drop_in(wanted.addresses, self._filters())
        is_moved = self._write_if_new(DROP_IN.format(SOCKET), text)
        is_watching = not self._write_if_new(DROP_IN.format(WATCH), _path_drop_in(wanted.watched))
        is_new = self._files.read_private(ACCESS) != wanted.access
        if is_new:
            self._files.write_private(ACCESS, wanted.access)
        if is_moved or not is_watching:
            self._systemctl("daemon-reload")
        if not is_watching:
            self._systemctl("--no-block", "try-restart", WATCH)
        if is_moved:
            self._systemctl("stop", SERVICE, SOCKET)
        elif is_new:
            self._systemctl("try-restart", SERVICE)
        try:
            self._systemctl("start", SOCKET, SERVICE)
        except SriovBootstrapError:
            if not self._is_active(SOCKET):
                refuse_if_taken(wanted.addresses)  # systemd's own message names neither the address nor the cause
            raise

    def _stop(self, wanted: _Target) -> None:
        self._systemctl("stop", SERVICE, SOCKET)
        self._files.remove_if_there(ACCESS)
        if self._write_if_new(DROP_IN.format(WATCH), _path_drop_in(wanted.watched)):
            self._systemctl("daemon-reload")
            self._systemctl("--no-block", "try-restart", WATCH)

    def _write_if_new(self, path: str, text: str) -> bool:
        """Whether that was another one."""
        if (self._files.read_text(path) or "") == text:
            return False
        if text:
            self._files.install_file(path, text)
        else:
            self._files.remove_if_there(path)
        return True

    def _filters(self) -> tuple[str, ...]:
        """What drop-ins said about who may scrape when the service itself listened is still in force."""
        said = self._systemctl("show", "--value", "--property=DropInPaths", "sriov-bootstrap.service")
        lines = [line.strip() for path in said.split() for line in (self._files.read_text(path) or "").splitlines()]
        return tuple(line for line in lines if line.startswith(FILTERS))

    def _is_active(self, unit: str) -> bool:
        return self._run_systemctl("is-active", unit).returncode == 0

    def _systemctl(self, *words: str) -> str:
        completed = self._run_systemctl(*words)
        if completed.returncode:
            why = one_line(completed.stderr).partition(" | ")[0] or f"exit code {completed.returncode}"
            raise SriovBootstrapError(f"systemctl {' '.join(words)}: {why}", hint=f"see systemctl status {SOCKET}")
        return completed.stdout.decode(errors="replace")

    def _run_systemctl(self, *words: str) -> child.Completed:
        return self._run(["systemctl", "--no-ask-password", *words], timeout_seconds=SYSTEMCTL_SECONDS)

    # -- what is wrong --

    def _report(self, problems: tuple[str, ...], hint: str, textfile: str) -> None:
        """Logged when new: this runs again every half minute until it is fixed."""
        text = "".join(f"{line}\n" for line in problems)
        if text.encode() != self._files.read_private(SAID):
            self._files.write_private(SAID, text.encode())
            remedy = f" | hint={hint}" if hint else ""
            for problem in problems:
                write_stderr(f"<3>metrics: {printable(problem.removeprefix('metrics: '))}{printable(remedy)}\n")
        if textfile:
            self._files.save_metrics_beside(textfile, _textfile(bool(problems)))


def _socket_drop_in(addresses: tuple[str, ...], filters: "Iterable[str]") -> str:
    streams = (f"ListenStream={address}" for address in ("", *addresses) if addresses != DEFAULT)
    return _section("[metrics]", "Socket", (*streams, *filters))


def _path_drop_in(paths: tuple[str, ...]) -> str:
    return _section("web_config", "Path", tuple(f"PathChanged={path.replace('%', '%%')}" for path in paths))


def _section(origin: str, name: str, lines: tuple[str, ...]) -> str:
    """A drop-in with one section; "" for none."""
    return "\n".join([f"# By sriov-bootstrap, from {origin}.", f"[{name}]", *lines, ""]) if lines else ""


def _textfile(is_wrong: bool) -> bytes:  # noqa: FBT001 - the value
    name = "sriov_bootstrap_metrics_config_problem"
    return f"# HELP {name} 1 while [metrics] is not in force.\n# TYPE {name} gauge\n{name} {float(is_wrong)}\n".encode()
