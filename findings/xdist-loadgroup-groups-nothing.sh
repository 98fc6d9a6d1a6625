#!/usr/bin/env bash
# pytest-xdist 3.8.0 with pytest 9.2.0: `--dist loadgroup` runs the tests of one group in several processes, and says nothing.
#
# Seen: six tests of one xdist_group. With pytest 8.4.2 one process runs them all, as documented. With pytest 9.2.0 two
# processes share them; all pass, with no warning, so that a suite whose groups keep a port, a database or a guest to
# themselves becomes flaky by an upgrade of pytest alone.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >test_group.py <<'END'
import time
from pathlib import Path

import pytest


@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(6))
def test_in_a_group(number: int, worker_id: str) -> None:
    Path(f"ran-{number}").write_text(worker_id)
    time.sleep(0.5)
END
: >seen
for version in 8.4.2 9.2.0; do
    echo "installing pytest $version, pytest-xdist 3.8.0 ..."
    python3 -m venv "venv-$version"
    "venv-$version/bin/pip" install --quiet --disable-pip-version-check "pytest==$version" pytest-xdist==3.8.0 2>pip.log ||
        { cat pip.log >&2; exit 2; }
    "venv-$version/bin/pytest" -q -n 2 --dist loadgroup -p no:cacheprovider test_group.py >pytest.log ||
        { cat pytest.log >&2; exit 2; }
    processes=$(for file in ran-*; do cat "$file"; echo; done | sort -u | wc -l)
    echo "pytest $version: $(grep -o '[0-9]* passed' pytest.log), one group in $processes process(es)" | tee -a seen
    rm ran-*
done
diff -u - seen <<'END' || { echo "CHANGED: not what pytest-xdist 3.8.0 did" >&2; exit 1; }
pytest 8.4.2: 6 passed, one group in 1 process(es)
pytest 9.2.0: 6 passed, one group in 2 process(es)
END
