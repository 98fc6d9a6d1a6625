"""A D-Bus library that is missing or broken costs restarts, never VFs, and is said."""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from builders import PF

BREAKAGES = {
    "it is absent": (None, "ModuleNotFoundError: No module named 'dbus_next'"),
    "it is another library": ("", "ModuleNotFoundError: No module named 'dbus_next.aio'"),
    "it misses a name of Python": ("raise ImportError('cannot import name')", "ImportError: cannot import name"),
    "it is not for this Python": ("print 'hello'", "SyntaxError: "),
    "it raises what nobody expects": ("raise RuntimeError('no')", "RuntimeError: no"),
    "it ends the process": ("raise SystemExit(3)", "SystemExit: 3"),
}
A_FIRST_APPLY = """
import sys
from pathlib import Path
from builders import PF
from fakes_host import HostTree, rule
from fakes_kernel import kernel_of
from sriov_bootstrap.cli import main
tree = HostTree(Path(sys.argv[1]))
tree.add_pf()
tree.configure(rule(4))
with kernel_of(tree, PF):
    for words in ("--once", "status", "doctor"):
        main([words, "--json"], root=str(tree.root))
"""


@pytest.fixture(params=BREAKAGES)
def broken_library(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, str]:
    """All that is installed but dbus-next, and what Python says when that is loaded."""
    folder = tmp_path / "library"
    folder.mkdir()
    for entry in Path(msgspec.__file__).parents[1].iterdir():
        if not entry.name.startswith("dbus_next"):
            (folder / entry.name).symlink_to(entry)
    code, said = BREAKAGES[request.param]
    if code is not None:
        (folder / "dbus_next").mkdir()
        (folder / "dbus_next/__init__.py").write_text(f"{code}\n")
    return folder, said


def test_a_library_that_does_not_load_costs_restarts_and_no_vf(
    tmp_path: Path, broken_library: tuple[Path, str]
) -> None:
    library, said = broken_library
    environment = {**os.environ, "PYTHONPATH": f"{library}:{Path(__file__).parents[1] / 'support'}"}
    argv = [sys.executable, "-S", "-c", A_FIRST_APPLY, str(tmp_path / "host")]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, env=environment)
    once, status, doctor = map(json.loads, done.stdout.splitlines())

    assert [(pf["state"], pf["num_vfs"]) for pf in once["report"]["pfs"]] == [("ok", 4)]
    problem, hint = once["restarts"]["problem"], once["restarts"]["hint"]
    assert problem.startswith(f"dbus-next cannot be loaded: {said}")
    assert hint.startswith(f"install dbus-next 0.2.3 for {sys.executable} ")

    changed = f"restarts are pending, because VFs changed on: {PF}"
    assert (status["state"], *status["notes"][:2]) == ("ok", changed, f"they could not be made: {problem}")

    (finding,) = [one for one in doctor["findings"] if one["code"] == "SB-E719"]
    assert (finding["place"], finding["evidence"], finding["remedy"]) == ("dbus-next", problem, hint)


@pytest.mark.parametrize("first", ["", "import gi\n"])
def test_bindings_of_glib_are_not_loaded_for_it_and_stay_for_who_has_them(tmp_path: Path, first: str) -> None:
    """They take as long as dbus-next itself, for a main loop that nobody runs here."""
    (tmp_path / "gi").mkdir()
    (tmp_path / "gi/__init__.py").write_text("print('loaded')\n")
    code = f"{first}import sriov_bootstrap.edges.systemd.library\nimport sys\nprint('gi' in sys.modules)\nimport gi\n"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert done.stdout.split() == (["loaded", "True"] if first else ["False", "loaded"])
