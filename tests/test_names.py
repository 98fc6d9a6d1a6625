r"""Names of others: any bytes that the kernel or a file system allows, from wherever they are read to whatever is told.

The worst of them speak to a terminal, begin a line of their own, or are no UTF-8; each must meet itself elsewhere.
"""

import json
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import example
from hypothesis import strategies as st

from builders import PF, make_config, make_rule, vf_address
from fakes import BOOT_ID
from fakes_host import HostTree, rule
from fuzzing import fuzzed
from netlink import address, answers, link
from sriov_bootstrap.base.printable import text_of
from sriov_bootstrap.cli import main
from sriov_bootstrap.core import events, state
from sriov_bootstrap.core.config import Match
from sriov_bootstrap.core.facts import Links
from sriov_bootstrap.core.parse import parse_pf
from sriov_bootstrap.core.report import PassReport
from sriov_bootstrap.core.vf_users import Holder, Holders, Owner, Owners
from sriov_bootstrap.edges import libvirt, metrics
from sriov_bootstrap.edges.rtnetlink import read_links
from sriov_bootstrap.edges.sysfs import Sysfs
from sriov_bootstrap.machine.host_machine import HostMachine
from sriov_bootstrap.passes.read import Loaded
from sriov_bootstrap.passes.reconcile import Mode, run_pass

HOSTILE = b"a\n<0>READY=1\x1b[2J\xff\xe2\x80\xae"
NAMELESS = r"netdev vf\xff is up with 10.0.0.2/24"
SPACES = b" \t\n\v\f\r\xa0"  # include/linux/ctype.h, isspace(): a netdev has none (net/core/dev.c, dev_valid_name)


def allowed(raw: bytes, without: bytes) -> bytes:
    """What is left of it as a name."""
    name = raw.translate(None, without + b"/\0")
    return name if name.strip(b".") else b"\xff"


file_names = st.binary(max_size=40).map(lambda raw: allowed(raw, b""))
netdevs = st.binary(max_size=15).map(lambda raw: allowed(raw, SPACES + b":"))


def from_kernel(*rows: tuple[int, bytes, bytes, str]) -> Links:
    """What the kernel says of netdevs: index, name, altname, address."""
    links = [link(index, name, altname) for index, name, altname, _ in rows]
    return read_links(answers(links, [address(index, f"{one}/24") for index, _, _, one in rows]))


class Host(HostMachine):
    """A tree of which the kernel says what the test lets it say."""

    links = Links()

    def read_links(self) -> Links:
        return self.links


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that has a new one in it for each example."""
    return tmp_path_factory.mktemp("names")


def assert_told(report: PassReport, *words: str) -> None:
    """To the state, the metrics, the journal and a reader of JSON; each word as it is."""
    saved = state.State(boot_id=BOOT_ID, report=report)
    assert state.load(state.dump(saved), boot_id=BOOT_ID) == (saved, "")
    assert metrics.exposition(saved, config_valid=True)
    told = json.dumps(msgspec.to_builtins(report), ensure_ascii=False)
    for word in words:
        assert json.dumps(word, ensure_ascii=False)[1:-1] in told
    for event in events.pass_events(report, PassReport()):
        assert all(str(value).isprintable() for value in (event.text, *event.fields.values()))


@fuzzed(slow=4, pf=netdevs, vf=netdevs, upper=netdevs, altname=file_names, rdma=file_names)
@example(pf=b"\xff", vf=b"\xfe", upper=b"a\\xff", altname=HOSTILE, rdma=HOSTILE)
@example(pf=b"\\xff", vf=b"\xff", upper=b"\x1b[2J", altname=b"\xff", rdma=b"\xff")
def test_any_name_of_the_kernel_is_one_text_everywhere(
    roots: Path, pf: bytes, vf: bytes, upper: bytes, altname: bytes, rdma: bytes
) -> None:
    tree = HostTree(roots / str(sum(1 for _ in roots.iterdir())))
    vf = vf if vf != pf else b"vf\xff"  # two of one name there are not
    upper = upper if upper not in {pf, vf} else b"upper\xff"
    tree.add_pf(netdev=os.fsdecode(pf), num_vfs=1)
    folder = tree.device(vf_address(PF, 0))
    (old,) = (folder / "net").iterdir()
    new = old.rename(folder / "net" / os.fsdecode(vf))
    (new / "flags").write_text("0x1003\n")
    tree.add_class_device(folder, f"infiniband/{os.fsdecode(rdma)}")
    tree.stack(os.fsdecode(upper), os.fsdecode(pf))
    machine = Host(root=str(tree.root))
    machine.links = from_kernel((2, pf, altname, "10.0.0.1"), (3, vf, b"x", "10.0.0.2"))
    assert machine.links.problem == ""

    (raw,) = machine.read_pfs()
    facts = parse_pf(raw, machine.links, Holders())
    netdev = facts.netdevs[0]
    assert (netdev.name, netdev.uppers, netdev.altnames) == (text_of(pf), (text_of(upper),), (text_of(altname),))
    assert facts.vfs[0].infiniband == (text_of(rdma),)
    assert str(facts.vfs[0].use) == f"netdev {text_of(vf)} is up with 10.0.0.2/24"
    loaded = Loaded(make_config(make_rule(match=Match(pci_address=PF), num_vfs=2)))
    assert_told(run_pass(machine, loaded, mode=Mode.OBSERVE), netdev.name)


def test_a_vf_with_an_address_is_kept_whatever_its_netdev_is_called(tree: HostTree) -> None:
    """It was destroyed: /sys had its name with a half of a pair in it, the kernel's list U+FFFD, and they never met."""
    tree.add_pf(num_vfs=2)
    folder = tree.device(vf_address(PF, 0)) / "net"
    (old,) = folder.iterdir()
    new = old.rename(folder / os.fsdecode(b"vf\xff"))
    (new / "flags").write_text("0x1003\n")
    machine = Host(root=str(tree.root))
    machine.links = from_kernel((9, b"vf\xff", b"x", "10.0.0.2"))
    loaded = Loaded(make_config(make_rule(match=Match(pci_address=PF), num_vfs=4)))
    (pf,) = run_pass(machine, loaded, mode=Mode.APPLY).pfs
    assert pf.message == f"{PF}: 2 VFs stay instead of 4: VF 0 {vf_address(PF, 0)} is in use: {NAMELESS}"
    assert machine.load_state()[0].report.pfs == (pf,)


@pytest.mark.parametrize("arguments", [["status"], ["--once"], ["--once", "--dry-run"], ["doctor"]])
def test_no_command_ends_in_an_exception_for_a_name(
    tree: HostTree, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    name = os.fsdecode(HOSTILE)
    tree.add_pf(netdev=os.fsdecode(b"\xff\x1b"), num_vfs=1)
    tree.configure(rule(1))
    tree.write(f"etc/sriov-bootstrap/config.d/{name}.toml", "[boot]\nwait_for_pf_seconds = 1\n")
    tree.write(f"etc/libvirt/qemu/{name}.xml", "<domain/>")
    tree.write(f"etc/modprobe.d/{name}.conf", "options igb max_vfs=1\n")
    for more in ([], ["--json"]):
        main([*arguments, *more], root=str(tree.root))
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        assert "\x1b" not in out + err
        assert "\n<0>" not in out + err
        assert "\nREADY" not in out + err
        if more:
            assert isinstance(json.loads(out), dict)


@fuzzed(slow=4, name=file_names)
@example(name=HOSTILE)
def test_any_name_of_a_config_or_domain_file_is_told(roots: Path, name: bytes) -> None:
    tree = HostTree(roots / str(sum(1 for _ in roots.iterdir())))
    tree.add_pf(num_vfs=1)
    tree.configure(rule(1))
    path = "etc/sriov-bootstrap/config.d/" + os.fsdecode(name) + ".toml"
    tree.write(path, "[boot]\nwait_for_pf_seconds = 1\n")
    tree.write("etc/libvirt/qemu/" + os.fsdecode(name) + ".xml", "no XML")
    machine = Host(root=str(tree.root))
    loaded = Loaded(make_config(make_rule(match=Match(pci_address=PF), num_vfs=1)))
    report = run_pass(machine, loaded, mode=Mode.OBSERVE)
    assert_told(report)
    assert libvirt.read_owners(str(tree.root), shut_off=True).problem.isprintable()
    assert main(["check-config"], root=str(tree.root)) == 0


@pytest.mark.parametrize("name", [HOSTILE.decode(errors="surrogateescape"), "x" * 9999, "\U0001f600" * 99])
def test_a_process_and_a_vm_have_a_short_printable_name(name: str) -> None:
    for words in (str(Holder(4711, name, name)), str(Owner(name))):
        assert words.isprintable()
        assert len(words) <= 2 * 64 + 40


def test_a_problem_with_processes_or_vms_is_one_line(tree: HostTree) -> None:
    tree.add_pf(num_vfs=1)
    (raw,) = Sysfs(f"{tree.root}/sys").read_pfs()
    facts = parse_pf(raw, Links(), Holders(), Owners(problem="a\nREADY=1"))
    assert str(facts.vfs[0].use) == r"cannot tell which VM owns it: a\x0aREADY=1"


# -- a tenant --

WORD = "tenantsword"
TENANT = "x\n<0>READY=1 tenantsword \x7f"  # the display name, the hostname, and what an image and a volume are called
XML = f"""<domain type='kvm'><name>instance-0000002a</name><title>{TENANT}</title><description>{TENANT}</description>
<metadata><nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'><nova:name>{TENANT}</nova:name>
<name>{TENANT}</name><nova:owner><nova:project uuid='1'>{TENANT}</nova:project></nova:owner></nova:instance></metadata>
<os><cmdline>-name guest={TENANT}</cmdline></os>
<sysinfo type='smbios'><system><entry name='family'>{TENANT}</entry></system></sysinfo>
<devices><hostdev mode='subsystem' type='pci'><source><address domain='0x0' bus='0x3b' slot='0x02' function='0x0'/>
</source><alias name='{WORD}'/></hostdev></devices></domain>"""
# libvirt puts -name first; what the image's os_command_line says is one word behind -append.
ARGV = ("qemu-system-x86_64", "-name", "guest=instance-0000002a,debug-threads=on", "-append", "-name", f"guest={WORD}")


@pytest.mark.parametrize("folder", ["etc/libvirt/qemu", "run/libvirt/qemu"])
@pytest.mark.parametrize("driver", ["igbvf", "vfio-pci"])
def test_nothing_that_a_tenant_can_name_is_read(
    tree: HostTree, capsys: pytest.CaptureFixture[str], folder: str, driver: str
) -> None:
    """A VM has no way in by itself: libvirt's name of it is nova's."""
    tree.add_pf(num_vfs=1)
    folder_of_vf = tree.device(vf_address(PF, 0))
    (folder_of_vf / "driver").unlink()
    tree.bind(vf_address(PF, 0), driver)
    tree.add_process(4711, "/dev/vfio/17", cmdline="\0".join(ARGV).encode() + b"\0")
    xml = XML.replace("bus='0x3b' slot='0x02' function='0x0'", libvirt_address(vf_address(PF, 0)))
    tree.write(f"{folder}/instance-0000002a.xml", xml.replace("<0>", "&lt;0&gt;").replace("\x7f", "&#127;"))
    tree.configure(rule(3) + "[openstack]\nprotect_shutoff = true\n")
    for arguments in (["status"], ["--once", "--dry-run"], ["--once"], ["doctor"]):
        for more in ([], ["--json"]):
            main([*arguments, *more], root=str(tree.root))
            out, err = capsys.readouterr()
            assert WORD not in out + err
            assert "instance-0000002a" in out or arguments == ["doctor"]
    assert WORD not in tree.read("run/sriov-bootstrap/state/state.json")


def libvirt_address(address: str) -> str:
    _, bus, rest = address.split(":")
    slot, function = rest.split(".")
    return f"bus='0x{bus}' slot='0x{slot}' function='0x{function}'"
