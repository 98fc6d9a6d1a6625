"""What programs in other languages take in, and how these are told from shell."""

import pytest

from boot_files import FILE, Files, add_two_ports, diagnosed, rc_local, service, write_files
from fakes_host import HostTree

PYTHON = "#!/usr/bin/env python3\n"
OPEN = f"def go():\n    open('{FILE}', 'w').write('8')\n"
DIST = "/usr/local/lib/python3.11/dist-packages"


@pytest.fixture
def tree(tree: HostTree) -> HostTree:
    return add_two_ports(tree)


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({"opt/a.py": f"{PYTHON}import os, vfs as v\nv.go()\n", "-opt/vfs.py": OPEN}, "/opt/vfs.py:2"),
        ({"opt/a.py": f"{PYTHON}from vfs import go\n", "-opt/vfs/__init__.py": OPEN}, "/opt/vfs/__init__.py:2"),
        ({"opt/a.py": f"{PYTHON}from lib import (vfs,\n", "-opt/lib/vfs.py": OPEN}, "/opt/lib/vfs.py:2"),
        (
            {"opt/a.py": f"{PYTHON}import core\n", "-opt/core.py": "from .vfs import go\n", "-opt/vfs.py": OPEN},
            "/opt/vfs.py:2",
        ),
        (
            {"opt/a.py": f"{PYTHON}sys.path.insert(0, '/srv/lib')\nimport vfs\n", "-srv/lib/vfs.py": OPEN},
            "/srv/lib/vfs.py:2",
        ),
        ({"opt/a.py": f"{PYTHON}import up.vfs\n", f"-{DIST[1:]}/up/vfs.py": OPEN}, f"{DIST}/up/vfs.py:2"),
        ({"opt/a.py": f"{PYTHON}import vfs\n", f"-{DIST[1:]}/vfs.py": OPEN}, f"{DIST}/vfs.py:2"),
        (
            {
                "opt/a.py": "#!/opt/e/bin/python3\nfrom up.cli import main\n",
                "-opt/e/lib/python3.11/site-packages/up/cli.py": "from up.net import vfs\n",
                "-opt/e/lib/python3.11/site-packages/up/net/vfs.py": OPEN,
            },
            "/opt/e/lib/python3.11/site-packages/up/net/vfs.py:2",
        ),
        (
            {
                "opt/a.py": "#!/usr/bin/perl\nuse strict;\nuse VF::Setup;\n",
                "-opt/lib/VF/Setup.pm": f"open(F, '>', '{FILE}');\n",
            },
            "/opt/lib/VF/Setup.pm:1",
        ),
        (
            {
                "opt/a.py": "#!/usr/bin/perl\nuse lib '/srv/perl';\nuse VF;\n",
                "-srv/perl/VF.pm": f"open(F, '>', '{FILE}');\n",
            },
            "/srv/perl/VF.pm:1",
        ),
        (
            {"opt/a.py": "#!/usr/bin/ruby\nrequire_relative 'vf'\n", "-opt/vf.rb": f"File.write('{FILE}', 8)\n"},
            "/opt/vf.rb:1",
        ),
        (
            {"opt/a.py": "#!/usr/bin/node\nconst v = require('./vf')\n", "-opt/vf.js": f"f.writeSync('{FILE}', 8)\n"},
            "/opt/vf.js:1",
        ),
        (
            {"opt/a.py": "#!/usr/bin/lua\nlocal v = require('vf')\n", "-opt/vf.lua": f"io.open('{FILE}', 'w')\n"},
            "/opt/vf.lua:1",
        ),
    ],
)  # fmt: skip
def test_what_a_program_takes_in(tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files, place: str) -> None:
    write_files(tree, rc_local("/opt/a.py") | files)
    assert [found["place"] for found in diagnosed(tree, capsys)] == [place]


@pytest.mark.parametrize(
    ("lines", "path"),
    [
        ("WorkingDirectory=/opt\nExecStart=/usr/bin/python3 -m vfs", "/opt/vfs.py"),
        ("ExecStart=/usr/bin/python3 -u -m vfs --all", "/usr/lib/python3/dist-packages/vfs/__main__.py"),
        ("Environment=PYTHONPATH=/srv/x\nExecStart=/usr/bin/env PYTHONPATH=/srv/x python3 -m vfs", "/srv/x/vfs.py"),
        ("WorkingDirectory=/opt\nExecStart=/usr/bin/python3 vfs.py", "/opt/vfs.py"),
        ("ExecStart=/usr/bin/node --harmony /opt/vfs.mjs", "/opt/vfs.mjs"),
        ("ExecStart=/usr/bin/deno run --allow-all /opt/vfs.ts", "/opt/vfs.ts"),
        ("ExecStart=/usr/bin/php -f /opt/vfs.php", "/opt/vfs.php"),
        ("ExecStart=/usr/bin/lua5.3 /opt/vfs.lua", "/opt/vfs.lua"),
        ("ExecStart=/usr/bin/tclsh8.6 /opt/vfs.tcl", "/opt/vfs.tcl"),
        ("ExecStart=/usr/bin/python3 /opt/vfs", "/opt/vfs"),
        ("ExecStart=/usr/bin/python3 /opt/app", "/opt/app/__main__.py"),
    ],
)
def test_programs_by_the_ways_to_start_them(
    tree: HostTree, capsys: pytest.CaptureFixture[str], lines: str, path: str
) -> None:
    write_files(tree, service(lines) | {f"-{path[1:]}": f"import os\nopen('{FILE}', 'w').write('8'); puts\n"})
    assert [found["place"] for found in diagnosed(tree, capsys)] == [f"{path}:2"]


@pytest.mark.parametrize(
    "files",
    [
        {"opt/a.py": f"{PYTHON}import os, sys, json\n", "-opt/other.py": OPEN, "-opt/json.py": OPEN},
        {"opt/a.py": f"{PYTHON}import nova\n", f"-{DIST[1:]}/nova/pci.py": OPEN},
        {"opt/a.py": f"{PYTHON}import up\n", f"-{DIST[1:]}/up/vfs.py": "print('no VFs')\n"},
        {"opt/a.py": f"{PYTHON}import up\n", "-usr/lib/python3/dist-packages/up/__init__.py": OPEN},
        {"opt/a.py": f"{PYTHON}import vfs\n", "-opt/vfs.py": f"print(open('{FILE}').read())\n"},
        {"opt/a.py": "#!/usr/bin/awk -f\nrequire 'vf'\n", "-opt/vf.rb": OPEN},
    ],
)
def test_what_is_not_taken_in_or_sets_nothing(tree: HostTree, capsys: pytest.CaptureFixture[str], files: Files) -> None:
    write_files(tree, rc_local("/opt/a.py") | files)
    assert diagnosed(tree, capsys) == []
