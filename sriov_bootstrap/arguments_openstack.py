"""The parser's part for what asks a cloud: `verify openstack`, and `openstack` itself."""

import argparse

from sriov_bootstrap.asked import ACTIVE_SECONDS, Arguments

# Option -> the attribute of what was asked for that it sets.
OF_VERIFY = {
    "--check": "checks_only",
    "--cloud": "cloud",
    "--host": "hosts",
    "--status": "statuses",
    "--network": "network",
    "--vnic-type": "vnic_type",
    "--switchdev": "with_switchdev",
    "--server": "with_server",
    "--image": "image",
    "--flavor": "flavor",
    "--nova-log": "nova_log",
    "--delete-leftovers": "delete_leftovers",
}
CHANGING = ("--network", "--vnic-type", "--switchdev", "--server", "--delete-leftovers")
OF_SERVER = ("--image", "--flavor")
OF_ATTACH = {
    "--network": "network",
    "--physical-network": "physical_network",
    "--vnic-type": "vnic_type",
    "--switchdev": "with_switchdev",
}


def add_verify_openstack(parser: argparse.ArgumentParser) -> None:
    """What `verify` takes for a cloud."""
    add = parser.add_argument
    _add_cloud(parser, "with openstack: ")
    add("--check", action="store_true", dest="checks_only", help="with openstack: only look, make nothing")
    named = "with openstack: the host's name in nova and neutron (repeatable; default: this host's)"
    add("--host", action="append", dest="hosts", metavar="NAME", help=named)
    status = "with openstack: status --json of each --host, or a directory with NAME.json of many"
    add("--status", action="append", dest="statuses", metavar="FILE", help=status)
    add("--network", default="", metavar="NAME", help="with openstack: the network that the port is made on")
    add("--vnic-type", default="", metavar="TYPE", help="with openstack: the port's vnic type (default: direct)")
    switchdev = "with openstack: the port asks for switchdev, as it does anyway if the host's PFs are all in that mode"
    add("--switchdev", action="store_true", dest="with_switchdev", help=switchdev)
    add("--server", action="store_true", dest="with_server", help="with openstack: boot a VM with the port as well")
    add("--image", default="", metavar="NAME", help="with --server: its image")
    add("--flavor", default="", metavar="NAME", help="with --server: its flavor")
    active = f"with --server: until it is ACTIVE, {ACTIVE_SECONDS:.0f} s"
    wait = f"how long the VM may take (default: 180 s, 900 s without KVM; {active})"
    add("--timeout", type=float, default=0.0, metavar="SECONDS", help=wait)
    add(
        "--nova-log",
        default="",
        metavar="FILE",
        help="with openstack: nova-compute's log: which VFs nova knows, why a VM failed",
    )
    left = "with openstack: delete what an interrupted run has left"
    add("--delete-leftovers", action="store_true", dest="delete_leftovers", help=left)


def add_openstack(parser: argparse.ArgumentParser) -> None:
    """What `openstack` takes."""
    add = parser.add_argument
    actions = ("attach-port", "detach-port")
    add("action", choices=actions, help="attach-port: make a port with a VF for a running server; detach-port: back")
    add("server_name", metavar="SERVER", help="its name or id")
    _add_cloud(parser, "")
    add("--network", default="", metavar="NAME", help="with attach-port: the network that the port is made on")
    on = "with attach-port: a network of this physical network"
    add("--physical-network", default="", metavar="NAME", help=on)
    add("--vnic-type", default="", metavar="TYPE", help="with attach-port: the port's vnic type (default: direct)")
    switchdev = "with attach-port: the port asks for switchdev, which ovn or openvswitch binds"
    add("--switchdev", action="store_true", dest="with_switchdev", help=switchdev)
    add("--port", default="", metavar="ID", help="with detach-port: which one, if the server has several with a VF")


def _add_cloud(parser: argparse.ArgumentParser, where: str) -> None:
    help_ = f"{where}a cloud in clouds.yaml (default: OS_CLOUD and the other OS_* variables)"
    parser.add_argument("--cloud", default="", metavar="NAME", help=help_)


def misuse_of_openstack(arguments: Arguments) -> str:
    """Combinations that the parser cannot check; "" if all is well."""
    return _misuse_of_action(arguments) if arguments.verb == "openstack" else _misuse_of_proof(arguments)


def _misuse_of_proof(arguments: Arguments) -> str:
    given = [option for option, name in OF_VERIFY.items() if getattr(arguments, name)]
    of_server = [option for option in given if option in OF_SERVER]
    waits = arguments.subject == "openstack" and arguments.timeout
    changing = [option for option in given if option in CHANGING]
    rules = (
        (given and arguments.subject != "openstack", f"{(*given, '')[0]} only works with verify openstack"),
        (of_server and not arguments.with_server, f"{(*of_server, '')[0]} only works with --server"),
        (changing and arguments.checks_only, f"{(*changing, '')[0]} does not work with --check, which changes nothing"),
        (
            arguments.with_server and not (arguments.image and arguments.flavor),
            "--server needs --image and --flavor",
        ),
        (waits and not arguments.with_server, "--timeout only works with --server"),
        (waits and arguments.timeout < 0, "--timeout must not be negative"),
        (arguments.nova_log and arguments.statuses, "--nova-log is of this host, and does not work with --status"),
    )
    return next((text for is_wrong, text in rules if is_wrong), "")


def _misuse_of_action(arguments: Arguments) -> str:
    given = [option for option, name in OF_ATTACH.items() if getattr(arguments, name)]
    if arguments.action == "detach-port" and given:
        return f"{given[0]} only works with attach-port"
    return "--port only works with detach-port" if arguments.action == "attach-port" and arguments.port else ""
