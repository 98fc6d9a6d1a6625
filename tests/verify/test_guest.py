"""The guest's program, on a folder that looks like its /sys; and the archive that it is in."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sriov_bootstrap.verify import guest
from sriov_bootstrap.verify.initramfs import archive, entries_for

VF = "bus/pci/devices/0000:01:00.0"
MAC = "fa:16:3e:00:00:01"


@pytest.fixture
def sys_folder(tmp_path: Path) -> Path:
    """A VF with driver and netdev, and a bridge."""
    folder = tmp_path / VF
    texts = {"class": "0x020000", "vendor": "0x8086", "device": "0x10ca", "modalias": "pci:v1"}
    texts |= {"net/eth0/address": MAC, "net/eth0/carrier": "1", "net/eth0/speed": "1000"}
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{text}\n")
    (tmp_path / "bus/pci/drivers/igbvf").mkdir(parents=True)
    (folder / "driver").symlink_to(tmp_path / "bus/pci/drivers/igbvf")
    (tmp_path / "bus/pci/devices/0000:00:1f.0").mkdir()
    return tmp_path


def test_the_report_has_the_vf_as_the_guest_sees_it(sys_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    monkeypatch.setattr(guest, "set_up", lambda _: None)  # netdevs are the kernel's
    guest.run_stages(guest.reporter(write_end, "n0"), "", str(sys_folder), "/nonexistent")
    os.close(write_end)
    with os.fdopen(read_end) as report:
        lines = [json.loads(line) for line in report]
    assert [line["stage"] for line in lines] == ["booted", "device", "link", "end"]
    assert {line["nonce"] for line in lines} == {"n0"}
    assert lines[1] == {
        "nonce": "n0",
        "stage": "device",
        "address": "0000:01:00.0",
        "vendor_id": "8086",
        "device_id": "10ca",
        "driver": "igbvf",
        "netdev": "eth0",
        "mac": MAC,
    }
    assert lines[2] == {"nonce": "n0", "stage": "link", "mac": MAC, "carrier": 1, "speed": 1000}


def test_a_module_that_cannot_be_loaded_is_told_once(tmp_path: Path, sys_folder: Path) -> None:
    modules = tmp_path / "modules"
    modules.write_text("pci:v1 /lib/a.ko /lib/b.ko\npci:v1 /lib/a.ko\npci:v2 /lib/c.ko\n")
    said: list[tuple[str, list[str]]] = []

    def refuse_b(program: str, argv: list[str]) -> str:
        said.append((program, argv))
        return "no such device" if argv[1] == "/lib/b.ko" else ""

    found = list(guest.load_modules([str(sys_folder / VF)], str(modules), refuse_b))
    assert found == [("/lib/b.ko", "no such device")]
    assert said == [("/bin/kmod", ["insmod", "/lib/a.ko"]), ("/bin/kmod", ["insmod", "/lib/b.ko"])]


def test_a_device_without_driver_and_netdev_has_neither(tmp_path: Path) -> None:
    (tmp_path / VF).mkdir(parents=True)
    described = guest.describe(str(tmp_path / VF))
    assert (described["driver"], described["netdev"], described["mac"]) == ("", "", "")
    assert guest.speed_of(str(tmp_path)) is None


@pytest.mark.parametrize("text", ["plain", 'a "quote" and a \\', "\n\t\x00", "Motörhead"])
def test_what_it_says_is_json(text: str) -> None:
    value: guest.Json = {"text": text, "number": 7, "none": None}
    assert json.loads(guest.as_json(value)) == value


def test_only_our_words_of_the_command_line_count() -> None:
    line = "console=ttyS0 sriov_verify.nonce=ab quiet sriov_verify.gateway=192.0.2.1"
    assert guest.words_of(line) == {"nonce": "ab", "gateway": "192.0.2.1"}


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        (guest.ARP.pack(*guest.ARP_REPLY, b"\2" * 6, b"\xc0\0\2\1", b"\1" * 6, bytes(4)), "02:02:02:02:02:02"),
        (guest.ARP.pack(*guest.ARP_REPLY, b"\2" * 6, b"\xc0\0\2\2", b"\1" * 6, bytes(4)), ""),
        (guest.ARP.pack(*guest.ARP_REQUEST, b"\2" * 6, b"\xc0\0\2\1", b"\1" * 6, bytes(4)), ""),
    ],
    ids=["an answer", "of somebody else", "a question"],
)
def test_only_an_answer_for_that_address_counts(
    monkeypatch: pytest.MonkeyPatch, sys_folder: Path, came: bytes, expected: str
) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.settimeout(0)
    (sys_folder / VF / "net/eth0/address").write_text("01:01:01:01:01:01\n")
    monkeypatch.setattr(guest, "open_port", lambda *_: ours)
    monkeypatch.setattr(guest, "ANSWER_SECONDS", 0.01)
    theirs.send(b"\1" * 6 + b"\2" * 6 + b"\x08\x06" + came)
    assert guest.ask_gateway(str(sys_folder / VF / "net/eth0"), "192.0.2.1") == expected
    asked = theirs.recv(2048)
    assert asked[:6] == guest.BROADCAST
    assert asked[28:32] == bytes(4)  # without an address of our own
    for end in (ours, theirs):
        end.close()


def test_a_program_that_fails_has_said_why() -> None:
    assert guest.run("/bin/sh", ["sh", "-c", "echo why >&2; exit 1"]) == "why"
    assert guest.run("/bin/sh", ["sh", "-c", "exit 1"]) == "it failed"
    assert guest.run("/bin/true", ["true"]) == ""


def test_the_program_imports_nothing_that_is_not_built_in() -> None:
    """Compiling a module of the standard library costs an emulated CPU seconds."""
    script = f"import sys; before = {{*sys.modules}}; exec(compile(open({guest.__file__!r}).read(), 'g', 'exec'))"
    more = "; print(*[m for m in {*sys.modules} - before if sys.modules[m].__spec__.origin.endswith('.py')])"
    done = subprocess.run(
        [sys.executable, "-ISc", f"__name__ = 'g'; {script}{more}"], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_the_archive_is_what_the_kernel_unpacks() -> None:
    """Fields of newc: magic, 13 numbers of 8 hexadecimal digits, the name, its data, each to a multiple of 4."""
    data = archive(entries_for({"/init": b"#!", "/usr/lib/a": b"12345"}))
    found: dict[str, tuple[int, bytes]] = {}
    at = 0
    while at < len(data):
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * number : at + 14 + 8 * number], 16) for number in range(13)]
        name = data[at + 110 : at + 110 + fields[11] - 1].decode()
        start = at + 110 + fields[11] + -(110 + fields[11]) % 4
        found[name] = (fields[1], data[start : start + fields[6]])
        at = start + fields[6] + -fields[6] % 4
    assert list(found) == ["usr", "usr/lib", "init", "usr/lib/a", "TRAILER!!!"]
    assert found["usr/lib/a"] == (0o100755, b"12345")
    assert found["usr"] == (0o040755, b"")
