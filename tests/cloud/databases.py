"""The databases of the control plane, in a MariaDB of its own: made once for each set of packages, then copied."""

import hashlib
import shutil
import signal
from pathlib import Path

from cloud.configs import ADDRESS, PASSWORD
from cloud.processes import Processes
from cloud.releases import BUILD, RELEASE

RUN = BUILD / "run"
MADE = RELEASE.databases
NAMES = ("keystone", "glance", "placement", "neutron", "nova_api", "nova", "nova_cell0")
KEPT = ("fernet", "mariadb")  # folders


def start_databases(processes: Processes) -> None:
    """A running MariaDB, with all tables in it."""
    recipe = hashlib.sha256((RELEASE.venv / ".setup").read_bytes() + Path(__file__).read_bytes()).hexdigest()
    stamp = MADE / "recipe"
    if not stamp.exists() or stamp.read_text() != recipe:
        shutil.rmtree(MADE, ignore_errors=True)
        _make(processes)
        for name in KEPT:
            shutil.copytree(RUN / name, MADE / name)
        stamp.write_text(recipe)
    else:
        for name in KEPT:
            shutil.copytree(MADE / name, RUN / name)
    _start_mariadb(processes)


def _start_mariadb(processes: Processes) -> None:
    places = (f"--datadir={RUN}/mariadb", f"--socket={RUN}/mariadb.sock", f"--pid-file={RUN}/mariadb.pid")
    quick = ("--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync", "--max-connections=500")
    processes.start("mariadb", "mariadbd", "--no-defaults", "--user=root", "--skip-networking", *places, *quick)
    processes.await_start("mariadb", (RUN / "mariadb.sock").is_socket)


def _make(processes: Processes) -> None:
    """A minute, or two on a busy machine."""
    (RUN / "fernet").mkdir()
    form = ("--auth-root-authentication-method=normal", "--skip-test-db")
    processes.run("mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={RUN}/mariadb", *form)
    _start_mariadb(processes)
    for name in NAMES:
        sql = f"CREATE DATABASE {name} CHARACTER SET utf8mb4"
        processes.run("mariadb", "--no-defaults", f"--socket={RUN}/mariadb.sock", "--user=root", f"--execute={sql}")
    etc = RUN / "etc"
    keystone = ("keystone-manage", f"--config-file={etc}/keystone.conf")
    who = ("--keystone-user", "root", "--keystone-group", "root")
    processes.run(*keystone, "db_sync")
    processes.run(*keystone, "fernet_setup", *who)
    processes.run(*keystone, "credential_setup", *who)
    url = f"http://{ADDRESS}:5000/v3"
    urls = [word for kind in ("admin", "internal", "public") for word in (f"--bootstrap-{kind}-url", url)]
    region = ("--bootstrap-region-id", "RegionOne")
    processes.run(*keystone, "bootstrap", "--bootstrap-password", PASSWORD, *urls, *region)
    processes.run("glance-manage", f"--config-file={etc}/glance-api.conf", "db_sync")
    processes.run("placement-manage", f"--config-file={etc}/placement.conf", "db", "sync")
    processes.run("neutron-db-manage", f"--config-file={etc}/neutron.conf", "upgrade", "heads")
    nova = ("nova-manage", f"--config-file={etc}/nova.conf")
    processes.run(*nova, "api_db", "sync")
    processes.run(*nova, "cell_v2", "map_cell0")
    processes.run(*nova, "db", "sync")
    processes.run(*nova, "cell_v2", "create_cell", "--name=cell1")
    processes.stop("mariadb", signal.SIGTERM)
