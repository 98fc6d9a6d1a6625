"""Ports with switchdev: neutron's ovn driver binds them to a real chassis, and leaves the others to sriovnicswitch.

The simulated host's PF is in switchdev mode by what is said of it alone, in its `status --json`.
"""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builders import PF
from cloud.configs import HOST
from cloud.conftest import Cloud
from cloud.ovn import CHASSIS
from cloud.processes import wait_until
from cloud.releases import RELEASE
from cloud.test_openstack import server  # noqa: F401 - a fixture
from cloud.test_verify_openstack import SERVER, found, status_of
from sriov_bootstrap.base.errors import ExitCode
from sriov_bootstrap.verify.openstack.survey import OVN_CONTROLLERS

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.long,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(not RELEASE.has_ovn, reason="this release has no OVN here"),
]


def status_in_switchdev_mode(cloud: Cloud, place: Path, **changes: str) -> tuple[str, str]:
    """The option with the host's status as a file, in which every PF with a physical network is in that mode."""
    answer = status_of(cloud, **changes)
    for pf in answer["pfs"]:
        pf["eswitch_mode"] = "switchdev" if pf["physical_network"] else ""
    place.write_text(json.dumps(answer))
    return "--status", str(place)


@pytest.fixture
def status(cloud: Cloud, tmp_path: Path) -> tuple[str, str]:
    return status_in_switchdev_mode(cloud, tmp_path / "status.json")


def test_a_chassis_binds_a_port(cloud: Cloud, status: tuple[str, str]) -> None:
    code, answer = cloud.verify(*status)
    alive = "the OVN chassis is alive and maps physnet2 to br-ex, for ports with switchdev"
    bound = f"neutron binds a direct switchdev port of sriov to {HOST}: ovs"
    assert code == ExitCode.OK, answer
    served = "the SR-IOV agent maps physnet2 to ens1f0, which is in switchdev mode: neutron binds ports that do not ask"
    assert found(answer, "agent") == [
        ("ok", alive),
        ("note", f"{served} for switchdev there, and nothing forwards their frames"),
    ]
    assert found(answer, "port") == [("ok", f"{bound}; nova picks the VF, which --server shows")]


def test_nova_boots_a_server_with_a_vf_that_has_a_representor(cloud: Cloud, status: tuple[str, str]) -> None:
    code, answer = cloud.verify(*status, *SERVER, "one")
    assert code == ExitCode.OK, answer
    ((verdict, text),) = found(answer, "VF")
    assert verdict == "ok"
    assert f"of {PF} (ens1f0), ovs, physnet2, MAC fa:16:3e:" in text


def test_a_port_that_does_not_ask_for_it_reaches_no_bridge(cloud: Cloud, status: tuple[str, str]) -> None:
    """macvtap is sriovnicswitch's alone."""
    code, answer = cloud.verify(*status, *SERVER, "one", "--vnic-type", "macvtap")
    assert code == ExitCode.DEGRADED
    problem = "which is in switchdev mode, and sriovnicswitch bound the port (hw_veb): no bridge has its representor"
    assert found(answer, "VF")[0][1].endswith(problem)


def test_a_chassis_that_does_not_map_the_network(cloud: Cloud, tmp_path: Path) -> None:
    network = cloud.admin.network.create_network(
        name="other", provider_network_type="vlan", provider_physical_network="physnet9", provider_segmentation_id=109
    )
    status = status_in_switchdev_mode(cloud, tmp_path / "status.json", physnet2="physnet9")
    try:
        code, answer = cloud.verify(*status)
    finally:
        cloud.admin.network.delete_network(network)
    problem = 'the OVN chassis does not map physical_network "physnet9", only physnet2'
    assert code == ExitCode.DEGRADED
    assert found(answer, "agent") == [("failed", problem)]
    assert found(answer, "port")[0][1].endswith(f"(binding_failed): {problem}")
    assert "ovs-vsctl set Open_vSwitch . external_ids:ovn-bridge-mappings=physnet9:BRIDGE" in json.dumps(answer)


@pytest.fixture
def _dead_chassis(cloud: Cloud) -> Iterator[None]:
    """ovn-controller that does not answer."""
    cloud.plane.processes.send(CHASSIS, signal.SIGSTOP)
    wait_until(lambda: not cloud.is_alive(OVN_CONTROLLERS[0]), "its end")
    yield
    cloud.plane.processes.send(CHASSIS, signal.SIGCONT)
    wait_until(cloud.is_ready, "the chassis")


@pytest.mark.usefixtures("_dead_chassis")
def test_a_port_stays_unbound_while_the_chassis_is_dead(cloud: Cloud, status: tuple[str, str]) -> None:
    code, answer = cloud.verify(*status)
    problem = "the OVN chassis is dead: neutron has not heard of it for longer than agent_down_time"
    assert code == ExitCode.DEGRADED
    assert found(answer, "agent")[0] == ("failed", problem)
    assert found(answer, "port")[0][1].endswith(f"(binding_failed): {problem}")


def test_a_running_server_gets_such_a_vf(cloud: Cloud, server: Any) -> None:  # noqa: ANN401, F811 - a fixture
    code, out, err = cloud.run("openstack", "attach-port", server.id, "--network", "sriov", "--switchdev", "--json")
    assert code == ExitCode.OK, err
    assert json.loads(out)["vif_type"] == "ovs"
    assert cloud.run("openstack", "detach-port", server.id)[0] == ExitCode.OK
