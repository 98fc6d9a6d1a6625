"""Our matcher of device_spec against nova's own, of two releases: they take, refuse and match the same."""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import PF, PF2, vf_address
from fakes_host import HostTree
from sriov_bootstrap.core.openstack_releases import OpenStackRelease
from sriov_bootstrap.doctor.nova.device_spec import PciDevice, SpecContext, SpecProblem, parse_specs

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(300)]

BUILD = Path(__file__).parents[2] / "build" / "openstack"
RELEASES = {"newest": OpenStackRelease(34), "older": OpenStackRelease(28)}
EXAMPLES = int(os.environ.get("SRIOV_SPEC_EXAMPLES", "2000"))

FAR, DISK = "0001:af:1f.7", "0000:00:1f.2"
PFS = {PF: "ens1f0", PF2: "ens1f1", FAR: "ens7"}
VF = vf_address(PF, 1)
NETDEVS = {netdev: pf for pf, netdev in PFS.items()} | {"ens1f0v1": VF, "eth9": DISK, "eth0": "virtio0"}


def tree_of(root: Path) -> None:
    """Three PFs, netdevs of PFs, of a VF, of what has no SR-IOV and of what is no PCI device."""
    tree = HostTree(root)
    for pf in PFS:
        tree.add_function(pf, sriov_totalvfs="7", vendor="0x8086", device="0x10c9", sriov_vf_device="10ca")
    tree.add_function(VF, vendor="0x8086", device="0x10ca")
    tree.add_function(DISK, sriov_totalvfs="0")
    tree.add_function("virtio0")
    for netdev, address in NETDEVS.items():
        tree.add_netdev(address, netdev)
        (tree.device(address) / "net" / netdev / "device").symlink_to(f"../../../{address}")


@contextmanager
def nova(release: str, root: Path) -> Iterator[subprocess.Popen[str]]:
    """nova's code, waiting for lines."""
    script = Path(__file__).with_name("ask.py")
    words = [str(BUILD / release / "bin" / "python"), "-W", "ignore", str(script)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={}) as process:
        say(process.stdin, {"what": "specs", "root": str(root)})
        yield process
        process.stdin.close() if process.stdin else None
        process.stdout.read() if process.stdout else None


def say(stream: IO[str] | None, what: object) -> None:
    assert stream
    stream.write(json.dumps(what) + "\n")
    stream.flush()


def hear(stream: IO[str] | None) -> Any:  # noqa: ANN401
    assert stream
    return json.loads(stream.readline())


# What a host has, so that specs and devices meet; all of it is offered to each spec, and some random devices.
CHIP, PF_CHIP = ("8086", "10ca"), ("8086", "10c9")
POOL = (
    *(PciDevice(pf, *PF_CHIP) for pf in PFS),
    *(PciDevice(vf_address(pf, index * 2 + int(pf[-1]) % 2), *CHIP, parent=pf) for pf in PFS for index in range(2)),
    PciDevice(VF, *CHIP, parent=PF, card_serial="SN1"),
    PciDevice("0000:3b:02.5", *CHIP, parent="0000:3b:00.2"),  # its PF is not here
    PciDevice(DISK, "8086", "a102"),
    PciDevice("0000:af:00.0", "10de", "25b6"),
    PciDevice("10000:01:00.0", "8086", "0a54"),  # behind a VMD; nova passes it over
)
devices = st.builds(
    PciDevice,
    st.builds("{:04x}:{:02x}:{:02x}.{:x}".format, *(st.integers(0, last) for last in (1, 255, 31, 7))),
    st.sampled_from(("8086", "15b3", "0008")),
    st.sampled_from(("10ca", "10c9", "1521")),
    st.just(""),
    st.sampled_from(("", PF, PF2, FAR)),
    st.sampled_from(("", "SN1")),
)


def mostly(usual: st.SearchStrategy[Any], rest: st.SearchStrategy[Any], *, one_in: int = 5) -> st.SearchStrategy[Any]:
    """`rest` now and then: what is refused hides the rest of its spec."""
    return st.integers(1, one_in).flatmap(lambda number: rest if number == one_in else usual)


def among(*words: str) -> st.SearchStrategy[str]:
    return st.sampled_from(words)


odd: st.SearchStrategy[Any] = st.sampled_from((None, True, False, 0, 1, 8086, 1.5, [], {}, ["8086"], {"a": 1}))
odd_ids = among("zz", "", " * ", "10000", "-1", "8_0", "\uff18086", "8 086") | odd
vendors = mostly(among("8086", "8086", "8086 ", "0x8086", "*", " *", "15b3"), odd_ids, one_in=8)
products = mostly(among("10ca", "10ca", "10c9", " 10ca", "10CA", "*"), odd_ids, one_in=8)
domains = mostly(
    among("0000", "0001", "0", "*", "", " 0000 ", "0x0"), among("10000", "g", "-0", "ffff", "-1"), one_in=9
)
buses = mostly(among("3b", "3B", "af", "*", "", " 3b", "0x3b"), among("100", "3*", "00"), one_in=9)
slots = mostly(among("00", "02", "1f", "*", "", "0", "2", "1F"), among("20", "0_2", "[0-2]"), one_in=9)
functions = mostly(among("0", "1", "2", "7", "*", "", " 1", "00"), among("8", "f", "?"), one_in=9)
globs = st.one_of(
    st.builds("{}:{}:{}.{}".format, domains, buses, slots, functions),
    st.builds("{}:{}.{}".format, buses, slots, functions),
    st.builds("{}.{}".format, slots, functions),
    st.builds("{}:{}:{}".format, domains, buses, slots),
    st.text("03b:.*af1 ", max_size=13),
)
exact = among(*PFS, *PFS, VF, DISK, PF.upper(), f" {PF}", f"{PF} ", "0:3b:0.0", "3b:00.0")
wild = st.text("03b.*[]()^$|?+{}\\d", max_size=6) | odd
patterns = st.fixed_dictionaries(
    {},
    optional={
        "domain": mostly(among(".*", "0000", "0", "000[01]", ""), wild, one_in=9),
        "bus": mostly(among(".*", "3", "3b", "3B", "(3b|af)", "a?"), wild, one_in=9),
        "slot": mostly(among(".*", "0", "00", "0[0-2]", "[[0]0"), wild, one_in=9),
        "function": mostly(among(".*", "0", "[0-2]", "1|7", "^0$"), wild, one_in=9),
        "func": among("0"),
    },
)
one_pf = st.sampled_from(
    [dict(zip(("domain", "bus", "slot", "function"), pf.replace(".", ":").split(":"), strict=True)) for pf in PFS]
)
places = mostly(exact | globs | patterns | one_pf, odd | among("", ".", ":", "*:*:*.*", "1:2:3:4.5"), one_in=9)
names = mostly(among(*NETDEVS), among("ens9", "", "ENS1F0") | odd)
booleans = mostly(among("true", "True", "yes", "no", "off", " 1 "), among("", "ja") | odd, one_in=3)
TAGS = {
    **dict.fromkeys(("physical_network", "resource_class", "devnam", "Address"), st.text(max_size=3) | odd),
    **dict.fromkeys(("trusted", "remote_managed", "managed", "live_migratable", "one_time_use"), booleans),
}


@st.composite
def objects(draw: st.DrawFn) -> dict[str, object]:
    """One spec: each thing more that it says is one more that does not fit."""
    spec: dict[str, object] = {}
    where = draw(among("address", "address", "address", "address", "devname", "devname", "", "both"))
    if where in {"address", "both"}:
        spec["address"] = draw(places)
    if where in {"devname", "both"}:
        spec["devname"] = draw(names)
    for key, values in (("vendor_id", vendors), ("product_id", products)):
        if draw(st.integers(0, 2)) == 2:
            spec[key] = draw(values)
    if draw(st.integers(0, 2)) == 2:
        spec |= {key: draw(TAGS[key]) for key in draw(st.lists(among(*TAGS), min_size=1, max_size=2))}
    return spec


def spoilt(text: str, at: int, new: str) -> str:
    return text[: at % (len(text) + 1)] + new + text[at % (len(text) + 1) + 1 :]


good_texts = st.builds(json.dumps, objects())
texts = mostly(
    good_texts | st.builds(json.dumps, st.lists(objects(), max_size=3)),
    st.one_of(
        st.builds(json.dumps, st.lists(objects() | odd, max_size=3)),
        st.builds(spoilt, good_texts, st.integers(0, 200), among("", '"', "'", "}", ",", "[", "\n")),
        st.builds(json.dumps, odd),
        among("", " ", "NaN", '{"a": 1, "a": 2}', '{"address": "*"} {}', "[" * 3000, "{'devname': 'x'}", "9" * 5000),
    ),
    one_in=8,
)


def as_nova_has_it(device: PciDevice) -> dict[str, object]:
    there: dict[str, object] = {
        "address": device.address,
        "vendor_id": device.vendor_id,
        "product_id": device.product_id,
    }
    there |= {"parent_addr": device.parent} if device.parent else {}
    return there | ({"capabilities": {"vpd": {"card_serial_number": device.card_serial}}} if device.card_serial else {})


@pytest.mark.parametrize("release", RELEASES)
def test_our_matcher_is_novas(tmp_path: Path, release: str) -> None:
    tree_of(tmp_path)
    counts: Counter[str] = Counter()
    with nova(release, tmp_path) as theirs:

        @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(text=texts, random=st.lists(devices, max_size=2), report=st.booleans())
        def same(text: str, random: list[PciDevice], *, report: bool) -> None:
            on_host = [*POOL, *random]
            question = {"text": text, "devices": list(map(as_nova_has_it, on_host)), "report_in_placement": report}
            say(theirs.stdin, question)
            answer = hear(theirs.stdout)
            here = SpecContext(frozenset(PFS), NETDEVS, report)
            ours = parse_specs(text, RELEASES[release])
            refused = isinstance(ours, SpecProblem) or any(spec.refusal(here) for spec in ours)
            assert refused == isinstance(answer, str), (ours, answer)
            counts["refused" if refused else "taken"] += 1
            if isinstance(ours, SpecProblem) or refused:
                return
            mine = [[spec.matches(device, here) for device in on_host] for spec in ours]
            assert mine == answer
            counts.update("match" if one else "no match" for row in mine for one in row)

        same()
    # Examples that all end the same way would prove nothing.
    assert min(counts["refused"], counts["taken"], counts["match"], counts["no match"]) > EXAMPLES / 10, counts
