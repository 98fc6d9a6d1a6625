"""`verify openstack` against real services: keystone, neutron with sriovnicswitch, its agent, nova, placement.

nova-compute has nova's fake driver, which boots nothing; everything before that is as in production.
"""

import datetime as dt
import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from builders import PF, vf_address
from cloud.configs import ADDRESS, HOST, PASSWORD
from cloud.conftest import Cloud, ours
from cloud.control_plane import REQUESTS
from cloud.databases import RUN
from cloud.processes import wait_until
from sriov_bootstrap.base.errors import ExitCode
from sriov_bootstrap.verify.openstack.proof import on_host
from sriov_bootstrap.verify.openstack.survey import NIC_SWITCH_AGENT

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.long,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore"),  # openstacksdk's, whose administrator is in our process
]
SERVER = ("--server", "--image", "empty", "--flavor")


def found(answer: dict[str, Any], subject: str) -> list[tuple[str, str]]:
    """Verdicts and texts of the checks of one subject."""
    checks = [check for host in answer["hosts"] for check in host["checks"]]
    return [(check["verdict"], check["text"]) for check in checks if check["subject"] == subject]


def requests_of_ours() -> list[list[str]]:
    """Agent, token, method, service and path of each request that the command has made."""
    lines = [line.split("\t") for line in REQUESTS.read_text().splitlines()]
    return [line for line in lines if line[0].startswith("sriov-bootstrap")]


def status_of(cloud: Cloud, **changes: str) -> dict[str, Any]:
    """The host's `status --json`, in which texts are replaced."""
    _, out, _ = cloud.run("status", "--json")
    for before, after in changes.items():
        out = out.replace(before, after)
    answer: dict[str, Any] = json.loads(out)
    return answer


def test_a_host_on_which_all_is_well(cloud: Cloud) -> None:
    code, answer = cloud.verify("--check", "--nova-log", f"{RUN}/log/nova-compute.log")
    assert (code, answer["state"]) == (ExitCode.OK, "ok"), answer
    assert found(answer, "nova-compute") == [("ok", "up and enabled")]
    assert found(answer, "agent") == [("ok", "the SR-IOV agent is alive and maps physnet2 to ens1f0")]
    assert found(answer, "network") == [("ok", "physnet2: sriov (vlan 101)")]
    assert found(answer, "known VFs") == [
        ("ok", "0000:5e:00.0 (ens7f0): placement has 3 VFs, /sys shows 3"),
        ("ok", "physnet2: nova-compute's log has 4 free VFs, /sys shows 4"),
    ]


def test_check_changes_nothing(cloud: Cloud) -> None:
    before = len(requests_of_ours())
    cloud.verify("--check")
    methods = {(method, path) for _, _, method, _, path in requests_of_ours()[before:]}
    assert {path for method, path in methods if method != "GET"} == {"/v3/auth/tokens"}


def test_a_hundred_hosts_cost_no_more_than_twelve_requests(cloud: Cloud, tmp_path: Path) -> None:
    """However many ports there are."""
    text = json.dumps(status_of(cloud))
    for number in range(1, 101):
        (tmp_path / f"compute-{number}.json").write_text(text)
    network = cloud.admin.network.find_network("sriov")
    bound = {"binding:host_id": HOST, "binding:vnic_type": "direct", "network_id": network.id, "admin_state_up": True}
    counts, before = [], 0
    for more in (0, 20):
        ports = [{**bound, "name": f"many-{number}"} for number in range(more)]
        made = cloud.admin.network.post("/ports", json={"ports": ports}).json()["ports"] if ports else []
        before = len(requests_of_ours())
        code, out, err = cloud.run("verify", "openstack", "--check", "--json", "--status", str(tmp_path))
        counts.append(len(requests_of_ours()) - before)
        assert code == ExitCode.DEGRADED, err  # 99 of them do not exist
        assert len(json.loads(out)["hosts"]) == 100
        for port in made:
            cloud.admin.network.delete(f"/ports/{port['id']}")
    assert counts[0] == counts[1] <= 12, requests_of_ours()[before:]


def test_neutron_binds_a_port(cloud: Cloud) -> None:
    code, answer = cloud.verify()
    bound = "neutron binds a direct port of sriov to compute-1: hw_veb, VLAN 101"
    assert code == ExitCode.OK, answer
    assert found(answer, "port") == [("ok", f"{bound}; nova picks the VF, which --server shows")]


def test_nova_boots_a_server_with_a_vf(cloud: Cloud) -> None:
    code, answer = cloud.verify(*SERVER, "one")
    assert code == ExitCode.OK, answer
    assert found(answer, "server") == [("ok", f"ACTIVE on {HOST}")]
    ((verdict, text),) = found(answer, "VF")
    assert verdict == "ok"
    assert text.partition(" ")[0] in {vf_address(PF, index) for index in range(4)}
    assert f"of {PF} (ens1f0), hw_veb, physnet2, VLAN 101, MAC fa:16:3e:" in text


def test_an_older_nova_takes_the_host_as_part_of_a_zone(cloud: Cloud) -> None:
    """What is asked of one that ends before 2.74, at the microversion that it would have."""
    where, microversion = on_host(HOST, (2, 72))
    compute = cloud.admin.compute
    image, flavor = cloud.admin.image.find_image("empty"), compute.find_flavor("one")
    wanted = {"name": "zoned", "imageRef": image.id, "flavorRef": flavor.id, "networks": "none", **where}
    made = compute.post("/servers", json={"server": wanted}, microversion=microversion or "2.37").json()["server"]
    ready = compute.wait_for_server(compute.get_server(made["id"]))
    compute.delete_server(ready)
    compute.wait_for_delete(ready)
    assert ready.compute_host == HOST


def test_a_server_in_error_says_what_nova_says_and_what_it_means(cloud: Cloud) -> None:
    """nova forgets why a try has failed: only nova-compute's log has it."""
    code, answer = cloud.verify(*SERVER, "offline")
    assert code == ExitCode.DEGRADED
    ((verdict, text),) = found(answer, "server")
    assert verdict == "failed"
    assert text.startswith("in ERROR: Exceeded maximum number of retries")
    assert "nova does not keep the reason" in json.dumps(answer)
    code, answer = cloud.verify(*SERVER, "offline", "--nova-log", f"{RUN}/log/nova-compute.log")
    assert code == ExitCode.DEGRADED
    assert "because the PF is not online" in found(answer, "server")[0][1]
    assert "the PF is down" in json.dumps(answer)


def test_a_server_that_takes_too_long_is_deleted(cloud: Cloud) -> None:
    code, answer = cloud.verify(*SERVER, "slow", "--timeout", "3")
    assert code == ExitCode.DEGRADED
    assert found(answer, "server")[0][1].startswith("not ACTIVE after 3 s, but BUILD")


def test_a_vf_that_nova_does_not_have_ends_in_error(cloud: Cloud, tmp_path: Path) -> None:
    """device_spec has nothing on physnet9, although neutron does."""
    network = cloud.admin.network.create_network(
        name="other", provider_network_type="vlan", provider_physical_network="physnet9", provider_segmentation_id=109
    )
    cloud.admin.network.create_subnet(network_id=network.id, cidr="198.51.100.0/24", ip_version=4, enable_dhcp=False)
    place = tmp_path / "status.json"
    place.write_text(json.dumps(status_of(cloud, physnet2="physnet9")))
    try:
        code, answer = cloud.verify("--status", str(place), *SERVER, "one")
    finally:
        cloud.admin.network.delete_network(network)
    assert code == ExitCode.DEGRADED
    assert ("failed", 'the SR-IOV agent does not map physical_network "physnet9", only physnet2') in found(
        answer, "agent"
    )
    assert "No valid host" in found(answer, "server")[0][1]
    assert "device_spec" in json.dumps(answer)


def test_a_port_stays_unbound_where_the_agent_does_not_map_the_network(cloud: Cloud, tmp_path: Path) -> None:
    cloud.plane.start_agent("compute-2", "physnet9")
    place = tmp_path / "status.json"
    place.write_text(json.dumps(status_of(cloud)))
    wait_until(lambda: [*cloud.admin.network.agents(host="compute-2")], "the second agent")
    try:
        words = ("verify", "openstack", "--host", "compute-2", "--json", "--status", str(place))
        code, out, _ = cloud.run(*words)
    finally:
        cloud.plane.processes.stop("agent-compute-2")
    problem = 'the SR-IOV agent does not map physical_network "physnet2", only physnet9'
    unbound = f"the direct port was not bound to compute-2 (binding_failed): {problem}"
    assert code == ExitCode.DEGRADED
    assert found(json.loads(out), "port") == [("failed", unbound)]


def test_a_port_stays_unbound_while_the_agent_is_dead(cloud: Cloud) -> None:
    cloud.plane.processes.send(f"agent-{HOST}", signal.SIGSTOP)
    wait_until(lambda: not cloud.is_alive(NIC_SWITCH_AGENT), "its end")
    try:
        code, answer = cloud.verify()
    finally:
        cloud.plane.processes.send(f"agent-{HOST}", signal.SIGCONT)
        wait_until(cloud.is_ready, "the agent")
    problem = "the SR-IOV agent is dead: neutron has not heard of it for longer than agent_down_time"
    assert code == ExitCode.DEGRADED
    assert found(answer, "agent") == [("failed", problem)]
    assert found(answer, "port")[0][1].endswith(f"(binding_failed): {problem}")


def test_a_vnic_type_that_no_driver_supports(cloud: Cloud) -> None:
    code, answer = cloud.verify("--vnic-type", "smart-nic")
    problem = "vnic type smart-nic is not supported by sriovnicswitch, which binds direct, macvtap, direct-physical"
    assert code == ExitCode.DEGRADED
    assert found(answer, "port")[0][1].endswith(f"(binding_failed): {problem}")


def test_a_physical_network_that_neutron_does_not_know(cloud: Cloud, tmp_path: Path) -> None:
    place = tmp_path / "status.json"
    place.write_text(json.dumps(status_of(cloud, physnet2="phynet2")))
    code, out, _ = cloud.run("verify", "openstack", "--host", HOST, "--status", str(place))
    assert code == ExitCode.DEGRADED
    assert 'physical_network "phynet2": these credentials see no flat or vlan network on it' in out
    assert '"physnet2" is nearly the same' in out
    assert "none was made: no network on phynet2" in out


def test_a_quota_that_is_exceeded(cloud: Cloud) -> None:
    project = cloud.admin.current_project_id
    cloud.admin.network.update_quota(project, ports=0)
    try:
        code, answer = cloud.verify()
    finally:
        cloud.admin.network.update_quota(project, ports=-1)
    assert code == ExitCode.DEGRADED
    ((_, text),) = found(answer, "port")
    assert "Quota exceeded" in text
    assert "openstack quota show" in json.dumps(answer)


WRONG = "a-wrong-secret-of-an-operator"


def test_credentials_that_are_wrong(cloud: Cloud) -> None:
    cloud.add_credentials("wrong", username="admin", password=WRONG, project_name="admin")
    code, out, err = cloud.run("verify", "openstack", "--check", cloud="wrong")
    assert (code, out) == (ExitCode.ERROR, "")
    assert "hint: the credentials are wrong or have expired" in err
    assert WRONG not in err


def test_credentials_that_have_expired(cloud: Cloud) -> None:
    ends = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=10)
    identity = cloud.admin.identity
    made = identity.create_application_credential(
        cloud.admin.current_user_id, "short", expires_at=ends.strftime("%Y-%m-%dT%H:%M:%S.%f")
    )
    cloud.add_credentials("short", application_credential_id=made.id, application_credential_secret=made.secret)
    time.sleep(max(0.0, (ends - dt.datetime.now(dt.UTC)).total_seconds() + 1))
    code, out, err = cloud.run("verify", "openstack", "--check", "--host", HOST, cloud="short")
    identity.delete_application_credential(cloud.admin.current_user_id, made.id)
    assert (code, out) == (ExitCode.ERROR, "")
    assert "the credentials are wrong or have expired" in err
    assert made.secret not in err


def test_credentials_without_the_admin_role(cloud: Cloud) -> None:
    identity = cloud.admin.identity
    user = identity.create_user(name="tenant", password=WRONG, default_project_id=cloud.admin.current_project_id)
    role = identity.find_role("member")
    identity.assign_project_role_to_user(cloud.admin.current_project_id, user, role)
    cloud.add_credentials("tenant", username="tenant", password=WRONG, project_name="admin")
    code, out, err = cloud.run("verify", "openstack", "--check", "--host", HOST, cloud="tenant")
    identity.delete_user(user)
    assert (code, out) == (ExitCode.ERROR, "")
    assert "hint: it takes the admin role" in err


def test_a_cloud_that_does_not_answer(cloud: Cloud) -> None:
    auth = {"auth_url": f"http://{ADDRESS}:5999/v3", "username": "admin", "password": WRONG, "project_name": "admin"}
    cloud.add_credentials("gone", **auth)
    code, out, err = cloud.run("verify", "openstack", "--check", cloud="gone")
    assert (code, out) == (ExitCode.ERROR, "")
    said = [line for line in err.splitlines() if line != "asking the cloud"]  # on a busy machine it is said meanwhile
    assert len(said) == 1
    assert said[0].startswith("sriov-bootstrap: network: Unable to establish connection to ")


def test_a_cloud_that_is_not_configured(cloud: Cloud) -> None:
    code, _, err = cloud.run("verify", "openstack", "--cloud", "nonsense")
    assert code == ExitCode.USAGE
    assert "nonsense" in err


def await_server(cloud: Cloud) -> None:
    wait_until(lambda: [*cloud.admin.compute.servers()], "a server")


def test_an_interrupted_run_deletes_what_it_made(cloud: Cloud) -> None:
    process = cloud.start("verify", "openstack", "--host", HOST, *SERVER, "slow")
    await_server(cloud)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert process.returncode == ExitCode.INTERRUPTED


def test_what_a_killed_run_has_left_is_found_and_deleted_when_asked_for(cloud: Cloud) -> None:
    process = cloud.start("verify", "openstack", "--host", HOST, *SERVER, "slow")
    await_server(cloud)
    process.kill()
    process.communicate(timeout=20)
    code, answer = cloud.verify("--check")
    assert {left["kind"] for left in answer["leftovers"]} == {"server", "port"}
    assert ours(cloud)
    code, out, _ = cloud.run("verify", "openstack", "--host", HOST, "--delete-leftovers")
    assert code == ExitCode.OK, out
    wait_until(lambda: not ours(cloud), "that all is deleted", 60)


def test_no_secret_is_shown_on_any_path(cloud: Cloud, tmp_path: Path) -> None:
    """Of all requests so far the tokens are known, and of all credentials the secrets."""
    place = tmp_path / "status.json"
    place.write_text(json.dumps(status_of(cloud, physnet2="physnet9")))
    paths = [
        (("verify", "openstack", "--host", HOST), "admin"),
        (("verify", "openstack", "--host", HOST, "--json", "--vnic-type", "smart-nic"), "admin"),
        (("verify", "openstack", "--host", HOST, *SERVER, "offline"), "admin"),
        (("verify", "openstack", "--host", HOST, "--status", str(place), *SERVER, "one"), "admin"),
        (("verify", "openstack", "--host", HOST, *SERVER, "nonsense"), "admin"),
        (("verify", "openstack", "--cloud", "nonsense"), "admin"),
        (("openstack", "attach-port", "nonsense"), "admin"),
        (("openstack", "detach-port", "nonsense"), "admin"),
        (("status", "--json"), "admin"),
    ]
    cloud.add_credentials("wrong", username="admin", password=WRONG, project_name="admin")
    paths += [(words, "wrong") for words, _ in paths[:2]]
    said = "".join("".join(map(str, cloud.run(*words, cloud=name))) for words, name in paths)
    state = "".join(path.read_text() for path in (cloud.tree.root / "run").rglob("*") if path.is_file())
    tokens = {token for _, token, *_ in requests_of_ours() if token}
    assert len(tokens) > 5
    assert not [secret for secret in (PASSWORD, WRONG, *tokens) if secret in said + state]
