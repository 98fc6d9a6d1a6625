import pytest

from fakes_host import HostTree, rule
from sriov_bootstrap.cli import main

USAGE = 2


def check(tree: HostTree, *words: str) -> int:
    return main(["check-config", *words], root=str(tree.root))


def test_no_config_is_valid(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tree) == 0
    assert capsys.readouterr() == ("no config file: valid, nothing to do\n", "")


def test_a_valid_config_is_read_back(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.configure(rule("max"))
    drop_in = tree.write("run/sriov-bootstrap/config.d/10-more.toml", rule(4).replace("tenant-a", "tenant-b"))
    assert check(tree) == 0
    out = f"""\
read {tree.root}/etc/sriov-bootstrap/config.toml
read {drop_in}
rule "tenant-a": num_vfs = "max" on every PF with pci_address 0000:3b:00.0
rule "tenant-b": 4 VFs on every PF with pci_address 0000:3b:00.0
valid
"""
    assert capsys.readouterr() == (out, "")


def test_attributes_are_read_back(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tables = '[[pf.vf]]\nvfs = "all"\nmac = "stable"\n[[pf.vf]]\nvfs = "0, 2-3"\nvlan = 100\ntrust = false\n'
    tables += '[[pf.vf]]\nvfs = "1"\ndriver = "vfio-pci"\n[[pf.vf]]\nvfs = "2"\nmtu = 9000\n'
    tree.configure(rule(4, more='mtu = 9000\npromisc = "on"\n') + tables)
    assert check(tree) == 0
    out = f"""\
read {tree.root}/etc/sriov-bootstrap/config.toml
rule "tenant-a": 4 VFs on every PF with pci_address 0000:3b:00.0
  mtu 9000, promisc on
  VFs all: mac stable
  VFs 0, 2-3: vlan 100, trust off
  VFs 1: driver vfio-pci
  VFs 2: mtu 9000
valid
"""
    assert capsys.readouterr() == (out, "")


def test_what_is_set_of_a_switch_is_read_back_with_when_it_takes_effect(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    more = '[pf.eswitch]\nmode = "switchdev"\nhw_tc_offload = true\n'
    more += '[pf.devlink_params]\ntotal_vfs = { value = 64, cmode = "permanent" }\n'
    tree.configure(rule(4) + more)
    assert check(tree) == 0
    assert capsys.readouterr().out.splitlines()[2:-1] == [
        "  eswitch mode switchdev, set hw-tc-offload on",
        "  set total_vfs to 64 (permanent: from the next reset of the device, or power cycle)",
    ]
    tree.configure(rule(4) + '[pf.eswitch]\nmode = "switchdev"\nvf_lag = true\n')
    assert check(tree) == 0
    assert capsys.readouterr().out.splitlines()[2:-1] == [
        "  eswitch mode switchdev, VFs bound once their PFs' bond is offloaded"
    ]
    tree.configure(rule(4) + '[pf.eswitch]\nmode = "legacy"\n')
    assert check(tree) == 0
    assert capsys.readouterr().out.splitlines()[2:-1] == ["  eswitch mode legacy"]
    tree.configure(rule(4) + "[pf.devlink_params]\nenable_roce = false\n")
    assert check(tree) == 0
    assert capsys.readouterr().out.splitlines()[2:-1] == ["  set enable_roce to false"]


def test_switchdev_is_refused_of_a_driver_without_an_eswitch(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    text = '[[pf]]\nname = "tenant-a"\nmatch = { driver = "igb" }\nnum_vfs = 4\n[pf.eswitch]\nmode = "switchdev"\n'
    tree.configure(text)
    assert check(tree) == USAGE
    problem = "[pf.eswitch]: igb has no eswitch mode that can be set: remove it, or name another driver"
    assert f'[[pf]] "tenant-a": {problem}\n' in capsys.readouterr().err
    tree.configure(text.replace("switchdev", "legacy"))
    assert check(tree) == 0


def test_what_a_driver_will_not_do_is_a_note(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.configure('[[pf]]\nname = "tenant-a"\nmatch = { driver = "igb" }\nnum_vfs = 32\n')
    assert check(tree) == 0
    out = f"""\
read {tree.root}/etc/sriov-bootstrap/config.toml
rule "tenant-a": 32 VFs on every PF with driver igb
  note: igb creates at most 7 VFs, and more are refused: lower num_vfs to 7 or "max"
valid
"""
    assert capsys.readouterr() == (out, "")


def test_a_mistake_in_a_table_is_said_with_file_table_and_key(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.configure(rule(4) + '[[pf.vf]]\nvfs = "4"\nvlan_qos = 3\n')
    assert check(tree) == USAGE
    out, err = capsys.readouterr()
    assert out == ""
    where = f'sriov-bootstrap: {tree.root}/etc/sriov-bootstrap/config.toml: [[pf]] "tenant-a": [[pf.vf]] number 1'
    assert f'{where}: vfs: "4" names VF 4, and the last one is 3 (num_vfs = 4, counted from 0)\n' in err


def test_every_mistake_is_said_and_nothing_else(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.configure(rule(-1, more="num_vf = 3\n") + "[metrics]\nlisten = 10049\n")
    drop_in = tree.write("etc/sriov-bootstrap/config.d/10.toml", "[[pf\n")
    assert check(tree) == USAGE
    path = f"{tree.root}/etc/sriov-bootstrap/config.toml"
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert set(lines[:2]) == {
        f'sriov-bootstrap: {path}: [[pf]] "tenant-a": unknown key "num_vf": did you mean "num_vfs"?',
        f"sriov-bootstrap: {path}: [metrics]: listen: expected str, got int",
    }
    assert lines[2].startswith(f"sriov-bootstrap: {drop_in}: not TOML: ")
    assert lines[3:] == ["  hint: correct the file, then run: sriov-bootstrap check-config"]


def test_named_files_are_checked_instead_of_the_installed_ones(
    tree: HostTree, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.configure("[[pf\n")
    mine, other = tree.write("mine.toml", rule(4)), tree.write("other.toml", "")
    assert check(tree, str(mine), str(other)) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"read {mine}"
    assert check(tree, "--config", str(mine), "/nowhere.toml") == USAGE
    assert capsys.readouterr().err.startswith(
        "sriov-bootstrap: /nowhere.toml: cannot be read: No such file or directory\n"
    )


def test_the_web_config_is_checked_with_all_that_it_names(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    web = tree.write("etc/sriov-bootstrap/web.yml", "tls_server_config: {cert_file: a, key_file: b}\n")
    tree.configure(f'[metrics]\nweb_config = "{web}"\n')
    assert check(tree) == USAGE
    err = f"sriov-bootstrap: {web.parent}/a: cannot be read: No such file or directory\n"
    out, said = capsys.readouterr()
    assert (out, said.splitlines(keepends=True)[0]) == ("", err)
    web.write_text("")
    assert check(tree) == 0
    assert f"read {web} and the files that it names\n" in capsys.readouterr().out


def test_a_folder_is_refused(tree: HostTree, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tree, str(tree.root)) == USAGE
    assert capsys.readouterr().err.startswith(f"sriov-bootstrap: {tree.root}: is not a regular file\n")
