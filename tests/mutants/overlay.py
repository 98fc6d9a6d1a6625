"""A place where one mutant at a time is installed and tried: a venv of its own, whose package is a copy.

Tests refuse a package outside their venv, and start children with `-I`, so a directory in PYTHONPATH would not do. All
other libraries come from .venv.
"""

import os
import re
import shutil
import signal
import subprocess
import sysconfig
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from mutants.covering import BUILD, PACKAGE, environment_of_tests
from mutants.mutations import Mutant, mutated
from sources import ROOT

MEMORY_BYTES: Final = 4 << 30  # for a loop that never ends and appends
PASSED, USAGE_ERROR, NOTHING_COLLECTED, TIMED_OUT = 0, 4, 5, -1000


class Outcome(StrEnum):
    KILLED = "killed"
    HUNG = "hung"
    SURVIVED = "survived"
    EQUIVALENT = "equivalent"

    @property
    def is_kill(self) -> bool:
        return self in {Outcome.KILLED, Outcome.HUNG}


@dataclass(frozen=True)
class Trial:
    """`by`: the test that failed."""

    outcome: Outcome
    by: str = ""


class Overlay:
    """One for each process that tries mutants."""

    def __init__(self, number: int) -> None:
        home = BUILD / f"venv-{number}"
        shutil.rmtree(home, ignore_errors=True)
        venv.EnvBuilder(symlinks=True).create(home)
        installed = Path(sysconfig.get_path("purelib"))
        libraries = Path(sysconfig.get_path("purelib", vars={"base": str(home)}))
        for part in (PACKAGE, *(path.name for path in installed.glob(f"{PACKAGE}-*.dist-info"))):
            shutil.copytree(installed / part, libraries / part)
        (libraries / "others.pth").write_text(f"{installed}\n")
        self._python = home / "bin/python"
        self._package = libraries / PACKAGE
        self._environment = environment_of_tests()

    def judge(self, mutant: Mutant, tests: Sequence[str], seconds: int) -> Trial:
        """Up to the first test that fails."""
        module = self._package / mutant.file
        source = module.read_text()
        module.write_text(mutated(source, mutant.index))
        try:
            # Python takes a compiled module for current by the size of its source and the second of its last change.
            shutil.rmtree(module.parent / "__pycache__", ignore_errors=True)
            return self.run(tests, seconds)
        finally:
            module.write_text(source)
            shutil.rmtree(module.parent / "__pycache__", ignore_errors=True)

    def run(self, tests: Sequence[str], seconds: int) -> Trial:
        """`seconds` are of CPU time: a busy machine makes no mutant hang. One that only waits has ten times as long.

        -P: what is imported is in this venv, not in the checkout.
        """
        limits = ["prlimit", f"--as={MEMORY_BYTES}", f"--cpu={seconds}", "--core=0"]
        options = ["-x", "-q", "--no-cov", "--no-header", "--tb=no", "-p", "no:cacheprovider"]
        code, output = self._output([*limits, str(self._python), "-P", "-m", "pytest", *options, *tests], seconds * 10)
        if code == USAGE_ERROR and "not found:" in output and any("[" in test for test in tests):
            # A table that is made from the package has lost a row.
            return self.run(list(dict.fromkeys(test.partition("[")[0] for test in tests)), seconds)
        if code in {PASSED, NOTHING_COLLECTED}:
            assert code == PASSED, output
            return Trial(Outcome.SURVIVED)
        if code in {TIMED_OUT, -signal.SIGXCPU, -signal.SIGKILL}:
            return Trial(Outcome.HUNG)
        failed = re.search(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
        return Trial(Outcome.KILLED, failed[1] if failed else output.strip().rpartition("\n")[2])

    def _output(self, command: Sequence[str], seconds: int) -> tuple[int, str]:
        """Code, and what was said. What is not done by then is killed, with its children."""
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as child:
            try:
                output, _ = child.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                return TIMED_OUT, ""
        return child.returncode, output
