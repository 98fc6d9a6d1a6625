"""core/packagings.py: what repeats it, and that a row in it is all that a new packaging needs."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

from sriov_bootstrap.core import packagings

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "packaging" / "consumers.py"
LAST = "    OTHER,\n)\n"
ROW = """    Packaging(
        "Acme",
        {
            NOVA_COMPUTE: PackagedService(("acme-compute.service",), container="/etc/acme/compute"),
            SRIOV_AGENT: PackagedService(("acme-agent.service",), "/etc/acme/agent.d"),
        },
        domains=("/srv/acme/qemu",),
    ),
"""
# A child has the row before anything is imported that stands on the table.
CHILD = """
import json, runpy, sys, types
name = "sriov_bootstrap.core.packagings"
sys.modules[name] = module = types.ModuleType(name)
exec(sys.stdin.read(), module.__dict__)
from sriov_bootstrap.core.config import Config
from sriov_bootstrap.doctor.openstack.read import survey_openstack
from sriov_bootstrap.doctor.openstack.units import KNOWN_FOLDERS, UNITS
from sriov_bootstrap.edges.libvirt import PERSISTENT
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.render.host import Host
script, root = sys.argv[1:]
compute = survey_openstack(HostMachine(root=root), Host(Config())).compute
json.dump({
    "consumers": Config().services.restart, "units": UNITS, "folders": KNOWN_FOLDERS, "domains": PERSISTENT,
    "repeated": runpy.run_path(script)["files"](), "read": [compute.unit, [file.path for file in compute.files]],
}, sys.stdout)
"""


def test_units_and_manual_name_every_consumer() -> None:
    for path, text in runpy.run_path(str(SCRIPT))["files"]().items():
        assert (ROOT / path).read_text() == text, "make consumers writes it anew"


def test_a_new_packaging_is_a_row(tmp_path: Path) -> None:
    copy = {"source": "/var/lib/kolla/config_files/nova.conf", "dest": "/etc/nova/nova.conf"}
    container = {"command": "nova-compute", "config_files": [copy]}
    for path, text in {"config.json": json.dumps(container), "nova.conf": "[DEFAULT]\n"}.items():
        file = tmp_path / "etc/acme/compute" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    table = Path(packagings.__file__).read_text()
    assert table.count(LAST) == 1
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(SCRIPT), str(tmp_path)],
        input=table.replace(LAST, ROW + LAST),
        check=True,
        capture_output=True,
        text=True,
    )
    told = json.loads(done.stdout)
    assert told["read"] == ["acme-compute.service", ["/etc/acme/compute/nova.conf"]]
    assert {"acme-compute.service", "acme-agent.service"} < {*told["consumers"]} & {*told["units"]}
    assert "/etc/acme/agent.d/*.conf" in told["folders"]
    assert "/srv/acme/qemu" in told["domains"]
    units = {path: text for path, text in told["repeated"].items() if path.startswith("units/")}
    assert all("# Acme\nBefore=acme-compute.service acme-agent.service\n" in text for text in units.values())
    (manual,) = (text for path, text in told["repeated"].items() if path not in units)
    assert "\nacme-agent.service\n" in manual
