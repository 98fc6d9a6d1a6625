import shutil

import pytest

from sriov_bootstrap.base.errors import StuckError
from sriov_bootstrap.core.facts import Link, Links
from sriov_bootstrap.edges import child
from sriov_bootstrap.edges.child import Completed
from sriov_bootstrap.edges.iproute import read_links

WITH_NOVF = "ip -json address show novf"
WITHOUT_NOVF = "ip -json address show"
# As iproute2 prints it, shortened; the empty row is what it prints for a netdev that a filter took out.
ANSWER = b"""\
[{"ifindex":1,"ifname":"lo","flags":["LOOPBACK"],"mtu":65536,"operstate":"DOWN","address":"00:00:00:00:00:00",
"addr_info":[]},{},{"ifindex":3,"link":"p1","ifname":"ens1f0","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],
"mtu":1500,"operstate":"UP","address":"7e:f4:56:81:95:72","altnames":["enp59s0f0","tenant-a"],"addr_info":[
{"family":"inet","local":"192.0.2.7","prefixlen":24,"scope":"global","label":"ens1f0"},
{"family":"inet6","local":"2001:db8::7","prefixlen":64,"scope":"global"},
{"family":"inet6","local":"fe80::7cf4:56ff:fe81:9572","prefixlen":64,"scope":"link","tentative":true}]}]
"""
LINKS = Links(
    {
        "lo": Link("lo", ifindex=1),
        "ens1f0": Link("ens1f0", ("enp59s0f0", "tenant-a"), ("192.0.2.7/24", "2001:db8::7/64"), ifindex=3),
    }
)
OLDER_IP = Completed(1, b"", b'Device "novf" does not exist.\n')


class FakeRun:
    """Answers by command line, and keeps what it was asked."""

    def __init__(self, answers: dict[str, Completed]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    def __call__(self, argv: list[str]) -> Completed:
        self.asked.append(" ".join(argv))
        return self._answers[self.asked[-1]]


def test_names_and_addresses_are_read_without_link_local_ones() -> None:
    assert read_links(FakeRun({WITH_NOVF: Completed(0, ANSWER, b"")})) == LINKS


def test_an_older_ip_that_knows_no_novf_is_asked_without_it() -> None:
    run = FakeRun({WITH_NOVF: OLDER_IP, WITHOUT_NOVF: Completed(0, ANSWER, b"")})
    assert read_links(run) == LINKS
    assert run.asked == [WITH_NOVF, WITHOUT_NOVF]


def test_an_ip_that_fails_is_asked_once_and_quoted() -> None:
    run = FakeRun({WITH_NOVF: Completed(2, b"", b"Cannot open netlink socket: \xff\nDump terminated\n")})
    assert read_links(run) == Links(problem=r"ip failed: Cannot open netlink socket: \xff | Dump terminated")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"1: lo: <LOOPBACK>", id="no JSON"),
        pytest.param(b'[{"ifname":"lo"', id="cut off"),
        pytest.param(b'{"ifname":"lo"}', id="no list"),
        pytest.param(b'[{"ifname":7}]', id="another type"),
        pytest.param(b'[{"ifname":"\\u2028"}]', id="no byte"),
    ],
)
def test_an_answer_that_makes_no_sense_is_a_problem(answer: bytes) -> None:
    links = read_links(FakeRun({WITH_NOVF: Completed(0, answer, b"")}))
    assert links.by_name == {}
    assert links.problem.startswith("ip gave no usable answer: ")


def test_a_name_that_is_not_utf_8_hides_no_other() -> None:
    answer = b'[{"ifname":"\xff"},{"ifname":"ens1f0","altnames":["enp59s0f0"]}]'
    links = read_links(FakeRun({WITH_NOVF: Completed(0, answer, b"")}))
    assert links == Links({r"\xff": Link(r"\xff"), "ens1f0": Link("ens1f0", ("enp59s0f0",))})


def test_names_are_the_bytes_that_the_kernel_has() -> None:
    """As iproute2 prints them: what is no JSON included (lib/json_writer.c)."""
    answer = b'[{"ifname":"a\x1bb\x7f","altnames":["gr\xc3\xb6\xc3\x9fe","a\\\\b\\"\\n","\xf6"]}]\n'
    links = read_links(FakeRun({WITH_NOVF: Completed(0, answer, b"")}))
    altnames = ("größe", r"a\x5cb" + '"' + r"\x0a", r"\xf6")
    assert links == Links({r"a\x1bb\x7f": Link(r"a\x1bb\x7f", altnames)})


def test_an_xdp_program_is_seen() -> None:
    answer = b'[{"ifname":"v0","xdp":{"mode":1,"prog":{"id":7}},"addr_info":[]},{"ifname":"v1"}]'
    links = read_links(FakeRun({WITH_NOVF: Completed(0, answer, b"")}))
    assert links == Links({"v0": Link("v0", has_xdp=True), "v1": Link("v1")})


def test_an_ip_that_hangs_is_a_problem() -> None:
    def hang(argv: list[str]) -> Completed:
        raise StuckError(f"{' '.join(argv)}: not finished after 30 s", pid=4711)

    assert read_links(hang) == Links(problem="ip -json address show novf: not finished after 30 s")


def test_a_missing_ip_is_a_problem() -> None:
    def run(_argv: list[str]) -> Completed:
        return child.run(["no-such-ip"])

    assert read_links(run) == Links(problem="ip failed: no-such-ip: No such file or directory")


@pytest.mark.skipif(not shutil.which("ip"), reason="iproute2 is not installed")
def test_the_ip_of_this_host_is_understood() -> None:
    links = read_links(child.run)
    assert links.problem == ""
    assert "lo" in links.by_name
