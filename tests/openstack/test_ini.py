"""Our reading of config files against oslo.config's own: the parser, the order of files, and which value wins."""

import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sriov_bootstrap.doctor.openstack.survey import Service
from sriov_bootstrap.formats.ini import parse_ini
from sriov_bootstrap.formats.oslo_files import reading_steps

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(300)]

BUILD = Path(__file__).parents[2] / "build" / "openstack"
TEXTS = 4000
PIECES = [
    *("[DEFAULT]", "[pci]", "[PCI]", "[default]", "[]", "[x", "[x] ", "[x] y", "[]]", "a", "b", "=", ":", " = ", " : "),
    *(
        " ",
        "\t",
        "\n",
        "\n",
        "\n",
        "\n",
        "\r\n",
        "\r",
        "#",
        ";",
        '"',
        "'",
        "a = 1",
        "a = 2\n",
        "b: 'x'",
        "\x0b",
        "\x0c",
    ),
    *(
        "\u2028",
        "\x85",
        "\x1c",
        "\u00a0",
        "$a",
        "{",
        "é",
        "\ufeff",
        "a=\n  1\n  2\n\n",
        "[pci]\na = 3\n",
        "[PCI]\na = 4\n",
    ),
]


def texts(seed: int) -> list[str]:
    """Files out of pieces that mean something."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    return ["".join(draw.choices(PIECES, k=draw.randint(0, 12))) for _ in range(TEXTS)]


def ask(release: str, what: str, **question: object) -> Any:  # noqa: ANN401
    """The answer of their code."""
    ended = subprocess.run(
        [BUILD / release / "bin" / "python", "-W", "ignore", Path(__file__).with_name("ask_oslo.py")],
        input=json.dumps({"what": what, **question}),
        capture_output=True,
        check=False,
        env={"HOME": str(question.get("home", "/nonexistent")), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.parametrize("release", ["newest", "older"])
def test_the_parser_is_oslo_configs(release: str, tmp_path: Path) -> None:
    drawn = texts(7)
    answers = ask(release, "parse", texts=drawn, folder=str(tmp_path))
    good = 0
    for text, theirs in zip(drawn, answers, strict=True):
        ours = parse_ini("/f", text)
        if theirs is None:
            assert ours.problems, repr(text)
            continue
        good += 1
        assert not ours.problems, repr(text)
        assert [[one.section, one.option, one.value] for one in ours.entries] == theirs, repr(text)
    assert 500 < good < TEXTS - 500


@pytest.mark.parametrize("release", ["newest", "older"])
def test_which_values_count(release: str, tmp_path: Path) -> None:
    """Two files that both parse: all values of a MultiStr with its old names, and the one value of another option."""
    good = [text for text in texts(11) if not parse_ini("/f", text).problems and "a" in text]
    pairs = list(zip(good[::2], good[1::2], strict=False))[:200]
    answers = ask(release, "values", pairs=pairs, folder=str(tmp_path))
    for pair, (multi, single) in zip(pairs, answers, strict=True):
        service = Service("x", files=tuple(parse_ini("/f", text) for text in pair))
        old = (("DEFAULT", "b"), ("default", "a"))
        assert [one.value for one in service.values(("pci", "a"), *old)] == multi, pair
        last = service.last_entry(("pci", "a"), *old)
        assert (last.value if last else None) == single, pair


@pytest.mark.parametrize("release", ["newest", "older"])
def test_the_order_of_files(release: str, tmp_path: Path) -> None:
    """Below a home directory, where oslo.config looks as it does in /etc."""
    home = str(tmp_path)
    names = (".nova/nova.conf", "nova-compute.conf", ".nova/nova.conf.d/b.conf", ".nova/nova.conf.d/a.conf")
    for name in (*names, ".nova/nova.conf.d/.c.conf", "nova-compute.conf.d/x.conf", "given/y.conf", "given/y.ini", "z"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    files, folders = f"--config-file={home}/z", f"--config-dir={home}/given"
    lines: list[list[str]] = [
        [],
        [files],
        [folders],
        [folders, files],
        [files, folders],
        ["--config-file", f"{home}/z", "--config-dir", f"{home}/given", "--config-file", "~/nova-compute.conf"],
    ]
    theirs = ask(release, "order", lines=lines, home=home)
    assert [read(("/usr/bin/nova-compute", *words), home) for words in lines] == theirs


def read(argv: tuple[str, ...], home: str) -> list[str]:
    """As doctor/openstack/read.py goes through the steps."""
    found = []
    for step in reading_steps(argv, "nova", home):
        place = next((Path(one) for one in step.places if Path(one).exists()), None)
        if place:
            inside = sorted(str(one) for one in place.glob("*.conf") if one.name[0] != ".") if step.is_folder else []
            found += inside if step.is_folder else [str(place)]
    return found
