import pytest

from builders_pci import NONE, PLACED, UNSET, config, resource, sriov
from sriov_bootstrap.formats.pci_config import Capability, capability, lacks_vf_memory

GAPS = config((0x100, 1, b""), (0x140, 0, b""), (0x160, 0, b""), (0x180, 3, b""))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        pytest.param(sriov(8), Capability(is_seen=True, total_vfs=8), id="8 VFs"),
        pytest.param(sriov(0), Capability(is_seen=True, total_vfs=0), id="off in firmware"),
        pytest.param(config((0x100, 1, b"")), Capability(is_seen=True), id="no SR-IOV"),
        pytest.param(config((0x100, 0, b"")), Capability(is_seen=True, has_gaps=True), id="a null one alone"),
        pytest.param(config((0x100, 1, b""), (0x140, 3, b""), (0x100, 1, b"")), Capability(is_seen=True), id="circle"),
        pytest.param(sriov(8, 0xFE0)[:4090], Capability(is_seen=True), id="cut in the middle"),
        pytest.param(sriov(8)[:64], Capability(is_seen=False), id="without root"),
        pytest.param(sriov(8)[:256], Capability(is_seen=True), id="conventional PCI"),
        pytest.param(b"", Capability(is_seen=False), id="nothing"),
        pytest.param(b"\xff" * 4096, Capability(is_seen=False, is_dead=True), id="a dead device"),
        pytest.param(b"\xff" * 64, Capability(is_seen=False, is_dead=True), id="a dead device, without root"),
        pytest.param(GAPS, Capability(is_seen=True, has_gaps=True), id="taken out by a hypervisor"),
        pytest.param(config((0x100, 0, b""), (0x140, 3, b"")), Capability(is_seen=True, has_gaps=True), id="the first"),
        pytest.param(config((0x100, 1, b""), (0x140, 0, b"")), Capability(is_seen=True, has_gaps=True), id="the last"),
        pytest.param(
            config((0x100, 0, b""), (0x140, 0x10, bytes(60))), Capability(is_seen=True, total_vfs=0), id="another"
        ),
        pytest.param(bytes(4096), Capability(is_seen=True), id="no extended capability at all"),
    ],
)
def test_the_sriov_capability(data: bytes, found: Capability) -> None:
    assert capability(data) == found


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        pytest.param(resource(PLACED, NONE, NONE, PLACED), False, id="placed"),
        pytest.param(resource(UNSET, NONE, NONE, PLACED), True, id="one is unset"),
        pytest.param(resource(), True, id="all given up"),
        pytest.param("\n".join([PLACED] * 7), False, id="a kernel without SR-IOV"),
        pytest.param(resource("x y z"), False, id="garbage"),
        pytest.param(resource("0x1 0x2"), False, id="two columns"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_whether_vf_bars_have_a_place(text: str, *, lacks: bool) -> None:
    assert lacks_vf_memory(text) is lacks
