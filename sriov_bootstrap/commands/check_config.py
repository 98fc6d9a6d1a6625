"""check-config: reads the config as the daemon would, and reports everything wrong with it."""

from sriov_bootstrap.base.errors import ExitCode
from sriov_bootstrap.base.printable import printable
from sriov_bootstrap.core import decode, validate
from sriov_bootstrap.core.config import PfRule
from sriov_bootstrap.core.plurals import quantity
from sriov_bootstrap.machine.host_machine import HostMachine


def check_config(machine: HostMachine) -> int:
    """ConfigError carries the problems to cli.py."""
    files = decode.effective(machine.read_config())
    config = decode.decode(files)
    if path := config.metrics.web_config:
        from sriov_bootstrap.machine.web_access import WebAccess

        WebAccess(path).read()
    if not files:
        print("no config file: valid, nothing to do")
        return ExitCode.OK
    for file in files:
        print(f"read {printable(file.path)}")
    for rule in config.pf:
        print(f'rule "{rule.name}": {_num_vfs_text(rule)} on every PF with {printable(str(rule.match))}')
        if link := _link_text(rule):
            print(f"  {link}")
        if rule.asks_devlink:
            _print_switch(rule)
        for table in rule.vf:
            print(f"  VFs {printable(table.vfs)}: {printable(table.wishes_text)}")
        for doubt in validate.driver_doubts(rule):
            print(f"  note: {doubt}")
    if path:
        print(f"read {path} and the files that it names")
    print("valid")
    return ExitCode.OK


def _print_switch(rule: PfRule) -> None:
    """Its mode and parameters, and when each of these takes effect."""
    from sriov_bootstrap.core.switch_actions import SetDevlinkParams, SetUpEswitch

    if rule.eswitch:
        bond = "VFs bound once their PFs' bond is offloaded" if rule.eswitch.vf_lag else ""
        parts = (f"eswitch mode {rule.eswitch.mode}", str(SetUpEswitch("", rule.eswitch)), bond)
        print(f"  {', '.join(filter(None, parts))}")
    if rule.params:
        print(f"  {printable(str(SetDevlinkParams('', rule.params)))}")


def _num_vfs_text(rule: PfRule) -> str:
    return quantity(rule.num_vfs, "VF") if isinstance(rule.num_vfs, int) else f'num_vfs = "{rule.num_vfs}"'


def _link_text(rule: PfRule) -> str:
    parts = (f"mtu {rule.mtu}" if rule.mtu else "", f"promisc {rule.promisc}" if rule.promisc else "")
    return ", ".join(filter(None, parts))
