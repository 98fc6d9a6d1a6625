"""The parser: every option and its help. Only loaded if the words are more than a unit's."""

import argparse
import os
from functools import partial
from typing import Any

from sriov_bootstrap import __version__
from sriov_bootstrap.arguments_openstack import add_openstack, add_verify_openstack, misuse_of_openstack
from sriov_bootstrap.asked import ACTIVE_SECONDS, Arguments, seconds
from sriov_bootstrap.verb_help import VERB_HELP

DESCRIPTION = """\
Creates SR-IOV virtual functions (VFs) on this host and keeps them in place.

Without a command, runs the daemon, as the unit sriov-bootstrap.service does."""

EPILOG = """\
examples:
  sriov-bootstrap init > /etc/sriov-bootstrap/config.toml   a commented config for this host's NICs
  sriov-bootstrap --once --dry-run                          what would be done, and which VFs and units it affects
  sriov-bootstrap --once                                    do it now; works while the daemon runs
  sriov-bootstrap status                                    the state, the desired state, and why they differ
  sriov-bootstrap doctor                                    what is wrong, from the firmware to nova and the agent

exit codes:
  0  every PF is as desired          2  wrong usage or config       130  interrupted
  1  could not be done, or error     3  some PF is not as desired

files: /etc/sriov-bootstrap/config.toml, config.d/*.toml in /usr/lib, /etc and /run/sriov-bootstrap
manual: man 8 sriov-bootstrap, man 5 sriov-bootstrap.toml"""

DEFAULT_WAIT_SECONDS = 300.0
SUBJECTS = "vf: one VF; host: one of each PF that a rule has; openstack: what neutron and nova make of them"
TIMEOUT = f"how long the VM may take (default: 180 s, 900 s without KVM; with --server: {ACTIVE_SECONDS:.0f} s)"
JSON_VERBS = ("status", "doctor", "release", "migrate", "verify", "openstack")
WITHOUT_CONFIG = frozenset({"init", "helper", "openstack"})


class Parser(argparse.ArgumentParser):
    """Knows how wide a help text may be; argparse would import shutil to find out, and three compressions with it."""

    def __init__(self, *, formatter_class: Any = argparse.HelpFormatter, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(formatter_class=partial(formatter_class, width=_width()), **settings)


def _width() -> int:
    try:
        columns = int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        columns = 0
    try:
        return (columns if columns > 0 else os.get_terminal_size().columns or 80) - 2
    except OSError:
        return 78


def make_parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = Parser(
        prog="sriov-bootstrap", description=DESCRIPTION, epilog=EPILOG, formatter_class=raw, allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"sriov-bootstrap {__version__}")
    parser.add_argument("--once", action="store_true", help="one pass, then exit: the manual reapply")
    _add_acting(parser, default=False, where="with --once and release: ")
    _add_config(parser, default=None, name="config")
    _add_log_format(parser, default="", where="with run: ")
    _add_json(parser, default=False)
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND", title="commands", prog="sriov-bootstrap")
    files = Parser(add_help=False)
    _add_config(files, default=argparse.SUPPRESS, name="more_config")  # or it would replace what stands before
    answers = Parser(add_help=False)
    _add_json(answers, default=argparse.SUPPRESS)
    for verb, told in VERB_HELP.items():
        own = verbs.add_parser(
            verb,
            parents=[files] * (verb not in WITHOUT_CONFIG) + [answers] * (verb in JSON_VERBS),
            help=told.line,
            description=told.description,
            epilog=told.epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if verb in ADDERS:
            ADDERS[verb](own)
    return parser


def misuse(arguments: Arguments) -> str:
    """Combinations that the parser cannot check; argparse's own error exit is 2, like ours.

    No option is accepted where it would do nothing: the user should know that it did not count.
    """
    verb, once = arguments.verb, arguments.once
    has_config, no_reader = bool(arguments.config or arguments.more_config), _reads_no_config(arguments)
    rules = (
        (once and verb, f"--once and {verb} are mutually exclusive"),
        (
            not once and verb != "release" and (arguments.dry_run or arguments.force),
            "--dry-run and --force only work with --once and release",
        ),
        (
            arguments.json and not once and verb not in JSON_VERBS,
            f"--json only works with --once, {', '.join(JSON_VERBS[:-1])} and {JSON_VERBS[-1]}",
        ),
        (
            arguments.log_format and (once or verb not in {None, "run"}),
            "--log-format only works with run: nothing else writes a log",
        ),
        (has_config and no_reader, f"--config does not work with {no_reader}, which reads no config"),
    )
    said = next((text for is_wrong, text in rules if is_wrong), "")
    more = {"render": _misuse_of_render, "verify": _misuse_of_verify, "openstack": misuse_of_openstack}.get(verb or "")
    return said or (more(arguments) if more else "")


def _reads_no_config(arguments: Arguments) -> str | None:
    if arguments.explain:
        return "doctor explain"
    if arguments.show_list:
        return "render --list"
    if arguments.statuses:
        return "--status"
    return arguments.verb if arguments.verb in WITHOUT_CONFIG else None


def _misuse_of_render(arguments: Arguments) -> str:
    is_acting = arguments.diff or arguments.write or arguments.apply
    is_about_a_vf = arguments.vf or arguments.mac or arguments.vlan
    rules = (
        (bool(arguments.target) == arguments.show_list, "render needs a TARGET, or --list"),
        (
            arguments.show_list and (is_acting or is_about_a_vf or arguments.root is not None),
            "--list must be the only argument",
        ),
        (is_about_a_vf and not arguments.target.startswith("libvirt"), "VF, --mac and --vlan only work with libvirt"),
        (arguments.diff and (arguments.write or arguments.apply), "--diff and --write are mutually exclusive"),
        (
            arguments.apply and arguments.target not in {"kernel-cmdline", "all"},
            "--apply only works with kernel-cmdline and all",
        ),
        (
            arguments.apply and arguments.root is not None,
            "--apply and --root are mutually exclusive: it would change this host's boot menu; use --write",
        ),
    )
    return next((text for is_wrong, text in rules if is_wrong), "")


def _misuse_of_verify(arguments: Arguments) -> str:
    is_about_one = arguments.device or arguments.rule
    if is_about_one and arguments.subject != "vf":
        return "PF, VF and --rule only work with verify vf"
    if (arguments.vlan or arguments.gateway) and arguments.subject == "openstack":
        return "--vlan and --gateway only work with verify vf and verify host"
    return misuse_of_openstack(arguments)


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("explain", nargs="?", choices=("explain",), help="explain a code, or list all codes")
    parser.add_argument(
        "code", nargs="?", default="", metavar="CODE", help="a code as printed by doctor, such as SB-E101"
    )


def _add_render(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", nargs="?", default="", metavar="TARGET", help="what to render, or all; see --list")
    parser.add_argument("vf", nargs="?", default="", metavar="VF", help="for libvirt: the PCI address of one VF")
    parser.add_argument("--list", action="store_true", dest="show_list", help="list the targets")
    parser.add_argument("--diff", action="store_true", help="compare with what is installed")
    parser.add_argument("--write", action="store_true", help="install it: only drop-ins with our own name")
    parser.add_argument("--apply", action="store_true", help="with kernel-cmdline: write, and update the boot loader")
    parser.add_argument("--root", metavar="DIR", help="use the tree below DIR instead, also for writing")
    add = parser.add_argument_group("for libvirt").add_argument
    add("--mac", default="", help="the MAC address for the VF")
    add("--vlan", type=int, default=0, metavar="ID", help="the VLAN for the VF")


def _add_verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("subject", choices=("vf", "host", "openstack"), help=SUBJECTS)
    parser.add_argument("device", nargs="?", default="", metavar="PF|VF", help="with vf: PCI address, or a PF's netdev")
    add = parser.add_argument_group("with vf and host").add_argument
    add("--rule", default="", metavar="NAME", help="with vf: a PF of this rule")
    add("--vlan", type=int, default=0, metavar="ID", help="the VLAN that the VM's VFs get")
    add("--gateway", default="", metavar="ADDRESS", help="also ask for this IPv4 address by ARP")
    add("--timeout", type=seconds, default=0.0, metavar="SECONDS", help=TIMEOUT)
    add_verify_openstack(parser)


def _add_config(parser: argparse.ArgumentParser, *, default: str | None, name: str) -> None:
    help_ = "use only this file (repeatable)"
    parser.add_argument("--config", action="append", dest=name, metavar="FILE", default=default, help=help_)


def _add_run(parser: argparse.ArgumentParser) -> None:
    _add_log_format(parser, default=argparse.SUPPRESS)


def _add_release(parser: argparse.ArgumentParser) -> None:
    _add_acting(parser, default=argparse.SUPPRESS)
    parser.add_argument("pci_address", metavar="PCI_ADDRESS", help="the PF's address, as status shows it")


def _add_check_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="*", metavar="FILE", help="these files instead of the installed ones")


def _add_helper(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="+", metavar="WORD", help="holders, or reload DRIVER")


def _add_wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait",
        nargs="?",
        type=seconds,
        const=DEFAULT_WAIT_SECONDS,
        metavar="SECONDS",
        help=f"wait until every PF is as desired, by default {DEFAULT_WAIT_SECONDS:.0f} s at most",
    )


def _add_log_format(parser: argparse.ArgumentParser, *, default: str, where: str = "") -> None:
    help_ = f"{where}format of the log on stderr (default: auto)"
    parser.add_argument("--log-format", choices=("auto", "console", "json"), default=default, help=help_)


def _add_acting(parser: argparse.ArgumentParser, *, default: str | bool, where: str = "") -> None:
    plan = f"{where}print the plan, change nothing"
    parser.add_argument("--dry-run", action="store_true", default=default, help=plan)
    force = f"{where}also destroy VFs in use"
    parser.add_argument("--force", action="store_true", default=default, help=force)


def _add_json(parser: argparse.ArgumentParser, *, default: str | bool) -> None:
    parser.add_argument("--json", action="store_true", default=default, help="print the answer as JSON")


ADDERS = {
    "run": _add_run,
    "status": _add_wait,
    "doctor": _add_doctor,
    "release": _add_release,
    "check-config": _add_check_config,
    "helper": _add_helper,
    "render": _add_render,
    "verify": _add_verify,
    "openstack": add_openstack,
}
