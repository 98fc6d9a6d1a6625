"""verify whole, from the words to the exit code, on a tree that looks like a host."""

import json

from builders import PF, PF2, vf_address
from fakes_host import rule
from shells import Shell


def test_the_free_vf_is_named(shell: Shell) -> None:
    shell.tree.add_pf(num_vfs=2)
    shell.tree.configure(rule(2))
    assert shell.run("verify", "vf") == (0, f"{PF} (ens1f0): {vf_address(PF, 0)}\n", "")


def test_none_free_ends_with_3_and_says_who_has_them(shell: Shell) -> None:
    shell.tree.add_pf()
    shell.tree.add_vf(PF, 0, driver="vfio-pci")
    shell.tree.add_process(4711, "/dev/vfio/17")
    shell.tree.configure(rule(1))
    code, out, _ = shell.run("verify", "vf", PF)
    assert (code, "held by qemu-system-x86 pid 4711" in out) == (3, True)


def test_each_pf_with_a_rule_is_looked_at(shell: Shell) -> None:
    shell.tree.add_pf(num_vfs=1)
    shell.tree.add_pf(PF2, netdev="ens1f1")
    shell.tree.configure(rule(1) + rule(1, address=PF2).replace("tenant-a", "tenant-b"))
    code, out, _ = shell.run("verify", "host", "--json")
    assert code == 3
    found = [(choice["rule"], choice["vf"]) for choice in json.loads(out)["choices"]]
    assert found == [("tenant-a", vf_address(PF, 0)), ("tenant-b", "")]


def test_a_pf_that_is_not_there_is_wrong_usage(shell: Shell) -> None:
    shell.tree.add_pf(num_vfs=1)
    shell.tree.configure(rule(1))
    code, _, err = shell.run("verify", "vf", "ens9")
    assert (code, '"ens9" is no PF' in err) == (2, True)
