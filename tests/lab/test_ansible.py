"""Ansible on a real host. Few and long tests: a run of a playbook costs the guest a quarter of a minute."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from ansible_tools import FLEET, ROLE, Ansible

from .consumers import newest_package, place_bytecode
from .host import CONFIG_FILE, NOVA, PF1, PF2, UNIT, Guest
from .ssh import HOST

Play = Callable[..., "Played"]
SERVICES = {"settle_seconds": 1, "min_interval_seconds": 0}
PLAY = [{"name": "The host", "hosts": "all", "gather_facts": False, "roles": [{"role": ROLE}]}]


class Played:
    """What a playbook has said, and the last line about the guest in numbers."""

    def __init__(self, text: str) -> None:
        """Takes stdout and stderr."""
        self.text = text
        recap = re.search(rf"^{HOST} +: (.*)$", text, re.MULTILINE)
        self.numbers = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", recap[1])} if recap else {}


@pytest.fixture(scope="module")
def ansible(tmp_path_factory: pytest.TempPathFactory) -> Ansible:
    ansible = Ansible(tmp_path_factory.mktemp("ansible"))
    (ansible.folder / "play.yml").write_text(json.dumps(PLAY))  # JSON is YAML
    return ansible


@pytest.fixture
def play(ansible: Ansible, guest: Guest) -> Play:
    """Run the role, or another playbook, on the guest, with these variables."""
    reach = {"ansible_user": "root", "ansible_python_interpreter": "/usr/bin/python3"}
    hosts: dict[str, Any] = {
        HOST: reach | {"ansible_ssh_args": f"-F {guest.vm.ssh_config}"},
        "gone": reach | {"ansible_host": "127.0.0.1", "ansible_port": 1},
    }
    inventory = ansible.folder / "inventory.yml"
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))

    def run(*words: str, playbook: str = "play.yml", limit: str = HOST, **variables: Any) -> Played:  # noqa: ANN401
        extra = json.dumps({f"sriov_bootstrap_{name}": value for name, value in variables.items()})
        done = ansible.run("ansible-playbook", "-i", inventory, "-l", limit, "-e", extra, *words, playbook)
        print(done.stdout + done.stderr)
        return Played(done.stdout + done.stderr)

    return run


def rule(pf: str, num_vfs: int | str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"name": pf, "match": {"pci_address": pf}, "num_vfs": num_vfs, "vf_driver": "none", **more}


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_host_is_checked_changed_and_then_left_alone_and_a_vf_in_use_stays(guest: Guest, play: Play) -> None:
    wanted: dict[str, Any] = {"pf": [rule(PF1, 4), rule(PF2, 3)], "services": SERVICES, "package": ""}
    config, uevents, nova = guest.vm.read(CONFIG_FILE), guest.uevents(), guest.starts(NOVA)

    checked = play("--check", "--diff", **wanted)
    assert (checked.numbers["changed"], checked.numbers["failed"]) == (3, 0)  # the file, the reload, the VFs
    assert "+num_vfs = 4" in checked.text
    assert "VF 6 0000:01:11.4 would be removed" in checked.text
    assert "nova-compute.service would restart" in checked.text
    assert guest.vm.read(CONFIG_FILE) == config
    assert (guest.uevents(), guest.starts(NOVA)) == (uevents, nova)

    guest.check("dpkg --remove sriov-bootstrap", timeout_seconds=300)
    place_bytecode(guest.vm, newest_package())
    with guest.held_vf(PF1) as holder:
        held = guest.vf_incarnations(PF1)
        run = play(**wanted | {"package_file": str(newest_package())})
        assert run.numbers["failed"] == 1
        assert f"pid {holder}" in run.text
        assert guest.vf_incarnations(PF1) == held
        assert guest.vfs() == {PF1: 7, PF2: 3}
        assert guest.check(f"systemctl is-enabled {UNIT}") == "enabled\n"
        fleet = play(playbook=FLEET, limit="all").text
        assert re.search(rf"{HOST} +{PF1} +{PF1} +\w+ +4 +7 +1 +- +\d+ +degraded: in_use", fleet)
        assert re.search(rf"{HOST} +{PF2} +{PF2} +\w+ +3 +3 +0 +- +\d+ +ok", fleet)
        assert re.search(r"gone +- .* unreachable", fleet)
        assert "2 hosts, 1 without an answer; 1 of 2 PFs as desired; VFs: 7 wanted, 10 present, 1 in use" in fleet

    guest.settle({PF1: 4, PF2: 3})  # by itself, for the service has read the config
    again = play("--diff", **wanted)
    assert (again.numbers["changed"], again.numbers["failed"]) == (0, 0)


@pytest.mark.long
def test_a_mistake_names_itself_and_leaves_the_old_config(guest: Guest, play: Play) -> None:
    config = guest.vm.read(CONFIG_FILE)
    misspelt = play(pf=[rule(PF1, 7, physnet="physnet1")])  # nobody asks the host
    assert misspelt.numbers["failed"] == 1
    assert "sriov_bootstrap_pf.physnet" in misspelt.text
    assert "physical_network" in misspelt.text  # among those that are valid
    impossible = play(pf=[rule(PF1, "many")], package="")
    assert impossible.numbers["failed"] == 1
    assert f'[[pf]] "{PF1}": num_vfs: "many" is neither a number' in impossible.text.replace('\\"', '"')
    assert guest.vm.read(CONFIG_FILE) == config
    assert guest.vfs() == {PF1: 7, PF2: 7}
