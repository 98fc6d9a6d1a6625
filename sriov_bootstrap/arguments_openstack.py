"""The parser's part for what asks a cloud: `verify openstack`, and `openstack` itself."""

import argparse

from sriov_bootstrap.asked import Arguments

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
    group = parser.add_argument_group("with openstack")
    add = group.add_argument
    _add_cloud(group)
    add("--check", action="store_true", dest="checks_only", help="only look, make nothing")
    named = "the host's name in nova and neutron (repeatable; default: this host's)"
    add("--host", action="append", dest="hosts", metavar="NAME", help=named)
    status = "status --json of each --host, or a directory with NAME.json of many"
    add("--status", action="append", dest="statuses", metavar="FILE", help=status)
    add("--network", default="", metavar="NAME", help="the network that the port is made on")
    add("--vnic-type", default="", metavar="TYPE", help="the port's vnic type (default: direct)")
    switchdev = "the port asks for switchdev, as it does anyway if the host's PFs are all in that mode"
    add("--switchdev", action="store_true", dest="with_switchdev", help=switchdev)
    add("--server", action="store_true", dest="with_server", help="boot a VM with the port as well")
    add("--image", default="", metavar="NAME", help="with --server: its image")
    add("--flavor", default="", metavar="NAME", help="with --server: its flavor")
    log = "nova-compute's log: which VFs nova knows, why a VM failed"
    add("--nova-log", default="", metavar="FILE", help=log)
    left = "delete what an interrupted run has left"
    add("--delete-leftovers", action="store_true", dest="delete_leftovers", help=left)


def add_openstack(parser: argparse.ArgumentParser) -> None:
    """What `openstack` takes."""
    actions = ("attach-port", "detach-port")
    action = "attach-port: make a port with a VF for a running server; detach-port: back"
    parser.add_argument("action", choices=actions, help=action)
    parser.add_argument("server_name", metavar="SERVER", help="its name or id")
    _add_cloud(parser)
    add = parser.add_argument_group("with attach-port").add_argument
    add("--network", default="", metavar="NAME", help="the network that the port is made on")
    add("--physical-network", default="", metavar="NAME", help="a network of this physical network")
    add("--vnic-type", default="", metavar="TYPE", help="the port's vnic type (default: direct)")
    switchdev = "the port asks for switchdev, which ovn or openvswitch binds"
    add("--switchdev", action="store_true", dest="with_switchdev", help=switchdev)
    add = parser.add_argument_group("with detach-port").add_argument
    add("--port", default="", metavar="ID", help="which one, if the server has several with a VF")


def _add_cloud(parser: argparse._ActionsContainer) -> None:  # a parser, or a group of its options
    help_ = "a cloud in clouds.yaml (default: OS_CLOUD and the other OS_* variables)"
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
        (arguments.nova_log and arguments.statuses, "--nova-log is of this host, and does not work with --status"),
    )
    return next((text for is_wrong, text in rules if is_wrong), "")


def _misuse_of_action(arguments: Arguments) -> str:
    given = [option for option, name in OF_ATTACH.items() if getattr(arguments, name)]
    if arguments.action == "detach-port" and given:
        return f"{given[0]} only works with attach-port"
    return "--port only works with detach-port" if arguments.action == "attach-port" and arguments.port else ""
