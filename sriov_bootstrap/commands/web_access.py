"""[metrics] web_config: who may see the metrics, as its files say now, or said when they were last in order."""

from collections.abc import Callable, Iterable
from typing import cast

from sriov_bootstrap.commands.serve_metrics import make_checks
from sriov_bootstrap.core import web_config
from sriov_bootstrap.core.events import Event, Level
from sriov_bootstrap.edges import child, files, yaml_text
from sriov_bootstrap.errors import ConfigError
from sriov_bootstrap.exporter import tls
from sriov_bootstrap.exporter.access import Refused, Rules


class WebAccess:
    """The rules, read again when a file has changed: asked at each connection and request, never in between."""

    def __init__(self, path: str, emit: Callable[[Iterable[Event]], None], refused: Refused = lambda *_: None) -> None:
        """Reads nothing yet."""
        self._path = path
        self._emit = emit
        self._refused = refused
        self._checks = make_checks(self._on_broken_check, refused)
        self._rules: Rules | None = None
        self._stamps: dict[str, files.Stamp | None] = {}
        self._error: ConfigError | None = None  # about what is there now

    def rules(self) -> Rules:
        """The newest that are in order. Raises ConfigError when there have been none: nobody is let in then."""
        if not self._stamps or any(files.stamp(path) != before for path, before in self._stamps.items()):
            self._read()
        if self._rules is None and self._error:
            raise ConfigError(self._error.problems, hint=self._error.hint)
        return cast("Rules", self._rules)

    def _read(self) -> None:
        before, self._error = self._error, None
        has_rules, self._stamps = self._rules is not None, {}
        try:
            self._rules = self._understand()
        except ConfigError as error:
            self._error = error
        if not has_rules:
            return  # whoever asks is told
        if self._error is None:
            self._emit([Event(Level.INFO, f"metrics: {self._path} or a file of it has changed, and is in force")])
        elif before is None or self._error.problems != before.problems:
            text = "metrics: web_config is not valid, the last good one stays in force"
            hint = self._error.hint
            self._emit([Event(Level.WARNING, f"{text}: {one}", {"hint": hint}) for one in self._error.problems])

    def _understand(self) -> Rules:
        config = web_config.decode(yaml_text.parse(self._load(self._path), self._path), self._path)
        named = config.tls.files if config.tls else ()
        contents = {path: self._load(path) for path in named}
        server = tls.Server(config.tls, contents) if config.tls else None
        return Rules(config.headers, config.users, server, self._checks, self._refused)

    def _load(self, path: str) -> bytes:
        file, self._stamps[path] = files.read_trusted(path)
        if file.problem:
            raise ConfigError((f"{path}: {file.problem}",), hint=web_config.HINT)
        return file.data

    def _on_broken_check(self, line: bytes) -> None:
        text = line.lstrip(child.CRASH).decode(errors="replace").strip() or "its process was killed"
        self._emit([Event(Level.ERROR, f"metrics: a password could not be checked: {text}")])
