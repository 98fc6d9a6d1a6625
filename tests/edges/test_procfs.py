import gzip
from pathlib import Path

import pytest

from fakes_host import HostTree
from sriov_bootstrap.core.facts import Routes
from sriov_bootstrap.edges.procfs import CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, MAX_CONFIG_BYTES, Procfs

# The first lines are headers and on-link routes; a half of the Internet (OpenVPN's trick) is not the default route.
ROUTE = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
tun0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000080\t0\t0\t0
ens1f0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
bond0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
"""
ZERO, GATEWAY = "0" * 32, "fd000000000000000000000000000001"
IPV6_ROUTE = f"""\
fd000000000000000000000000000000 40 {ZERO} 00 {ZERO} 00000100 00000001 00000000 00000001   ens1f0
{ZERO} 00 {ZERO} 00 {GATEWAY} 00000400 00000002 00000000 00000003    br-ex
{ZERO} 01 {ZERO} 00 {GATEWAY} 00000400 00000002 00000000 00000003     tun0
{ZERO} 00 {ZERO} 00 {ZERO} ffffffff 00000001 00000000 00200200       lo
"""


@pytest.fixture
def procfs(tree: HostTree) -> Procfs:
    return Procfs(f"{tree.root}/proc")


def test_the_default_routes_are_found_for_both_protocols(tree: HostTree, procfs: Procfs) -> None:
    tree.write("proc/net/route", ROUTE)
    tree.write("proc/net/ipv6_route", IPV6_ROUTE)
    assert procfs.default_routes() == Routes(frozenset({"bond0", "br-ex"}))


def test_a_host_without_routes_has_no_default_route(procfs: Procfs) -> None:
    assert procfs.default_routes() == Routes()


@pytest.mark.parametrize(
    ("raw", "text"),
    [(b"net\xff", r"net\xff"), (b"a\x1cb", r"a\x1cb"), ("a\u2003b".encode(), r"a\xe2\x80\x83b"), ("ä".encode(), "ä")],
)
def test_a_default_route_may_leave_through_a_netdev_of_any_name(
    tree: HostTree, procfs: Procfs, raw: bytes, text: str
) -> None:
    tree.write("proc/net/route", ROUTE.encode().replace(b"bond0", raw))
    tree.write("proc/net/ipv6_route", IPV6_ROUTE.encode().replace(b"br-ex", raw))
    assert procfs.default_routes() == Routes(frozenset({text}))


def test_a_default_route_that_leads_nowhere_leaves_through_no_netdev(tree: HostTree, procfs: Procfs) -> None:
    tree.write("proc/net/route", ROUTE.replace("bond0", "*"))
    assert procfs.default_routes() == Routes()


@pytest.mark.parametrize("name", ["route", "ipv6_route"])
def test_routes_that_cannot_be_read_are_unknown_ones(tree: HostTree, procfs: Procfs, name: str) -> None:
    (tree.root / f"proc/net/{name}").unlink(missing_ok=True)
    (tree.root / f"proc/net/{name}").mkdir()
    assert procfs.default_routes().problem == f"{tree.root}/proc/net/{name}: Is a directory"


def test_a_proc_without_routes_says_nothing_of_them(tree: HostTree, procfs: Procfs) -> None:
    (tree.root / "proc/net/route").unlink()
    assert procfs.default_routes().problem == f"{tree.root}/proc/net/route: No such file or directory"


def test_the_boot_id_and_the_kernel_command_line_are_read(procfs: Procfs) -> None:
    assert procfs.boot_id() == "b007"
    assert procfs.kernel_command_line() == ("root=/dev/vda", "ro", "quiet")


def test_without_proc_there_is_no_boot_id(tmp_path: Path) -> None:
    assert Procfs(f"{tmp_path}/proc").boot_id() == ""


# -- what we may do --

STATUS = "Name:\tpython3\nUid:\t{uid}\t{euid}\t0\t0\nCapInh:\t0000000000000000\nCapEff:\t{capabilities:016x}\n"
ALL, SOME = (1 << 41) - 1, 1 << CAP_SYS_PTRACE


@pytest.mark.parametrize(
    ("status", "lacks"),
    [
        pytest.param(STATUS.format(uid=0, euid=0, capabilities=ALL), False, id="root"),
        pytest.param(STATUS.format(uid=0, euid=0, capabilities=SOME), True, id="root with one of two"),
        pytest.param(STATUS.format(uid=0, euid=0, capabilities=0), True, id="root with none"),
        pytest.param(STATUS.format(uid=0, euid=1000, capabilities=0), False, id="somebody else"),
        pytest.param("", False, id="unknown"),
    ],
)
def test_root_in_a_sandbox_knows_that_it_is(tree: HostTree, procfs: Procfs, status: str, *, lacks: bool) -> None:
    tree.write("proc/self/status", status)
    assert procfs.is_root_without(CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH) is lacks


@pytest.mark.parametrize(
    ("flags", "xen", "is_guest"),
    [
        ("fpu hypervisor", "", True),
        ("fpu", "", False),
        ("hypervisor", "control_d\n", False),
        ("hypervisor", "\n", True),
    ],
)
def test_whether_this_is_a_vm(tree: HostTree, flags: str, xen: str, *, is_guest: bool) -> None:
    tree.write("proc/cpuinfo", f"processor : 0\nflags\t\t: {flags}\n")
    if xen:
        tree.write("proc/xen/capabilities", xen)
    assert Procfs(f"{tree.root}/proc").is_guest() is is_guest


def test_a_kernel_may_have_its_config_in_itself(tree: HostTree) -> None:
    procfs = Procfs(f"{tree.root}/proc")
    assert procfs.kernel_config() == ""
    tree.write("proc/config.gz", gzip.compress(b"CONFIG_PCI_IOV=y\n"))
    assert procfs.kernel_config() == "CONFIG_PCI_IOV=y\n"
    tree.write("proc/config.gz", b"no gzip")
    assert procfs.kernel_config() == ""
    tree.write("proc/config.gz", gzip.compress(bytes(64 << 20)))
    assert len(procfs.kernel_config()) == MAX_CONFIG_BYTES
