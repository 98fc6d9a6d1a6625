"""init: looks at this host's NICs and prints a commented config for them."""

import re

from sriov_bootstrap.base.errors import ExitCode
from sriov_bootstrap.commands.terminal import progress_printer
from sriov_bootstrap.core.config import Config, Match, PfRule
from sriov_bootstrap.core.facts import Link
from sriov_bootstrap.core.presence import absences
from sriov_bootstrap.edges.templates import read_template, schema_uri
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.passes.presence import find_devices
from sriov_bootstrap.passes.read import read_facts
from sriov_bootstrap.render.ports import NETDEV
from sriov_bootstrap.render.templates import render

ANY_NIC = PfRule("", Match(), "max")


def init(machine: HostMachine) -> int:
    """Changes nothing: the current VFs become the config, so applying it does nothing either."""
    machine.say = progress_printer()
    raws = machine.read_pfs(others=lambda *_: True, serial_numbers=True)
    found = read_facts(machine, Config(), [raw.pci_address for raw in raws])
    pfs, others = ([pf for pf in found if pf.is_nic is is_nic] for is_nic in (True, False))
    links = machine.read_links()
    altnames = {
        pf.pci_address: [name for dev in pf.ports for name in links.by_name.get(dev.name, Link("")).altnames]
        for pf in pfs
    }
    names = (dev.name for pf in pfs for dev in pf.ports)
    plain = {name for name in names if re.fullmatch(NETDEV, name)}  # the others would need TOML's escapes
    serials = {raw.pci_address: raw.attributes.get("serial_number") for raw in raws}
    devices = find_devices(machine, (ANY_NIC,), found)
    absent = [absence for absence in absences(ANY_NIC, devices) if not absence.function.physfn]
    context = {
        "pfs": pfs,
        "absent": absent,
        "platform": devices.platform,
        "others": others,
        "serials": serials,
        "altnames": altnames,
        "plain": plain,
        "schema": schema_uri(),
    }
    print(render(read_template("config.toml.j2"), context), end="")
    return ExitCode.OK
