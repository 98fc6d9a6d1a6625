"""What each stage came to, with cause and remedy."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from builders import PF, make_netdev, make_pf, make_vf, vf_address
from sriov_bootstrap.core.facts import PfFacts
from sriov_bootstrap.core.vf_attributes import VfAttributes
from sriov_bootstrap.verify import guest
from sriov_bootstrap.verify.choice import Choice
from sriov_bootstrap.verify.domain import Vm, domain_name, is_ipv4, mac_for
from sriov_bootstrap.verify.report import GuestReport, parse_report
from sriov_bootstrap.verify.stages import Accelerator, StageOutcome, StageResult, Verification
from sriov_bootstrap.verify.stages import ProofStage as At
from sriov_bootstrap.verify.verdicts import Equipment, Observation, judge_after, judge_back, judge_before

VFS = (make_vf(index=0, iommu_group="17"), make_vf(index=1, iommu_group="18"))
UP = make_netdev(name="ens1f0", is_up=True)
HERE = make_pf(netdevs=(UP,), vfs=VFS)
CHOICE = Choice("a", HERE, VFS[0], VFS[1])
HOST = Equipment({"17": (vf_address(PF, 0),), "18": (vf_address(PF, 1),)})
NAME = domain_name(PF)
MACS = {vf_address(PF, 0): "fa:16:3e:00:00:01", vf_address(PF, 1): "fa:16:3e:00:00:02"}
VM = Vm(NAME, Accelerator.KVM, "n0", MACS, vlan=100, gateway="192.0.2.1")
GOOD = b"""\
{"nonce": "n0", "stage": "booted", "kernel": "6.12"}
{"nonce": "n0", "stage": "device", "address": "0000:01:00.0", "vendor_id": "8086", "device_id": "10ca",\
 "driver": "igbvf", "netdev": "eth0", "mac": "fa:16:3e:00:00:01"}
{"nonce": "n0", "stage": "device", "address": "0000:02:00.0", "driver": "igbvf", "netdev": "eth1",\
 "mac": "fa:16:3e:00:00:02"}
{"nonce": "n0", "stage": "link", "mac": "fa:16:3e:00:00:01", "carrier": 1, "speed": 1000}
{"nonce": "n0", "stage": "frame", "sender": "fa:16:3e:00:00:01", "receiver": "fa:16:3e:00:00:02", "received": 1}
{"nonce": "n0", "stage": "frame", "sender": "fa:16:3e:00:00:02", "receiver": "fa:16:3e:00:00:01", "received": 1}
{"nonce": "n0", "stage": "gateway", "address": "192.0.2.1", "mac": "02:00:00:00:00:fe"}
{"nonce": "n0", "stage": "end"}
"""
SEEN = Observation(parse_report(GOOD, "n0"), on_pf=VfAttributes(vlan=100))


def before(*, pf: PfFacts = HERE, host: Equipment = HOST) -> dict[At, StageResult]:
    return {stage.stage: stage for stage in judge_before(replace(CHOICE, pf=pf), host, NAME)}


def after(seen: Observation = SEEN, vm: Vm = VM) -> dict[At, StageResult]:
    return {stage.stage: stage for stage in judge_after(CHOICE, vm, seen)}


def without(stage: str) -> Observation:
    """The report without the lines of a stage."""
    lines = [line for line in GOOD.splitlines(keepends=True) if f'"stage": "{stage}"'.encode() not in line]
    return replace(SEEN, report=parse_report(b"".join(lines), "n0"))


def with_line(old: str, new: str) -> Observation:
    return replace(SEEN, report=parse_report(GOOD.replace(old.encode(), new.encode()), "n0"))


def test_a_host_that_is_ready_passes_all_stages_before_the_vm() -> None:
    assert {stage.outcome for stage in before().values()} == {StageOutcome.PASSED}


@pytest.mark.parametrize(
    ("pf", "host", "stage", "said"),
    [
        (HERE, replace(HOST, groups=None), At.IOMMU, "the IOMMU is off"),
        (
            HERE,
            replace(HOST, groups={"17": (vf_address(PF, 0), "0000:3b:00.0")}),
            At.IOMMU,
            "also has 0000:3b:00.0",
        ),
        (make_pf(netdevs=(make_netdev(is_up=False),), vfs=VFS), HOST, At.PF, "is down"),
        (make_pf(netdevs=(), vfs=VFS), HOST, At.PF, "has no netdev here"),
        (HERE, replace(HOST, machine_problem="this host is aarch64", libvirt_problem="no"), At.LIBVIRT, "is aarch64"),
        (HERE, replace(HOST, libvirt_problem="libvirt does not answer: no"), At.LIBVIRT, "does not answer: no"),
        (HERE, replace(HOST, taken_names=frozenset({NAME})), At.LIBVIRT, "there is a domain"),
        (HERE, replace(HOST, kernel_problem="there is no kernel to boot"), At.KERNEL, "no kernel"),
        (HERE, replace(HOST, module_problems={vf_address(PF, 0): "no driver"}), At.KERNEL, "no driver"),
    ],
)
def test_what_keeps_a_vm_from_being_started_is_told(pf: PfFacts, host: Equipment, stage: At, said: str) -> None:
    failed = [found for found in before(pf=pf, host=host).values() if found.has_failed]
    assert [found.stage for found in failed] == [stage]
    assert said in failed[0].said
    assert failed[0].remedy


def test_without_a_free_vf_nothing_else_is_looked_at() -> None:
    (found,) = judge_before(Choice("a", HERE, why="all are in use", remedy="wait"), HOST, NAME)
    assert (found.stage, found.said, found.remedy) == (At.FREE, "all are in use", "wait")


def test_without_kvm_it_says_how_long_it_takes() -> None:
    assert "takes minutes" in before(host=replace(HOST, has_kvm=False))[At.LIBVIRT].said
    assert replace(HOST, has_kvm=False).accelerator is Accelerator.TCG
    assert HOST.accelerator is Accelerator.KVM


def test_a_vf_that_works_passes_all_stages() -> None:
    found = after()
    assert {stage.outcome for stage in found.values()} == {StageOutcome.PASSED}
    assert found[At.LINK].said == "up, 1000 Mbit/s"
    assert found[At.GATEWAY].said == "192.0.2.1 is at 02:00:00:00:00:fe"


@pytest.mark.parametrize(
    ("said", "stage"),
    [
        ("internal error: Unable to configure VF 0 of PF 'ens1f0' because the PF is not online.", At.PF),
        ("vfio 0000:3b:02.0: group 17 is not viable", At.IOMMU),
        ("host doesn't support passthrough of host PCI devices", At.IOMMU),
        ("Cannot set interface MAC/vlanid to fa:16:3e:00:00:01/100 for ifname ens1f0 vf 0", At.MAC),
        ("unable to set VLAN", At.VLAN),
        ("operation failed: domain 'x' already exists", At.START),
        ("No space left on device", At.START),
        ("something else", At.START),
    ],
)
def test_what_libvirt_refuses_is_told_in_its_own_words(said: str, stage: At) -> None:
    found = after(replace(SEEN, libvirt_said=said))
    assert [*found] == [stage]
    assert (found[stage].said, bool(found[stage].remedy)) == (said, True)


@pytest.mark.parametrize(
    ("seen", "stage", "said"),
    [
        (Observation(is_late=True, seconds=60), At.BOOT, "within 60 s (--timeout); its console is empty"),
        (Observation(console="Kernel panic"), At.BOOT, "the VM ended before"),
        (without("device"), At.DEVICE, "the guest sees no NIC"),
        (
            with_line('"driver": "igbvf", "netdev": "eth0", "mac": "fa:16:3e:00:00:01"', '"driver": ""'),
            At.DRIVER,
            "no",
        ),
        (with_line('"netdev": "eth0"', '"netdev": ""'), At.DRIVER, "driver igbvf makes no netdev"),
        (
            with_line('"eth0", "mac": "fa:16:3e:00:00:01"', '"eth0", "mac": "02:00:00:00:00:09"'),
            At.MAC,
            "was set",
        ),
        (replace(SEEN, on_pf=VfAttributes(vlan=0)), At.VLAN, "the PF has VLAN 0 for it, and 100 was set"),
        (with_line('"carrier": 1', '"carrier": 0'), At.LINK, "has no carrier"),
        (without("link"), At.LINK, "did not come so far"),
        (without("frame"), At.FRAMES, "none was sent"),
        (with_line('"received": 1', '"received": 0'), At.FRAMES, "nothing came through"),
        (without("gateway"), At.GATEWAY, "nobody answers ARP for 192.0.2.1"),
    ],
)
def test_each_stage_can_break(seen: Observation, stage: At, said: str) -> None:
    failed = [found for found in after(seen).values() if found.has_failed]
    assert failed[0].stage is stage
    assert said in failed[0].said
    assert failed[0].remedy


def test_a_module_that_the_guest_could_not_load_is_named() -> None:
    line = b'{"nonce": "n0", "stage": "module", "path": "/lib/igbvf.ko", "problem": "Exec format error"}\n'
    bare = without("link").report
    seen = Observation(
        replace(parse_report(line, "n0"), booted=bare.booted, devices=(replace(bare.devices[0], driver=""),))
    )
    assert "/lib/igbvf.ko: Exec format error" in after(seen)[At.DRIVER].said


def test_what_could_not_be_tried_is_no_failure() -> None:
    alone = replace(VM, macs={vf_address(PF, 0): "fa:16:3e:00:00:01"}, vlan=0, gateway="")
    found = after(SEEN, alone)
    assert (found[At.FRAMES].outcome, found[At.VLAN].outcome) == (
        StageOutcome.SKIPPED,
        StageOutcome.SKIPPED,
    )
    assert At.GATEWAY not in found
    assert after(replace(SEEN, on_pf=None))[At.VLAN].outcome is StageOutcome.SKIPPED


def test_what_is_not_put_back_is_a_failure() -> None:
    assert not judge_back(()).has_failed
    assert judge_back(("x has no driver",)).said == "x has no driver"
    assert judge_back(("x has no driver",), ("y is held",)).said == "x has no driver; y is held"


def test_a_vf_that_is_somebodys_by_now_is_no_failure_of_putting_it_back() -> None:
    back = judge_back((), ("y is held: left alone",))
    assert (back.outcome, back.said) == (StageOutcome.PASSED, "y is held: left alone")


@pytest.mark.parametrize(
    "data", [b"", GOOD.replace(b'"n0"', b'"n1"'), b'{"nonce": "n0", "stage": "end"}', b"[\n\xff\n"]
)
def test_a_report_of_another_guest_and_a_line_that_is_cut_off_count_for_nothing(data: bytes) -> None:
    assert parse_report(data, "n0") == GuestReport()


def test_a_proof_without_stages_or_with_a_failed_one_is_none() -> None:
    good = Verification("a", PF, "ens1f0", stages=(judge_back(()),))
    assert (good.is_proved, str(good)) == (True, f"{PF} (ens1f0)")
    assert not Verification("a", PF).is_proved
    assert not replace(good, stages=(judge_back(("x",)),)).is_proved


def test_the_domain_ends_by_itself_and_tells_its_guest_what_it_has_to_know() -> None:
    text = VM.xml("<interface/>\n")
    assert "<interface/>\n  </devices>" in text
    assert "sriov_verify.nonce=n0 sriov_verify.gateway=192.0.2.1" in text
    assert "gateway" not in replace(VM, gateway="").xml("")
    for event in ("poweroff", "reboot", "crash"):
        assert f"<on_{event}>destroy</on_{event}>" in text


def test_python_starts_without_random_numbers() -> None:
    """An early guest on a CPU without RDRAND has none: the kernel hands the word on, and no option may hide it."""
    first, *_ = Path(guest.__file__).read_text(encoding="ascii").splitlines()
    assert not {*first.partition(" -")[2]} & {"I", "E"}
    assert " PYTHONHASHSEED=0 " in VM.xml("")


def test_two_vfs_have_two_macs_and_neither_is_a_multicast_address() -> None:
    assert [mac_for("ffffff00", number) for number in (0, 1)] == ["fa:16:3e:ff:ff:ff", "fa:16:3e:00:00:00"]


@pytest.mark.parametrize("text", ["192.0.2.1", "255.255.255.255"])
def test_an_ipv4_address_is_known(text: str) -> None:
    assert is_ipv4(text)


@pytest.mark.parametrize("text", ["256.0.0.1", "1.2.3", "1.2.3.4.", "a", ""])
def test_anything_else_is_none(text: str) -> None:
    assert not is_ipv4(text)
