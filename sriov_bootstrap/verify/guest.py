#!/usr/bin/python3 -sS
"""The guest's /init: loads the driver of its VFs, looks at them, sends frames, and reports on the second serial port.

It runs on the host's own interpreter, in an initramfs with nothing but what this file loads. So it imports nothing of
ours, and of the standard library what is built into the interpreter: compiling costs a CPU in software seconds.
Each line of the report is a JSON object with the nonce from the kernel's command line: nobody but this guest can have
said it.
"""

import os
import sys
import time
from _collections_abc import Callable, Iterable, Iterator
from _socket import AF_INET, AF_PACKET, SOCK_DGRAM, SOCK_RAW, inet_aton, socket
from _struct import Struct
from fcntl import ioctl

INTERPRETER = "/usr/bin/python3"  # in the first line; the host puts in its own
PREFIX = "sriov_verify."
REPORT = "/dev/ttyS1"
MODULES = "/modules"  # a line for each kind of VF: its modalias, then the modules to load, in their order
MOUNTS = (("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev"))
NETDEVS_SECONDS = 120.0  # what a probe may take, on a CPU in software
CARRIER_SECONDS = 20.0
ANSWER_SECONDS = 2.0
TRIES = 5
POLL_SECONDS = 0.1
NETWORK_CLASS = "0x02"
NO_SPEED = (1 << 32) - 1  # SPEED_UNKNOWN, include/uapi/linux/ethtool.h
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1  # include/uapi/linux/sockios.h, if.h
IFREQ = Struct("16sH14x")
ETH_P_ARP, ETH_P_LOCAL = 0x0806, 0x88B5  # the latter is for local experiments (IEEE 802)
BROADCAST = b"\xff" * 6
FRAME_BYTES = 60
ARP = Struct("!HHBBH6s4s6s4s")  # RFC 826
ARP_REQUEST, ARP_REPLY = (1, 0x0800, 6, 4, 1), (1, 0x0800, 6, 4, 2)

Json = str | int | None | dict[str, "Json"]
Reporter = Callable[..., None]


def main() -> None:
    """PID 1 of the guest. Never returns: the kernel would panic."""
    for kind, place in MOUNTS:
        os.makedirs(place, exist_ok=True)
        run("/bin/mount", ["mount", "-t", kind, kind, place])
    words = words_of(read_text("/proc/cmdline"))
    port = os.open(REPORT, os.O_WRONLY | os.O_NOCTTY)
    try:
        run_stages(reporter(port, words.get("nonce", "")), words.get("gateway", ""))
    finally:
        power_off()


def run_stages(say: Reporter, gateway: str, sys_folder: str = "/sys", modules: str = MODULES) -> None:
    """All that the guest does, to the last line, which says that nothing follows."""
    say("booted", kernel=os.uname().release)
    devices = network_devices(sys_folder)
    for path, problem in load_modules(devices, modules, run):
        say("module", path=path, problem=problem)
    netdevs = wait_for_netdevs(devices)
    for device in devices:
        say("device", **describe(device))
    for netdev in netdevs:
        set_up(os.path.basename(netdev))
    for _ in polls(CARRIER_SECONDS):
        if all(map(has_carrier, netdevs)):
            break
    for netdev in netdevs:
        say("link", mac=mac_of(netdev), carrier=int(has_carrier(netdev)), speed=speed_of(netdev))
    for sender, receiver in (netdevs, netdevs[::-1]) if len(netdevs) > 1 else ():
        say("frame", sender=mac_of(sender), receiver=mac_of(receiver), received=int(reaches(sender, receiver)))
    if gateway and netdevs:
        say("gateway", address=gateway, mac=ask_gateway(netdevs[0], gateway))
    say("end")


def reporter(port: int, nonce: str) -> Reporter:
    """What says one line of the report."""

    def say(stage: str, **facts: Json) -> None:
        line = as_json({"nonce": nonce, "stage": stage, **facts}).encode() + b"\n"
        while line:
            line = line[os.write(port, line) :]

    return say


def words_of(command_line: str) -> dict[str, str]:
    """Our own words of the kernel's command line: name -> value."""
    ours = (word.removeprefix(PREFIX).partition("=") for word in command_line.split() if word.startswith(PREFIX))
    return {name: value for name, _, value in ours}


def as_json(value: Json) -> str:
    """Importing `json` would take as long as all the rest."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{as_json(key)}: {as_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, str):
        return '"' + "".join(map(_escape, value)) + '"'
    return "null" if value is None else str(value)


def _escape(char: str) -> str:
    return char if " " <= char <= "~" and char not in '"\\' else f"\\u{min(ord(char), 0xFFFD):04x}"


# -- devices --


def network_devices(sys_folder: str) -> list[str]:
    """The folders of PCI devices that are NICs: the VM has no others but its VFs."""
    folder = f"{sys_folder}/bus/pci/devices"
    devices = [f"{folder}/{name}" for name in names_in(folder)]
    return [device for device in devices if read_text(f"{device}/class").startswith(NETWORK_CLASS)]


def load_modules(
    devices: Iterable[str], modules: str, load: Callable[[str, list[str]], str]
) -> Iterator[tuple[str, str]]:
    """Loads what these devices need; yields each module that could not be, and why."""
    wanted = {read_text(f"{device}/modalias") for device in devices}
    lines = (line.split() for line in read_text(modules).splitlines())
    for path in dict.fromkeys(path for modalias, *paths in lines for path in paths if modalias in wanted):
        if problem := load("/bin/kmod", ["insmod", path]):
            yield path, problem


def wait_for_netdevs(devices: list[str]) -> list[str]:
    """The folder of one netdev for each device, in their order, of those that have one by the deadline."""
    found: list[str] = []
    for _ in polls(NETDEVS_SECONDS):
        found = [f"{device}/net/{name}" for device in devices for name in names_in(f"{device}/net")[:1]]
        if len(found) == len(devices):
            break
    return found


def describe(device: str) -> dict[str, Json]:
    """A device, its driver, and the MAC of its netdev as the guest reads it."""
    netdev = next(iter(names_in(f"{device}/net")), "")
    return {
        "address": os.path.basename(device),
        "vendor_id": read_text(f"{device}/vendor").removeprefix("0x"),
        "device_id": read_text(f"{device}/device").removeprefix("0x"),
        "driver": os.path.basename(os.path.realpath(f"{device}/driver")) if os.path.exists(f"{device}/driver") else "",
        "netdev": netdev,
        "mac": mac_of(f"{device}/net/{netdev}") if netdev else "",
    }


def mac_of(netdev: str) -> str:
    """As the driver has got it from the PF."""
    return read_text(f"{netdev}/address")


def has_carrier(netdev: str) -> bool:
    """False also while it is down: reading the file is an error then."""
    return read_text(f"{netdev}/carrier") == "1"


def speed_of(netdev: str) -> int | None:
    """In Mbit/s; None where the driver tells none."""
    text = read_text(f"{netdev}/speed")
    return int(text) if text.isdigit() and int(text) < NO_SPEED else None


# -- frames --


def set_up(name: str) -> None:
    """Brings a netdev up. A driver that refuses leaves it without a carrier, which is what is reported."""
    with_flags = socket(AF_INET, SOCK_DGRAM)
    try:
        _, flags = IFREQ.unpack(ioctl(with_flags.fileno(), SIOCGIFFLAGS, IFREQ.pack(name.encode(), 0)))
        ioctl(with_flags.fileno(), SIOCSIFFLAGS, IFREQ.pack(name.encode(), flags | IFF_UP))
    except OSError as error:
        sys.stderr.write(f"{name}: {error}\n")
    finally:
        with_flags.close()


def reaches(sender: str, receiver: str) -> bool:
    """Whether a frame for the MAC of one netdev comes in there: it says who sent it, so it is not an echo."""
    head = raw_mac(receiver) + raw_mac(sender) + ETH_P_LOCAL.to_bytes(2, "big")
    frame = (head + os.urandom(16)).ljust(FRAME_BYTES, b"\0")
    ears, mouth = open_port(receiver, ETH_P_LOCAL), open_port(sender, ETH_P_LOCAL)
    return any(_answer_to(frame, mouth, ears, lambda came: came[: len(frame)] == frame) for _ in range(TRIES))


def ask_gateway(netdev: str, address: str) -> str:
    """The MAC that answers for an IPv4 address, "" if none does.

    Asked without an address of our own, as RFC 5227 has it: nobody's cache learns anything of us.
    """
    mac, ip = raw_mac(netdev), inet_aton(address)
    frame = BROADCAST + mac + ETH_P_ARP.to_bytes(2, "big") + ARP.pack(*ARP_REQUEST, mac, bytes(4), bytes(6), ip)
    port = open_port(netdev, ETH_P_ARP)

    def is_answer(came: bytes) -> bool:
        return came[14:22] == ARP.pack(*ARP_REPLY, mac, ip, mac, ip)[:8] and came[28:32] == ip and came[:6] == mac

    for _ in range(TRIES):
        if came := _answer_to(frame.ljust(FRAME_BYTES, b"\0"), port, port, is_answer):
            return came[22:28].hex(":")
    return ""


def _answer_to(frame: bytes, mouth: socket, ears: socket, is_meant: Callable[[bytes], bool]) -> bytes:
    mouth.send(frame)
    for _ in polls(ANSWER_SECONDS):
        try:
            while True:
                if is_meant(came := ears.recv(2048)):
                    return came
        except BlockingIOError:
            continue
    return b""


def open_port(netdev: str, protocol: int) -> socket:
    """A packet socket, packet(7)."""
    port = socket(AF_PACKET, SOCK_RAW, int.from_bytes(protocol.to_bytes(2, "big"), sys.byteorder))
    port.bind((os.path.basename(netdev), protocol))
    port.settimeout(0)  # BlockingIOError where there is nothing
    return port


def raw_mac(netdev: str) -> bytes:
    """Six bytes."""
    return bytes.fromhex(mac_of(netdev).replace(":", ""))


# -- the system --


def run(program: str, argv: list[str]) -> str:
    """Why a program failed: its last line, "" if it did not. kmod does what the first word says."""
    out, out_child = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, out_child, 2), (os.POSIX_SPAWN_CLOSE, out)]
    pid = os.posix_spawn(program, argv, {}, file_actions=actions)
    os.close(out_child)
    text = b""
    while part := os.read(out, 1 << 12):
        text += part
    os.close(out)
    _, status = os.waitpid(pid, 0)
    return (text.decode("ascii", "replace").strip().splitlines() or ["it failed"])[-1] if status else ""


def polls(seconds: float) -> Iterator[None]:
    """At once, then again and again until the time is over."""
    deadline = time.monotonic() + seconds
    yield
    while time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        yield


def read_text(path: str) -> str:
    """Stripped, "" if it cannot be read."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def names_in(folder: str) -> list[str]:
    """Sorted, none if there is no such folder."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def power_off() -> None:
    """Documentation/admin-guide/sysrq.rst. The host ends the VM anyway, so it need not confirm."""
    with open("/proc/sysrq-trigger", "w", encoding="ascii") as file:
        file.write("o")
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()
