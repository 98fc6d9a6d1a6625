"""[metrics] web_config: who may see the metrics, as its files say now, made ready to be handed over."""

from sriov_bootstrap.base.errors import CORRECT_FILE, ConfigError
from sriov_bootstrap.edges import files, yaml_text
from sriov_bootstrap.exporter import credential
from sriov_bootstrap.formats import web_config


class WebAccess:
    """The file, and those that it names. `paths`: everything looked at, even if it could not be read."""

    def __init__(self, path: str) -> None:
        """Reads nothing yet."""
        self._path = path
        self.paths: list[str] = []

    def read(self) -> credential.Access:
        """Raises ConfigError for anything that would keep it from taking effect."""
        config = web_config.decode(yaml_text.parse(self._load(self._path), self._path), self._path)
        named = config.tls.files if config.tls else ()
        self.paths += [path for path in named if path not in self.paths]
        contents = {path: self._load(path) for path in named}
        tls = (
            credential.HandedTls(**{key: getattr(config.tls, key) for key in credential.HandedTls._fields})
            if config.tls
            else None
        )
        if tls:
            from sriov_bootstrap.exporter.tls import Server

            Server(tls, contents)  # only OpenSSL can tell whether key and certificate match
        return credential.Access(tls, contents, config.headers, config.users)

    def _load(self, path: str) -> bytes:
        if path not in self.paths:
            self.paths.append(path)
        file = files.read_trusted(path)
        if file.problem:
            raise ConfigError((f"{path}: {file.problem}",), hint=CORRECT_FILE)
        return file.data
