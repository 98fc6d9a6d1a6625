import errno

import pytest

from builders import PF
from sriov_bootstrap.core.drivers import DRIVERS
from sriov_bootstrap.core.errnos import name_of
from sriov_bootstrap.core.vf_attributes import LinkState, RefusedSetting, Request, VfAttributes, VlanProtocol
from sriov_bootstrap.core.vf_refusals import REASONS, explain, is_momentary

AD = VfAttributes(vlan=7, vlan_qos=0, vlan_protocol=VlanProtocol.DOT1AD)
VLAN = VfAttributes(vlan=7, vlan_qos=8, vlan_protocol=VlanProtocol.DOT1Q)
LIMIT = VfAttributes(min_tx_rate=0, max_tx_rate=100)
MINIMUM = VfAttributes(min_tx_rate=10, max_tx_rate=100)
STATE = VfAttributes(link_state=LinkState.ENABLE)
MAC = VfAttributes(mac="03:00:00:00:00:01")
MSIX = VfAttributes(msix_vectors=64)
GUID = VfAttributes(node_guid="00:00:00:00:00:00:00:01")


@pytest.mark.parametrize(
    ("driver", "asked", "number", "cause", "remedy"),
    [
        pytest.param(
            "igb",
            MAC,
            errno.EINVAL,
            "igb refuses this address, as a multicast one, or has no VF 3 now",
            "choose",
            id="mac",
        ),
        pytest.param(
            "igb", VLAN, errno.EINVAL, "igb takes VLANs 0 to 4095 and priorities 0 to 7", "correct vlan", id="vlan"
        ),
        pytest.param(
            "igb",
            AD,
            errno.EPROTONOSUPPORT,
            "igb tags with 802.1Q only",
            "leave out vlan_protocol in",
            id="igb 802.1ad",
        ),
        pytest.param(
            "mlx5_core", AD, errno.EPROTONOSUPPORT, "mlx5_core tags with 802.1Q only", "leave out", id="mlx5 802.1ad"
        ),
        pytest.param(
            "ice", AD, errno.EPROTONOSUPPORT, "ice tags with 802.1Q only, at least in this mode", "leave", id="ice"
        ),
        pytest.param("ena", AD, errno.EOPNOTSUPP, "ena has no operation for it", "leave vlan, vlan_qos", id="ena"),
        pytest.param(
            "igb", MINIMUM, errno.EINVAL, "igb cannot guarantee a minimum rate", "leave out min_tx_rate", id="minimum"
        ),
        pytest.param(
            "igb", LIMIT, errno.EINVAL, "igb takes a rate only while the PF has a carrier", "none needed", id="carrier"
        ),
        pytest.param("ice", LIMIT, errno.EINVAL, "ice cannot keep such a rate", "lower or leave out min_tx", id="rate"),
        pytest.param("ice", MINIMUM, errno.EOPNOTSUPP, "ice does not support it", "min_tx_rate, max_tx_rate", id="DCB"),
        pytest.param("sfc", LIMIT, errno.EOPNOTSUPP, "sfc has no operation for it", "leave", id="no rate"),
        pytest.param("igb", STATE, errno.EOPNOTSUPP, "igb has no operation for it", "leave link_state out", id="state"),
        pytest.param(
            "new", STATE, errno.EOPNOTSUPP, "new does not support it, at least not in", "devlink", id="unknown"
        ),
        pytest.param("", STATE, errno.EINVAL, "the driver does not know this state", "leave link_state out", id="none"),
        pytest.param("ice", MSIX, errno.EBUSY, "a driver is bound to the VF", "once nothing uses it", id="msix bound"),
        pytest.param("igb", MSIX, errno.ENOENT, "igb has no operation for it", "leave msix_vectors out", id="no msix"),
        pytest.param(
            "ice", MSIX, errno.ENOENT, "ice cannot change the vectors of VFs, or this kernel", "leave", id="kernel"
        ),
        pytest.param(
            "mlx5_core", MSIX, errno.EOPNOTSUPP, "mlx5_core or the PF's firmware cannot", "leave", id="firmware"
        ),
        pytest.param(
            "mlx5_core", MAC, errno.EPERM, "mlx5_core or its firmware does not allow it", "set it where", id="DPU"
        ),
        pytest.param("i40e", MAC, errno.EAGAIN, "i40e is resetting the VF", "sriov-bootstrap --once", id="again"),
        pytest.param(
            "mlx5_core", GUID, errno.EOPNOTSUPP, "mlx5_core does not support it", "leave node_guid out", id="GUID"
        ),
        pytest.param("igb", MAC, errno.EXDEV, "the kernel gave no known reason", "journalctl -k", id="no reason"),
    ],
)
def test_a_refusal_has_a_cause_and_a_remedy(
    driver: str, asked: VfAttributes, number: int, cause: str, remedy: str
) -> None:
    [request] = asked.requests
    message, hint = explain(RefusedSetting(3, request, asked, number), driver, PF)
    assert message.startswith(f"{PF}: VF 3: cannot set {asked}: {name_of(number)} (")
    assert f": {cause}" in message
    assert hint.startswith(remedy) or remedy in hint


def test_the_whole_message() -> None:
    assert explain(RefusedSetting(3, "trust", VfAttributes(trust=True), errno.EOPNOTSUPP), "cxgb4", PF) == (
        f"{PF}: VF 3: cannot set trust on: EOPNOTSUPP (Operation not supported): cxgb4 has no operation for it",
        "leave trust out in [[pf.vf]] for PFs with this driver",
    )


REQUESTED: dict[Request | None, VfAttributes] = {
    "mac": MAC, "vlan": VLAN, "rate": LIMIT, "link_state": STATE, "msix": MSIX, None: GUID,
}  # fmt: skip


@pytest.mark.parametrize("driver", [driver.name for driver in DRIVERS])
def test_every_row_can_be_said_of_every_driver(driver: str) -> None:
    for request, number in REASONS:
        asked = REQUESTED[request]
        for words in explain(RefusedSetting(0, asked.requests[0], asked, number), driver, PF):
            assert words.isprintable()
            assert not {"{", "}"} & {*words}


@pytest.mark.parametrize(
    ("asked", "number", "expected"),
    [
        ("mac", errno.EAGAIN, True),
        ("trust", errno.EBUSY, True),
        ("msix", errno.EBUSY, False),
        ("mac", errno.EPERM, False),
    ],
)
def test_a_driver_may_be_busy_for_a_moment(asked: Request, number: int, *, expected: bool) -> None:
    assert is_momentary(RefusedSetting(0, asked, VfAttributes(), number)) is expected
