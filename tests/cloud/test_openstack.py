"""`openstack attach-port` and `detach-port` on a server of a real nova, whose fake driver boots nothing."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from builders import PF, vf_address
from cloud.configs import HOST
from cloud.conftest import Cloud
from sriov_bootstrap.base.errors import ExitCode

pytestmark = [pytest.mark.cloud, pytest.mark.long, pytest.mark.timeout(600), pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def server(cloud: Cloud) -> Iterator[Any]:
    """A server without a port."""
    compute = cloud.admin.compute
    image, flavor = cloud.admin.image.find_image("empty"), compute.find_flavor("one")
    made = compute.create_server(name="plain", image_id=image.id, flavor_id=flavor.id, networks="none")
    compute.wait_for_server(made)
    yield made
    compute.delete_server(made)
    compute.wait_for_delete(made)


@pytest.mark.parametrize("name", ["plain", ""], ids=["by name", "by id"])
def test_a_running_server_gets_a_vf_and_gives_it_back(cloud: Cloud, server: Any, name: str) -> None:  # noqa: ANN401
    code, out, err = cloud.run("openstack", "attach-port", name or server.id, "--network", "sriov", "--json")
    assert code == ExitCode.OK, err
    answer = json.loads(out)
    assert answer["pci_address"] in {vf_address(PF, index) for index in range(4)}
    assert (answer["host"], answer["vif_type"]) == (HOST, "hw_veb")
    _, checked = cloud.verify("--check")
    assert "1 port has a VF that /sys shows" in json.dumps(checked)
    code, out, err = cloud.run("openstack", "detach-port", name or server.id)
    assert code == ExitCode.OK, err
    assert "is detached and is deleted" in out


def test_the_only_network_for_vfs_is_found(cloud: Cloud, server: Any) -> None:  # noqa: ANN401
    code, out, err = cloud.run("openstack", "attach-port", server.id, "--physical-network", "physnet2")
    assert code == ExitCode.OK, err
    assert f"to detach it: sriov-bootstrap openstack detach-port {server.id} --port " in out
    port = out.rpartition(" ")[2].strip()
    assert cloud.run("openstack", "detach-port", server.id, "--port", port)[0] == ExitCode.OK


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--network", "nonsense"), 'no network is called "nonsense"'),
        (("--physical-network", "physnet7"), "no network has a flat or vlan segment on physical_network physnet7"),
        (("--vnic-type", "vdpa"), "Failed to claim PCI device"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_no_port(
    cloud: Cloud,
    server: Any,  # noqa: ANN401
    words: tuple[str, ...],
    problem: str,
) -> None:
    code, out, err = cloud.run("openstack", "attach-port", server.id, *words)
    assert code in {ExitCode.USAGE, ExitCode.ERROR}
    assert out == ""
    assert problem in err


def test_a_network_that_the_hosts_agent_does_not_map_is_not_tried(cloud: Cloud, server: Any) -> None:  # noqa: ANN401
    network = cloud.admin.network.create_network(
        name="other", provider_network_type="vlan", provider_physical_network="physnet9", provider_segmentation_id=109
    )
    code, _, err = cloud.run("openstack", "attach-port", server.id, "--network", "other")
    cloud.admin.network.delete_network(network)
    assert code == ExitCode.USAGE
    assert f'is on {HOST}: the SR-IOV agent does not map physical_network "physnet9", only physnet2' in err


def test_a_server_that_does_not_exist(cloud: Cloud) -> None:
    code, _, err = cloud.run("openstack", "attach-port", "nonsense")
    assert code == ExitCode.USAGE
    assert 'no server is called "nonsense" in this project' in err


def test_a_server_without_a_vf_has_none_to_give(cloud: Cloud, server: Any) -> None:  # noqa: ANN401
    code, _, err = cloud.run("openstack", "detach-port", server.id)
    assert code == ExitCode.USAGE
    assert f"server {server.id} has no port with a VF" in err
