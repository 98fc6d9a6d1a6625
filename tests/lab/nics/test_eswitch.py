"""The switch in a NIC on real kernel code: netdevsim has devlink's eswitch, representors and hw-tc-offload.

It is no PCI device, so a pass takes it for one through a thin seam: guest/netdevsim/, which runs in the guest.
"""

import json
from typing import Any, Final

import pytest

from lab.cache import HERE
from lab.host import Guest

FOLDER: Final = "/root/netdevsim"
MODE, BACK = ("set the eswitch mode from legacy to switchdev", "set the eswitch mode from switchdev to legacy")
STILL: Final = "make sure that the eswitch mode is still switchdev: changed"
COUNT, NONE = "set sriov_numvfs from 0 to 3: changed", "set sriov_numvfs from 3 to 0: changed"


@pytest.fixture
def netdevsim(guest: Guest) -> Guest:
    """A guest with one that has no VFs yet."""
    guest.check("modprobe netdevsim && echo '1 1' >/sys/bus/netdevsim/new_device && udevadm settle")
    for program in (HERE / "guest" / "netdevsim").glob("*.py"):
        guest.vm.push(program, f"{FOLDER}/lab/guest/netdevsim/{program.name}")
    return guest


def run(guest: Guest, *words: str) -> list[Any]:
    """What each word of steps.py prints."""
    command = f"cd {FOLDER} && python3 -m lab.guest.netdevsim.steps {' '.join(words)}"
    return [json.loads(line) for line in guest.check(command).splitlines()]


def its_switch(told: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = told["told"]["by_address"]["netdevsim1"]
    return found


def test_the_mode_is_set_kept_restored_and_taken_back_also_after_a_kill(netdevsim: Guest) -> None:
    words = ["pass:switchdev:3", "pass:switchdev:3", "lose", "pass:switchdev:3", "pass:switchdev:0", "pass:switchdev:3"]
    words += ["pass:legacy:3", "crash:0:switchdev:3", "pass:switchdev:3", "pass:legacy:0", "crash:1:switchdev:3"]
    first, second, lost, restored, none, again, back, killed, ended, off, in_between, last = run(
        netdevsim, *words, "pass:switchdev:3"
    )
    wait = "wait for 3 representors and set hw-tc-offload on: changed"
    assert first["steps"] == [COUNT, f"{MODE}: changed", wait]
    assert second["steps"] == []
    assert its_switch(lost)["mode"] == "legacy"
    assert restored["steps"] == [f"{MODE}: changed", wait]
    assert (none["mode"], none["vfs"], none["steps"][:2]) == ("switchdev", 0, [NONE, STILL])
    assert again["steps"] == [COUNT, wait]
    assert (back["mode"], back["representors"], back["steps"]) == ("legacy", 0, [f"{BACK}: changed"])
    assert (killed, in_between) == (9, 9)
    passes = (first, second, restored, none, again, back, ended, off, last)
    assert {done["state"] for done in passes} == {"ok"}, passes
    assert {(done["mode"], done["representors"]) for done in (first, restored, again, ended, last)} == {
        ("switchdev", 3)
    }


def test_what_the_edge_reads_is_what_devlink_and_ethtool_have(netdevsim: Guest) -> None:
    _, told, refused = run(netdevsim, "pass:switchdev:3", "param", "encap")
    found = its_switch(told)
    shown = json.loads(netdevsim.check("devlink -j port show"))["port"]
    netdevs = {port["netdev"] for port in shown.values() if port.get("flavour") == "pcivf"}
    assert {port["netdev"] for port in found["representors"].values()} == netdevs
    assert {port["has_tc_offload"] for port in (found["uplink"], *found["representors"].values())} == {True}
    assert found["params"] == {"max_macs": {"driverinit": 16}, "test1": {"driverinit": True}}
    assert refused == {"errno": 95, "message": "Operation not supported"}


def test_a_reload_of_the_device_takes_vfs_and_mode_and_the_next_pass_restores_both(netdevsim: Guest) -> None:
    """As for a parameter of the mode driverinit (nsim_dev_reload_destroy)."""
    first, param, reloaded, again, second = run(
        netdevsim, "pass:switchdev:3", "param", "reload", "pass:switchdev:3", "pass:switchdev:3"
    )
    assert (first["state"], its_switch(param)["mode"], reloaded) == ("ok", "switchdev", {"vfs": 0})
    wait = "wait for 3 representors and set hw-tc-offload on: changed"
    assert again["steps"] == [COUNT, f"{MODE}: changed", wait]
    assert (again["state"], again["representors"], second["steps"]) == ("ok", 3, [])
