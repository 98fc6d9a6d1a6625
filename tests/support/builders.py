"""Nouns for tests: each builder gives a sound default and takes by keyword what the test is about."""

from typing import Any

from msgspec.structs import replace

from sriov_bootstrap.core.config import Config, Match, PfRule
from sriov_bootstrap.core.desired import DesiredPf
from sriov_bootstrap.core.drivers import is_vfio
from sriov_bootstrap.core.facts import Netdev, PfFacts, RawNetdev, RawPf, RawVf, VfFacts
from sriov_bootstrap.core.vf_users import Use, UseKind

PF = "0000:3b:00.0"
PF2 = "0000:3b:00.1"
PF3 = "0000:5e:00.0"


def make_netdev(*, name: str = "ens1f0", **values: Any) -> Netdev:  # noqa: ANN401
    """A netdev of a PF, up."""
    return replace(Netdev(name, (), "3c:fd:fe:aa:bb:00", 2, is_up=True), **values)


def vf_address(pf: str, index: int) -> str:
    """Where the VF of that index is found."""
    return f"{pf[:-4]}{2 + index // 8:02x}.{index % 8}"


def make_vf(*, index: int = 0, pf: str = PF, **values: Any) -> VfFacts:  # noqa: ANN401
    """A VF that is ready and that nobody uses."""
    vf = VfFacts(index, vf_address(pf, index), driver="igbvf", netdevs=(f"v{index}",), incarnation=100 + index)
    return replace(vf, **{"is_vfio": is_vfio(values.get("driver", ""))} | values)


def make_pf(*, num_vfs: int = 0, holder: str = "", **values: Any) -> PfFacts:  # noqa: ANN401
    """An igb with a driver and a netdev that is up; `holder` has its first VF open."""
    address = values.get("pci_address", PF)
    use = Use(UseKind.HELD, holder) if holder else None
    vfs = tuple(make_vf(index=index, pf=address, use=None if index else use) for index in range(num_vfs))
    pf = PfFacts(address, 7, "igb", "8086", "10c9", netdevs=(make_netdev(),), vfs=vfs)
    return replace(pf, **values)


def make_rule(*, match: Match | None = None, **values: Any) -> PfRule:  # noqa: ANN401
    """A rule for 4 VFs on PF."""
    return replace(PfRule("tenant-a", match or Match(pci_address=PF), 4), **values)


def make_config(*rules: PfRule, **values: Any) -> Config:  # noqa: ANN401
    """A config of these rules."""
    return Config(pf=rules, **values)


def make_wish(*, pf: PfFacts | None = None, **rule: Any) -> DesiredPf:  # noqa: ANN401
    """A rule and the PF that it took; no PF: it took none."""
    return DesiredPf(make_rule(**rule), pf)


def make_raw_vf(*, index: str = "0", **values: Any) -> RawVf:  # noqa: ANN401
    """A VF as /sys shows it, with igbvf and a netdev that is down."""
    return replace(RawVf(index, "0000:3b:02.0", "igbvf", "17", 100, netdevs=(RawNetdev("v0"),)), **values)


def make_raw_pf(*, vfs: tuple[RawVf, ...] = (), attributes: dict[str, str] | None = None) -> RawPf:
    """A PF as /sys shows it."""
    texts = {
        "class": "0x020000",
        "sriov_totalvfs": "7",
        "vendor": "0x8086",
        "device": "0x10c9",
        "numa_node": "1",
        "sriov_numvfs": "",
    }
    dev = RawNetdev("ens1f0", "3C:FD:FE:AA:BB:00", "0x1003", "2")
    return RawPf(PF, texts | (attributes or {}), "igb", (dev,), vfs)
