"""What a guest is made of: this host's kernel, interpreter, libraries and modules. The only module that reads them."""

import os
import shutil
import sys
from collections.abc import Callable, Iterable

from sriov_bootstrap.base.command_end import CommandEnd
from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.base.printable import one_line

KERNELS = ("/boot/vmlinuz-{}", "/lib/modules/{}/vmlinuz", "/usr/lib/modules/{}/vmlinuz")
PROGRAMS = ("kmod", "mount")
SYSTEM_FOLDERS = "/usr/sbin:/usr/bin:/sbin:/bin"  # which a user's PATH may lack
# Prints the files that the interpreter has loaded once it has loaded the program.
LOADED = (
    "import sys; p = sys.argv[1]; exec(compile(open(p, encoding='ascii').read(), p, 'exec'), {'__name__': 'guest'});"
    " print(*filter(None, (getattr(m, '__file__', None) for m in [*sys.modules.values()])), sep='\\n')"
)
PACKAGES = "run as root, on a host whose packages are whole: dpkg --verify or rpm -Va names a file that is missing"
PLATFORM_FOLDER = "lib-dynload"  # an interpreter that lacks it says so


class GuestFiles:
    """Kernel and modules are those below `root`; the interpreter is the one that runs this."""

    def __init__(self, run: Callable[[list[str]], CommandEnd], root: str = "") -> None:
        """Reads nothing yet."""
        self._run = run
        self._root = root

    def kernel(self, release: str) -> bytes:
        """The image of the running kernel. SriovBootstrapError if there is none."""
        return self._read(self.kernel_path(release))

    def kernel_path(self, release: str) -> str:
        """Where it is, and may be read. SriovBootstrapError as above."""
        paths = [path.format(release) for path in KERNELS]
        for path in paths:
            if os.path.exists(f"{self._root}{path}"):
                self._read(f"{self._root}{path}", limit=1)
                return f"{self._root}{path}"
        raise SriovBootstrapError(f"there is no kernel to boot: {paths[0]} does not exist")

    def modules_for(self, modalias: str) -> tuple[str, ...]:
        """The files of the modules that drive such a device, in the order in which they are loaded.

        Blacklists do not count: they keep a driver from the host's VFs, not from the guest's. None if it is built in.
        SriovBootstrapError if no module is for it.
        """
        done = self._run(["modprobe", "-C", "/dev/null", "--show-depends", "--", modalias])
        if done.returncode:
            raise SriovBootstrapError(f"this kernel has no driver for such a VF: {one_line(done.stderr)}")
        lines = (line.split() for line in done.stdout.decode(errors="replace").splitlines())
        return tuple(words[1] for words in lines if len(words) > 1 and words[0] == "insmod")

    def interpreter(self, program: str) -> tuple[str, dict[str, bytes]]:
        """Its path, and all that it needs to run this program, with mount and kmod: path -> content."""
        python = os.path.realpath(sys.executable)
        loaded = self._output([python, "-ISc", LOADED, program])
        files = {path: self._read(path) for path in loaded if path != program}
        binaries = {python: python, **{f"/bin/{name}": _find(name) for name in PROGRAMS}}
        files |= {name: self._read(path) for name, path in binaries.items()}
        objects = [*binaries.values(), *(path for path in loaded if path.endswith(".so"))]
        files |= {path: self._read(path) for path in _libraries(self._output(["ldd", *objects]))}
        files[f"{os.path.dirname(os.__file__)}/{PLATFORM_FOLDER}/none"] = b""
        return python, files

    def read(self, paths: Iterable[str]) -> dict[str, bytes]:
        """Modules: path -> content."""
        return {path: self._read(f"{self._root}{path}") for path in paths}

    def _output(self, argv: list[str]) -> list[str]:
        done = self._run(argv)
        if done.returncode:
            raise SriovBootstrapError(f"{argv[0]}: {one_line(done.stderr)}", hint=PACKAGES)
        return done.stdout.decode(errors="surrogateescape").splitlines()

    def _read(self, path: str, *, limit: int = -1) -> bytes:
        """All of it, or so many bytes."""
        try:
            with open(path, "rb") as file:
                return file.read(limit)
        except OSError as error:
            raise SriovBootstrapError(f"{path}: cannot be read: {error.strerror}", hint=PACKAGES) from error


def _find(program: str) -> str:
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:{SYSTEM_FOLDERS}")
    if not found:
        raise SriovBootstrapError(f"{program} is not installed, and the guest needs it", hint=f"install {program}")
    return found


def _libraries(lines: Iterable[str]) -> set[str]:
    """What ldd(1) prints: `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x7f..)`, `/lib64/ld-linux.so.2 (0x7f..)`.

    Each is put where the loader found it, so that it finds it again.
    """
    words = (line.partition(" => ")[2] or line for line in lines if line.startswith("\t"))
    paths = (text.split()[0] for text in words if text.strip())
    return {path for path in paths if path.startswith("/")}
