import json

import pytest

from fakes_host import HostTree, rule
from sriov_bootstrap.cli import main


def doctor(tree: HostTree, *words: str) -> int:
    return main(["doctor", *words], root=str(tree.root))


def test_a_broken_config_is_a_finding_and_not_a_failure(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.add_pf(num_vfs=4)
    tree.configure(rule(-1))
    assert doctor(tree) == 3
    out = capsys.readouterr().out
    assert out.startswith(f"SB-E701  {tree.root}/etc/sriov-bootstrap/config.toml: ")
    assert "\n         remedy:   correct it, then: sriov-bootstrap check-config\n" in out
    assert out.endswith("\n1 error; more of each: sriov-bootstrap doctor explain CODE\n")


def test_findings_for_machines(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.configure(rule(-1))
    assert doctor(tree, "--json") == 3
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["code"], finding["severity"]) == ("SB-E701", "error")


def test_a_code_is_explained(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor(tree, "explain", "e701") == 0
    assert capsys.readouterr().out.startswith("the config of sriov-bootstrap cannot be used\n\nA config file is broken")
    assert doctor(tree, "explain") == 0
    assert "SB-E701  the config of sriov-bootstrap cannot be used\n" in capsys.readouterr().out
    assert doctor(tree, "explain", "nothing") == 2
