"""verify openstack: what neutron and nova make of a host's VFs, from wherever there are credentials."""

import os
import socket
from collections.abc import Callable, Sequence

from msgspec import Struct

from sriov_bootstrap import __version__
from sriov_bootstrap.asked import ACTIVE_SECONDS, Arguments
from sriov_bootstrap.base.errors import CloudError, ExitCode, UsageError
from sriov_bootstrap.base.printable import printable, to_json, write_stderr
from sriov_bootstrap.commands.interruption import ended_by_signals
from sriov_bootstrap.commands.terminal import can_ask, in_colour, is_agreed, progress_printer
from sriov_bootstrap.edges.named_files import json_files, read_end, read_named
from sriov_bootstrap.edges.openstack_api import OpenStackApi, SystemClock
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.machine.jobs import load
from sriov_bootstrap.passes.reconcile import Mode, run_pass
from sriov_bootstrap.verify.openstack.checks import Check, CheckState, check_host
from sriov_bootstrap.verify.openstack.hosts import CloudHost, host_of, parse_status
from sriov_bootstrap.verify.openstack.leftovers import CloudLeftover, delete, leftovers
from sriov_bootstrap.verify.openstack.nova_count import pools_in_log
from sriov_bootstrap.verify.openstack.proof import CloudWish, Proof, ServerWish
from sriov_bootstrap.verify.openstack.questions import flavor_id, image_id, survey
from sriov_bootstrap.verify.openstack.survey import DIRECT, Survey

COLOURS = {CheckState.OK: "32", CheckState.NOTE: "33", CheckState.FAILED: "31"}
SUFFIX = ".json"


class HostAnswer(Struct, frozen=True):
    """What came of one host."""

    host: str
    checks: tuple[Check, ...]


def verify_openstack(machine: HostMachine, asked: Arguments) -> int:
    """0 if all is as it should be, 3 if a check failed. Raises UsageError and CloudError."""
    with ended_by_signals():  # what was made in the cloud is deleted on the way out
        return _verify(machine, asked)


def _verify(machine: HostMachine, asked: Arguments) -> int:
    say = progress_printer()
    hosts = _hosts(machine, asked)
    if not asked.checks_only and len(hosts) > 1:
        raise UsageError(("ports and servers are made for one host at a time",), hint="--check looks at any number")
    cloud = OpenStackApi(asked.cloud)
    say("asking the cloud")
    found = survey(cloud, hosts)
    left = leftovers(cloud, [host.name for host in hosts], found)
    logged = pools_in_log(read_end(asked.nova_log)) if asked.nova_log else None
    answers = [HostAnswer(host.name, check_host(host, found, logged)) for host in hosts]
    if left and _may_delete(left, asked):
        left = _delete_leftovers(cloud, left)
    if not asked.checks_only:
        answers = [HostAnswer(answers[0].host, (*answers[0].checks, *_prove(cloud, say, hosts[0], found, asked)))]
    say("")
    return _print(answers, left, as_json=asked.json)


def _hosts(machine: HostMachine, asked: Arguments) -> tuple[CloudHost, ...]:
    """This host, or those that files describe."""
    names, statuses = asked.hosts or [], asked.statuses or []
    if not statuses:
        if len(names) > 1:
            raise UsageError(("several hosts need the status --json of each: --status FILE",))
        report = run_pass(machine, load(machine, None), mode=Mode.OBSERVE)
        return (host_of(names[0] if names else socket.gethostname(), report.pfs),)
    if len(statuses) == 1 and (found := json_files(statuses[0])) is not None:
        folder = statuses[0]
        wanted = [f"{host}{SUFFIX}" for host in names] or found
        if not wanted:
            raise UsageError((f"{folder}: has no file NAME.json",), hint="one for each host, from its status --json")
        places = {name.removesuffix(SUFFIX): os.path.join(folder, name) for name in wanted}
    elif len(names) != len(statuses):
        raise UsageError(("each --status FILE needs its --host NAME, in the same order",))
    else:
        places = dict(zip(names, statuses, strict=True))
    return tuple(parse_status(name, path, read_named(path)) for name, path in places.items())


def _prove(
    cloud: OpenStackApi, say: Callable[[str], None], host: CloudHost, found: Survey, asked: Arguments
) -> Sequence[Check]:
    server = None
    if asked.with_server:
        server = ServerWish(
            image_id(cloud, asked.image), flavor_id(cloud, asked.flavor), asked.timeout or ACTIVE_SECONDS
        )
    wish = CloudWish(asked.vnic_type or DIRECT, asked.network, asked.with_switchdev, server)
    proof = Proof(cloud, SystemClock(), say, host, found, lambda: read_end(asked.nova_log) if asked.nova_log else "")
    checks: list[Check] = []
    for physical_network in host.physical_networks:
        checks += proof.run(physical_network, wish)
    return checks


def _may_delete(left: Sequence[CloudLeftover], asked: Arguments) -> bool:
    """Asks on a terminal; elsewhere --delete-leftovers says it."""
    if asked.delete_leftovers or asked.checks_only or not can_ask():
        return asked.delete_leftovers
    for leftover in left:
        write_stderr(f"left by an earlier run: {printable(str(leftover))}\n")
    return is_agreed("Delete them?")


def _delete_leftovers(cloud: OpenStackApi, left: Sequence[CloudLeftover]) -> tuple[CloudLeftover, ...]:
    """Those that are still there."""
    kept = []
    for leftover in left:
        try:
            delete(cloud, leftover)
        except CloudError as error:
            write_stderr(f"{printable(str(leftover))}: {error}\n")
            kept.append(leftover)
    return tuple(kept)


def _print(answers: Sequence[HostAnswer], left: Sequence[CloudLeftover], *, as_json: bool) -> int:
    has_failed = any(check.verdict is CheckState.FAILED for answer in answers for check in answer.checks)
    if as_json:
        state = "failed" if has_failed else "ok"
        print(to_json({"version": __version__, "state": state, "hosts": answers, "leftovers": left}).decode())
        return ExitCode.DEGRADED if has_failed else ExitCode.OK
    for answer in answers:
        print(printable(answer.host))
        for check in answer.checks:
            word = in_colour(f"{check.verdict:<6}", COLOURS[check.verdict])
            print(f"  {word}  {check.subject}: {printable(check.text)}")
            if check.hint:
                print(f"          hint: {printable(check.hint)}")
    for leftover in left:
        print(f"left by an earlier run: {printable(str(leftover))}")
    if left:
        print("  hint: sriov-bootstrap verify openstack --delete-leftovers deletes them")
    return ExitCode.DEGRADED if has_failed else ExitCode.OK
