"""The daemon's jobs: what is loaded where."""

import subprocess
import sys

from fakes_host import HostTree

PAGE = """\
import sys
from sriov_bootstrap.base.errors import SriovBootstrapError
from sriov_bootstrap.edges import child
from sriov_bootstrap.machine import jobs
from sriov_bootstrap.machine.host_machine import HostMachine

{before}
machine = HostMachine(root=sys.argv[1])
for _ in range(2):
    page = jobs.start_page(machine, jobs.load(machine, None))
    print("prometheus_client.core" in sys.modules)
    try:
        print(jobs.page_problems(child.finish(page, what="the page", timeout_seconds=60)))
    except SriovBootstrapError as error:
        print(error.message.splitlines()[-1])
"""


def said_of_two_pages(tree: HostTree, before: str) -> list[str]:
    command = [sys.executable, "-I", "-c", PAGE.format(before=before), str(tree.root)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def test_what_pages_need_is_loaded_once_by_the_process_that_starts_them(tree: HostTree) -> None:
    """A process of its own for each page would else spend most of its time on that."""
    assert said_of_two_pages(tree, "") == ["True", "()"] * 2


def test_a_library_that_does_not_load_costs_the_page_and_says_so(tree: HostTree) -> None:
    did_load, said = said_of_two_pages(tree, 'sys.modules["prometheus_client"] = None')[-2:]
    assert did_load == "False"
    assert "prometheus_client" in said


LOOK = """\
import os, sys
from sriov_bootstrap.doctor.examination import examine
from sriov_bootstrap.machine import jobs
from sriov_bootstrap.machine.host_machine import HostMachine

machine = HostMachine(root=sys.argv[1])
look = jobs.start_inspection(machine, jobs.load(machine, None), examine)
said = b"".join(iter(lambda: os.read(look.fd, 1 << 16), b""))
os.waitpid(look.pid, 0)
print(*said.decode().splitlines()[:-1], sep="\\n")
"""


def test_a_look_says_what_it_looks_at_next_however_fast_it_is(tree: HostTree) -> None:
    """So that the daemon knows a slow one from one that hangs, and where."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", LOOK, str(tree.root)], check=True, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == [
        "systemd's units",
        "firmware and kernel",
        "NICs and VFs",
        "files of what else sets VFs",
        "the service itself",
        "files of nova and neutron",
        "what was read",
    ]
