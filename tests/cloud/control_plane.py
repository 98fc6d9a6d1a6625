"""A control plane: keystone, glance, placement, neutron with OVN and nova as native processes on a loopback address.

`ControlPlane(tree)` is all of it for one simulated host. It has a MariaDB and a RabbitMQ of its own, with folders below
build/cloud, and ends what it started, by process group; so does the kernel if this program is killed. Databases are
made once for each set of packages, and copied for each run.

The one thing that is not as in production is the hypervisor: nova's fake driver boots nothing (run_compute.py).
"""

import contextlib
import fcntl
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from cloud.configs import ADDRESS, HOST, PHYSICAL_NETWORK, write_configs
from cloud.databases import RUN, start_databases
from cloud.ovn import start_chassis, start_ovn
from cloud.processes import LOGS, Processes
from cloud.releases import BUILD, RELEASE

HERE = Path(__file__).parent
BIN = RELEASE.venv / "bin"
REQUESTS = LOGS / "requests"
EPMD_PORT = "4370"
RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # not Debian's script around it, which becomes another user
ENVIRONMENT = {
    "PATH": f"{BIN}:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/rabbitmq/bin",
    "HOME": str(RUN / "home"),
    "PYTHONWARNINGS": "ignore",
    "SRIOV_CLOUD_REQUESTS": str(REQUESTS),
    "PYTHONPATH": str(HERE.parent),
    "ASGI_WORKERS": "1",  # neutron's ovn driver wants to know, and waitress does not tell
    "OVS_RUNDIR": str(RUN / "ovn"),
    "OVN_RUNDIR": str(RUN / "ovn"),
    "OS_NEUTRON_CONFIG_DIR": str(RUN / "etc"),
    "OS_NEUTRON_CONFIG_FILES": "neutron.conf",
    "OS_NOVA_CONFIG_DIR": str(RUN / "etc"),
    "OS_NOVA_CONFIG_FILES": "nova-api-paste.ini;nova.conf",
    "OS_PLACEMENT_CONFIG_DIR": str(RUN / "etc"),
    "OS_KEYSTONE_CONFIG_DIR": str(RUN / "etc"),
    "OS_KEYSTONE_CONFIG_FILES": "keystone.conf",
    "OS_GLANCE_CONFIG_DIR": str(RUN / "etc"),
    "OS_GLANCE_CONFIG_FILES": "glance-api.conf",
    "ERL_CRASH_DUMP": str(LOGS / "erl_crash.dump"),
    "ERL_EPMD_ADDRESS": ADDRESS,
    "ERL_EPMD_PORT": EPMD_PORT,
    "RABBITMQ_NODENAME": "sriov@localhost",
    "RABBITMQ_NODE_IP_ADDRESS": ADDRESS,
    "RABBITMQ_NODE_PORT": "5672",
    "RABBITMQ_DIST_PORT": "25673",
    "RABBITMQ_MNESIA_BASE": str(RUN / "rabbitmq"),
    "RABBITMQ_LOG_BASE": str(RUN / "log"),
    "RABBITMQ_ENABLED_PLUGINS_FILE": str(RUN / "etc" / "plugins"),
    "RABBITMQ_CONFIG_FILE": str(RUN / "etc" / "rabbitmq"),
    "RABBITMQ_PID_FILE": str(RUN / "rabbitmq.pid"),
    "RABBITMQ_ALLOW_INPUT": "1",  # no shell around it
    "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput",
}


class ControlPlane:
    """Running services; `tree` is the simulated host whose agent and nova-compute are among them."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self.processes = Processes(ENVIRONMENT)

    def start(self) -> None:
        """All of it; what has started before a failure is ended again."""
        BUILD.mkdir(parents=True, exist_ok=True)
        self._lock = (BUILD / "lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)  # one at a time: they have one address
        shutil.rmtree(RUN, ignore_errors=True)
        for folder in ("etc", "log", "home", "images", "rabbitmq"):
            (RUN / folder).mkdir(parents=True)
        write_configs(RUN / "etc", RUN, RELEASE)
        shutil.copy(RELEASE.venv / "etc" / "nova" / "api-paste.ini", RUN / "etc" / "nova-api-paste.ini")
        shutil.copy(RELEASE.venv / "etc" / "glance" / "glance-api-paste.ini", RUN / "etc")  # glance 27 looks there
        try:
            self._start_basis()
            self._start_services()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self.processes.stop_all()
        self._lock.close()

    def _start_basis(self) -> None:
        self.processes.start("epmd", "epmd", "-address", ADDRESS, "-port", EPMD_PORT)
        self.processes.await_port("epmd", int(EPMD_PORT))
        self.processes.start("rabbitmq", RABBITMQ)
        start_databases(self.processes)
        if RELEASE.has_ovn:
            start_ovn(self.processes, RUN / "ovn")
        self.processes.await_port("rabbitmq", 5672)

    def _start_services(self) -> None:
        etc = RUN / "etc"
        for name, (application, port) in RELEASE.apis.items():
            self.processes.start(name, BIN / "python", HERE / "serve_wsgi.py", application, ADDRESS, str(port))
            if name == "keystone":  # the others ask it
                self.processes.await_port(name, port)
                self.processes.run(BIN / "python", HERE / "fill_keystone.py")
        self.processes.start("neutron-rpc", BIN / "neutron-rpc-server", f"--config-file={etc}/neutron.conf")
        for name in ("conductor", "scheduler"):
            self.processes.start(f"nova-{name}", BIN / f"nova-{name}", f"--config-file={etc}/nova.conf")
        for name, (_, port) in RELEASE.apis.items():
            self.processes.await_port(name, port)
        self.start_agent(HOST, PHYSICAL_NETWORK)
        if RELEASE.has_ovn:
            start_chassis(self.processes, RUN / "ovn")
        files = (f"--config-file={etc}/nova.conf", f"--config-file={etc}/nova-compute.conf")
        self.processes.start("nova-compute", BIN / "python", HERE / "run_compute.py", str(self._tree), *files)

    def start_agent(self, host: str, physical_network: str) -> None:
        """neutron's SR-IOV agent of a host of this name, with the simulated host's /sys."""
        own = RUN / "etc" / f"sriov_agent-{host}.ini"
        own.write_text(
            f"[DEFAULT]\nhost = {host}\n[sriov_nic]\nphysical_device_mappings = {physical_network}:ens1f0\n"
            "[securitygroup]\nenable_security_group = false\n"
        )
        files = (f"--config-file={RUN}/etc/neutron.conf", f"--config-file={own}")
        self.processes.start(f"agent-{host}", BIN / "python", HERE / "run_agent.py", str(self._tree), *files)


@contextlib.contextmanager
def running(tree: Path) -> Iterator[ControlPlane]:
    plane = ControlPlane(tree)
    plane.start()
    try:
        yield plane
    finally:
        plane.stop()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with running(Path(sys.argv[1])):
        sys.stdout.write(f"running: {HOST}\n")
        sys.stdout.flush()
        signal.pause()
