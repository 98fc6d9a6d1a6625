"""argv -> verb -> exit code: the only place where an exception becomes a code. arguments.py is the parser."""

import contextlib
import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn

from sriov_bootstrap import __version__
from sriov_bootstrap.asked import Arguments
from sriov_bootstrap.base.errors import ExitCode, MistakesError, NotOursError, SriovBootstrapError
from sriov_bootstrap.base.printable import printable, write_stderr

if TYPE_CHECKING:
    from sriov_bootstrap.machine.host_machine import HostMachine


# What units and cron jobs run: argparse alone would cost a tenth of a pass with nothing to do.
WITHOUT_PARSER: dict[tuple[str, ...], Arguments] = {
    ("run",): Arguments(verb="run"),
    ("--once",): Arguments(once=True),
    ("helper", "holders"): Arguments(verb="helper", words=["holders"]),
    ("helper", "bond"): Arguments(verb="helper", words=["bond"]),
    ("helper", "metrics"): Arguments(verb="helper", words=["metrics"]),
    ("helper", "metrics-config"): Arguments(verb="helper", words=["metrics-config"]),
}


def run_and_exit() -> NoReturn:
    """The command as a process of its own: the kernel takes back what it holds, faster than Python would."""
    code = main()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


def main(argv: Sequence[str] | None = None, *, root: str = "") -> int:
    """Runs one command on this host, or on a tree that looks like one below `root`, and returns its exit code."""
    _open_closed_streams()
    _never_fail_to_print()
    words = tuple(sys.argv[1:] if argv is None else argv)
    arguments = WITHOUT_PARSER.get(words) or _parse(words)
    try:
        code = _dispatch(arguments, root)
        _flush()
    except MistakesError as error:
        return _fail(ExitCode.USAGE, error.problems, error.hint)
    except SriovBootstrapError as error:
        code = ExitCode.USAGE if isinstance(error, NotOursError) else ExitCode.ERROR
        return _fail(code, (error.message,), error.hint)
    except KeyboardInterrupt:
        return _fail(ExitCode.INTERRUPTED, ("interrupted",), "a write to the kernel in progress continues on its own")
    except BrokenPipeError:
        _drop_output()  # `status | head`: nothing to complain about
        return ExitCode.ERROR
    except Exception:  # noqa: BLE001 - the last line of defence, with all that a report needs
        import traceback

        for line in traceback.format_exc().splitlines():
            write_stderr(f"  {printable(line)}\n")  # it may quote others' text, and journald obeys a leading "<0>"
        return _fail(
            ExitCode.ERROR, ("unexpected error",), f"please report it with the text above; version {__version__}"
        )
    return code


def _flush() -> None:
    """Here and not at exit, where Python would end with a traceback and a code of its own."""
    try:
        print(end="", flush=True)  # noqa: T201 - does nothing where there is no stdout
    except OSError:
        _drop_output()
        raise


def _open_closed_streams() -> None:
    """Whoever starts us may close these. Files of ours would have their numbers, and no child keeps a file with one."""
    for name in ("stdin", "stdout", "stderr"):  # in the order of their numbers: each gets its own back
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r+", encoding="utf-8"))  # noqa: SIM115 - for as long as we live


def _never_fail_to_print() -> None:
    """What stdout cannot encode is escaped, as on stderr: a foreign name must not end a command."""
    if reconfigure := getattr(sys.stdout, "reconfigure", None):
        reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(code: ExitCode, problems: Sequence[str], hint: str) -> ExitCode:
    for problem in problems:
        write_stderr(f"sriov-bootstrap: {problem}\n")
    if hint:
        write_stderr(f"  hint: {hint}\n")
    return code


# 0.1.0 accepted it and did nothing: no drop-in from then may cost a boot its VFs.
IGNORED = ("-v", "--verbose")


def _parse(words: Sequence[str]) -> Arguments:
    from sriov_bootstrap.arguments import make_parser, misuse

    parser = make_parser()
    meant = [word for word in words if word not in IGNORED]
    arguments = parser.parse_args(meant, namespace=Arguments())
    if problem := misuse(arguments):
        parser.error(problem)
    return arguments


def _dispatch(arguments: Arguments, root: str) -> int:
    if arguments.words != ["metrics"]:  # the exporter needs none
        _load_msgspec()
    if arguments.once:
        return _once(arguments, root)
    return VERBS[arguments.verb or "run"](arguments, root)


def _load_msgspec() -> None:
    """Without typing_extensions, which costs half as much again, and has nothing that typing lacks since Python 3.11.

    msgspec/_utils.py asks for it, and takes typing where it is not installed.
    """
    hidden = "typing_extensions"
    if hidden in sys.modules:
        return
    sys.modules[hidden] = None  # type: ignore[assignment] # what is None here is not found
    try:
        import msgspec  # noqa: F401
    finally:
        del sys.modules[hidden]


@contextlib.contextmanager
def _without_collections() -> Iterator[None]:
    """No search for garbage while modules are loaded and a short pass is made: what they make stays to the end.

    Not for use as a decorator, for which Python 3.15 loads `inspect`.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _machine(arguments: Arguments, root: str) -> "HostMachine":
    """The host that the verb is about, with the config that it names."""
    from sriov_bootstrap.machine.host_machine import HostMachine  # what serves the metrics, or explains, needs none

    named = (arguments.config, arguments.more_config, arguments.files)
    return HostMachine(root=root, config_paths=tuple(path for paths in named for path in paths or ()))


def _run(arguments: Arguments, root: str) -> int:
    with _without_collections():
        from sriov_bootstrap.commands.run import run

        machine = _machine(arguments, root)
    return run(machine, log_format=arguments.log_format or "auto")


def _once(arguments: Arguments, root: str) -> int:
    with _without_collections():
        from sriov_bootstrap.commands.once import once

        dry_run, force, as_json = arguments.dry_run, arguments.force, arguments.json
        return once(_machine(arguments, root), dry_run=dry_run, force=force, as_json=as_json)


def _status(arguments: Arguments, root: str) -> int:
    with _without_collections():
        from sriov_bootstrap.commands.status import status

        return status(_machine(arguments, root), as_json=arguments.json, wait_seconds=arguments.wait)


def _doctor(arguments: Arguments, root: str) -> int:
    from sriov_bootstrap.commands import doctor

    if arguments.explain:
        return doctor.explain(arguments.code, as_json=arguments.json)
    return doctor.doctor(_machine(arguments, root), as_json=arguments.json)


def _release(arguments: Arguments, root: str) -> int:
    from sriov_bootstrap.commands.release import release

    dry_run, force, as_json = arguments.dry_run, arguments.force, arguments.json
    machine = _machine(arguments, root)
    return release(machine, arguments.pci_address, dry_run=dry_run, force=force, as_json=as_json)


def _check_config(arguments: Arguments, root: str) -> int:
    from sriov_bootstrap.commands.check_config import check_config

    return check_config(_machine(arguments, root))


def _helper(arguments: Arguments, root: str) -> int:
    words = tuple(arguments.words or ())
    if words == ("metrics",):  # apart from the others, which load the code that decides
        from sriov_bootstrap.commands.serve_metrics import serve_metrics

        return serve_metrics(root=root)
    if words == ("metrics-config",):
        from sriov_bootstrap.commands.metrics_config import metrics_config

        return metrics_config(_machine(arguments, root))
    if words == ("bond",):
        from sriov_bootstrap.commands.await_bond import await_bond

        return await_bond(root)
    from sriov_bootstrap.commands.helper import helper

    return helper(words, root=root)


def _init(arguments: Arguments, root: str) -> int:
    from sriov_bootstrap.commands.init import init

    return init(_machine(arguments, root))


def _migrate(arguments: Arguments, root: str) -> int:
    from sriov_bootstrap.commands.migrate import print_migration

    return print_migration(_machine(arguments, root), as_json=arguments.json)


def _render(arguments: Arguments, root: str) -> int:
    from sriov_bootstrap.commands.render import Wanted, list_targets, render
    from sriov_bootstrap.render.host import Ask

    if arguments.show_list:
        return list_targets()
    wanted = Wanted(
        arguments.target,
        Ask(arguments.vf, arguments.mac, arguments.vlan),
        diff=arguments.diff,
        write=arguments.write or arguments.apply,
        apply=arguments.apply,
    )
    tree = root if arguments.root is None else arguments.root.rstrip("/")
    return render(_machine(arguments, tree), wanted)


def _openstack(arguments: Arguments, _root: str) -> int:
    from sriov_bootstrap.commands.openstack import openstack

    return openstack(arguments)


def _verify(arguments: Arguments, root: str) -> int:
    if arguments.subject == "openstack":
        from sriov_bootstrap.commands.verify_openstack import verify_openstack

        return verify_openstack(_machine(arguments, root), arguments)
    from sriov_bootstrap.commands.verify import SUBJECTS, VerifyAsk

    ask = VerifyAsk(
        arguments.device,
        arguments.rule,
        arguments.vlan,
        arguments.gateway,
        arguments.timeout,
        as_json=arguments.json,
    )
    return SUBJECTS[arguments.subject](_machine(arguments, root), ask)


# Each imports its verb only when it is asked for: `--once` runs at boot.
VERBS: dict[str, Callable[[Arguments, str], int]] = {
    "run": _run,
    "status": _status,
    "doctor": _doctor,
    "release": _release,
    "check-config": _check_config,
    "helper": _helper,
    "init": _init,
    "migrate": _migrate,
    "openstack": _openstack,
    "render": _render,
    "verify": _verify,
}
