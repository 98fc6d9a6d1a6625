"""Config space and `resource` files for tests."""

import struct

PLACED = "0x00000000fe000000 0x00000000fe0fffff 0x0000000000140204"
NONE = "0x0000000000000000 0x0000000000000000 0x0000000000000000"
UNSET = "0x0000000000000000 0x000000000001ffff 0x0000000020140204"


def config(*capabilities: tuple[int, int, bytes], size: int = 4096) -> bytes:
    """Each capability: where it is, its id, and what follows its header; the next one is the next in the list."""
    data = bytearray(size)
    data[:2] = b"\x86\x80"
    offsets = [one[0] for one in capabilities[1:]] + [0]
    for (offset, number, body), following in zip(capabilities, offsets, strict=True):
        struct.pack_into("<I", data, offset, number | 1 << 16 | following << 20)
        data[offset + 4 : offset + 4 + len(body)] = body
    return bytes(data[:size])


def sriov(total_vfs: int, offset: int = 0x160) -> bytes:
    """As an 82576 has it: AER, a serial number, SR-IOV."""
    body = bytes(10) + struct.pack("<H", total_vfs)
    return config((0x100, 1, b""), (0x140, 3, b""), (offset, 0x10, body))


def resource(*vf_bars: str) -> str:
    return "\n".join([PLACED] + [NONE] * 6 + list(vf_bars) + [NONE] * (6 - len(vf_bars)))
