"""Plain files: config, state.json, modprobe.d. The only module that reads or writes them."""

import contextlib
import os
from collections.abc import Iterable

from sriov_bootstrap.base.below import Below
from sriov_bootstrap.base.errors import KernelError, LinkError, SriovBootstrapError
from sriov_bootstrap.base.reading import IrregularError, Opened, distrust_file, distrust_folders, open_regular
from sriov_bootstrap.base.replacing import remove_file, replace_file
from sriov_bootstrap.core.decode import MAX_FILE_BYTES, ConfigFile

RUN = "/run/sriov-bootstrap"
STATE = f"{RUN}/state"  # the only place in /run that the service may write to
BOND = "awaits-bond"
FOLDERS = ("usr/lib/sriov-bootstrap", "etc/sriov-bootstrap", "run/sriov-bootstrap")  # lowest first
MAX_OWN_BYTES = 64 << 20  # a VF takes some 200 bytes of state.json
MAX_DEVICES = 1 << 16  # the number of functions in a PCI domain
MACHINE_ID_DIGITS = 32
HEX_DIGITS = "0123456789abcdef"
MAX_TEXT_BYTES = 1 << 20  # what we write elsewhere, or compare; a kernel config has 300 KB


class Files:
    """Everything below `root`, "" for the real one. `config_paths` replace the search for config files."""

    def __init__(self, root: str = "", config_paths: tuple[str, ...] = ()) -> None:
        """Reads nothing yet."""
        self._root = root
        self._below = Below(root)
        self._config_paths = config_paths

    def read_config(self) -> tuple[ConfigFile, ...]:
        """Every config file, lowest folder first."""
        if self._config_paths:
            return tuple(_read_named(path) for path in self._config_paths)
        files = []
        for folder in (f"/{parent}" for parent in FOLDERS):
            main = f"{folder}/config.toml"
            if folder.endswith("/etc/sriov-bootstrap") and (found := self._read_if_there(main)):
                files.append(found)
            files += self._read_drop_ins(f"{folder}/config.d")
        return tuple(files)

    def _read_drop_ins(self, folder: str) -> list[ConfigFile]:
        try:
            names = [name for name in self._below.names(folder) if name.endswith(".toml") and name[0] != "."]
        except LinkError as error:
            return [ConfigFile(f"{self._root}{folder}", problem=error.message, is_drop_in=True)]
        except FileNotFoundError:
            return []
        except OSError as error:  # it is not known which of them count
            return [ConfigFile(f"{self._root}{folder}", problem=_why_unread(error), is_drop_in=True)]
        return [_read_searched(self._root, f"{folder}/{name}", is_drop_in=True) for name in names]

    def _read_if_there(self, path: str) -> ConfigFile | None:
        """A dangling link is there."""
        try:
            with self._below.place(path, follow=False, any_link=True) as place:
                is_there = place.status is not None
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, LinkError):
            is_there = True  # and the reader says what is wrong
        return _read_searched(self._root, path, is_drop_in=False) if is_there else None

    @property
    def has_named_config(self) -> bool:
        """Whether the config was named, and not searched."""
        return bool(self._config_paths)

    def read_state(self) -> bytes:
        """state.json, b"" if it cannot be read."""
        return self._read_own(self._newest("state.json"))

    def save_state(self, data: bytes) -> str:
        """Why state.json could not be saved; "" if it was."""
        path = f"{STATE}/state.json"
        try:
            replace_file(path, data, root=self._root, make=True)
            earlier = self._written_at(f"{RUN}/state.json")
            if earlier >= self._written_at(path):  # the clock has been set back since
                os.utime(f"{self._root}{path}", ns=(earlier + 1, earlier + 1))
        except (OSError, LinkError) as error:
            path, why = f"{self._root}{path}", _why_not(error)
            return f"{path} could not be saved: {why}: a restart of the service will reset its counters"
        return ""

    def mark_bond(self, *, is_awaited: bool) -> None:
        """Tells sriov-bootstrap-bond.service whether VFs wait for a bond; a failure only costs that wait."""
        with contextlib.suppress(OSError, LinkError):
            if is_awaited:
                replace_file(f"{STATE}/{BOND}", b"", root=self._root, make=True)
            else:
                remove_file(f"{STATE}/{BOND}", root=self._root)

    @property
    def is_bond_awaited(self) -> bool:
        """What mark_bond has told last."""
        return os.path.lexists(f"{self._root}{STATE}/{BOND}")

    def read_findings(self) -> bytes:
        """findings.json, b"" if it cannot be read."""
        return self._read_own(self._newest("findings.json"))

    def save_findings(self, data: bytes) -> None:
        """Replaces it. If that fails, only status and the textfile know less."""
        with contextlib.suppress(OSError, LinkError):
            replace_file(f"{STATE}/findings.json", data, root=self._root, make=True)

    def save_page(self, data: bytes) -> str:
        """Why the page of metrics could not be saved; "" if it was."""
        path = f"{STATE}/metrics.prom"
        try:
            replace_file(path, data, root=self._root, make=True)
        except (OSError, LinkError) as error:
            return f"{self._root}{path} could not be saved: {_why_not(error)}: the metrics are not updated"
        return ""

    def machine_id(self) -> str:
        """machine-id(5), "" if there is none yet, as in an image."""
        text = self._read_own("/etc/machine-id").decode("ascii", "replace").strip()
        is_one = len(text) == MACHINE_ID_DIGITS and {*text} <= {*HEX_DIGITS} and {*text} != {"0"}
        return text if is_one else ""

    def read_private(self, path: str) -> bytes:
        """One of our files below root, b"" if it cannot be read."""
        return self._read_own(path)

    def write_private(self, path: str, data: bytes) -> None:
        """Replaces it, readable only by us. SriovBootstrapError if that fails."""
        try:
            replace_file(path, data, root=self._root, make=True, private=True)
        except OSError as error:
            raise SriovBootstrapError(f"{path}: cannot be written: {error.strerror}") from error

    def remove_if_there(self, path: str) -> None:
        """Removes a file below root. SriovBootstrapError if that fails."""
        with contextlib.suppress(FileNotFoundError):
            try:
                remove_file(path, root=self._root)
            except FileNotFoundError:
                raise
            except OSError as error:
                raise SriovBootstrapError(f"{path}: cannot be removed: {error.strerror}") from error

    def save_metrics_beside(self, textfile: str, data: bytes) -> None:
        """X-endpoint.prom for X.prom, if that is another file. If it cannot be written, only the log says so."""
        path = f"{textfile.removesuffix('.prom')}-endpoint.prom"
        with contextlib.suppress(OSError, LinkError):
            if self._read_own(path) != data:
                replace_file(path, data, root=self._root)

    def _newest(self, name: str) -> str:
        """Version 0.1.0 has it one folder above: that counts until we write, and again after a downgrade."""
        return max(f"{STATE}/{name}", f"{RUN}/{name}", key=self._written_at)

    def _written_at(self, path: str) -> int:
        try:
            return os.stat(f"{self._root}{path}").st_mtime_ns
        except OSError:
            return 0

    def read_answer(self, name: str) -> bytes:
        """A helper unit's answer, b"" if there is none."""
        return self._read_own(f"{RUN}/{name}.answer")

    def _read_own(self, path: str) -> bytes:
        try:
            return self._below.read(path, MAX_OWN_BYTES)
        except (OSError, LinkError):
            return b""

    def write_file(self, path: str, text: str) -> None:
        """Replaces a file below root. KernelError carries the errno."""
        try:
            replace_file(path, text.encode(), root=self._root, durable=True)
        except OSError as error:
            raise KernelError(f"{path}: {error.strerror}", errno=error.errno or 0) from error
        except LinkError as error:
            raise KernelError(error.message, hint=error.hint) from error

    def read_text(self, path: str) -> str | None:
        """A file below root, None where there is none. SriovBootstrapError if it cannot or may not be read."""
        try:
            return self._below.read(path, MAX_TEXT_BYTES).decode(errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            hint = "run as root" if isinstance(error, PermissionError) else ""
            raise SriovBootstrapError(f"{path}: cannot be read: {error.strerror}", hint=hint) from error

    def keep_existing(self, paths: Iterable[str]) -> frozenset[str]:
        """Those of these paths that exist."""
        return frozenset(path for path in paths if self._below.exists(path))

    def refuse_links_out(self) -> None:
        """LinkError if /sys or /proc below root leads elsewhere: their edges do not know about a root.

        SriovBootstrapError if that cannot be checked.
        """
        if not self._root:
            return
        trees = ("/sys/bus/pci/devices", "/sys/class/net")
        for path in ("/proc", *trees):
            self._below.refuse_if_out(path)
        for tree in trees:
            for name in self._list_devices(tree):
                self._below.refuse_if_out(f"{tree}/{name}")

    def _list_devices(self, folder: str) -> list[str]:
        try:
            return self._below.names(folder, MAX_DEVICES)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise SriovBootstrapError(
                f"{self._root}{folder}: {error.strerror}: cannot check that it is below {self._root}",
                hint="use a --root that only contains what is read from the host",
            ) from error

    def install_file(self, path: str, text: str) -> None:
        """Replaces a file below root, or creates it with its folders; an existing file keeps owner and mode."""
        try:
            replace_file(path, text.encode(), root=self._root, durable=True, keep_owner=True, follow=True, make=True)
        except OSError as error:
            raise SriovBootstrapError(f"{path}: cannot be written: {error.strerror}", hint="run as root") from error

    def remove_file(self, path: str) -> None:
        """Removes a file below root."""
        try:
            remove_file(path, root=self._root)
        except OSError as error:
            raise SriovBootstrapError(f"{path}: cannot be removed: {error.strerror}", hint="run as root") from error

    def read_template(self, name: str) -> ConfigFile | None:
        """The site's own template of that name; None if there is none."""
        found = self._read_if_there(f"/etc/sriov-bootstrap/templates/{name}")
        if found and len(found.data) > MAX_FILE_BYTES:
            return ConfigFile(found.path, problem="larger than 1 MiB")
        return found

    def is_disabled(self) -> bool:
        """Whether the kill switch file exists, which keeps the unit from starting."""
        return self._below.exists("/etc/sriov-bootstrap/disabled")


def read_trusted(path: str) -> ConfigFile:
    """A file that only root controls, refused like a config file."""
    return _read_searched("", os.path.abspath(path), is_drop_in=False)


def _read_named(path: str) -> ConfigFile:
    """A file named by the operator, who answers for it."""
    try:
        with open_regular(path) as file:
            return _config_file(path, file)
    except OSError as error:
        return ConfigFile(path, problem=_why_unread(error))


def _read_searched(root: str, path: str, *, is_drop_in: bool) -> ConfigFile:
    """A file that only root may control."""
    name = f"{root}{path}"
    try:
        with Below(root).place(path, any_link=True) as place, place.open_file() as file:
            if problem := distrust_file(name, file.status) or distrust_folders((*_folders_of(root), *place.folders)):
                untrusted = file.read(MAX_FILE_BYTES, is_cut=True)
                return ConfigFile(name, problem=problem, is_drop_in=is_drop_in, untrusted=untrusted)
            return _config_file(name, file, is_drop_in=is_drop_in)
    except OSError as error:
        return ConfigFile(name, problem=_why_unread(error), is_drop_in=is_drop_in)
    except LinkError as error:
        return ConfigFile(name, problem=error.message, is_drop_in=is_drop_in)


def _config_file(path: str, file: Opened, *, is_drop_in: bool = False) -> ConfigFile:
    return ConfigFile(path, file.read(MAX_FILE_BYTES, is_cut=True), is_drop_in=is_drop_in)


def _why_unread(error: OSError) -> str:
    return "is not a regular file" if isinstance(error, IrregularError) else f"cannot be read: {error.strerror}"


def _why_not(error: OSError | LinkError) -> str:
    return error.message if isinstance(error, LinkError) else f"{error.strerror}"


def _folders_of(root: str) -> list[tuple[str, os.stat_result]]:
    """The folders that determine what `root` is."""
    if not root:
        return []
    with Below().place(os.path.abspath(root), any_link=True) as place:
        return place.folders
