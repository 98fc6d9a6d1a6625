"""ssh into the guest, for programs that know no other way: Ansible, testinfra, forwarded ports."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

HOST: Final = "lab"
HANDSHAKE_SECONDS: Final = 60.0

CONFIG: Final = """\
Host {host}
    HostName 127.0.0.1
    Port {port}
    User root
    IdentityFile {key}
    IdentitiesOnly yes
    StrictHostKeyChecking no
    UserKnownHostsFile {folder}/known_hosts
    KexAlgorithms curve25519-sha256
    LogLevel ERROR
    ControlPath {folder}/ssh
    ConnectTimeout 30
"""


class Ssh:
    """One lasting connection, made when it is asked for, that all clients share: `ssh -F CONFIG lab`."""

    def __init__(self, folder: Path, *, key: Path, port: int) -> None:
        self._config = folder / "ssh_config"
        self._config.write_text(CONFIG.format(host=HOST, port=port, key=key, folder=folder))
        self._socket = folder / "ssh"
        self._master: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> Path:
        """The file for `-F`. Raises ConnectionError when the guest does not answer."""
        if not self._master or self._master.poll() is not None:
            self._start_master()
        return self._config

    @contextmanager
    def forwarded(self, guest_port: int) -> Iterator[int]:
        """Yield a port of the host's loopback interface that leads to one of the guest's."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        rule = f"127.0.0.1:{port}:localhost:{guest_port}"
        self._control("forward", rule)
        try:
            yield port
        finally:
            self._control("cancel", rule)

    def disconnect(self) -> None:
        """Let go of the guest."""
        if self._master:
            self._master.kill()  # asked to end, it may wait for a guest that does not answer
            self._master.wait()
            self._master = None
        self._socket.unlink(missing_ok=True)

    def _control(self, command: str, rule: str) -> None:
        subprocess.run(["ssh", "-F", str(self.config), "-O", command, "-L", rule, HOST], check=True, timeout=30)

    def _start_master(self) -> None:
        self.disconnect()
        command = ["ssh", "-F", str(self._config), "-o", "ControlMaster=yes", "-N", "-T", HOST]
        self._master = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + HANDSHAKE_SECONDS
        while self._master.poll() is None and time.monotonic() < deadline:
            if self._socket.exists():
                return
            time.sleep(0.05)
        raise ConnectionError(f"the guest's sshd has not answered within {HANDSHAKE_SECONDS:g} s")
